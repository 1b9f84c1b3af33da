using System.Globalization;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using ChannelNode.Tests.Cli;
using ChannelNode.Tests.Settlement;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>How channels end, and begin again: what the owners have afterwards is exact.</summary>
[Collection(ChainCollection.Name)]
public sealed class ClosingTests(AnvilFixture anvil) : IAsyncLifetime
{
    private static ulong _owners;

    private readonly Address _aliceOwner = NewOwner();
    private readonly Address _bobOwner = NewOwner();
    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;

    /// <summary>An account that pays no gas: its balance is what was paid out.</summary>
    private static Address NewOwner() => new(0xc105e, Interlocked.Increment(ref _owners), 1);

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _alice = await TestNode.StartAsync(_chain, options => options with { Owner = _aliceOwner });
        Address token = await _chain.TokenAsync();
        _bob = await TestNode.StartAsync(
            _chain, options => options with { Owner = _bobOwner, AcceptedTokens = [token] });
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private static async Task<List<Wire.Stage>> StagesAsync<T>(
        AsyncServerStreamingCall<T> call, Func<T, Wire.Progress> progress)
    {
        using (call)
        {
            List<Wire.Stage> stages = [];
            while (await call.ResponseStream.MoveNext(TestChain.Limit))
                stages.Add(progress(call.ResponseStream.Current).Stage);
            return stages;
        }
    }

    private static Task<List<Wire.Stage>> CloseAsync(TestNode node, string id) => StagesAsync(
        node.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }), response => response.Progress);

    private static Task<List<Wire.Stage>> StartCloseAsync(TestNode node, string id) => StagesAsync(
        node.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id }), response => response.Progress);

    private static Task<List<Wire.Stage>> DepositAsync(TestNode node, string id, string amount) => StagesAsync(
        node.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = id, Amount = amount }),
        response => response.Progress);

    private async Task AssertPaidAsync(UInt128 alice, UInt128 bob)
    {
        Assert.Equal(alice, await _chain.EtherOfAsync(_aliceOwner));
        Assert.Equal(bob, await _chain.EtherOfAsync(_bobOwner));
    }

    [Fact]
    public async Task StartClose_SaysWhenTheDisputeWindowEnds()
    {
        string id = await _alice.OpenAsync(_bob, "1000");

        CliRun run = await CliRun.AsyncOf("channel", "start-close", id, "--yes", "--node", _alice.Host.ApiUrl);

        Assert.Equal(ExitCode.Done, run.ExitCode);
        ulong end = (await _alice.ChannelAsync(id)).ClosesAtSeconds;
        Assert.InRange(end, await anvil.NowSecondsAsync(), ulong.MaxValue);
        string said = DateTimeOffset.FromUnixTimeSeconds((long)end).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        Assert.Contains($"its dispute window ends at {said} UTC, then it is settled by itself", run.Output + run.Error);
    }

    [Fact]
    public async Task CooperativeClose_PaysBothAndTellsEachStage()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await DepositAsync(_bob, id, "200");
        await _alice.UntilAsync(id, channel => channel.TheirPot == "200");
        await _alice.PayAsync(id, "300");
        await _bob.PayAsync(id, "50");

        List<Wire.Progress> steps = [];
        using (var closing = _bob.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }))
            while (await closing.ResponseStream.MoveNext(TestChain.Limit)) steps.Add(closing.ResponseStream.Current.Progress);

        Assert.Equal(
            [Wire.Stage.Agreeing, Wire.Stage.Agreed, Wire.Stage.Sent, Wire.Stage.Mined, Wire.Stage.Confirmed],
            steps.Select(step => step.Stage).Where(stage => stage != Wire.Stage.Queued)); // That is told only where it takes long.
        Assert.EndsWith("; 450 wei to this node's owner, 750 wei to the peer's", steps[^1].Note);
        await AssertPaidAsync(750, 450);
        await _alice.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        using var settling = _bob.Api.SettleChannel(new Wire.SettleChannelRequest { ChannelId = id });
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => settling.ResponseStream.MoveNext(TestChain.Limit));
        Refusals.AssertIs(refused, StatusCode.FailedPrecondition, "NOT_CLOSING", "channel_id");
        Assert.EndsWith("it is paid out already", refused.Status.Detail);
    }

    [Fact]
    public async Task ClosedChannel_OpensAgainWithADepositAndItsOldTotalsStay()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300", key: "before");
        await CloseAsync(_alice, id);
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(id, "1"), StatusCode.FailedPrecondition, "CHANNEL_CLOSED", "channel_id");
        await Refusals.AssertRefusedAsync(
            () => _bob.PayAsync(id, "1"), StatusCode.FailedPrecondition, "CHANNEL_CLOSED", "channel_id");

        await DepositAsync(_alice, id, "500");
        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        Assert.True((await _alice.PayAsync(id, "300", key: "before")).Repeated);
        await _alice.PayAsync(id, "100");
        await CloseAsync(_alice, id);

        await AssertPaidAsync(700 + 400, 300 + 100);
    }

    [Fact]
    public async Task CooperativeClose_WithoutThePeer_IsRefusedAndStartsNothing()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _bob.StopAsync();
        await _alice.UntilAsync(id, channel => !channel.PeerConnected);

        await Refusals.AssertRefusedAsync(() => CloseAsync(_alice, id), StatusCode.Unavailable, "PEER_OFFLINE");

        Assert.Equal(Wire.ChannelStatus.Open, (await _alice.ChannelAsync(id)).Status);
        await _bob.StartAsync();
    }

    [Fact]
    public async Task CloseAskedForByBothAtOnce_ClosesOnceAndLocksNothing()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");

        Task[] closing = [CloseAsync(_alice, id), CloseAsync(_bob, id)];
        await Task.WhenAll(closing.Select(task => task.ContinueWith(_ => { }, TaskScheduler.Default)));

        Assert.Contains(closing, task => task.IsCompletedSuccessfully);
        await _alice.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await AssertPaidAsync(700, 300);
    }

    /// <summary>A close counts one further: who has not seen it mined yet must not take that for its own database's age.</summary>
    [Fact]
    public async Task CloseSeenByOneSideFirst_IsNoSignOfALostState()
    {
        using PoorRpc rpc = new(anvil.HttpUrl);
        await using TestNode carol = await TestNode.StartAsync(_chain, options => options with { RpcUrl = rpc.Url });
        string id = await carol.OpenAsync(_bob, "1000");
        await carol.PayAsync(id, "300");
        rpc.HeldHead = await anvil.HeadAsync();
        await CloseAsync(_bob, id);
        await _bob.StopAsync();
        await _bob.StartAsync();
        await StagesAsync(
            _bob.Api.OpenChannel(new Wire.OpenChannelRequest { PeerUrl = carol.PeerUrl, Amount = "10" }), _ => new Wire.Progress());
        await carol.UntilAsync(id, channel => channel.PeerConnected);
        Assert.NotEqual(Wire.ChannelStatus.Closed, (await carol.ChannelAsync(id)).Status);
        rpc.HeldHead = null;
        await carol.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);

        await DepositAsync(carol, id, "50");
        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        await carol.PayAsync(id, "20");
    }

    [Fact]
    public async Task PaymentsBothWaysDuringAClose_AreInItOrRefused()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");
        int sent = 300, back = 0;
        using CancellationTokenSource closed = new();
        Task there = PayUntilRefusedAsync(_alice, () => sent++);
        Task here = PayUntilRefusedAsync(_bob, () => back++);
        while (back < 5) await Task.Delay(5);

        while (true)
        {
            try
            {
                await CloseAsync(_alice, id);
                break;
            }
            catch (RpcException busy) when (busy.Status.Detail.Length > 0)
            {
                await Task.Delay(20); // Payments were under way: that is said, and nothing is locked.
            }
        }

        await closed.CancelAsync();
        await Task.WhenAll(there, here);
        await AssertPaidAsync((UInt128)(1000 - sent + back), (UInt128)(sent - back));

        async Task PayUntilRefusedAsync(TestNode node, Action paid)
        {
            while (!closed.IsCancellationRequested)
            {
                try
                {
                    await node.PayAsync(id, "1");
                    paid();
                }
                catch (RpcException)
                {
                    // Refused: nothing was paid.
                }

                await Task.Delay(10);
            }
        }
    }

    [Fact]
    public async Task StartClose_IsSettledByTheNodesWhenTheWindowIsOver()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");

        await StartCloseAsync(_bob, id);
        await _chain.PassTimeAsync(601);

        await _alice.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await AssertPaidAsync(700, 300);
    }

    [Fact]
    public async Task CloseWithoutTheNewestUpdate_IsDisputedByThePeersGuardian()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");

        // Alice holds no update of Bob: the contract would give her everything back.
        await StartCloseAsync(_alice, id);
        await _alice.UntilAsync(id, channel => channel.OurRecordedSent == "300");
        await _chain.PassTimeAsync(601);

        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await AssertPaidAsync(700, 300);
    }

    [Fact]
    public async Task GuardianThatWasAway_DisputesWhenItIsBack()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");
        await _bob.StopAsync();
        await StartCloseAsync(_alice, id);
        await _bob.StartAsync();

        await _alice.UntilAsync(id, channel => channel.OurRecordedSent == "300");
        await _chain.PassTimeAsync(601);

        await _alice.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await AssertPaidAsync(700, 300);
    }

    [Fact]
    public async Task Claim_PaysTheOneWayPayeeWithoutClosing()
    {
        string id = await _alice.OpenAsync(_bob, "1000", oneWay: true);
        await _alice.PayAsync(id, "300");

        await StagesAsync(_bob.Api.ClaimChannels(new Wire.ClaimChannelsRequest()), response => response.Progress);

        await AssertPaidAsync(0, 300);
        await _alice.PayAsync(id, "100");
        Assert.Equal(Wire.ChannelStatus.Open, (await _alice.ChannelAsync(id)).Status);
        await CloseAsync(_alice, id);
        await AssertPaidAsync(600, 400);
    }

    /// <summary>Whichever of both is mined first, the other reverts, and the channel stands still until the close has expired.</summary>
    [Fact]
    public async Task CloseWhileAClaimIsUnderWay_IsRefusedByEither_AndDoneAfterIt()
    {
        string id = await _alice.OpenAsync(_bob, "1000", oneWay: true);
        await _alice.PayAsync(id, "300");
        await anvil.RpcAsync<object?>("evm_setAutomine", false);
        Task<List<Wire.Stage>> claiming;
        try
        {
            claiming = StagesAsync(_bob.Api.ClaimChannels(new Wire.ClaimChannelsRequest()), response => response.Progress);
            while (!claiming.IsCompleted && !_bob.Host.Node.Jobs.Active.Any(entry => entry.Job.Kind == JobKind.Claim)) await Task.Delay(5);

            RpcException payers = await Assert.ThrowsAsync<RpcException>(() => CloseAsync(_alice, id));
            RpcException payees = await Assert.ThrowsAsync<RpcException>(() => CloseAsync(_bob, id));
            Refusals.AssertIs(payers, StatusCode.FailedPrecondition, "PAYMENTS_IN_FLIGHT");
            Refusals.AssertIs(payees, StatusCode.FailedPrecondition, "PAYMENTS_IN_FLIGHT");
            Assert.Contains("claiming what it was paid", payers.Status.Detail);
            Assert.Contains("is claiming what this channel owes: close it when that is confirmed", payees.Status.Detail);
            await _alice.PayAsync(id, "5"); // Nothing was agreed that would keep it from going on.
        }
        finally
        {
            await anvil.RpcAsync<object?>("evm_setAutomine", true);
            await anvil.MineAsync();
        }

        await claiming;
        await _alice.UntilAsync(id, channel => channel.OurRecordedSent == "300");
        await CloseAsync(_alice, id);
        await AssertPaidAsync(695, 305);
    }

    [Fact]
    public async Task OneWayPayer_WhoStartsToClose_IsClaimedFromFirst()
    {
        string id = await _alice.OpenAsync(_bob, "1000", oneWay: true);
        await _alice.PayAsync(id, "300");

        await StartCloseAsync(_alice, id);
        await _alice.UntilAsync(id, channel => channel.OurRecordedSent == "300");
        await _chain.PassTimeAsync(601);

        await _alice.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await AssertPaidAsync(700, 300);
    }

    [Fact]
    public async Task TokenChannel_IsFundedPaidAndClosedExactly()
    {
        string token = (await _chain.TokenAsync()).ToString();
        await _chain.MintAsync(_alice.Signer, 5_000);
        string id = await _alice.OpenAsync(_bob, "1000", token: token);
        await _alice.PayAsync(id, "1000");

        await CloseAsync(_alice, id);

        Assert.Equal((UInt128)1_000, await _chain.TokensOfAsync(_bobOwner));
        Assert.Equal((UInt128)4_000, await _chain.TokensOfAsync(_alice.Signer));
    }
}
