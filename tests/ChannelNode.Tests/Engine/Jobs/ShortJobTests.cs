using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Settlement;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>Disputes and claims for which ether, the day's gas or the time does not reach: whom they keep waiting, and how often that is told.</summary>
public sealed class ShortJobTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;

    private static readonly UInt128 Ether = (UInt128)1_000_000_000 * Gwei;

    private AnvilFixture _anvil = null!;
    private volatile bool _isDeaf;
    private int _looks;

    public async Task InitializeAsync() => _anvil = await AnvilFixture.StartAsync();

    public async Task DisposeAsync() => await _anvil.DisposeAsync();

    private async Task<JobEntry> ClaimAsync(JobBench bench, Channel channel, int secondsLeft, UInt128 stake) => await bench.DepositAsync(
        channel, 1, JobKind.Claim, await _anvil.NowSecondsAsync() + (ulong)secondsLeft, stake);

    private async Task<JobEntry> OverdueClaimAsync(JobBench bench) => await ClaimAsync(bench, bench.NewChannel(), -10, stake: 1);

    private static Task<JobBench> WithoutReserveAsync(AnvilFixture anvil) =>
        JobBench.StartAsync(anvil, options => options with { DisputeReserveWeiPerDay = 0 });

    /// <summary>Their windows are over, and nobody settles: the chain would still take them.</summary>
    [Fact]
    public async Task OverdueClaimsAboutLittle_KeepNoDepositWaiting()
    {
        await using JobBench bench = await WithoutReserveAsync(_anvil);
        JobEntry[] claims = [.. await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => OverdueClaimAsync(bench)))];
        foreach (JobEntry claim in claims) await JobBench.UntilAsync(claim, _ => claim.Problem == Refusal.BudgetReached);

        JobEntry deposit = await bench.DepositAsync(bench.NewChannel(), 1);
        await bench.MineUntilAsync(deposit, JobStatus.Done);

        Assert.All(claims, claim => Assert.Equal(JobStatus.Waiting, claim.Job.Status));
    }

    [Fact]
    public async Task ClaimThatWaits_Ends_WhenItsChannelIsSettled()
    {
        await using JobBench bench = await WithoutReserveAsync(_anvil);
        JobEntry claim = await OverdueClaimAsync(bench);
        await JobBench.UntilAsync(claim, _ => claim.Problem == Refusal.BudgetReached);

        bench.Settled.Add(claim.Job.Channels[0]);
        await JobBench.UntilAsync(claim, job => !job.IsActive);

        Assert.Equal((JobStatus.Failed, Refusal.NothingNew), (claim.Job.Status, claim.Job.Refusal));
        Assert.Equal((EventKind.TransactionFailed, EventSeverity.Info), (bench.Events[^1].Kind, bench.Events[^1].Severity));
    }

    [Fact]
    public async Task ClaimThatWaitsForAPrice_Ends_WhenAClosePaysAsMuch()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = Gwei });
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        JobEntry claim = await bench.DepositAsync(bench.NewChannel(), 1, JobKind.Claim);
        await JobBench.UntilAsync(claim, _ => claim.Problem == Refusal.FeeTooHigh);

        bench.CloseAgreed.Add(claim.Job.Channels[0]);
        await JobBench.UntilAsync(claim, job => !job.IsActive);

        Assert.Equal((JobStatus.Failed, Refusal.CloseAgreed), (claim.Job.Status, claim.Job.Refusal));
    }

    /// <summary>Mined later, when the price has fallen, it would open the channel again.</summary>
    [Theory]
    [InlineData(true, Refusal.CloseAgreed)]
    [InlineData(false, Refusal.ChannelClosing)]
    public async Task DepositThatWaitsForAPrice_Ends_WhenItsChannelBeginsToClose(bool byConsent, Refusal expected)
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = Gwei });
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        Channel channel = bench.NewChannel();
        JobEntry deposit = await bench.DepositAsync(channel, 1);
        await JobBench.UntilAsync(deposit, _ => deposit.Problem == Refusal.FeeTooHigh);

        (byConsent ? bench.CloseAgreed : bench.Closing).Add(channel.Id);
        await JobBench.UntilAsync(deposit, job => !job.IsActive);

        Assert.Equal((JobStatus.Failed, expected), (deposit.Job.Status, deposit.Job.Refusal));
        Assert.Equal(UInt128.Zero, await bench.PotAsync(channel));
    }

    /// <summary>Its first transaction is decided in the same place as closes: whichever comes first there is the only one.</summary>
    [Fact]
    public async Task ClaimThatWaitsForAPrice_IsNeverSent_WhereACloseIsAskedForMeanwhile()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = Gwei });
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        JobEntry claim = await bench.DepositAsync(bench.NewChannel(), 1, JobKind.Claim);
        await JobBench.UntilAsync(claim, _ => claim.Problem == Refusal.FeeTooHigh);

        bench.CloseUnderWay.Add(claim.Job.Channels[0]);
        await bench.SetBaseFeeAsync(1);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(claim, job => !job.IsActive);

        Assert.Equal((JobStatus.Failed, Refusal.CloseAgreed, 0), (claim.Job.Status, claim.Job.Refusal, claim.Job.Attempts.Count));
        Assert.Equal(0ul, await bench.NonceAsync());
        RefusalException again = await Assert.ThrowsAsync<RefusalException>(
            () => bench.SubmitAsync(claim.Job.Channels));
        Assert.Equal(Refusal.CloseAgreed, again.Refusal);
    }

    /// <summary>No close is signed between a claim's block and the node's own look at it.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ClaimOrStartThatIsDone_IsUnderWay_UntilItsBlockIsFollowed_AndIsMadeAnewOnlyThen(bool isStart)
    {
        JobKind kind = isStart ? JobKind.StartClose : JobKind.Claim;
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel channel = bench.NewChannel();
        JobEntry claim = await bench.DepositAsync(channel, 1, kind);
        await bench.MineUntilAsync(claim, JobStatus.Done);
        Assert.True(claim.Job.IsShallow);
        ulong block = claim.Job.Receipt!.BlockNumber;

        Assert.Same(claim, bench.Jobs.FindUnderWay(kind, channel.Id, block - 1));
        Assert.Null(bench.Jobs.FindUnderWay(kind, channel.Id, block));
        Assert.Null(bench.Jobs.FindUnderWay(kind, bench.NewChannel().Id, block - 1));
        Assert.Same(claim, await bench.DepositAsync(channel, 1, kind));

        bench.View.Advance(new ChainBatch(ChainMove.Stay, new ChainBlock(block, default, default, 0), [], IsCaughtUp: true));
        Assert.NotSame(claim, await bench.DepositAsync(channel, 1, kind));
    }

    /// <summary>Else it would be made dearer and dearer, to have nothing passed over.</summary>
    [Fact]
    public async Task ClaimThatIsSent_IsCancelled_WhenItsChannelIsSettled()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel channel = bench.NewChannel();
        JobEntry claim = await ClaimAsync(bench, channel, 600, stake: 3 * Ether);
        await bench.UntilToldAsync(claim);

        bench.Settled.Add(channel.Id);
        await bench.UntilToldAsync(claim, job => job.Attempts[^1].Kind == AttemptKind.Cancelling);
        await bench.MineUntilAsync(claim, job => !job.IsActive);

        Assert.Equal((JobStatus.Failed, Refusal.NothingNew), (claim.Job.Status, claim.Job.Refusal));
        Assert.Equal(UInt128.Zero, await bench.PotAsync(channel));
    }

    /// <param name="wei">With nothing, an RPC does not even say how much gas it takes.</param>
    [Theory]
    [InlineData(0)]
    [InlineData(1_000)]
    public async Task DisputeForWhichTheAccountHasNothing_Waits_IsToldOfOnce_AndGoesOn(ulong wei)
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        await bench.SetBalanceAsync(wei);
        JobEntry dispute = await bench.DepositAsync(
            bench.NewChannel(), 1, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600, 3 * Ether);
        await JobBench.UntilAsync(dispute, _ => dispute.Problem == Refusal.InsufficientFunds);
        ulong asked = dispute.AskedInRound;
        await JobBench.UntilAsync(dispute, _ => dispute.AskedInRound > asked + 3);

        Assert.Equal(JobStatus.Waiting, dispute.Job.Status);
        Assert.Single(bench.Events, told => told.Job == dispute.Job.Number);

        await bench.SetBalanceAsync(Ether);
        await bench.MineUntilAsync(dispute, JobStatus.Done);
    }

    [Fact]
    public async Task ChainThatGivesNoAnswerNowAndThen_HasNoProblemToldAgain()
    {
        using RpcProxy proxy = new(_anvil.HttpUrl, (method, request) =>
        {
            if (method == "eth_getTransactionCount") Interlocked.Increment(ref _looks);
            return _isDeaf && method == "eth_feeHistory" ? RpcProxy.Error(request, "too many requests") : null;
        });
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { RpcUrl = proxy.Url, FeeWeiMax = Gwei });
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        JobEntry deposit = await bench.DepositAsync(bench.NewChannel(), 1);
        for (int time = 0; time < 3; time++)
        {
            _isDeaf = false;
            await JobBench.UntilAsync(deposit, _ => deposit.Problem == Refusal.FeeTooHigh);
            _isDeaf = true;
            await JobBench.UntilAsync(deposit, _ => deposit.Problem == Refusal.ChainUnavailable);
        }

        Assert.Single(bench.Events, told => told.Job == deposit.Job.Number);
    }

    /// <summary>What others are promised may be about channels that whoever reads of this one may not see.</summary>
    [Fact]
    public async Task DepositForWhichTheEtherIsPromisedToOthers_IsNotToldHowMuch()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel first = bench.NewChannel();
        await bench.SetBalanceAsync(3 * Ether);
        await JobBench.UntilAsync(await bench.DepositAsync(first, 2 * Ether + 777_777), JobStatus.Sent);

        JobEntry second = await bench.DepositAsync(bench.NewChannel(), 2 * Ether);
        Job failed = await JobBench.UntilAsync(second, JobStatus.Failed);

        Assert.Equal(Refusal.InsufficientFunds, failed.Refusal);
        Assert.EndsWith("and the node's account has 3 ETH, a part of which is promised to other transactions", failed.Message);
        foreach (OperatorEvent told in bench.Events.Where(told => told.Job == failed.Number)) Assert.DoesNotContain($"{first.Id}", told.Sentence);
    }

    /// <summary>What comes after it is promised all that the account has, and can be made for less.</summary>
    [Fact]
    public async Task EmptyNonce_IsFilled_ThoughTheDisputeBehindItIsPromisedEverything()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        await bench.SetBaseFeeAsync(10 * Gwei);
        await _anvil.MineAsync();
        string strangers = await bench.SendAsStrangerAsync(0, 50 * Gwei);
        JobEntry dispute = await bench.DepositAsync(
            bench.NewChannel(), 1, JobKind.Dispute, await _anvil.NowSecondsAsync() + 6_000, 3 * Ether);
        await JobBench.UntilAsync(dispute, JobStatus.Sent);
        await bench.SetBalanceAsync(dispute.Job.Promised + 1);
        await _anvil.RpcAsync<object?>("anvil_dropTransaction", strangers);

        await bench.MineUntilAsync(dispute, JobStatus.Done);
    }
}
