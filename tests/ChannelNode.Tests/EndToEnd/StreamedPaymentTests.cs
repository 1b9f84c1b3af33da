using System.Collections.Concurrent;
using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Streams with thousands of payments under way, between two whole nodes.</summary>
[Collection(AnvilCollection.Name)]
public sealed class StreamedPaymentTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const ulong Deposit = 100_000_000;

    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;
    private string _channel = string.Empty;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _bob = await TestNode.StartAsync(_chain);
    }

    /// <param name="underWayMax">Payments of one stream.</param>
    private async Task OpenAsync(int underWayMax)
    {
        _alice = await TestNode.StartAsync(_chain, options => options with { PaymentsPerStreamMax = underWayMax });
        _channel = await _alice.OpenAsync(_bob, Deposit.ToString());
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private Wire.Payment Payment(int number, ulong amount = 1) => new()
    {
        ChannelId = _channel,
        Amount = amount.ToString(),
        ItemId = ByteString.CopyFromUtf8($"item-{number}"),
    };

    private static async Task WriteAsync(
        IClientStreamWriter<Wire.StreamPaymentsRequest> requests, IEnumerable<Wire.Payment> payments)
    {
        foreach (Wire.Payment[] chunk in payments.Chunk(500))
            await requests.WriteAsync(new Wire.StreamPaymentsRequest { Payments = { chunk } });
        await requests.CompleteAsync();
    }

    private static async Task<Wire.PaymentResult[]> ReadAsync(IAsyncStreamReader<Wire.StreamPaymentsResponse> responses)
    {
        List<Wire.PaymentResult> results = [];
        while (await responses.MoveNext(TestChain.Limit)) results.AddRange(responses.Current.Results);
        Wire.PaymentResult[] ordered = [.. results.OrderBy(result => result.Index)];
        Assert.Equal(Enumerable.Range(0, ordered.Length), ordered.Select(result => (int)result.Index)); // Each once.
        return ordered;
    }

    private async Task<List<Wire.ReceivedPayment>> ReceivedAsync()
    {
        ulong last = (await _bob.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor;
        using var call = _bob.Api.SubscribePayments(new Wire.SubscribePaymentsRequest());
        List<Wire.ReceivedPayment> received = [];
        while ((ulong)received.Count < last && await call.ResponseStream.MoveNext(TestChain.Limit))
            received.AddRange(call.ResponseStream.Current.Payments);
        return received;
    }

    /// <summary>Every item that the payer was told is paid lies at that total with the payee, and nothing else does.</summary>
    private async Task CheckAsync(IReadOnlyList<Wire.Payment> payments, IReadOnlyList<Wire.PaymentResult> results)
    {
        Assert.Equal(
            payments.Zip(results).Where(each => each.Second.Refusal == Wire.Refusal.Unspecified)
                .Select(each => (each.Second.TotalSent, each.First.ItemId, each.First.Amount))
                .OrderBy(each => ulong.Parse(each.TotalSent)),
            (await ReceivedAsync()).Select(payment => (payment.TotalReceived, payment.ItemId, payment.Amount)));
        Wire.Channel alice = await _alice.ChannelAsync(_channel), bob = await _bob.ChannelAsync(_channel);
        Assert.Equal((bob.Received, bob.Received), (alice.Sent, alice.Acknowledged));
    }

    [Fact]
    public async Task RefusalsAmongThousandsUnderWay_AreNamed_AndCostNoOtherPayment()
    {
        await OpenAsync(4_096);
        const int count = 20_000;
        Wire.Payment[] payments = [.. Enumerable.Range(0, count).Select(number => Payment(number))];
        payments[5_000].Amount = (10 * Deposit).ToString();
        payments[7_000].Amount = "0";
        payments[9_000].ItemId = ByteString.CopyFrom(new byte[65]);
        payments[11_000].ChannelId = "0x" + new string('1', 64);
        payments[13_000].Amount = "1.5";

        using var call = _alice.Api.StreamPayments();
        Task writing = WriteAsync(call.RequestStream, payments);
        Wire.PaymentResult[] results = await ReadAsync(call.ResponseStream);
        await writing;

        Assert.Equal(
            [
                (5_000, Wire.Refusal.InsufficientBalance), (7_000, Wire.Refusal.ZeroAmount), (9_000, Wire.Refusal.ItemIdTooLong),
                (11_000, Wire.Refusal.UnknownChannel), (13_000, Wire.Refusal.InvalidArgument),
            ],
            results.Where(result => result.Refusal != Wire.Refusal.Unspecified).Select(result => ((int)result.Index, result.Refusal)));
        Assert.Equal(count, results.Length);
        await CheckAsync(payments, results);
    }

    [Fact]
    public async Task ChannelThatCloses_WhileThousandsAreUnderWay_LosesNoneThatWasPaid()
    {
        await OpenAsync(16_000);
        List<Wire.Payment> payments = [];
        using var call = _alice.Api.StreamPayments();
        ConcurrentQueue<Wire.PaymentResult> results = [];
        bool isClosing = false;
        Task reading = ReadAsync(), writing = WriteAsync();
        await _bob.UntilAsync(_channel, channel => channel.Received != "0");
        using (var closing = _alice.Api.StartClose(new Wire.StartCloseRequest { ChannelId = _channel }))
            while (await closing.ResponseStream.MoveNext(TestChain.Limit)) { }
        Volatile.Write(ref isClosing, true);
        await writing;

        // What the peer was told and does not take any more is neither paid nor refused. Before it takes no more, that may be anything.
        string received = (await _bob.UntilAsync(_channel, channel => channel.Status == Wire.ChannelStatus.Closing)).Received;
        Wire.Channel alice = await _alice.UntilAsync(_channel, channel => channel.Acknowledged == received
            && results.Count + int.Parse(channel.Sent) - int.Parse(channel.Acknowledged) == payments.Count);
        Wire.PaymentResult[] paid = [.. results.Where(result => result.Refusal == Wire.Refusal.Unspecified).OrderBy(result => result.Index)];
        Assert.All(results.Except(paid), result => Assert.Contains(
            result.Refusal, (Wire.Refusal[])[Wire.Refusal.ChannelClosing, Wire.Refusal.PeerRefusing]));
        Assert.NotEmpty(results.Except(paid));
        Assert.Equal(
            paid.Select(result => (result.TotalSent, payments[(int)result.Index].ItemId)),
            (await ReceivedAsync()).Select(payment => (payment.TotalReceived, payment.ItemId)));
        Assert.Equal(alice.Acknowledged, (await _bob.ChannelAsync(_channel)).Received);
        call.Dispose();
        await reading;

        // Always thousands under way, and fewer than would stop the stream; the last when the channel is closing.
        async Task WriteAsync()
        {
            bool isLast = false;
            while (!isLast)
            {
                isLast = Volatile.Read(ref isClosing);
                if (!isLast && payments.Count - results.Count >= 12_000)
                {
                    await Task.Delay(1);
                    continue;
                }

                Wire.Payment[] chunk = [.. Enumerable.Range(payments.Count, 500).Select(number => Payment(number))];
                payments.AddRange(chunk);
                await call.RequestStream.WriteAsync(new Wire.StreamPaymentsRequest { Payments = { chunk } }, TestChain.Limit);
            }

            await call.RequestStream.CompleteAsync();
        }

        async Task ReadAsync()
        {
            try
            {
                while (await call.ResponseStream.MoveNext(TestChain.Limit))
                    foreach (Wire.PaymentResult result in call.ResponseStream.Current.Results) results.Enqueue(result);
            }
            catch (RpcException error) when (error.StatusCode == StatusCode.Cancelled)
            {
                // Given up above.
            }
        }
    }

    [Fact]
    public async Task CallerThatReadsNoResults_HoldsUpNobodyElse_AndHasAllPaidWhenItReads()
    {
        await OpenAsync(4_096);
        Wire.Payment[] payments = [.. Enumerable.Range(0, 200_000).Select(number => Payment(number))];
        using var stalled = _alice.Api.StreamPayments();
        Task writing = WriteAsync(stalled.RequestStream, payments);
        string sent = "";
        for (int looksAlike = 0; looksAlike < 60; await Task.Delay(50))
        {
            string now = (await _alice.ChannelAsync(_channel)).Sent;
            looksAlike = now == sent && now != "0" ? looksAlike + 1 : 0;
            sent = now;
        }

        Assert.InRange(int.Parse(sent), 1, payments.Length / 2); // What is under way, and what the buffers between hold.
        Assert.False(writing.IsCompleted);
        Assert.Equal(int.Parse(sent) + 1, int.Parse((await _alice.PayAsync(_channel, "1", item: "other")).TotalSent));

        Wire.PaymentResult[] results = await ReadAsync(stalled.ResponseStream);
        await writing;
        Wire.Payment other = Payment(0);
        other.ItemId = ByteString.CopyFromUtf8("other");
        await CheckAsync(
            [.. payments, other], [.. results, new Wire.PaymentResult { TotalSent = $"{int.Parse(sent) + 1}" }]);
    }

    [Fact]
    public async Task SameItemTwice_IsPaidTwice_AndSameKeyTwice_Once()
    {
        await OpenAsync(4_096);
        Wire.Payment[] payments = [.. Enumerable.Range(0, 2_000).Select(number => Payment(number / 2))];
        foreach (Wire.Payment payment in payments[1_000..]) payment.IdempotencyKey = $"key of {payment.ItemId.ToStringUtf8()}";

        using var call = _alice.Api.StreamPayments();
        Task writing = WriteAsync(call.RequestStream, payments);
        Wire.PaymentResult[] results = await ReadAsync(call.ResponseStream);
        await writing;

        Assert.All(results, result => Assert.Equal(
            (Wire.Refusal.Unspecified, result.Index >= 1_000 && result.Index % 2 == 1), (result.Refusal, result.Repeated)));
        Assert.All(Enumerable.Range(500, 500), pair => Assert.Equal(results[2 * pair].TotalSent, results[(2 * pair) + 1].TotalSent));
        Assert.Equal("1500", (await _bob.ChannelAsync(_channel)).Received);
        Assert.Equal(1_500, (await ReceivedAsync()).Count);
    }
}
