using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Settlement;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>What an operator takes back is not done, unless it was mined before; and nothing that protects money is taken back.</summary>
public sealed class TakenBackJobTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;

    private AnvilFixture _anvil = null!;

    public async Task InitializeAsync() => _anvil = await AnvilFixture.StartAsync();

    public async Task DisposeAsync() => await _anvil.DisposeAsync();

    [Fact]
    public async Task JobThatWaits_EndsAtOnce_AndIsAskedForAnew()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = Gwei });
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        Channel channel = bench.NewChannel();
        JobEntry deposit = await bench.DepositAsync(channel, 1);
        await JobBench.UntilAsync(deposit, _ => deposit.Problem == Refusal.FeeTooHigh);
        Task waiting = JobBook.WhenDoneAsync(deposit, progress: null, CancellationToken.None);

        await bench.Jobs.TakeBackAsync(deposit.Job.Number, "access token 2 (carol)", CancellationToken.None);

        Assert.Equal((JobStatus.Failed, Refusal.JobCancelled, 0), (deposit.Job.Status, deposit.Job.Refusal, deposit.Job.Attempts.Count));
        Assert.Contains("by access token 2 (carol)", deposit.Job.Message, StringComparison.Ordinal);
        Assert.Equal(Refusal.JobCancelled, (await Assert.ThrowsAsync<RefusalException>(() => waiting)).Refusal);
        Assert.Same(deposit, await bench.Jobs.TakeBackAsync(deposit.Job.Number, "", CancellationToken.None));
        await bench.SetBaseFeeAsync(1);
        await _anvil.MineAsync(3);
        Assert.Equal(0ul, await bench.NonceAsync());
        await bench.MineUntilAsync(await bench.DepositAsync(channel, 1), JobStatus.Done);
        Assert.Equal(UInt128.One, await bench.PotAsync(channel));
    }

    [Fact]
    public async Task WhereTheChainGivesNoAnswer_AJobThatWaitsIsTakenBackAllTheSame()
    {
        bool isAway = false;
        using var proxy = new RpcProxy(_anvil.HttpUrl, (_, request) => Volatile.Read(ref isAway) ? RpcProxy.Error(request, "not now") : null);
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { RpcUrl = proxy.Url });
        Volatile.Write(ref isAway, true);
        JobEntry deposit = await bench.SubmitAsync(JobKind.Deposit, "deposit", bench.Chain.Nothing());

        await bench.Jobs.TakeBackAsync(deposit.Job.Number, "", TestChain.Limit);

        Assert.Equal((JobStatus.Failed, Refusal.JobCancelled), (deposit.Job.Status, deposit.Job.Refusal));
    }

    /// <summary>Also where the node is stopped between the taking back and what takes the transaction's place.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task JobThatIsSent_IsReplacedByNothing(bool isStopped)
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 600 });
        Channel channel = bench.NewChannel();
        JobEntry deposit = await bench.DepositAsync(channel, 1_000);
        await bench.UntilToldAsync(deposit);

        await bench.Jobs.TakeBackAsync(deposit.Job.Number, "", CancellationToken.None);
        Assert.Equal((JobStatus.Sent, Refusal.JobCancelled), (deposit.Job.Status, deposit.Job.Refusal));
        if (isStopped)
        {
            await bench.StopAsync();
            await bench.StartAsync(options => options with { ReplaceAfterSeconds = 600 });
            deposit = bench.Jobs.Active.Single();
        }

        await bench.UntilToldAsync(deposit, job => job.Attempts[^1].Kind == AttemptKind.Cancelling);
        Job ended = await bench.MineUntilAsync(deposit, job => !job.IsActive);

        Assert.Equal((JobStatus.Failed, Refusal.JobCancelled, 2), (ended.Status, ended.Refusal, ended.Attempts.Count));
        Assert.Equal((UInt128.Zero, 1ul), (await bench.PotAsync(channel), await bench.NonceAsync()));
        Assert.True(ended.SpentWei > 0);
        Assert.Contains(bench.Events, told => told.Sentence.Contains("taken back by", StringComparison.Ordinal));
    }

    [Fact]
    public async Task JobWhoseTransactionIsMinedFirst_IsDone()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 600 });
        Channel channel = bench.NewChannel();
        JobEntry deposit = await bench.DepositAsync(channel, 1_000);
        await bench.UntilToldAsync(deposit);

        await bench.Jobs.TakeBackAsync(deposit.Job.Number, "", CancellationToken.None);
        await _anvil.MineAsync(); // The other transaction is not made before the first has stood for a second.
        Job done = await bench.MineUntilAsync(deposit, job => !job.IsActive);

        Assert.Equal((JobStatus.Done, Refusal.None, ""), (done.Status, done.Refusal, done.Message));
        Assert.Equal((UInt128)1_000, await bench.PotAsync(channel));
    }

    /// <summary>The approval is mined before anything can take its place: what it was for is not done all the same.</summary>
    [Fact]
    public async Task TokenDepositWhoseApprovalIsMinedFirst_IsNotMade()
    {
        Address token = await _anvil.TokenAsync();
        await _anvil.MintAsync(token, new Address(1, 2, 3), 1); // The token is there.
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 600 });
        Task minting = _anvil.MintAsync(token, bench.Key.Address, 6_000);
        while (!minting.IsCompleted)
        {
            await _anvil.MineAsync();
            await Task.Delay(50);
        }

        Channel channel = bench.NewChannel(token);
        JobEntry deposit = await bench.DepositAsync(channel, 1_000);
        Assert.Equal(AttemptKind.Preparing, (await bench.UntilToldAsync(deposit)).Attempts[0].Kind);
        await bench.Jobs.TakeBackAsync(deposit.Job.Number, "", TestChain.Limit);
        await _anvil.MineAsync();
        Job ended = await bench.MineUntilAsync(deposit, job => !job.IsActive);
        await _anvil.MineAsync(3);

        Assert.Equal((JobStatus.Failed, Refusal.JobCancelled), (ended.Status, ended.Refusal));
        Assert.Equal((UInt128.Zero, 1ul), (await bench.PotAsync(channel), await bench.NonceAsync()));
    }

    [Fact]
    public async Task WhatIsMinedHasEndedOrProtectsMoney_IsKept()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { Confirmations = 3 });
        JobEntry mined = await bench.DepositAsync(bench.NewChannel(), 1);
        await bench.UntilToldAsync(mined);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(mined, JobStatus.Mined);

        Assert.Equal("mined", (await IsKeptAsync(bench, mined, "is mined, in block")).Details?["status"]);
        await bench.MineUntilAsync(mined, JobStatus.Done);
        Assert.Equal("done", (await IsKeptAsync(bench, mined, "has ended: done")).Details?["status"]);
        foreach (JobKind kind in (JobKind[])[JobKind.Dispute, JobKind.Settle, JobKind.Claim, JobKind.Unblock])
            await IsKeptAsync(bench, await bench.SubmitAsync(kind, $"{kind}", bench.Chain.Nothing()), "is what this node does by itself");
        Assert.Null((await IsKeptAsync(bench, await bench.SubmitAsync(JobKind.Close, "close", bench.Chain.Nothing()), "both sides have signed")).Details);
        RefusalException unknown = await Assert.ThrowsAsync<RefusalException>(() => bench.Jobs.TakeBackAsync(99, "", CancellationToken.None));
        Assert.Equal((Refusal.UnknownJob, "number", "99"), (unknown.Refusal, unknown.Field, unknown.Value));
    }

    private static async Task<RefusalException> IsKeptAsync(JobBench bench, JobEntry entry, string why)
    {
        Refusal before = entry.Job.Refusal;
        RefusalException kept = await Assert.ThrowsAsync<RefusalException>(
            () => bench.Jobs.TakeBackAsync(entry.Job.Number, "", TestChain.Limit));
        Assert.Equal((Refusal.JobNotCancellable, before), (kept.Refusal, entry.Job.Refusal));
        Assert.Contains(why, kept.Message, StringComparison.Ordinal);
        return kept;
    }

    /// <summary>Asked for while the channel was open, it would open it again.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DepositThatWaits_OpensAClosedChannel_OnlyWhereItWasClosedBefore(bool wasClosed)
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = Gwei });
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        Channel channel = bench.NewChannel();
        JobEntry deposit = await bench.DepositAsync(channel, 1, reopens: wasClosed);
        await JobBench.UntilAsync(deposit, _ => deposit.Problem == Refusal.FeeTooHigh);
        await bench.StopAsync();

        bench.Closed.Add(channel.Id);
        await bench.SetBaseFeeAsync(1);
        await _anvil.MineAsync();
        await bench.StartAsync(options => options with { FeeWeiMax = Gwei });
        Job ended = await bench.MineUntilAsync(bench.Jobs.All.Single(), job => !job.IsActive);

        Assert.Equal(wasClosed ? (JobStatus.Done, Refusal.None) : (JobStatus.Failed, Refusal.ChannelClosing), (ended.Status, ended.Refusal));
        Assert.Equal(wasClosed ? UInt128.One : UInt128.Zero, await bench.PotAsync(channel));
    }

    /// <summary>Its channel may have been closed in what is not followed yet.</summary>
    [Fact]
    public async Task Deposit_IsNotSent_BeforeTheChainIsFollowedUpToItsFirstLook()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        await _anvil.MineAsync(3);
        ulong head = await _anvil.HeadAsync(), now = await _anvil.NowSecondsAsync();
        bench.Followed = new ChainBlock(head - 1, default, default, now);
        JobEntry deposit = await bench.DepositAsync(bench.NewChannel(), 1);
        await bench.LookTwiceAsync();
        Assert.Equal((JobStatus.Waiting, Refusal.None), (deposit.Job.Status, deposit.Problem)); // A block behind is nothing to tell of.

        bench.Followed = new ChainBlock(head - 1, default, default, now - 61);
        await JobBench.UntilAsync(deposit, _ => deposit.Problem == Refusal.ChainUnavailable);
        bench.Followed = new ChainBlock(head, default, default, now);
        await bench.MineUntilAsync(deposit, JobStatus.Done);
    }
}
