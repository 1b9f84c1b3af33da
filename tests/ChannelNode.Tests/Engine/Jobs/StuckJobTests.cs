using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Settlement;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>Transactions that the chain does not take: too cheap, forgotten, or behind one that is.</summary>
public sealed class StuckJobTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;

    private AnvilFixture _anvil = null!;

    public async Task InitializeAsync() => _anvil = await AnvilFixture.StartAsync();

    public async Task DisposeAsync() => await _anvil.DisposeAsync();

    [Fact]
    public async Task StuckNonce_IsReplacedForMoreUntilItIsMined_Once()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel channel = bench.NewChannel();
        JobEntry entry = await bench.DepositAsync(channel, 1_000);
        JobAttempt first = (await JobBench.UntilAsync(entry, JobStatus.Sent)).Attempts[0];

        await bench.SetBaseFeeAsync((ulong)first.Fees.MaxFee * 10);
        await _anvil.MineAsync();
        JobAttempt second = (await JobBench.UntilAsync(entry, job => job.Attempts.Count > 1)).Attempts[1];
        Job done = await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.Equal(first.Nonce, second.Nonce);
        Assert.True(second.Fees.MaxFee * 10 >= first.Fees.MaxFee * 11 && second.Fees.Tip * 10 >= first.Fees.Tip * 11);
        Assert.Equal(done.Receipt!.Hash, done.Attempts.Single(attempt => attempt.Hash == done.Receipt.Hash).Hash);
        Assert.Equal((1_000UL, 1UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
    }

    [Fact]
    public async Task DroppedTransaction_IsToldAgain()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel channel = bench.NewChannel();
        JobEntry entry = await bench.DepositAsync(channel, 1_000);
        JobAttempt sent = (await bench.UntilToldAsync(entry)).Attempts[0];

        await _anvil.RpcAsync<object?>("anvil_dropTransaction", sent.Hash.ToString());
        Assert.False(await bench.IsKnownAsync(sent.Hash));
        await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.Equal((1_000UL, 1UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
    }

    [Fact]
    public async Task StalledJob_ThatHoldsUpADispute_IsLentItsLimitOfFees()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = 5 * Gwei });
        Channel cheap = bench.NewChannel(), urgent = bench.NewChannel();
        JobEntry stalled = await bench.DepositAsync(cheap, 1);
        await JobBench.UntilAsync(stalled, JobStatus.Sent);
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(stalled, job => stalled.Problem == Refusal.FeeTooHigh);
        UInt128 offered = stalled.Job.Attempts[^1].Fees.MaxFee;

        JobEntry dispute = await bench.DepositAsync(urgent, 2, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600);
        await JobBench.UntilAsync(stalled, job => job.Attempts[^1].Fees.MaxFee > 5 * Gwei);
        await bench.MineUntilAsync(dispute, JobStatus.Done);

        Assert.True(offered <= 5 * Gwei);
        Assert.Equal((1UL, 2UL), ((ulong)await bench.PotAsync(cheap), (ulong)await bench.PotAsync(urgent)));
    }

    [Fact]
    public async Task OneStalledJob_DoesNotHoldUpTheOthers()
    {
        Channel? held = null;
        using var proxy = new RpcProxy(_anvil.HttpUrl, (method, request) =>
            held is not null && method == "eth_estimateGas" && request.GetRawText().Contains(held.Terms.Salt.ToString()[2..])
                ? RpcProxy.Error(request, "this question takes too long")
                : null);
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { RpcUrl = proxy.Url });
        held = bench.NewChannel();
        JobEntry stalled = await bench.DepositAsync(held, 1);
        JobEntry[] others = [.. await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => bench.DepositAsync(bench.NewChannel(), 1)))];

        foreach (JobEntry other in others) await bench.MineUntilAsync(other, JobStatus.Done);
        Assert.Equal((JobStatus.Waiting, Refusal.ChainUnavailable), (stalled.Job.Status, stalled.Problem));

        held = null;
        await bench.MineUntilAsync(stalled, JobStatus.Done);
    }

    [Fact]
    public async Task FeesAboveTheLimit_KeepAJobWaitingWithoutANonce()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = 5 * Gwei });
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        JobEntry entry = await bench.DepositAsync(bench.NewChannel(), 1);

        await JobBench.UntilAsync(entry, job => entry.Problem == Refusal.FeeTooHigh);
        Assert.Equal((JobStatus.Waiting, null), (entry.Job.Status, entry.Job.Nonce));

        await bench.SetBaseFeeAsync(Gwei);
        await bench.MineUntilAsync(entry, JobStatus.Done);
    }

    [Fact]
    public async Task NonceThatAStrangerLeftEmpty_IsTakenByATransferOfNothing()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        string strangers = await bench.SendAsStrangerAsync(0, 5 * Gwei);
        Channel channel = bench.NewChannel();
        JobEntry entry = await bench.DepositAsync(channel, 1_000);
        Assert.Equal(1UL, (await JobBench.UntilAsync(entry, JobStatus.Sent)).Nonce);

        await _anvil.RpcAsync<object?>("anvil_dropTransaction", strangers);
        await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.Equal((1_000UL, 2UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
        JobEntry unblocked = bench.Jobs.All.Single(other => other.Job.Kind == JobKind.Unblock);
        await bench.MineUntilAsync(unblocked, JobStatus.Done);
    }

    /// <summary>No block is mined meanwhile: who filled one after the other would never come to the second.</summary>
    [Fact]
    public async Task NoncesThatAStrangerLeftEmpty_AreTakenTogether()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        List<string> strangers = [];
        for (ulong nonce = 0; nonce < 3; nonce++) strangers.Add(await bench.SendAsStrangerAsync(nonce, 5 * Gwei));
        Channel channel = bench.NewChannel();
        JobEntry entry = await bench.DepositAsync(channel, 1_000);
        Assert.Equal(3UL, (await JobBench.UntilAsync(entry, JobStatus.Sent)).Nonce);

        foreach (string hash in strangers) await _anvil.RpcAsync<object?>("anvil_dropTransaction", hash);
        await JobBench.UntilAsync(entry, _ => bench.Jobs.All.Count(other => other.Job is { Kind: JobKind.Unblock, Status: JobStatus.Sent }) == 3);
        await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.Equal((1_000UL, 4UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
    }

    [Fact]
    public async Task TransactionThatWaits_DoesNotMakeItsOwnJobPointless()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel channel = bench.NewChannel();
        await bench.MineUntilAsync(await bench.DepositAsync(channel, 1_000), JobStatus.Done);
        JobEntry entry = await bench.SubmitAsync(JobKind.StartClose, "close", bench.Chain.StartClose(channel, null, default));

        await JobBench.UntilAsync(entry, job => job.Attempts.Count > 2);
        Job done = await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.All(done.Attempts, attempt => Assert.Equal(AttemptKind.Completing, attempt.Kind));
        Assert.Equal(2UL, await bench.NonceAsync());
    }

    [Fact]
    public async Task JobThatHasBecomePointless_IsCancelledAndFreesItsNonce()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        EthereumChain peer = await bench.PeerAsync();
        Channel channel = bench.NewChannel();
        await bench.MineUntilAsync(await bench.DepositAsync(channel, 1_000), JobStatus.Done);
        JobEntry entry = await bench.SubmitAsync(JobKind.StartClose, "close", bench.Chain.StartClose(channel, null, default));
        await JobBench.UntilAsync(entry, JobStatus.Sent);

        // The peer's is the only one that pays enough for the next block.
        ChainCall call = peer.StartClose(channel, null, default);
        SignedTransaction theirs = await peer.SignAsync(
            await peer.PrepareAsync(call, default), 0, new TransactionFees(500 * Gwei, 400 * Gwei), default);
        await peer.BroadcastAsync(theirs.Raw, default);
        await bench.SetBaseFeeAsync(100 * Gwei);
        await _anvil.MineAsync();
        Job failed = await bench.MineUntilAsync(entry, JobStatus.Failed);

        Assert.Equal(Refusal.ChannelClosing, failed.Refusal);
        Assert.Equal(AttemptKind.Cancelling, failed.Attempts[^1].Kind);
        Assert.Equal(2UL, await bench.NonceAsync());
    }

    [Fact]
    public async Task EmptyNonce_ThatHoldsUpADispute_IsTakenWithTheDisputesLimitOfFees()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = 5 * Gwei });
        string strangers = await bench.SendAsStrangerAsync(0, 5 * Gwei);
        Channel channel = bench.NewChannel();
        JobEntry dispute = await bench.DepositAsync(channel, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600);
        Assert.Equal(1UL, (await JobBench.UntilAsync(dispute, JobStatus.Sent)).Nonce);

        await _anvil.RpcAsync<object?>("anvil_dropTransaction", strangers);
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(dispute, _ => bench.Jobs.All.Any(other => other.Job is { Kind: JobKind.Unblock, Status: JobStatus.Sent }));
        await bench.MineUntilAsync(dispute, JobStatus.Done);

        Assert.Equal(1_000UL, (ulong)await bench.PotAsync(channel));
    }

    [Fact]
    public async Task EmptyNonce_ThatHoldsUpADispute_IsTakenFromTheDisputesReserve()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { GasBudgetWeiPerDay = 0 });
        string strangers = await bench.SendAsStrangerAsync(0, 5 * Gwei);
        Channel channel = bench.NewChannel();
        JobEntry dispute = await bench.DepositAsync(channel, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600);
        await JobBench.UntilAsync(dispute, JobStatus.Sent);

        await _anvil.RpcAsync<object?>("anvil_dropTransaction", strangers);
        await bench.MineUntilAsync(dispute, JobStatus.Done);

        Assert.Equal(1_000UL, (ulong)await bench.PotAsync(channel));
    }

    [Fact]
    public async Task EmptyNonce_ThatTheBudgetDoesNotFill_IsTriedOnceInAWhile()
    {
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { GasBudgetWeiPerDay = 1_000_000 * Gwei, ReplaceAfterSeconds = 15 });
        string strangers = await bench.SendAsStrangerAsync(0, 5 * Gwei);
        JobEntry entry = await bench.DepositAsync(bench.NewChannel(), 1_000);
        await JobBench.UntilAsync(entry, JobStatus.Sent);

        await _anvil.RpcAsync<object?>("anvil_dropTransaction", strangers);
        await bench.SetBaseFeeAsync(100 * Gwei);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(entry, _ => bench.Events.Any(told => told is { JobKind: JobKind.Unblock, Kind: EventKind.BudgetReached }));
        await Task.Delay(1_500);

        Assert.Single(bench.Events, told => told is { JobKind: JobKind.Unblock, Kind: EventKind.BudgetReached });
    }

    [Fact]
    public async Task Dispute_ForWhoseUsualOfferTheAccountIsShort_OffersWhatThereIs()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        Channel channel = bench.NewChannel();
        ulong gas = (await bench.Chain.PrepareAsync(bench.Chain.Deposit(channel, Side.A, 1_000), default)).Gas;
        await _anvil.RpcAsync<object?>(
            "anvil_setBalance", bench.Key.Address.ToString(), Quantity.Format((UInt128)gas * 60 * Gwei + 1_000));

        JobEntry dispute = await bench.DepositAsync(channel, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600);
        await JobBench.UntilAsync(dispute, job => job.Status != JobStatus.Waiting);
        await bench.MineUntilAsync(dispute, job => !job.IsActive);

        Assert.Equal(JobStatus.Done, dispute.Job.Status);
    }

    /// <summary>No pool would take more, and what is signed last is all that is told again.</summary>
    [Fact]
    public async Task Replacement_ForWhoseUsualOfferTheAccountIsShort_OffersWhatThereIs()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel channel = bench.NewChannel();
        JobEntry dispute = await bench.DepositAsync(channel, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600);
        JobAttempt first = (await JobBench.UntilAsync(dispute, JobStatus.Sent)).Attempts[0];
        UInt128 forGas = (UInt128)first.Gas * 60 * Gwei;
        await _anvil.RpcAsync<object?>("anvil_setBalance", bench.Key.Address.ToString(), Quantity.Format(forGas + 1_000));

        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(dispute, job => job.Attempts.Count > 1);
        Job done = await bench.MineUntilAsync(dispute, job => !job.IsActive);

        Assert.Equal(JobStatus.Done, done.Status);
        Assert.All(done.Attempts, attempt => Assert.InRange(attempt.GasCostMax, UInt128.One, forGas));
    }

    /// <summary>Its usual offer covers six blocks, and is counted in full: what is left of the day pays for one.</summary>
    [Fact]
    public async Task Dispute_ForWhoseUsualOfferTheReserveIsShort_OffersWhatIsLeftOfIt()
    {
        const ulong reserve = 7_000_000;
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { GasBudgetWeiPerDay = 0, DisputeReserveWeiPerDay = reserve * Gwei });
        Channel channel = bench.NewChannel();
        ulong gas = (await bench.Chain.PrepareAsync(bench.Chain.Deposit(channel, Side.A, 1_000), default)).Gas;
        await bench.SetBaseFeeAsync(reserve * 3 / 4 / gas * Gwei);
        await _anvil.MineAsync();

        JobEntry dispute = await bench.DepositAsync(channel, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600);
        await JobBench.UntilAsync(dispute, job => job.Status != JobStatus.Waiting);
        Job done = await bench.MineUntilAsync(dispute, job => !job.IsActive);

        Assert.Equal(JobStatus.Done, done.Status);
        Assert.InRange(done.SpentWei, UInt128.One, reserve * Gwei);
    }

    [Fact]
    public async Task Replacement_ForWhoseUsualOfferTheReserveIsShort_OffersWhatIsLeftOfIt()
    {
        const ulong reserve = 7_000_000;
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { GasBudgetWeiPerDay = 0, DisputeReserveWeiPerDay = reserve * Gwei });
        Channel channel = bench.NewChannel();
        ulong gas = (await bench.Chain.PrepareAsync(bench.Chain.Deposit(channel, Side.A, 1_000), default)).Gas;
        await bench.SetBaseFeeAsync(reserve / 8 / gas * Gwei);
        await _anvil.MineAsync();
        JobEntry dispute = await bench.DepositAsync(channel, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600);
        await JobBench.UntilAsync(dispute, JobStatus.Sent);

        await bench.SetBaseFeeAsync(reserve * 3 / 4 / gas * Gwei);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(dispute, job => job.Attempts.Count > 1); // Nothing is mined meanwhile: it does not get cheaper.
        Job done = await bench.MineUntilAsync(dispute, job => !job.IsActive);

        Assert.Equal(JobStatus.Done, done.Status);
        Assert.All(done.Attempts, attempt => Assert.InRange(attempt.GasCostMax, UInt128.One, reserve * Gwei));
    }

    [Fact]
    public async Task OneAnswerOfAMachineThatLags_CancelsNothing()
    {
        bool lags = false;
        int lagged = 0;
        using var proxy = new RpcProxy(_anvil.HttpUrl, (method, request) =>
        {
            if (!lags || method != "eth_estimateGas") return null;
            if (Interlocked.Increment(ref lagged) > 1) return null;
            return RpcProxy.Error(request, "execution reverted: of a state long ago", 3);
        });
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { RpcUrl = proxy.Url });
        Channel channel = bench.NewChannel();
        JobEntry dispute = await bench.DepositAsync(channel, 1_000, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600);
        await JobBench.UntilAsync(dispute, JobStatus.Sent);
        Volatile.Write(ref lags, true);

        await JobBench.UntilAsync(dispute, job => job.Attempts.Count > 1);
        Job done = await bench.MineUntilAsync(dispute, job => !job.IsActive);

        Assert.Equal(JobStatus.Done, done.Status);
        Assert.All(done.Attempts, attempt => Assert.Equal(AttemptKind.Completing, attempt.Kind));
    }
}
