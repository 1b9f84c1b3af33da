using ChannelNode.Engine;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What operators hear of whole nodes on a real chain: everything, in order, once, from any cursor on.</summary>
public sealed class EventsTests : IAsyncLifetime
{
    private static readonly Wire.EventKind[] OfChannels =
    [
        Wire.EventKind.ChannelOpened, Wire.EventKind.Deposited, Wire.EventKind.DepositCredited, Wire.EventKind.ChannelClosing,
        Wire.EventKind.ChannelDisputed, Wire.EventKind.ChannelSettled, Wire.EventKind.ChannelClosed, Wire.EventKind.ChannelClaimed,
        Wire.EventKind.ChannelRolledBack,
    ];

    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
        _alice = await TestNode.StartAsync(_chain);
        _bob = await TestNode.StartAsync(_chain, options => options with { ClaimFrom = 300, ClaimLookSeconds = 1 });
        await _anvil.MineAsync(12); // What was set up is deeper than what is taken back.
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
    }

    private static async Task<List<Wire.OperatorEvent>> KeptAsync(
        TestNode node, string id = "", ulong after = 0, params IEnumerable<Wire.EventKind> kinds)
    {
        Wire.SubscribeEventsRequest request = new() { AfterCursor = after, ChannelId = id, KeptOnly = true, Kinds = { kinds } };
        using var call = node.Api.SubscribeEvents(request);
        List<Wire.OperatorEvent> events = [];
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) events.AddRange(call.ResponseStream.Current.Events);
        return events;
    }

    private static async Task<List<Wire.OperatorEvent>> TakeAsync(
        AsyncServerStreamingCall<Wire.SubscribeEventsResponse> call, int count)
    {
        List<Wire.OperatorEvent> events = [];
        while (events.Count < count && await call.ResponseStream.MoveNext(TestChain.Limit))
            events.AddRange(call.ResponseStream.Current.Events);
        return events;
    }

    /// <summary>What is told of a channel may be so before what is told of the transaction.</summary>
    private static async Task UntilIdleAsync(TestNode node)
    {
        int under = 0;
        for (int look = 0; look < 1_200; look++)
        {
            under = (await node.Api.ListJobsAsync(new Wire.ListJobsRequest())).Jobs.Count;
            if (under == 0) return;
            await Task.Delay(50);
        }

        Assert.Fail($"{under} jobs are still under way");
    }

    private static async Task RunAsync<T>(AsyncServerStreamingCall<T> call)
    {
        using (call)
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
    }

    [Fact]
    public async Task WholeLifeOfAChannel_IsToldInOrder()
    {
        using var live = _bob.Api.SubscribeEvents(new Wire.SubscribeEventsRequest { Kinds = { OfChannels } });
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");
        await RunAsync(_alice.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id }));
        await _bob.UntilAsync(id, channel => channel.TheirRecordedSent == "300");
        await _anvil.PassTimeAsync(601);

        List<Wire.OperatorEvent> told = await TakeAsync(live, 5);

        Assert.Equal(
            [
                (Wire.EventKind.ChannelOpened, "1000"), (Wire.EventKind.DepositCredited, "1000"), (Wire.EventKind.ChannelClosing, "0"),
                (Wire.EventKind.ChannelDisputed, "0"), (Wire.EventKind.ChannelSettled, "300"),
            ],
            told.Select(what => (what.Kind, what.Amount)));
        Assert.All(told, what => Assert.Equal([id], what.ChannelIds));
        Assert.InRange(told[2].SecondsLeft, 1UL, 600UL);
        Assert.Equal(told[2].ClosesAtSeconds, told[3].ClosesAtSeconds);
        Assert.Contains("old state", told[2].Sentence, StringComparison.Ordinal);

        await UntilIdleAsync(_bob);
        List<Wire.OperatorEvent> all = await KeptAsync(_bob);
        Assert.Equal(Enumerable.Range(1, all.Count).Select(cursor => (ulong)cursor), all.Select(what => what.Cursor));
        Assert.Equal(
            [Wire.EventKind.TransactionSent, Wire.EventKind.TransactionMined, Wire.EventKind.TransactionConfirmed],
            all.Where(what => what.JobKind == Wire.JobKind.Dispute).Select(what => what.Kind));
        Assert.Equal(told, await KeptAsync(_bob, id, 0, OfChannels));
        Assert.Equal(told.Skip(2), await KeptAsync(_bob, id, told[1].Cursor, OfChannels));
    }

    [Fact]
    public async Task ClaimAboveTheLimit_IsToldAsValueAtRiskAndClaimed_AndAReorgTakesItBack()
    {
        string id = await _alice.OpenAsync(_bob, "1000", oneWay: true);
        string other = await _alice.OpenAsync(_bob, "50");
        await _alice.PayAsync(id, "300");
        await _bob.UntilAsync(id, channel => channel.TheirRecordedSent == "300");
        Wire.EventKind[] kinds =
            [Wire.EventKind.ValueAtRisk, Wire.EventKind.ChannelClaimed, Wire.EventKind.ChainReorganized, Wire.EventKind.ChannelRolledBack];

        await _anvil.ReorgAsync(1);
        await _anvil.MineAsync(2);
        using var live = _bob.Api.SubscribeEvents(new Wire.SubscribeEventsRequest { Kinds = { kinds } });
        List<Wire.OperatorEvent> told = await TakeAsync(live, 4);

        Assert.Equal(kinds, told.Take(4).Select(what => what.Kind));
        Assert.Equal(("300", "300", 1UL), (told[0].Amount, told[1].Amount, told[2].Depth));
        Assert.Equal((Wire.JobKind.Claim, [id]), (told[0].JobKind, told[0].ChannelIds));
        Assert.Empty(told[2].ChannelIds);
        Assert.Equal([id], told[3].ChannelIds);
        Assert.All(await KeptAsync(_bob, other), what => Assert.Equal([other], what.ChannelIds));
        Assert.Equal(2, (await KeptAsync(_bob, other)).Count);
    }

    [Fact]
    public async Task CreditThatAReorgTakes_IsAnAlarm_WithWhatIsNotCovered()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _anvil.MineAsync(12);
        await RunAsync(_alice.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = id, Amount = "500" }));
        await _bob.UntilAsync(id, channel => channel.TheirPot == "1500");
        await _alice.PayAsync(id, "1300");

        using var live = _bob.Api.SubscribeEvents(new Wire.SubscribeEventsRequest { Kinds = { Wire.EventKind.CreditLost } });
        await _anvil.RpcAsync<object?>("evm_setAutomine", false);
        await _anvil.ReorgAsync(1);

        Wire.OperatorEvent told = Assert.Single(await TakeAsync(live, 1));
        Assert.Equal((Wire.EventSeverity.Alarm, "300", [id]), (told.Severity, told.Amount, told.ChannelIds));
    }

    [Fact]
    public async Task SubscriberThatDoesNotRead_OnlyLags()
    {
        const int Count = 20_000;
        // Of this kind alone: a machine that is busy with them may have lost sight of the chain meanwhile, which is an event too.
        Wire.SubscribeEventsRequest wanted = new() { Kinds = { Wire.EventKind.StateLost } };
        using var slow = _bob.Api.SubscribeEvents(wanted);
        using var fast = _bob.Api.SubscribeEvents(wanted);
        Task<List<Wire.OperatorEvent>> reading = TakeAsync(fast, Count);
        Ledger ledger = _bob.Host.Node.Ledger;

        OperatorEvent what = new(EventKind.StateLost, EventSeverity.Alarm, new string('x', 1_000));
        await Task.WhenAll(Enumerable.Range(0, Count).Select(_ => ledger.TellAsync(what, CancellationToken.None)));

        ulong[] told = [.. (await reading).Select(it => it.Cursor)];
        Assert.Equal(Count, told.Length);
        Assert.Equal(told.Distinct().Order(), told);
        List<Wire.OperatorEvent> late = await TakeAsync(slow, Count);
        Assert.Equal(told, late.Select(it => it.Cursor));
    }

    [Fact]
    public async Task CursorThatIsNotKept_IsRefused_AndTheOldestKeptGoesOn()
    {
        Node node = _bob.Host.Node;
        OperatorEvent what = new(EventKind.KeyShared, EventSeverity.Alarm, "");
        for (int number = 0; number < 100; number++) await node.Ledger.TellAsync(what, CancellationToken.None);
        node.Store.TrimEvents(TimeSpan.FromDays(1), 10, 0);

        Wire.GetInfoResponse info = await _bob.Api.GetInfoAsync(new Wire.GetInfoRequest());
        Assert.Equal((90UL, 100UL), (info.DroppedEventCursor, info.EventCursor));
        await Refusals.AssertRefusedAsync(() => KeptAsync(_bob, after: 89), StatusCode.OutOfRange, "CURSOR_EXPIRED");
        await Refusals.AssertRefusedAsync(() => KeptAsync(_bob, after: 101), StatusCode.OutOfRange, "CURSOR_UNKNOWN");
        await Refusals.AssertRefusedAsync(
            () => KeptAsync(_bob, after: 90, kinds: [(Wire.EventKind)257]), StatusCode.InvalidArgument, "INVALID_ARGUMENT");
        Assert.Equal(10, (await KeptAsync(_bob, after: 90)).Count);

        await _bob.StopAsync();
        await _bob.StartAsync();
        await _bob.Host.Node.Ledger.TellAsync(what, CancellationToken.None);
        Assert.Equal([101UL], (await KeptAsync(_bob, after: 100)).Select(it => it.Cursor));
    }
}
