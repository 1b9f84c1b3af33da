using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>Many disputes about less than they cost, and one about much.</summary>
public sealed class SmallDisputeTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;

    private static readonly UInt128 Ether = (UInt128)1_000_000_000 * Gwei;

    private AnvilFixture _anvil = null!;

    public async Task InitializeAsync() => _anvil = await AnvilFixture.StartAsync();

    public async Task DisposeAsync() => await _anvil.DisposeAsync();

    private async Task<JobEntry> DisputeAsync(JobBench bench, UInt128? stake) => await bench.DepositAsync(
        bench.NewChannel(), 1, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600, stake);

    private async Task<JobEntry[]> DisputesAboutDustAsync(JobBench bench, int count)
    {
        JobEntry[] entries = new JobEntry[count];
        for (int index = 0; index < count; index++) entries[index] = await DisputeAsync(bench, (UInt128)index + 1);
        return entries;
    }

    [Fact]
    public async Task WhatTheReserveDoesNotPayFor_WaitsAndIsNotGivenUp_WhileADisputeAboutMuchIsMined()
    {
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { GasBudgetWeiPerDay = 0, DisputeReserveWeiPerDay = 1_200_000 * Gwei });
        JobEntry[] dust = await DisputesAboutDustAsync(bench, 16);
        await JobBench.UntilAsync(dust[0], _ => dust.Any(entry => entry.Problem == Refusal.BudgetReached));

        JobEntry large = await DisputeAsync(bench, Ether);
        await bench.MineUntilAsync(large, job => !job.IsActive);
        await bench.MineUntilAsync(dust[^1], job => !job.IsActive);

        Assert.Equal(JobStatus.Done, large.Job.Status);
        Assert.Contains(dust, entry => entry.Job.Status == JobStatus.Waiting);
        Assert.DoesNotContain(dust, entry => entry.Job.Status == JobStatus.Failed);
        Assert.InRange(dust.Aggregate(UInt128.Zero, (sum, entry) => sum + entry.Job.SpentWei), UInt128.One, (UInt128)600_000 * Gwei);
    }

    [Fact]
    public async Task DisputeAboutMuch_TakesTheNonceOfTheFirstAboutLittle_WhichIsMadeAfterwards()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        JobEntry[] dust = await DisputesAboutDustAsync(bench, 6);
        foreach (JobEntry entry in dust) await JobBench.UntilAsync(entry, JobStatus.Sent);

        JobEntry large = await DisputeAsync(bench, Ether);
        Job sent = await JobBench.UntilAsync(large, JobStatus.Sent);
        Assert.Equal(0UL, sent.Nonce);
        await bench.MineUntilAsync(large, JobStatus.Done);
        foreach (JobEntry entry in dust) await bench.MineUntilAsync(entry, job => !job.IsActive);

        Assert.All(dust, entry => Assert.Equal(JobStatus.Done, entry.Job.Status));
        Assert.Equal(7UL, await bench.NonceAsync());
        Assert.DoesNotContain(bench.Events, told => told.Kind == EventKind.KeyShared);
    }

    /// <summary>The transaction of which it was to take the place was mined after all: it is nobody else's, and costs no time.</summary>
    [Fact]
    public async Task TransactionThatGaveItsNonce_AndIsMinedAllTheSame_IsDone_AndTheOtherGetsANewNonce()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        JobEntry dust = await DisputeAsync(bench, 1);
        ReadOnlyMemory<byte> old = (await JobBench.UntilAsync(dust, JobStatus.Sent)).Raw;
        JobEntry large = await DisputeAsync(bench, Ether);
        Job sent = await JobBench.UntilAsync(large, job => job.Nonce == 0);

        await bench.StopAsync();
        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions");
        await bench.Anvil.RpcAsync<string>("eth_sendRawTransaction", Hex.Format(old.Span));
        await _anvil.MineAsync();
        await bench.StartAsync();
        (dust, large) = (bench.Jobs.All.Single(it => it.Job.Number == dust.Job.Number), bench.Jobs.All.Single(it => it.Job.Number == large.Job.Number));
        await bench.MineUntilAsync(dust, job => !job.IsActive);
        await bench.MineUntilAsync(large, job => !job.IsActive);

        // So deep that somebody else's would be an alarm by now.
        for (int look = 0; look < 20; look++)
        {
            await _anvil.MineAsync();
            bench.Jobs.Wake();
            await Task.Delay(50);
        }

        Assert.Equal((JobStatus.Done, JobStatus.Done), (dust.Job.Status, large.Job.Status));
        Assert.Equal((0UL, 1UL), (dust.Job.Nonce, large.Job.Nonce));
        Assert.DoesNotContain(bench.Events, told => told.Kind == EventKind.KeyShared);
    }

    /// <summary>A reorganisation takes the transaction that was mined after all, and of which nothing is left but that it was.</summary>
    [Fact]
    public async Task NonceThatWasGivenAway_AndComesBackByAReorganisation_IsFilled()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        string before = await _anvil.RpcAsync<string>("evm_snapshot");
        JobEntry dust = await DisputeAsync(bench, 1);
        ReadOnlyMemory<byte> old = (await JobBench.UntilAsync(dust, JobStatus.Sent)).Raw;
        JobEntry large = await DisputeAsync(bench, Ether);
        await JobBench.UntilAsync(large, job => job.Nonce == 0);
        await bench.StopAsync();
        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions");
        await bench.Anvil.RpcAsync<string>("eth_sendRawTransaction", Hex.Format(old.Span));
        await _anvil.MineAsync();
        await bench.StartAsync(options => options with { ReplaceAfterSeconds = 5, Confirmations = 8 });
        (dust, large) = (bench.Jobs.All.Single(it => it.Job.Number == dust.Job.Number), bench.Jobs.All.Single(it => it.Job.Number == large.Job.Number));
        await JobBench.UntilAsync(dust, JobStatus.Mined);
        int offers = dust.Job.Attempts.Count;

        Assert.True(await _anvil.RpcAsync<bool>("evm_revert", before));
        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions");
        await bench.MineUntilAsync(dust, job => job.Attempts.Count > offers);
        await bench.MineUntilAsync(dust, JobStatus.Done);
        await bench.MineUntilAsync(large, JobStatus.Done);
    }

    [Fact]
    public async Task DisputesThatWait_AreSentByWhatTheyAreAbout()
    {
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { FeeWeiMax = 5 * Gwei, DisputeFeeWeiMax = 5 * Gwei });
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        JobEntry deposit = await bench.DepositAsync(bench.NewChannel(), 1);
        UInt128[] stakes = [1, 2 * Ether, 3 * Ether, Ether];
        JobEntry[] disputes = [.. await Task.WhenAll(stakes.Select(stake => DisputeAsync(bench, stake)))];
        foreach (JobEntry entry in disputes.Append(deposit)) await JobBench.UntilAsync(entry, _ => entry.Problem == Refusal.FeeTooHigh);

        await bench.SetBaseFeeAsync(Gwei);
        await _anvil.MineAsync();
        foreach (JobEntry entry in disputes.Append(deposit)) await JobBench.UntilAsync(entry, JobStatus.Sent);

        Assert.Equal([3UL, 1, 0, 2, 4], disputes.Append(deposit).Select(entry => entry.Job.Nonce!.Value));
    }

    /// <summary>Fees may rise tenfold before one comes that is about much.</summary>
    [Fact]
    public async Task DisputesAboutLittle_LeaveTheAccountEtherForOneAboutMuch()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel channel = bench.NewChannel();
        ulong gas = (await bench.Chain.PrepareAsync(bench.Chain.Deposit(channel, Side.A, 1), default)).Gas;
        await bench.SetBaseFeeAsync(Gwei);
        await _anvil.MineAsync();
        await bench.SetBalanceAsync((UInt128)gas * 3 * Gwei * 20);
        JobEntry[] dust = await DisputesAboutDustAsync(bench, 8);
        await JobBench.UntilAsync(dust[0], _ => dust.Any(entry => entry.Problem == Refusal.InsufficientFunds));
        Assert.Contains(dust, entry => entry.Job.Status == JobStatus.Sent);

        await bench.SetBaseFeeAsync(10 * Gwei);
        await _anvil.MineAsync();
        JobEntry large = await DisputeAsync(bench, Ether);
        await bench.MineUntilAsync(large, job => !job.IsActive);

        Assert.Equal(JobStatus.Done, large.Job.Status);
    }

    /// <summary>Each time the one that is offered would be an eighth dearer, and so about less than it costs.</summary>
    [Fact]
    public async Task DisputesAboutALittleMoreThanTheyCost_PassNoNonceToAndFro()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 600 });
        await bench.SetBaseFeeAsync(10 * Gwei);
        await _anvil.MineAsync();
        ulong gas = (await bench.Chain.PrepareAsync(bench.Chain.Deposit(bench.NewChannel(), Side.A, 1), default)).Gas;
        UInt128 cost = gas * FeePolicy.First(await bench.Chain.FeesAsync(default)).MaxFee;
        JobEntry dust = await DisputeAsync(bench, 1);
        await JobBench.UntilAsync(dust, JobStatus.Sent);

        JobEntry[] disputes = [await DisputeAsync(bench, cost * 105 / 100), await DisputeAsync(bench, cost * 105 / 100)];
        await JobBench.UntilAsync(disputes[1], _ => disputes.All(entry => entry.Job.Status == JobStatus.Sent) || Given(bench) > 1);
        Assert.Equal(0, Given(bench));
        foreach (JobEntry entry in disputes.Append(dust)) await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.Equal([1UL, 2, 0], disputes.Append(dust).Select(entry => entry.Job.Nonce!.Value));
        Assert.All(disputes, entry => Assert.InRange(entry.Job.SpentWei, UInt128.One, cost));
    }

    private static int Given(JobBench bench) =>
        bench.Events.Count(told => told.Sentence.Contains("gives its nonce", StringComparison.Ordinal));

    [Fact]
    public async Task NonceOfADisputeAboutLittle_StaysWithIt_WhileTheSignerIsAway()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        JobEntry dust = await DisputeAsync(bench, 1);
        await JobBench.UntilAsync(dust, JobStatus.Sent);

        bench.IsSignerAway = true;
        JobEntry large = await DisputeAsync(bench, Ether);
        await JobBench.UntilAsync(large, _ => large.Problem == Refusal.SignerUnavailable);
        Assert.Equal((JobStatus.Sent, 0UL), (dust.Job.Status, dust.Job.Nonce));
        bench.IsSignerAway = false;

        await JobBench.UntilAsync(large, job => job.Nonce == 0);
        foreach (JobEntry entry in (JobEntry[])[large, dust]) await bench.MineUntilAsync(entry, JobStatus.Done);
        Assert.Equal(2UL, await bench.NonceAsync());
        OperatorEvent given = Assert.Single(bench.Events, told => told.Sentence.Contains("gives its nonce", StringComparison.Ordinal));
        Assert.Equal(dust.Job.Channels, given.Channels);
        Assert.DoesNotContain($"{large.Job.Channels[0]}", given.Sentence); // An access token may see the one channel and not the other.
    }

    /// <summary>Else every one of them would be asked for with every look, as long as the window is open.</summary>
    [Fact]
    public async Task TransactionsThatGaveTheirNonce_AreLetGoOf_WhereItIsUsedDeepDown()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        await bench.SetBaseFeeAsync(10 * Gwei);
        await _anvil.MineAsync();
        JobEntry dust = await DisputeAsync(bench, 1);
        JobAttempt offered = (await JobBench.UntilAsync(dust, JobStatus.Sent)).Attempts[0];
        await bench.SetBalanceAsync(offered.GasCostMax * 22 / 10); // Too little for it to be sent again.
        JobEntry large = await DisputeAsync(bench, Ether);
        await JobBench.UntilAsync(large, job => job.Nonce == 0);
        Assert.NotEmpty(dust.Job.Attempts);

        await bench.MineUntilAsync(large, JobStatus.Done);
        await bench.MineUntilAsync(dust, job => job.Attempts.Count == 0);

        Assert.Equal((JobStatus.Waiting, null), (dust.Job.Status, dust.Job.Nonce));
        Assert.DoesNotContain(bench.Events, told => told.Kind == EventKind.KeyShared);
    }

    /// <summary>Its part of the reserve is used up: it would stand in the way until its window ends.</summary>
    [Fact]
    public async Task DisputeAboutLittle_ThatCanOfferNoMore_GivesItsPlaceToWhatWaitsBehindIt()
    {
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { DisputeReserveWeiPerDay = 1_200_000 * Gwei });
        await bench.SetBaseFeeAsync(Gwei);
        await _anvil.MineAsync();
        JobEntry dust = await DisputeAsync(bench, 1);
        await JobBench.UntilAsync(dust, JobStatus.Sent);
        Channel channel = bench.NewChannel();
        JobEntry deposit = await bench.DepositAsync(channel, 1_000);
        await JobBench.UntilAsync(deposit, JobStatus.Sent);

        await bench.SetBaseFeeAsync(30 * Gwei);
        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions"); // Else that block takes them.
        await _anvil.MineAsync();
        await JobBench.UntilAsync(dust, job => job.Offer?.Kind == AttemptKind.Cancelling);
        await bench.MineUntilAsync(deposit, JobStatus.Done);

        Job ended = await bench.MineUntilAsync(dust, job => !job.IsActive);
        Assert.Equal((JobStatus.Failed, Refusal.BudgetReached), (ended.Status, ended.Refusal));
        Assert.Equal((1_000UL, 2UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
    }
}
