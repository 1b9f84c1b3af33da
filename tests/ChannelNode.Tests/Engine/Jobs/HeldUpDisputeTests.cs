using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>
/// What protects nothing is promised what a dispute needs, or has a nonce before its: it gives way, also where it puts no ether in.
/// </summary>
public sealed class HeldUpDisputeTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;
    private const ulong MilliEther = 1_000_000 * Gwei;

    private AnvilFixture _anvil = null!;

    public async Task InitializeAsync() => _anvil = await AnvilFixture.StartAsync();

    public async Task DisposeAsync() => await _anvil.DisposeAsync();

    /// <summary>Of very many rows: it takes several times as much gas as a dispute.</summary>
    private async Task<JobEntry> SendHeavyAsync(JobBench bench, JobKind kind, ulong baseFee)
    {
        await bench.SetBaseFeeAsync(baseFee);
        await _anvil.MineAsync();
        JobEntry heavy = await bench.SubmitAsync(kind, "heavy", bench.Chain.Claim([.. Enumerable.Range(0, 100).Select(_ => bench.NewChannel()).Select(
            channel => new ClaimRow(channel with { Terms = channel.Terms with { OneWay = true } }, 5, default))]));
        await JobBench.UntilAsync(heavy, JobStatus.Sent);
        return heavy;
    }

    private async Task<JobEntry> DisputeAsync(JobBench bench, Channel channel, UInt128 stake) =>
        await bench.DepositAsync(channel, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600, stake);

    /// <summary>Blocks that do not get cheaper.</summary>
    private async Task MineDearAsync(JobBench bench, JobEntry entry)
    {
        for (int block = 0; block < 40 && entry.Job.IsActive; block++)
        {
            await bench.SetBaseFeeAsync(100 * Gwei);
            await _anvil.MineAsync();
            await bench.LookTwiceAsync();
        }
    }

    /// <summary>While blocks are dear the dispute is mined, in the channel, and the other is cancelled.</summary>
    private async Task<Job> AssertGivesWayAsync(JobBench bench, JobEntry other, JobEntry dispute, Channel urgent, Refusal why)
    {
        await MineDearAsync(bench, dispute);

        Assert.Equal(
            (JobStatus.Done, 1_000UL, 2UL), (dispute.Job.Status, (ulong)await bench.PotAsync(urgent), await bench.NonceAsync()));
        Job cancelled = await bench.MineUntilAsync(other, job => !job.IsActive);
        Assert.Equal((JobStatus.Failed, why), (cancelled.Status, cancelled.Refusal));
        return cancelled;
    }

    /// <summary>
    /// Both are sent when fees rise: the account could pay for the dispute, and for the other only what no block takes. That one may offer
    /// more than the dispute is about.
    /// </summary>
    [Theory]
    [InlineData(JobKind.Settle, 1, 3_000)]
    [InlineData(JobKind.StartClose, 1, 3_000)]
    [InlineData(JobKind.Settle, 40, 40)]
    public async Task JobThatCanOfferNoMore_AndHoldsUpADispute_IsCancelled(object kind, ulong baseFee, ulong stake)
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel urgent = bench.NewChannel();
        JobEntry heavy = await SendHeavyAsync(bench, (JobKind)kind, baseFee * Gwei);
        JobEntry dispute = await DisputeAsync(bench, urgent, stake * MilliEther);
        await JobBench.UntilAsync(dispute, JobStatus.Sent);
        await bench.SetBalanceAsync(60 * MilliEther);

        Job cancelled = await AssertGivesWayAsync(bench, heavy, dispute, urgent, Refusal.InsufficientFunds);
        Assert.StartsWith($"claim gives way to job {dispute.Job.Number}, which protects money: the account's 0.06 ETH", cancelled.Message);
        Assert.Equal(JobKind.StartClose.Equals(kind), cancelled.Message.EndsWith("has to be asked for again", StringComparison.Ordinal));
        // It was never promised the whole account for an offer that no block takes.
        Assert.DoesNotContain(cancelled.Attempts, attempt => attempt.Kind == AttemptKind.Completing && attempt.Fees.MaxFee > 3 * baseFee * Gwei + 3 * Gwei);
    }

    /// <summary>The account has enough for all of it, the day has not.</summary>
    [Fact]
    public async Task JobThatTheDaysGasDoesNotRaise_AndHoldsUpADispute_IsCancelled()
    {
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { GasBudgetWeiPerDay = 10 * MilliEther, DisputeReserveWeiPerDay = 30 * MilliEther });
        Channel urgent = bench.NewChannel();
        JobEntry heavy = await SendHeavyAsync(bench, JobKind.Settle, Gwei);
        JobEntry dispute = await DisputeAsync(bench, urgent, 60 * MilliEther);
        await JobBench.UntilAsync(dispute, JobStatus.Sent);

        await AssertGivesWayAsync(bench, heavy, dispute, urgent, Refusal.BudgetReached);
    }

    /// <summary>It stood still at the limit of its fees before the dispute was asked for, and is promised more than there is.</summary>
    [Fact]
    public async Task JobStuckAtItsLimitOfFees_GivesWayToADisputeThatIsYetToBegin()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = 20 * Gwei });
        Channel urgent = bench.NewChannel();
        JobEntry heavy = await SendHeavyAsync(bench, JobKind.Settle, 9 * Gwei);
        await bench.SetBaseFeeAsync(100 * Gwei);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(heavy, _ => heavy.Problem == Refusal.FeeTooHigh);
        await bench.SetBalanceAsync(40 * MilliEther);

        JobEntry dispute = await DisputeAsync(bench, urgent, 3_000 * MilliEther);

        await AssertGivesWayAsync(bench, heavy, dispute, urgent, Refusal.InsufficientFunds);
    }

    /// <summary>Its tokens went into another channel: a peer has relayed what this side had signed. It waits until it holds up a dispute.</summary>
    [Fact]
    public async Task TokenDepositWhoseTokensAreGone_AndHoldsUpADispute_IsCancelled()
    {
        Address token = await _anvil.DollarAsync();
        await _anvil.MintAsync(token, new Address(1, 2, 3), 1); // The token is there.
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        EthereumChain peer = await bench.PeerAsync();
        Task minting = _anvil.MintAsync(token, bench.Key.Address, 6_000);
        while (!minting.IsCompleted)
        {
            await _anvil.MineAsync();
            await Task.Delay(50);
        }

        Channel channel = bench.NewChannel(token), gasless = bench.NewChannel(token), urgent = bench.NewChannel();
        JobEntry deposit = await bench.DepositAsync(channel, 1_000);
        await JobBench.UntilAsync(deposit, JobStatus.Sent);
        await RelayAsync(bench, peer, gasless, 6_000);
        await JobBench.UntilAsync(deposit, _ => deposit.Problem == Refusal.InsufficientFunds);
        Assert.All(deposit.Job.Attempts, attempt => Assert.NotEqual(AttemptKind.Cancelling, attempt.Kind));

        JobEntry dispute = await DisputeAsync(bench, urgent, 3_000 * MilliEther);

        Job cancelled = await AssertGivesWayAsync(bench, deposit, dispute, urgent, Refusal.InsufficientFunds);
        Assert.StartsWith($"deposit needs 1000 of token {token}", cancelled.Message);
        Assert.Equal((UInt128.Zero, (UInt128)6_000), (await bench.PotAsync(channel), await bench.PotAsync(gasless)));
    }

    /// <summary>The only one that pays enough for the next block.</summary>
    private async Task RelayAsync(JobBench bench, EthereumChain peer, Channel channel, UInt128 amount)
    {
        ulong later = Math.Max(await _anvil.NowSecondsAsync(), (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds()) + 300;
        DepositAuthorization signed = await bench.Chain.AuthorizeDepositAsync(channel, Side.A, amount, later, default);
        PreparedCall prepared = await peer.PrepareAsync(peer.RelayDeposit(channel, Side.A, amount, signed), default);
        await peer.BroadcastAsync((await peer.SignAsync(prepared, 0, new TransactionFees(500 * Gwei, 400 * Gwei), default)).Raw, default);
        await bench.SetBaseFeeAsync(100 * Gwei);
        await _anvil.MineAsync();
    }
}
