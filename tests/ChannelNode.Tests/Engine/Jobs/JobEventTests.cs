using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>What operators are told of transactions, with the write of each step.</summary>
public sealed class JobEventTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;

    private AnvilFixture _anvil = null!;

    public async Task InitializeAsync() => _anvil = await AnvilFixture.StartAsync();

    public async Task DisposeAsync() => await _anvil.DisposeAsync();

    [Fact]
    public async Task StuckTransaction_IsToldWithWhatReplacesIt_AndItsEnd()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        JobEntry entry = await bench.DepositAsync(bench.NewChannel(), 1_000);
        JobAttempt first = (await JobBench.UntilAsync(entry, JobStatus.Sent)).Attempts[0];
        await bench.SetBaseFeeAsync((ulong)first.Fees.MaxFee * 10);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(entry, job => job.Attempts.Count > 1);

        Job done = await bench.MineUntilAsync(entry, JobStatus.Done);

        EventKind[] stuck = [.. done.Attempts.Skip(1).Select(_ => EventKind.TransactionStuck)];
        Assert.Equal(
            [EventKind.TransactionSent, .. stuck, EventKind.TransactionMined, EventKind.TransactionConfirmed],
            bench.Events.Select(what => what.Kind));
        Assert.Equal(
            done.Attempts.Select(attempt => (attempt.Hash, (ulong?)attempt.Nonce, attempt.Fees.MaxFee)),
            bench.Events.Take(done.Attempts.Count).Select(what => (what.Transaction, what.Nonce, what.MaxFee)));
        Assert.All(bench.Events.TakeLast(2), what => Assert.Equal(done.Receipt!.Hash, what.Transaction));
        Assert.All(bench.Events, what => Assert.Equal((done.Number, JobKind.Deposit), (what.Job, what.JobKind)));
    }

    [Fact]
    public async Task BudgetThatIsReached_IsAnAlarm()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { GasBudgetWeiPerDay = 1 });

        JobEntry entry = await bench.DepositAsync(bench.NewChannel(), 1_000);
        await JobBench.UntilAsync(entry, JobStatus.Failed);

        Assert.Equal(
            [(EventKind.BudgetReached, EventSeverity.Alarm), (EventKind.TransactionFailed, EventSeverity.Warning)],
            bench.Events.Select(what => (what.Kind, what.Severity)));
        Assert.All(bench.Events, what => Assert.Equal(Refusal.BudgetReached, what.Refusal));
    }

    /// <summary>Who is warned of what need not be looked at looks no more.</summary>
    [Theory]
    [InlineData(nameof(JobKind.Dispute), Refusal.NothingNew, false)]
    [InlineData(nameof(JobKind.Dispute), Refusal.WindowClosed, true)]
    [InlineData(nameof(JobKind.Dispute), Refusal.NotClosing, true)]
    [InlineData(nameof(JobKind.Claim), Refusal.NothingNew, false)]
    [InlineData(nameof(JobKind.Claim), Refusal.CloseAgreed, false)]
    [InlineData(nameof(JobKind.Settle), Refusal.NotClosing, false)]
    [InlineData(nameof(JobKind.Settle), Refusal.TransactionReverted, true)]
    [InlineData(nameof(JobKind.Deposit), Refusal.JobCancelled, false)]
    [InlineData(nameof(JobKind.Deposit), Refusal.CloseAgreed, true)]
    [InlineData(nameof(JobKind.Deposit), Refusal.InsufficientFunds, true)]
    public void JobThatIsNotDone_IsAWarning_UnlessItNeedNotBe(string kind, Refusal refusal, bool isWarning)
    {
        Job waiting = new() { Number = 1, Kind = Enum.Parse<JobKind>(kind), Purpose = "p", Channels = [], Call = new ChainCall("", Address.Zero, 0, default), CreatedAtSeconds = 1 };

        OperatorEvent told = Assert.Single(JobEvents.Between(waiting, waiting with { Status = JobStatus.Failed, Refusal = refusal }));

        Assert.Equal((EventKind.TransactionFailed, isWarning ? EventSeverity.Warning : EventSeverity.Info), (told.Kind, told.Severity));
    }

    [Fact]
    public async Task SettleBeforeTheWindowIsOver_IsNoWarning()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        (_, JobEntry entry) = await SettleAsync(bench, passSeconds: 1);

        Job early = await JobBench.UntilAsync(entry, JobStatus.Failed);

        Assert.Equal(Refusal.WindowOpen, early.Refusal);
        OperatorEvent told = Assert.Single(bench.Events, what => what.Job == early.Number);
        Assert.Equal((EventKind.TransactionFailed, EventSeverity.Info), (told.Kind, told.Severity));
        Assert.Contains("too early, and tried again by itself, WINDOW_OPEN", told.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SettleThatRevertsBecauseSomebodyElseWasQuicker_IsNoWarning()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 600 });
        EthereumChain peer = await bench.PeerAsync();
        (Channel channel, JobEntry entry) = await SettleAsync(bench, passSeconds: 601);
        await bench.UntilToldAsync(entry);
        PreparedCall theirs = await peer.PrepareAsync(peer.Settle(channel), default);
        await peer.BroadcastAsync(
            (await peer.SignAsync(theirs, 0, new TransactionFees(500 * Gwei, 400 * Gwei), default)).Raw, default);

        Job ended = await bench.MineUntilAsync(entry, JobStatus.Failed);

        Assert.Equal((Refusal.NotClosing, true), (ended.Refusal, ended.SpentWei > 0));
        OperatorEvent[] told = [.. bench.Events.Where(what => what.Job == ended.Number)];
        Assert.Equal([EventKind.TransactionSent, EventKind.TransactionMined, EventKind.TransactionFailed], told.Select(what => what.Kind));
        Assert.All(told, what => Assert.Equal(EventSeverity.Info, what.Severity));
        Assert.Contains("somebody else was quicker, the peer maybe, NOT_CLOSING", told[^1].Sentence, StringComparison.Ordinal);
    }

    /// <summary>Asks for it so long after a close was started.</summary>
    private async Task<(Channel Channel, JobEntry Settle)> SettleAsync(JobBench bench, uint passSeconds)
    {
        Channel channel = bench.NewChannel();
        await bench.MineUntilAsync(await bench.DepositAsync(channel, 1_000), JobStatus.Done);
        JobEntry start = await bench.SubmitAsync(JobKind.StartClose, "close", bench.Chain.StartClose(channel, null, default));
        await bench.MineUntilAsync(start, JobStatus.Done);
        await _anvil.PassTimeAsync(passSeconds);
        return (channel, await bench.SubmitAsync(JobKind.Settle, "settle", bench.Chain.Settle(channel)));
    }

    [Fact]
    public async Task FeesAboveTheLimit_AreToldOnce()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = 5 * Gwei });
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        JobEntry entry = await bench.DepositAsync(bench.NewChannel(), 1);
        await JobBench.UntilAsync(entry, _ => bench.Events.Count > 0);
        await Task.Delay(500); // Some rounds more.

        OperatorEvent told = Assert.Single(bench.Events);
        Assert.Equal((EventKind.TransactionStuck, Refusal.FeeTooHigh), (told.Kind, told.Refusal));
    }

    [Fact]
    public async Task NonceUsedByAStranger_IsAnAlarm()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 600 });
        JobEntry entry = await bench.DepositAsync(bench.NewChannel(), 1_000);
        Job sent = await bench.UntilToldAsync(entry);

        await bench.SendAsStrangerAsync(sent.Nonce!.Value, 500 * Gwei);
        await bench.MineUntilAsync(entry, job => job.Nonce == sent.Nonce + 1);

        Assert.Equal(
            [EventKind.TransactionSent, EventKind.KeyShared, EventKind.TransactionSent],
            bench.Events.Take(3).Select(what => what.Kind));
        Assert.Equal((sent.Nonce, EventSeverity.Alarm), (bench.Events[1].Nonce, bench.Events[1].Severity));
    }
}
