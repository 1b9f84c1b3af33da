using ChannelNode.Core;
using ChannelNode.Signing;
using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Payments between two whole nodes, through restarts of either.</summary>
[Collection(AnvilCollection.Name)]
public sealed class PaymentTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;
    private string _channel = string.Empty;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _alice = await TestNode.StartAsync(_chain);
        _bob = await TestNode.StartAsync(_chain, options => options with { PeerListen = $"127.0.0.1:{Ports.Free()}" });
        _channel = await _alice.OpenAsync(_bob, "1000000");
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
    }

    /// <summary>Not of what is there, but of what counts: the chain could still take the rest back.</summary>
    [Fact]
    public async Task DepositOfWhichPartCountsLater_SaysSo_WhenItIsMade_WhenItIsShown_AndWhenItIsPaid()
    {
        await using TestNode careful = await TestNode.StartAsync(
            _chain, options => options with { CreditSmallMax = 400, ConfirmationsLarger = 1_000 });
        List<Wire.Progress> steps = [];
        using var opening = careful.Api.OpenChannel(new Wire.OpenChannelRequest { PeerUrl = _bob.PeerUrl, Amount = "1000" });
        while (await opening.ResponseStream.MoveNext(TestChain.Limit)) steps.Add(opening.ResponseStream.Current.Progress);
        string id = steps[^1].ChannelId;

        Assert.Contains("600 wei of it can be paid only after more confirmations", steps[^1].Note);
        Wire.Channel shown = await careful.ChannelAsync(id);
        Assert.Equal(("1000", "600", "0"), (shown.OurBalance, shown.OurUncredited, shown.TheirUncredited));
        await careful.PayAsync(id, "150");
        RpcException above = await Assert.ThrowsAsync<RpcException>(() => careful.PayAsync(id, "251"));
        Refusals.AssertIs(above, StatusCode.FailedPrecondition, "DEPOSIT_UNCREDITED", "amount");
        Assert.Contains("amount is 251 wei, expected at most 250 wei for now: 600 wei of this channel's deposits are too new", above.Status.Detail);
        await careful.PayAsync(id, "250");
    }

    private static Wire.Payment Payment(string channel, int number, string key) => new()
    {
        ChannelId = channel,
        Amount = (1 + (number % 3)).ToString(),
        ItemId = ByteString.CopyFromUtf8($"item-{number}"),
        IdempotencyKey = $"{key}-{number}",
    };

    /// <summary>Streams payments and answers their results by index.</summary>
    private static async Task<Dictionary<ulong, Wire.PaymentResult>> StreamAsync(
        TestNode node, IReadOnlyList<Wire.Payment> payments)
    {
        using var call = node.Api.StreamPayments();
        Task writing = WriteAsync();
        Dictionary<ulong, Wire.PaymentResult> results = [];
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
            foreach (Wire.PaymentResult result in call.ResponseStream.Current.Results) results.Add(result.Index, result);
        await writing;
        return results;

        async Task WriteAsync()
        {
            foreach (Wire.Payment[] chunk in payments.Chunk(100))
                await call.RequestStream.WriteAsync(new Wire.StreamPaymentsRequest { Payments = { chunk } });
            await call.RequestStream.CompleteAsync();
        }
    }

    private static async Task<List<Wire.ReceivedPayment>> ReceivedAsync(TestNode node, ulong after, int count)
    {
        using var call = node.Api.SubscribePayments(new Wire.SubscribePaymentsRequest { AfterCursor = after });
        List<Wire.ReceivedPayment> received = [];
        while (received.Count < count && await call.ResponseStream.MoveNext(TestChain.Limit))
            received.AddRange(call.ResponseStream.Current.Payments);
        return received;
    }

    [Fact]
    public async Task PaymentsBothWaysAtOnce_AreExactOnBothSides()
    {
        await _alice.PayAsync(_channel, "10000");
        Wire.Payment[] there = [.. Enumerable.Range(0, 3_000).Select(number => Payment(_channel, number, "there"))];
        Wire.Payment[] back = [.. Enumerable.Range(0, 1_000).Select(number => Payment(_channel, number, "back"))];

        var results = await Task.WhenAll(StreamAsync(_alice, there), StreamAsync(_bob, back));

        Assert.All(results.SelectMany(each => each.Values), result => Assert.Equal(Wire.Refusal.Unspecified, result.Refusal));
        long sent = 10_000 + there.Sum(payment => long.Parse(payment.Amount));
        long returned = back.Sum(payment => long.Parse(payment.Amount));
        Wire.Channel alice = await _alice.ChannelAsync(_channel), bob = await _bob.ChannelAsync(_channel);
        Assert.Equal((sent.ToString(), sent.ToString(), returned.ToString()), (alice.Sent, alice.Acknowledged, alice.Received));
        Assert.Equal((returned.ToString(), returned.ToString(), sent.ToString()), (bob.Sent, bob.Acknowledged, bob.Received));
        Assert.Equal((1_000_000 - sent + returned).ToString(), alice.OurBalance);
    }

    [Fact]
    public async Task SixteenPayersOnOneChannel_LoseNothing()
    {
        await Task.WhenAll(Enumerable.Range(0, 16).Select(payer => StreamAsync(
            _alice, [.. Enumerable.Range(0, 200).Select(number => Payment(_channel, 3 * number, $"payer-{payer}"))])));

        Assert.Equal("3200", (await _bob.ChannelAsync(_channel)).Received);
    }

    [Fact]
    public async Task CallerThatReadsNoResults_IsHeldBack()
    {
        using var call = _alice.Api.StreamPayments();
        Wire.StreamPaymentsRequest request = new()
        {
            Payments = { Enumerable.Range(0, 1_000).Select(number => new Wire.Payment { ChannelId = _channel, Amount = "0" }) },
        };

        int sent = 0;
        while (sent < 2_000)
        {
            Task writing = call.RequestStream.WriteAsync(request);
            if (await Task.WhenAny(writing, Task.Delay(TimeSpan.FromSeconds(sent == 0 ? 60 : 2))) != writing) break;
            sent++;
        }

        // Some are under way and some in the buffers between; two million would be taken without an end.
        Assert.InRange(sent, 1, 500);
    }

    [Fact]
    public async Task SameKey_PaysOnce_AlsoAcrossRestartsOfBoth()
    {
        Wire.PayResponse first = await _alice.PayAsync(_channel, "7", key: "once");
        Wire.PayResponse again = await _alice.PayAsync(_channel, "7", key: "once");
        await _alice.StopAsync();
        await _bob.StopAsync();
        await _bob.StartAsync();
        await _alice.StartAsync();
        Wire.PayResponse later = await _alice.PayAsync(_channel, "7", key: "once");

        Assert.Equal((false, true, true), (first.Repeated, again.Repeated, later.Repeated));
        Assert.Equal(("7", "7", "7"), (first.TotalSent, again.TotalSent, later.TotalSent));
        Assert.Equal("7", (await _bob.ChannelAsync(_channel)).Received);
    }

    [Fact]
    public async Task SameKeyManyTimesAtOnce_PaysOnce()
    {
        Wire.PayResponse[] answers = await Task.WhenAll(
            Enumerable.Range(0, 50).Select(_ => _alice.PayAsync(_channel, "7", key: "once")));

        Assert.Single(answers, answer => !answer.Repeated);
        Assert.Equal("7", (await _alice.ChannelAsync(_channel)).Sent);
    }

    [Fact]
    public async Task SixteenPayersOfOneChannelAtOnce_AddUpExactly()
    {
        Task<Dictionary<ulong, Wire.PaymentResult>>[] payers = [.. Enumerable.Range(0, 16).Select(payer => StreamAsync(
            _alice, [.. Enumerable.Range(0, 250).Select(number => Payment(_channel, number, $"payer-{payer}"))]))];
        Dictionary<ulong, Wire.PaymentResult>[] results = await Task.WhenAll(payers);

        Wire.PaymentResult[] all = [.. results.SelectMany(payer => payer.Values)];
        Assert.All(all, result => Assert.Equal(Wire.Refusal.Unspecified, result.Refusal));
        Assert.Equal(4_000, all.Select(result => result.TotalSent).Distinct().Count());
        List<Wire.ReceivedPayment> received = await ReceivedAsync(_bob, 0, 4_000);
        string total = received.Sum(payment => long.Parse(payment.Amount)).ToString();
        Assert.Equal(total, (await _bob.ChannelAsync(_channel)).Received);
        Assert.Equal(total, (await _alice.ChannelAsync(_channel)).Sent);
        Assert.Equal(total, received[^1].TotalReceived);
    }

    /// <summary>From many callers at once and both ways in, by single calls and by streams.</summary>
    [Fact]
    public async Task ConcurrentDoubleSpend_SpendsEachCoinOnce()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        Task<Dictionary<ulong, Wire.PaymentResult>>[] streams = [.. Enumerable.Range(0, 8).Select(payer => StreamAsync(
            _alice, [.. Enumerable.Range(0, 5).Select(number => Coin(id, $"payer-{payer}-{number}"))]))];
        Task<bool>[] calls = [.. Enumerable.Range(0, 20).Select(_ => IsPaidAsync(id, "90"))];

        // What is spent twice is signed at once, and has no answer then: bob refuses it.
        for (Task all = Task.WhenAll([.. streams, .. calls]); !all.IsCompleted; await Task.WhenAny(all, Task.Delay(20)))
            Assert.InRange(UInt128.Parse((await _alice.ChannelAsync(id)).Sent), UInt128.Zero, (UInt128)1_000);

        Wire.Refusal[] answers = [.. (await Task.WhenAll(streams)).SelectMany(payer => payer.Values).Select(result => result.Refusal)];
        int paid = answers.Count(refusal => refusal == Wire.Refusal.Unspecified) + (await Task.WhenAll(calls)).Count(isPaid => isPaid);

        Assert.Equal(11, paid);
        Assert.All(answers, refusal => Assert.Contains(
            refusal, (Wire.Refusal[])[Wire.Refusal.Unspecified, Wire.Refusal.InsufficientBalance]));
        Assert.Equal(("990", "990"), ((await _alice.ChannelAsync(id)).Sent, (await _bob.ChannelAsync(id)).Received));
    }

    private static Wire.Payment Coin(string id, string key)
    {
        Wire.Payment payment = Payment(id, 0, key);
        payment.Amount = "90";
        return payment;
    }

    private async Task<bool> IsPaidAsync(string id, string amount)
    {
        try
        {
            await _alice.PayAsync(id, amount);
            return true;
        }
        catch (RpcException refused)
        {
            Assert.Equal("INSUFFICIENT_BALANCE", Refusals.NameOf(refused));
            return false;
        }
    }

    [Fact]
    public async Task PaymentWithReceipt_BringsThePeersSignatureOverItsTotal()
    {
        Wire.Payment payment = Payment(_channel, 7, "receipt");
        payment.Receipt = true;

        Wire.PayResponse answer = await _alice.Api.PayAsync(new Wire.PayRequest { Payment = payment });

        Assert.Equal(answer.TotalSent, answer.Receipt.Received);
        Assert.True(ChannelId.TryParse(_channel, out ChannelId id));
        BalanceUpdate update = new(id, UInt128.Parse(answer.Receipt.Sent), UInt128.Parse(answer.Receipt.Received));
        Signature signature = Signature.Read(Convert.FromHexString(answer.Receipt.Signature[2..]));
        using PrivateKey anyone = PrivateKey.Generate();
        Assert.True(new SignatureScheme(anyone, _chain.ChainId, _chain.Contract).Verify(update, signature, _bob.Signer));
        Assert.Null((await _alice.Api.PayAsync(new Wire.PayRequest { Payment = Payment(_channel, 8, "none") })).Receipt);
    }

    [Fact]
    public async Task Subscriber_ResumesFromItsCursorWithoutMissingOrRepeating()
    {
        await StreamAsync(_alice, [.. Enumerable.Range(0, 500).Select(number => Payment(_channel, number, "a"))]);
        List<Wire.ReceivedPayment> first = await ReceivedAsync(_bob, 0, 300);
        await _bob.StopAsync();
        await _bob.StartAsync();
        await _alice.UntilAsync(_channel, channel => channel.PeerConnected);
        await StreamAsync(_alice, [.. Enumerable.Range(500, 500).Select(number => Payment(_channel, number, "a"))]);

        ulong cursor = first[299].Cursor;
        List<Wire.ReceivedPayment> rest = await ReceivedAsync(_bob, cursor, 700);

        Assert.Equal(
            Enumerable.Range(0, 1_000).Select(number => $"item-{number}"),
            first.Take(300).Concat(rest).Select(payment => payment.ItemId.ToStringUtf8()));
        Assert.Equal(Enumerable.Range(1, 1_000).Select(number => (ulong)number), first.Take(300).Concat(rest).Select(p => p.Cursor));
    }

    [Fact]
    public async Task CursorOlderThanWhatIsKept_IsToldTheOldestKept()
    {
        await StreamAsync(_alice, [.. Enumerable.Range(0, 5).Select(number => Payment(_channel, number, "old"))]);
        LetGo(_bob, hours: 1);
        await StreamAsync(_alice, [.. Enumerable.Range(5, 3).Select(number => Payment(_channel, number, "new"))]);
        LetGo(_bob, hours: 2);

        await Refusals.AssertRefusedAsync(
            () => ReceivedAsync(_bob, 4, 1), StatusCode.OutOfRange, "CURSOR_EXPIRED", "after_cursor");
        ulong dropped = (await _bob.Api.GetInfoAsync(new Wire.GetInfoRequest())).DroppedCursor;
        Assert.Equal(5ul, dropped);
        List<Wire.ReceivedPayment> kept = await ReceivedAsync(_bob, dropped, 3);
        Assert.Equal(["item-5", "item-6", "item-7"], kept.Select(payment => payment.ItemId.ToStringUtf8()));
    }

    /// <summary>As if so many hours had passed, of which one is kept.</summary>
    private static void LetGo(TestNode node, int hours) => node.Host.Node.Store.TrimReceived(
        TimeSpan.FromHours(1), ulong.MaxValue, node.Host.Node.Clock.NowMs + hours * 3_600_000L);

    [Fact]
    public async Task PeerThatGoesAwayMidStream_GetsEveryPaymentOnceWhenTheCallerTriesAgain()
    {
        Wire.Payment[] payments = [.. Enumerable.Range(0, 6_000).Select(number => Payment(_channel, number, "mid"))];
        Task<Dictionary<ulong, Wire.PaymentResult>> streaming = StreamAsync(_alice, payments);
        await _bob.UntilAsync(_channel, channel => channel.Received != "0");
        await _bob.StopAsync();
        await _bob.StartAsync();
        Dictionary<ulong, Wire.PaymentResult> results = await streaming;
        await _alice.UntilAsync(_channel, channel => channel.PeerConnected);

        Wire.Payment[] refused = [.. payments.Where((_, index) => results[(ulong)index].Refusal != Wire.Refusal.Unspecified)];
        Dictionary<ulong, Wire.PaymentResult> second = await StreamAsync(_alice, refused);

        Assert.All(second.Values, result => Assert.Equal(Wire.Refusal.Unspecified, result.Refusal));
        List<Wire.ReceivedPayment> received = await ReceivedAsync(_bob, 0, 6_000);
        Assert.Equal(6_000, received.Select(payment => payment.ItemId).Distinct().Count());
        Assert.Equal(6_000ul, (await _bob.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor);
    }

    [Fact]
    public async Task PayerThatRestartsMidStream_PaysEachKeyOnce()
    {
        Wire.Payment[] payments = [.. Enumerable.Range(0, 30_000).Select(number => Payment(_channel, number, "payer"))];
        Task<Dictionary<ulong, Wire.PaymentResult>> streaming = StreamAsync(_alice, payments);
        await _bob.UntilAsync(_channel, channel => channel.Received != "0");
        await _alice.StopAsync();
        await Record.ExceptionAsync(() => streaming); // A fast node may have paid them all.
        await _alice.StartAsync();
        await _alice.UntilAsync(_channel, channel => channel.PeerConnected);

        Dictionary<ulong, Wire.PaymentResult> results = await StreamAsync(_alice, payments);

        Assert.All(results.Values, result => Assert.Equal(Wire.Refusal.Unspecified, result.Refusal));
        Assert.Contains(results.Values, result => result.Repeated);
        string total = payments.Sum(payment => long.Parse(payment.Amount)).ToString();
        Assert.Equal(total, (await _bob.ChannelAsync(_channel)).Received);
        Assert.Equal(total, (await _alice.ChannelAsync(_channel)).Sent);
    }
}
