using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Node processes killed with SIGKILL in the middle of payments: nothing acknowledged is lost, nothing doubled.</summary>
[Collection(AnvilCollection.Name)]
public sealed class KilledNodeTests(AnvilFixture anvil)
{
    private const int Count = 30_000;

    private static Wire.Payment Payment(string channel, int number) => new()
    {
        ChannelId = channel,
        Amount = (1 + (number % 5)).ToString(),
        ItemId = ByteString.CopyFromUtf8($"item-{number}"),
        IdempotencyKey = $"key-{number}",
    };

    /// <summary>Streams what is left, marking what is acknowledged; ends when the stream does, however that is.</summary>
    private static async Task StreamAsync(NodeProcess payer, string channel, bool[] paid)
    {
        int[] left = [.. Enumerable.Range(0, Count).Where(number => !paid[number])];
        using var call = payer.Api.StreamPayments();
        Task writing = WriteAsync();
        try
        {
            while (await call.ResponseStream.MoveNext(TestChain.Limit))
            {
                foreach (Wire.PaymentResult result in call.ResponseStream.Current.Results)
                    if (result.Refusal == Wire.Refusal.Unspecified) paid[left[(int)result.Index]] = true;
            }
        }
        catch (RpcException)
        {
            // The node was killed; the caller asks again.
        }

        await writing;

        async Task WriteAsync()
        {
            try
            {
                foreach (int[] chunk in left.Chunk(200))
                {
                    await call.RequestStream.WriteAsync(
                        new Wire.StreamPaymentsRequest { Payments = { chunk.Select(number => Payment(channel, number)) } });
                    await Task.Delay(20); // So that the kill comes in the middle.
                }

                await call.RequestStream.CompleteAsync();
            }
            catch (Exception error) when (error is RpcException or InvalidOperationException or IOException)
            {
                // As above.
            }
        }
    }

    private static async Task<List<Wire.ReceivedPayment>> JournalAsync(NodeProcess payee)
    {
        ulong last = (await payee.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor;
        using var call = payee.Api.SubscribePayments(new Wire.SubscribePaymentsRequest());
        List<Wire.ReceivedPayment> journal = [];
        while ((ulong)journal.Count < last && await call.ResponseStream.MoveNext(TestChain.Limit))
            journal.AddRange(call.ResponseStream.Current.Payments);
        return journal;
    }

    [Theory]
    [InlineData("the payee")]
    [InlineData("the payer")]
    public async Task KilledWhilePaying_LosesAndDoublesNothing(string who)
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain);
        await using NodeProcess payee = await NodeProcess.StartAsync(chain);
        string channel = await payer.OpenAsync(payee, "1000000");
        NodeProcess victim = who == "the payee" ? payee : payer;
        var paid = new bool[Count];

        for (int kill = 0; kill < 3; kill++)
        {
            string before = (await payee.UntilAsync(channel, _ => true)).Received;
            Task streaming = StreamAsync(payer, channel, paid);
            await payee.UntilAsync(channel, state => state.Received != before);
            await victim.KillAsync();
            bool[] acknowledged = [.. paid];
            await victim.StartAsync();
            await streaming;
            await payer.UntilAsync(channel, state => state.PeerConnected && state.Sent == state.Acknowledged);

            HashSet<string> there = [.. (await JournalAsync(payee)).Select(payment => payment.ItemId.ToStringUtf8())];
            Assert.All(
                Enumerable.Range(0, Count).Where(number => acknowledged[number]),
                number => Assert.Contains($"item-{number}", there));
        }

        while (paid.Contains(false)) await StreamAsync(payer, channel, paid);
        List<Wire.ReceivedPayment> journal = await JournalAsync(payee);
        Assert.Equal(Count, journal.Count);
        Assert.Equal(Count, journal.Select(payment => payment.ItemId).Distinct().Count());
        string total = Enumerable.Range(0, Count).Sum(number => 1L + (number % 5)).ToString();
        Assert.Equal(total, (await payee.UntilAsync(channel, _ => true)).Received);
        Assert.Equal(total, (await payer.UntilAsync(channel, _ => true)).Sent);
    }
}
