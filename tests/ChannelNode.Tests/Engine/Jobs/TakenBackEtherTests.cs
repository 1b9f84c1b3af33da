using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>A deposit that is not mined yet has the ether, or the place, that a dispute needs.</summary>
public sealed class TakenBackEtherTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;

    private static readonly UInt128 Ether = (UInt128)1_000_000_000 * Gwei;

    private AnvilFixture _anvil = null!;

    public async Task InitializeAsync() => _anvil = await AnvilFixture.StartAsync();

    public async Task DisposeAsync() => await _anvil.DisposeAsync();

    /// <summary>The deposit has all the ether but what it was to pay for gas, and fees rise above that.</summary>
    [Fact]
    public async Task EtherOfAStuckDeposit_IsTakenBackForADispute()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = 5 * Gwei });
        Channel rich = bench.NewChannel(), urgent = bench.NewChannel();
        await bench.SetBaseFeeAsync(Gwei);
        await _anvil.MineAsync();
        JobEntry deposit = await bench.DepositAsync(rich, Ether);
        JobAttempt offered = (await JobBench.UntilAsync(deposit, JobStatus.Sent)).Attempts[0];
        await bench.SetBalanceAsync(Ether + offered.GasCostMax * 10);
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(deposit, _ => deposit.Problem == Refusal.FeeTooHigh);

        JobEntry dispute = await bench.DepositAsync(
            urgent, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600, stake: 3 * Ether);
        await bench.MineUntilAsync(dispute, job => !job.IsActive);
        Job cancelled = await bench.MineUntilAsync(deposit, job => !job.IsActive);

        Assert.Equal((JobStatus.Done, 1_000UL), (dispute.Job.Status, (ulong)await bench.PotAsync(urgent)));
        Assert.Equal((JobStatus.Failed, Refusal.InsufficientFunds), (cancelled.Status, cancelled.Refusal));
        Assert.Equal((UInt128.Zero, 2UL), (await bench.PotAsync(rich), await bench.NonceAsync()));
        // An access token may see the deposit's channel, and no other.
        Assert.StartsWith($"its 1 ETH are taken back for job {dispute.Job.Number}, which protects money", cancelled.Message);
        foreach (OperatorEvent told in bench.Events.Where(told => told.Channels.Contains(rich.Id))) Assert.DoesNotContain($"{urgent.Id}", told.Sentence);
    }

    /// <summary>Both are sent when fees rise: the dispute cannot be mined before a deposit that can offer nothing more.</summary>
    [Fact]
    public async Task DepositThatCanOfferNoMore_AndHoldsUpADispute_IsCancelled()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel rich = bench.NewChannel(), urgent = bench.NewChannel();
        await bench.SetBaseFeeAsync(Gwei);
        await _anvil.MineAsync();
        JobEntry deposit = await bench.DepositAsync(rich, Ether);
        JobAttempt offered = (await JobBench.UntilAsync(deposit, JobStatus.Sent)).Attempts[0];
        JobEntry dispute = await bench.DepositAsync(
            urgent, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600, stake: 3 * Ether);
        await JobBench.UntilAsync(dispute, JobStatus.Sent);
        await bench.SetBalanceAsync(Ether + offered.GasCostMax * 10);
        await bench.SetBaseFeeAsync(100 * Gwei);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(deposit, job => job.Refusal == Refusal.InsufficientFunds);

        await bench.MineUntilAsync(dispute, job => !job.IsActive);
        Job cancelled = await bench.MineUntilAsync(deposit, job => !job.IsActive);

        Assert.Equal((JobStatus.Done, 1_000UL), (dispute.Job.Status, (ulong)await bench.PotAsync(urgent)));
        Assert.Equal((JobStatus.Failed, Refusal.InsufficientFunds), (cancelled.Status, cancelled.Refusal));
        Assert.Equal((UInt128.Zero, 2UL), (await bench.PotAsync(rich), await bench.NonceAsync()));
    }

    [Fact]
    public async Task EtherOfADeposit_IsNotTakenBackForADisputeThatIsNotWorthItsGas()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel rich = bench.NewChannel(), dust = bench.NewChannel();
        JobEntry deposit = await bench.DepositAsync(rich, Ether);
        JobAttempt offered = (await JobBench.UntilAsync(deposit, JobStatus.Sent)).Attempts[0];
        await bench.SetBalanceAsync(Ether + offered.GasCostMax * 3 / 2);

        JobEntry dispute = await bench.DepositAsync(dust, 1, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600, stake: 1);
        await JobBench.UntilAsync(dispute, _ => dispute.Problem == Refusal.InsufficientFunds);
        await bench.MineUntilAsync(deposit, job => !job.IsActive);

        Assert.Equal((JobStatus.Done, JobStatus.Waiting), (deposit.Job.Status, dispute.Job.Status));
    }

    /// <summary>An offer covers six blocks; for one there is enough besides the deposit.</summary>
    [Fact]
    public async Task EtherOfADeposit_IsNotTakenBack_WhereTheDisputeCanOfferWhatTheNextBlockTakes()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 600 });
        Channel rich = bench.NewChannel(), urgent = bench.NewChannel();
        await bench.SetBaseFeeAsync(10 * Gwei);
        await _anvil.MineAsync();
        JobEntry deposit = await bench.DepositAsync(rich, Ether);
        JobAttempt offered = (await JobBench.UntilAsync(deposit, JobStatus.Sent)).Attempts[0];
        await bench.SetBalanceAsync(Ether + offered.GasCostMax * 17 / 10);

        JobEntry dispute = await bench.DepositAsync(
            urgent, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600, stake: 3 * Ether);
        await JobBench.UntilAsync(dispute, JobStatus.Sent);
        Assert.Equal(AttemptKind.Completing, deposit.Job.Attempts[^1].Kind);
        await bench.MineUntilAsync(deposit, JobStatus.Done);
        await bench.MineUntilAsync(dispute, JobStatus.Done);

        Assert.Equal((Ether, 1_000UL), (await bench.PotAsync(rich), (ulong)await bench.PotAsync(urgent)));
    }

    /// <summary>The next block takes what it offers, and its window has just begun: no reason to take anything from anybody.</summary>
    [Fact]
    public async Task EtherOfADeposit_IsNotTakenBack_ForADearerOfferThatCanWait()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 4 });
        Channel rich = bench.NewChannel(), urgent = bench.NewChannel();
        await bench.SetBaseFeeAsync(10 * Gwei);
        await _anvil.MineAsync();
        JobEntry deposit = await bench.DepositAsync(rich, Ether);
        JobAttempt offered = (await JobBench.UntilAsync(deposit, JobStatus.Sent)).Attempts[0];
        await bench.SetBalanceAsync(Ether + offered.GasCostMax * 17 / 10);

        JobEntry dispute = await bench.DepositAsync(
            urgent, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 6_000, stake: 3 * Ether);
        await JobBench.UntilAsync(dispute, _ => dispute.Problem == Refusal.FeeTooHigh);

        Assert.Equal((JobStatus.Sent, AttemptKind.Completing), (deposit.Job.Status, deposit.Job.Attempts[^1].Kind));
    }

    /// <summary>A deposit was mined in the place of its cancellation, say.</summary>
    [Fact]
    public async Task OfferThatTheAccountCanPayNoMore_IsMadeForLess()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel urgent = bench.NewChannel();
        await bench.SetBaseFeeAsync(10 * Gwei);
        await _anvil.MineAsync();
        JobEntry dispute = await bench.DepositAsync(
            urgent, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600, stake: 3 * Ether);
        JobAttempt offered = (await JobBench.UntilAsync(dispute, JobStatus.Sent)).Attempts[0];
        UInt128 balance = offered.GasCostMax * 8 / 10;
        await bench.SetBalanceAsync(balance);
        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions");

        await JobBench.UntilAsync(dispute, job => job.Attempts[^1].GasCostMax < balance);
        await bench.MineUntilAsync(dispute, JobStatus.Done);

        Assert.Equal((1_000UL, 1UL), ((ulong)await bench.PotAsync(urgent), await bench.NonceAsync()));
    }
}
