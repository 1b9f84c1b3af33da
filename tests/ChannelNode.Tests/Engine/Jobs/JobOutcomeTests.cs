using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Settlement;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>What counts as done, and that it is done once: over strangers, reorganisations, reverts and restarts.</summary>
public sealed class JobOutcomeTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;

    private AnvilFixture _anvil = null!;

    public async Task InitializeAsync() => _anvil = await AnvilFixture.StartAsync();

    public async Task DisposeAsync() => await _anvil.DisposeAsync();

    [Fact]
    public async Task MarkedDoneWhenNotMined_NeverHappens_WhenAStrangerUsesTheNonce()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 600 });
        Channel channel = bench.NewChannel();
        JobEntry entry = await bench.DepositAsync(channel, 1_000);
        Job sent = await JobBench.UntilAsync(entry, JobStatus.Sent);

        await bench.SendAsStrangerAsync(sent.Nonce!.Value, 500 * Gwei);
        await _anvil.MineAsync();
        Assert.Equal(UInt128.Zero, await bench.PotAsync(channel));
        Job again = await bench.MineUntilAsync(entry, job => job.Nonce == sent.Nonce + 1);
        Assert.NotEqual(JobStatus.Done, again.Status);
        await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.Equal((1_000UL, 2UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
        Assert.True(bench.Jobs.IsKeyShared);
    }

    [Fact]
    public async Task TwoNodesOnOneKey_AreDetected_AndNothingNewIsSentButDisputes()
    {
        await using JobBench one = await JobBench.StartAsync(_anvil);
        await using JobBench two = await JobBench.StartAsync(_anvil, twin: one);
        await one.MineUntilAsync(await one.DepositAsync(one.NewChannel(), 1), JobStatus.Done);
        await two.MineUntilAsync(await two.DepositAsync(two.NewChannel(), 1), JobStatus.Done);
        await one.MineUntilAsync(await one.DepositAsync(one.NewChannel(), 1), JobStatus.Done);

        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => one.DepositAsync(one.NewChannel(), 1));

        Assert.Equal(Refusal.KeyShared, refused.Refusal);
        await one.MineUntilAsync(await one.DepositAsync(one.NewChannel(), 1, JobKind.Dispute), JobStatus.Done);
    }

    /// <summary>The lost database may have made it, at a price that came after the backup.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhatWaitedWhenABackupWasMade_IsNotDoneByTheRestoredNode(bool isStart)
    {
        JobKind kind = isStart ? JobKind.StartClose : JobKind.Deposit;
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { FeeWeiMax = 1_000_000_000 });
        await bench.SetBaseFeeAsync(50_000_000_000);
        await _anvil.MineAsync();
        Channel channel = bench.NewChannel();
        JobEntry entry = await bench.DepositAsync(channel, 1_000, kind);
        await JobBench.UntilAsync(entry, _ => entry.Problem == Refusal.FeeTooHigh);
        await bench.StopAsync();
        bench.BackUp();
        await bench.StartAsync();
        await bench.MineUntilAsync(bench.Jobs.All.Single(), JobStatus.Done);
        await bench.StopAsync();

        bench.Restore();
        await bench.StartAsync();
        Job restored = await bench.MineUntilAsync(bench.Jobs.All.Single(), job => !job.IsActive);

        Assert.Equal((JobStatus.Failed, Refusal.RestoredUnconfirmed), (restored.Status, restored.Refusal));
        Assert.Equal((UInt128)1_000, await bench.PotAsync(channel));
        await bench.MineUntilAsync(await bench.DepositAsync(bench.NewChannel(), 1), JobStatus.Done);
    }

    /// <summary>What replaced the backup's transaction was sent by the database that was lost.</summary>
    [Fact]
    public async Task DepositThatALostDatabaseReplaced_IsNotMadeTwice_AndNobodyElsesKey()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel channel = bench.NewChannel();
        JobEntry entry = await bench.DepositAsync(channel, 1_000);
        JobAttempt first = (await JobBench.UntilAsync(entry, JobStatus.Sent)).Attempts[0];
        await bench.StopAsync();
        bench.BackUp();
        await bench.StartAsync();
        await bench.SetBaseFeeAsync((ulong)first.Fees.MaxFee * 10);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(bench.Jobs.All.Single(), job => job.Attempts.Count > 1); // The base fee falls with each block that is empty.
        await bench.MineUntilAsync(bench.Jobs.All.Single(), JobStatus.Done);
        await bench.StopAsync();

        bench.Restore();
        await bench.StartAsync();
        Job failed = await bench.MineUntilAsync(bench.Jobs.All.Single(), job => !job.IsActive);

        Assert.Equal((JobStatus.Failed, Refusal.RestoredUnconfirmed), (failed.Status, failed.Refusal));
        Assert.DoesNotContain(bench.Events, what => what.Kind == EventKind.KeyShared);
        Assert.Equal((1_000UL, 1UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
        await bench.MineUntilAsync(await bench.DepositAsync(bench.NewChannel(), 1), JobStatus.Done);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task TransactionThatAReorgTakesBack_IsPendingAgainUntilItHasItsConfirmations(int depth)
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { Confirmations = 5 });
        Channel channel = bench.NewChannel();
        JobEntry entry = await bench.DepositAsync(channel, 1_000);
        await bench.UntilToldAsync(entry);
        string before = await _anvil.RpcAsync<string>("evm_snapshot");
        await _anvil.MineAsync(depth);
        await JobBench.UntilAsync(entry, JobStatus.Mined);

        await _anvil.RpcAsync<object?>("evm_revert", before);
        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions");
        await _anvil.RpcAsync<object?>("evm_increaseTime", 7);
        await _anvil.MineAsync(depth);
        await JobBench.UntilAsync(entry, _ => bench.Events.Any(told => told.Kind == EventKind.TransactionUnmined)); // Its status may pass at once.
        await bench.MineUntilAsync(entry, JobStatus.Mined);
        Job done = await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.Equal(done.Receipt!.GasUsed * await GasPriceAsync(done.Receipt.Hash), done.SpentWei); // Paid once.
        Assert.True((await bench.Chain.LookAsync(1, default)).Head >= done.Receipt.BlockNumber + 4);
        Assert.Equal((1_000UL, 1UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
    }

    /// <summary>Mined, with all its confirmations, taken back and mined again: gas is paid once for it, and counted once.</summary>
    [Fact]
    public async Task GasOfWhatIsMinedTwice_CountsOnce()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { Confirmations = 1, ConfirmationsLarger = 64 });
        JobEntry entry = await bench.DepositAsync(bench.NewChannel(), 1_000);
        await bench.UntilToldAsync(entry);
        string before = await _anvil.RpcAsync<string>("evm_snapshot");
        await _anvil.MineAsync();
        await JobBench.UntilAsync(entry, JobStatus.Done);

        await _anvil.RpcAsync<object?>("evm_revert", before);
        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions");
        await _anvil.RpcAsync<object?>("evm_increaseTime", 7);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(entry, _ =>
        {
            bench.Jobs.Wake(); // As who follows the chain does.
            return bench.Events.Any(told => told.Kind == EventKind.TransactionUnmined);
        });
        Job done = await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.Equal(done.Receipt!.GasUsed * await GasPriceAsync(done.Receipt.Hash), done.SpentWei);
    }

    /// <summary>Anvil may have a block before it has the receipts of what is in it.</summary>
    private async Task<UInt128> GasPriceAsync(Bytes32 hash)
    {
        CancellationToken limit = TestChain.Limit;
        while (true)
        {
            JsonElement receipt = await _anvil.RpcAsync<JsonElement>("eth_getTransactionReceipt", hash.ToString());
            if (receipt.ValueKind == JsonValueKind.Object) return Quantity.ToUInt128(receipt.GetProperty("effectiveGasPrice").GetString(), "price");
            await Task.Delay(50, limit);
        }
    }

    [Fact]
    public async Task RevertedTransaction_FailsWithItsReason_AndIsNotSentAgain()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ReplaceAfterSeconds = 600 });
        EthereumChain peer = await bench.PeerAsync();
        Channel channel = bench.NewChannel();
        await bench.MineUntilAsync(await bench.DepositAsync(channel, 1_000), JobStatus.Done);
        JobEntry entry = await bench.SubmitAsync(JobKind.StartClose, "close", bench.Chain.StartClose(channel, null, default));
        await bench.UntilToldAsync(entry);
        PreparedCall theirs = await peer.PrepareAsync(peer.StartClose(channel, null, default), default);
        await peer.BroadcastAsync(
            (await peer.SignAsync(theirs, 0, new TransactionFees(500 * Gwei, 400 * Gwei), default)).Raw, default);

        await _anvil.MineAsync();
        Job failed = await JobBench.UntilAsync(entry, JobStatus.Failed);

        Assert.Equal(Refusal.TransactionReverted, failed.Refusal);
        Assert.Contains("ChannelClosing", failed.Message, StringComparison.Ordinal);
        Assert.True(failed.SpentWei > 0);
        Assert.Equal(2UL, await bench.NonceAsync());
    }

    [Fact]
    public async Task StoppedBetweenSigningAndTelling_GoesOnAndIsDoneOnce()
    {
        using var proxy = new RpcProxy(_anvil.HttpUrl, (method, request) =>
            method == "eth_sendRawTransaction" ? RpcProxy.Error(request, "not now") : null);
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { RpcUrl = proxy.Url });
        Channel channel = bench.NewChannel();
        JobEntry entry = await bench.DepositAsync(channel, 1_000);
        Job signed = await JobBench.UntilAsync(entry, JobStatus.Sent);
        await bench.StopAsync();

        await bench.StartAsync();
        JobEntry again = bench.Jobs.Active.Single();
        Job done = await bench.MineUntilAsync(again, JobStatus.Done);

        Assert.Equal(signed.Attempts[0], done.Attempts[0]);
        Assert.Equal((1_000UL, 1UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
    }

    [Fact]
    public async Task SamePurpose_JoinsTheJob_AlsoAfterARestart()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel channel = bench.NewChannel();
        JobOrder order = new(
            JobKind.Deposit, "deposit/1", [channel.Id], bench.Chain.Deposit(channel, Side.A, 1_000), Once: true);
        JobEntry first = await bench.Jobs.SubmitAsync(order, default), joined = await bench.Jobs.SubmitAsync(order, default);
        Assert.Same(first, joined);
        await bench.MineUntilAsync(first, JobStatus.Done);
        await bench.StopAsync();

        await bench.StartAsync();
        JobEntry remembered = await bench.Jobs.SubmitAsync(order, default);
        RefusalException other = await Assert.ThrowsAsync<RefusalException>(() => bench.Jobs.SubmitAsync(
            order with { Call = bench.Chain.Deposit(channel, Side.A, 7) }, default));

        Assert.Equal((await JobBook.WhenDoneAsync(remembered, null, default)).Hash, first.Job.Receipt!.Hash);
        Assert.Equal(Refusal.IdempotencyKeyReused, other.Refusal);
        Assert.Equal((1_000UL, 1UL), ((ulong)await bench.PotAsync(channel), await bench.NonceAsync()));
    }

    [Fact]
    public async Task SeveralAtOnce_EachGetTheirNonce()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Channel[] channels = [.. Enumerable.Range(0, 10).Select(_ => bench.NewChannel())];
        JobEntry[] entries = await Task.WhenAll(channels.Select(channel => bench.DepositAsync(channel, 5)));
        foreach (JobEntry entry in entries) await JobBench.UntilAsync(entry, JobStatus.Sent);

        await _anvil.MineAsync();
        foreach (JobEntry entry in entries) await bench.MineUntilAsync(entry, JobStatus.Done);

        Assert.Equal(Enumerable.Range(0, 10).Select(nonce => (ulong)nonce), entries.Select(entry => entry.Job.Nonce!.Value).Order());
        foreach (Channel channel in channels) Assert.Equal((UInt128)5, await bench.PotAsync(channel));
    }

    [Fact]
    public async Task TokenDepositsAtOnce_DoNotTakeEachOthersAllowance()
    {
        Address token = await _anvil.TokenAsync();
        await using JobBench bench = await JobBench.StartAsync(_anvil);
        Task minting = _anvil.MintAsync(token, bench.Key.Address, 6_000);
        while (!minting.IsCompleted)
        {
            await _anvil.MineAsync();
            await Task.Delay(50);
        }

        Channel[] channels = [.. Enumerable.Range(0, 3).Select(_ => bench.NewChannel(token))];
        JobEntry[] entries = await Task.WhenAll(channels.Select((channel, i) => bench.DepositAsync(channel, (UInt128)(1_000 + i))));
        foreach (JobEntry entry in entries) await bench.MineUntilAsync(entry, JobStatus.Done);

        for (int i = 0; i < 3; i++) Assert.Equal((UInt128)(1_000 + i), await bench.PotAsync(channels[i]));
        Assert.Equal(6UL, await bench.NonceAsync());
    }

    [Fact]
    public async Task BudgetOfADay_StopsOthersByName_AndLeavesDisputesTheirReserve()
    {
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { GasBudgetWeiPerDay = 1_000, DisputeReserveWeiPerDay = 10_000_000 * Gwei });
        JobEntry deposit = await bench.DepositAsync(bench.NewChannel(), 1);
        Job stopped = await JobBench.UntilAsync(deposit, JobStatus.Failed);
        JobEntry dispute = await bench.DepositAsync(bench.NewChannel(), 1, JobKind.Dispute);

        await bench.MineUntilAsync(dispute, JobStatus.Done);

        Assert.Equal((Refusal.BudgetReached, 0), (stopped.Refusal, stopped.Attempts.Count));
    }
}
