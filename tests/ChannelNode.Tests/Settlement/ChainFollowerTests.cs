using System.Text.RegularExpressions;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Settlement;

[Collection(AnvilCollection.Name)]
public sealed partial class ChainFollowerTests(AnvilFixture anvil)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    public static TheoryData<string> Transports { get; } = ["ws", "http"];

    [Theory, MemberData(nameof(Transports))]
    public async Task Follow_OfAWholeLife_GivesEveryEventInOrder(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        Channel channel = await bench.FundAsync();
        var update = new BalanceUpdate(channel.Id, 10, 100);
        var newer = new BalanceUpdate(channel.Id, 400, 50);
        await bench.Alice.StartCloseAsync(channel, update, bench.BobSigns.Sign(update), null, default);
        uint closesAt = (await bench.PotsAsync(channel)).ClosesAtSeconds;
        await bench.Bob.DisputeAsync(channel, newer, bench.AliceSigns.Sign(newer), null, default);
        await anvil.PassTimeAsync(ChainBench.WindowSeconds);
        await bench.Bob.SettleAsync(channel, null, default);
        await bench.Alice.DepositAsync(channel, Side.A, 9, null, default);
        var close = new CooperativeClose(channel.Id, 401, 50, await anvil.NowSecondsAsync() + 300);
        await bench.Alice.CloseAsync(
            channel, close, bench.AliceSigns.Sign(close), bench.BobSigns.Sign(close), null, default);

        List<ChainEvent> events = await EventsAsync(bench.Alice, channel.Id, seen => seen is ChainEvent.Closed);

        Assert.Equal(
            [
                new ChainEvent.Deposited(channel.Id, Side.A, 1_000),
                new ChainEvent.Deposited(channel.Id, Side.B, 500),
                new ChainEvent.CloseStarted(channel.Id, new Pots(910, 100, 590, 10, closesAt)),
                new ChainEvent.Disputed(channel.Id, new Pots(650, 400, 850, 50, closesAt)),
                new ChainEvent.Settled(channel.Id, new Pots(650, 400, 850, 50, closesAt)),
                new ChainEvent.Deposited(channel.Id, Side.A, 9),
                new ChainEvent.Closed(channel.Id, new Pots(8, 401, 1, 50, 0)),
            ],
            events);
    }

    [Fact]
    public async Task Follow_OfAClaim_GivesItsRowsAndNotTheSkippedOnes()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        Channel paid = await bench.FundAsync(oneWay: true), skipped = await bench.FundAsync(oneWay: true);
        Signature signature = bench.AliceSigns.Sign(new BalanceUpdate(paid.Id, 300, 0));
        await bench.Bob.ClaimAsync(
            [new ClaimRow(paid, 300, signature), new ClaimRow(skipped, 300, signature)], null, default);

        List<ChainEvent> events = await EventsAsync(bench.Bob, paid.Id, seen => seen is ChainEvent.Claimed);
        List<ChainEvent> none = await EventsAsync(bench.Bob, skipped.Id, seen => seen is ChainEvent.Deposited);

        Assert.Equal(new ChainEvent.Claimed(paid.Id, new Pots(700, 300, 0, 0, 0)), events[^1]);
        Assert.Single(none);
    }

    [Fact]
    public async Task Read_LeavesAnnouncedHeadsToWhoFollowsByTheSameConnection()
    {
        await using RpcClient client = new(anvil.WebSocketUrl, TimeProvider.System, NullLogger.Instance);
        Action ofFollower = () => { };
        client.HeadSeen = ofFollower;
        ulong head = await anvil.HeadAsync();

        Assert.Equal(head, (await ReadAsync(client, head))?.Number);
        Assert.Same(ofFollower, client.HeadSeen);
    }

    [Fact]
    public async Task Read_ThroughAMachineThatLags_ComesToTheBlockThatWasAskedFor()
    {
        await anvil.MineAsync(3);
        ulong head = await anvil.HeadAsync();
        using PoorRpc rpc = new(anvil.HttpUrl) { HeldHead = head - 3 };
        await using RpcClient client = new(rpc.Url, TimeProvider.System, NullLogger.Instance);

        ChainBlock? newest = await ReadAsync(client, head, batch =>
        {
            if (batch.Cursor!.Number == head - 3) _ = LiftAsync(rpc.FaultCount + 2);
        });

        Assert.Equal(head, newest?.Number);

        async Task LiftAsync(int looks)
        {
            for (int look = 0; look < 1_000 && rpc.FaultCount < looks; look++) await Task.Delay(5);
            rpc.HeldHead = null;
        }
    }

    private async Task<ChainBlock?> ReadAsync(RpcClient client, ulong lastBlock, Action<ChainBatch>? tell = null)
    {
        ChainFollower reader = new(
            new EthereumRpc(client), await anvil.PaymentChannelsAsync(), 0, 128, TimeSpan.FromMilliseconds(50), TimeProvider.System,
            NullLogger.Instance, lastBlock: lastBlock);
        ChainBlock? newest = null;
        await foreach (ChainBatch batch in reader.ReadAsync([], new CancellationTokenSource(Limit).Token))
        {
            newest = batch.Cursor;
            tell?.Invoke(batch);
        }

        return newest;
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task Follow_FromACursor_GivesEachEventOnceOverRestarts(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        Channel channel = bench.NewChannel();
        ChainTail tail = new(128, []);
        var pots = new List<UInt128>();
        for (ulong amount = 1; amount <= 4; amount++)
        {
            await bench.Alice.DepositAsync(channel, Side.A, amount, null, default);
            if (amount % 2 != 0) continue;

            // Stops in the middle of the events when the cursor is behind, as a killed node does.
            await foreach (ChainBatch batch in FollowAsync(bench.Alice, [.. tail.Blocks]))
            {
                pots.AddRange(PotsOf(channel.Id, batch));
                ChainFollower.Move(tail, batch);
                if (pots.Count == (int)amount) break;
            }
        }

        Assert.Equal([1, 3, 6, 10], pots);
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task Follow_GivesABatchForEachNewHeadWithItsTimeAndHash(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        int batches = 0;
        ulong last = 0;
        await foreach (ChainBatch batch in FollowAsync(bench.Alice))
        {
            Assert.True(batches == 0 || batch.Cursor!.Number > last);
            Assert.NotEqual(default, batch.Cursor!.Hash);
            last = batch.Cursor!.Number;
            if (last < await anvil.HeadAsync()) continue;
            Assert.Equal(await anvil.NowSecondsAsync(), batch.Cursor.TimestampSeconds);
            if (++batches == 4) break;
            await anvil.MineAsync();
        }
    }

    [Fact]
    public async Task Follow_FromABlock_LeavesOutWhatCameBefore()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = bench.NewChannel();
        await bench.Alice.DepositAsync(channel, Side.A, 1, null, default);
        TransactionReceipt second = await bench.Alice.DepositAsync(channel, Side.A, 2, null, default);
        await using EthereumChain chain = await ChainBench.ConnectAsync(
            ChainBench.Options(anvil.HttpUrl, bench.Contract) with { FromBlock = second.BlockNumber }, anvil.Keys[3]);

        List<ChainEvent> events = await EventsAsync(chain, channel.Id, _ => true);

        Assert.Equal([new ChainEvent.Deposited(channel.Id, Side.A, 3)], events);
    }

    [Fact]
    public async Task Follow_WhereAnswersAreLimited_AsksSmallerRangesAndMissesNothing()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = bench.NewChannel();
        ulong first = await anvil.HeadAsync();
        for (ulong amount = 1; amount <= 3; amount++)
        {
            await bench.Alice.DepositAsync(channel, Side.A, amount, null, default);
            await anvil.MineAsync(20);
        }

        await anvil.MineAsync(128); // Only what is deep is read in ranges.

        using PoorRpc rpc = new(anvil.HttpUrl) { RangeMax = 7 };
        await using RpcClient client = new(rpc.Url, TimeProvider.System, NullLogger.Instance);
        ChainFollower follower = new(
            new EthereumRpc(client), bench.Contract, first, 128, TimeSpan.FromMilliseconds(50), TimeProvider.System,
            NullLogger.Instance, linkedBlocksMax: 10);

        List<UInt128> pots = [];
        await foreach (ChainBatch batch in follower.FollowAsync([], TestChain.Limit))
        {
            pots.AddRange(PotsOf(channel.Id, batch));
            if (pots.Count == 3) break;
        }

        Assert.Equal([1, 3, 6], pots);
        Assert.InRange(rpc.FaultCount, 3, int.MaxValue);
    }

    [Fact]
    public async Task Follow_ThroughErrorsOfTheRpc_GoesOn()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = bench.NewChannel();
        await bench.Alice.DepositAsync(channel, Side.A, 5, null, default);
        (int, string)[] answers =
        [
            (503, "busy"),
            (200, "<html>not json</html>"),
            (403, """{"message":"no access"}"""),
            (200, """{"jsonrpc":"2.0","id":77777,"result":"0x1","more":1}"""[..30]),
        ];
        int failures = 0;
        using var proxy = new RpcProxy(anvil.HttpUrl, (method, _) =>
            method is "eth_getBlockByNumber" && failures < answers.Length ? answers[failures++] : null);
        await using EthereumChain chain = await ChainBench.ConnectAsync(proxy.Url, bench.Contract, anvil.Keys[3]);

        Assert.Single(await EventsAsync(chain, channel.Id, _ => true));
        Assert.Equal(answers.Length, failures);
    }

    /// <summary>Of a hundred blocks that are read together some always fail: that must not cost the others.</summary>
    [Fact]
    public async Task Follow_FarBehindThroughAnRpcThatFailsNowAndThen_CatchesUp()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = bench.NewChannel();
        ChainBlock? newest = null;
        await foreach (ChainBatch batch in FollowAsync(bench.Alice))
        {
            newest = batch.Cursor;
            if (batch.IsCaughtUp) break;
        }

        await anvil.MineAsync(90);
        await bench.Alice.DepositAsync(channel, Side.A, 5, null, default);
        int asked = 0, failed = 0;
        using var proxy = new RpcProxy(anvil.HttpUrl, (method, request) =>
        {
            bool isOld = method == "eth_getBlockByNumber" && request.GetProperty("params")[0].GetString()![0] == '0';
            if (!isOld || Interlocked.Increment(ref asked) % 10 != 0) return null;
            Interlocked.Increment(ref failed);
            return RpcProxy.Error(request, "not now");
        });
        await using EthereumChain chain = await ChainBench.ConnectAsync(proxy.Url, bench.Contract, anvil.Keys[3]);

        List<UInt128> pots = [];
        await foreach (ChainBatch batch in FollowAsync(chain, [newest!]))
        {
            pots.AddRange(PotsOf(channel.Id, batch));
            if (batch.IsCaughtUp) break;
        }

        Assert.Equal([5], pots);
        Assert.True(failed > 5, $"only {failed} of {asked} questions failed");
    }

    [Fact]
    public async Task Follow_ThroughALostConnection_ConnectsAgainAndMissesNothing()
    {
        using var relay = new TcpRelay(new Uri(anvil.HttpUrl).Port);
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        await using EthereumChain chain = await ChainBench.ConnectAsync(
            $"ws://127.0.0.1:{relay.Port}", bench.Contract, anvil.Keys[3]);
        Channel channel = bench.NewChannel();
        await bench.Alice.DepositAsync(channel, Side.A, 1, null, default);

        List<UInt128> pots = [];
        await foreach (ChainBatch batch in FollowAsync(chain))
        {
            UInt128[] seen = [.. PotsOf(channel.Id, batch)];
            pots.AddRange(seen);
            if (pots.Count == 3) break;
            if (seen.Length == 0) continue;
            relay.CutAll();
            await bench.Alice.DepositAsync(channel, Side.A, pots[^1] + 1, null, default);
        }

        Assert.Equal([1, 3, 7], pots);
        Assert.InRange(relay.ConnectionCount, 3, 20);
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task Follow_WhenTheNewestBlocksWereReplaced_GoesBackToTheLastSharedOneAndOn(string transport)
    {
        await using AnvilFixture own = await AnvilFixture.StartAsync();
        await using ChainBench bench = await ChainBench.OpenAsync(own, transport);
        await own.MineAsync(3);
        ulong shared = await own.HeadAsync();
        Channel channel = bench.NewChannel();
        await bench.Alice.DepositAsync(channel, Side.A, 1_000, null, default);
        List<ChainBatch> batches = [];
        await foreach (ChainBatch batch in FollowAsync(bench.Alice))
        {
            batches.Add(batch);
            if (batch is { Move: ChainMove.Next, IsCaughtUp: true } && batches.Count(it => it.Move == ChainMove.Back) == 0)
                await own.ReorgAsync(1);
            else if (batches.Exists(it => it.Move == ChainMove.Back) && batch.IsCaughtUp) break;
        }

        ChainBatch back = Assert.Single(batches, batch => batch.Move == ChainMove.Back);
        Assert.Equal(shared, back.Cursor!.Number);
        Assert.Equal(1_000, (int)PotsOf(channel.Id, batches[batches.IndexOf(back) - 1]).Single());
        Assert.DoesNotContain(batches[(batches.IndexOf(back) + 1)..], batch => batch.Events.Count > 0);
        Assert.Equal(back.Cursor.Hash, batches[batches.IndexOf(back) + 1].Cursor!.Parent);
    }

    /// <summary>The contract's code is known: it never says that. The same block is asked for again.</summary>
    [Fact]
    public async Task Follow_WhereALogCannotBeRead_AsksAgain_AndMissesNothing()
    {
        int spoilt = 0;
        using HttpClient upstream = new();
        using RpcProxy proxy = new(anvil.HttpUrl, (method, request) =>
        {
            if (method != "eth_getBlockReceipts" || Volatile.Read(ref spoilt) >= 3) return null;
            using StringContent asked = new(request.GetRawText(), System.Text.Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = upstream.Send(new HttpRequestMessage(HttpMethod.Post, anvil.HttpUrl) { Content = asked });
            using StreamReader reader = new(answer.Content.ReadAsStream());
            string right = reader.ReadToEnd(), wrong = Data().Replace(right, "\"data\":\"0x01\"");
            if (wrong != right) Interlocked.Increment(ref spoilt);
            return (200, wrong);
        });
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = await bench.FundAsync();
        await using EthereumChain poor = await ChainBench.ConnectAsync(proxy.Url, bench.Contract, bench.AliceKey);

        List<ChainEvent> events = await EventsAsync(
            poor, channel.Id, seen => seen is ChainEvent.Deposited { Side: Side.B });

        Assert.Equal(3, spoilt);
        Assert.Equal(
            [new ChainEvent.Deposited(channel.Id, Side.A, 1_000), new ChainEvent.Deposited(channel.Id, Side.B, 500)], events);
    }

    [GeneratedRegex("\"data\":\"0x[0-9a-f]{64,}\"")]
    private static partial Regex Data();

    [Fact]
    public async Task Follow_WhenMoreWasReplacedThanIsKept_StopsAndSaysWhatToDo()
    {
        await using AnvilFixture own = await AnvilFixture.StartAsync();
        await using ChainBench bench = await ChainBench.OpenAsync(own, "http");
        await own.MineAsync(20);
        ChainBlock[] known =
            [new(10, new Bytes32(1, 2, 3, 4), default, 1), new(11, new Bytes32(1, 2, 3, 5), new Bytes32(1, 2, 3, 4), 2)];

        var thrown = await Assert.ThrowsAsync<ChainReorganizedException>(async () =>
        {
            await foreach (ChainBatch _ in FollowAsync(bench.Alice, known))
            {
            }
        });

        Assert.Contains("block 10", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("chain rescan", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Follow_Cancelled_Ends()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChainBatch _ in bench.Alice.FollowAsync([], cancel.Token))
            {
            }
        });
    }

    private static IEnumerable<UInt128> PotsOf(ChannelId channel, ChainBatch batch) => batch.Events
        .OfType<ChainEvent.Deposited>().Where(seen => seen.Channel == channel).Select(seen => seen.Pot);

    /// <summary>A channel's events up to the first that <paramref name="isLast"/> holds for, and its whole batch.</summary>
    private static async Task<List<ChainEvent>> EventsAsync(
        EthereumChain chain, ChannelId channel, Func<ChainEvent, bool> isLast)
    {
        var events = new List<ChainEvent>();
        await foreach (ChainBatch batch in FollowAsync(chain))
        {
            events.AddRange(batch.Events.Where(seen => seen.Channel == channel));
            if (events.Any(isLast)) break;
        }

        return events;
    }

    private static async IAsyncEnumerable<ChainBatch> FollowAsync(EthereumChain chain, params ChainBlock[] known)
    {
        using var limit = new CancellationTokenSource(Limit);
        await foreach (ChainBatch batch in chain.FollowAsync(known, limit.Token)) yield return batch;
    }
}
