using Google.Protobuf;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// An application that pays numbered items, each under a key of its own, and asks again for whatever it does not know to
/// be paid, each time in another order. It outlives the node that it pays by.
/// </summary>
internal sealed class ResumedPayments(string channel, int count)
{
    private const int PaymentsPerRequest = 200;

    private readonly ulong[] _totals = new ulong[count];
    private readonly Random _random = new(count);

    /// <summary>What ended the newest stream before its time; null when nothing did.</summary>
    public Exception? EndedBy { get; private set; }

    public bool AllPaid => !_totals.Contains(0ul);

    /// <summary>The total that each item was acknowledged with; 0 while it is not known to be paid.</summary>
    public ulong[] Totals => [.. _totals];

    public static ulong AmountOf(int number) => 1 + ((ulong)number % 5);

    public static string ItemOf(int number) => $"item-{number}";

    /// <summary>
    /// Streams what is left, <paramref name="most"/> of it, with a pause after each request; ends when the stream does, however that is.
    /// </summary>
    public async Task StreamAsync(NodeProcess payer, int pauseMs, int most = int.MaxValue)
    {
        EndedBy = null;
        int[] left = [.. Enumerable.Range(0, count).Where(number => _totals[number] == 0)];
        _random.Shuffle(left); // A node that has forgotten some would sign the same totals for others now.
        left = [.. left.Take(most)];
        using var call = payer.Api.StreamPayments();
        Task writing = WriteAsync(call.RequestStream, left, pauseMs);
        try
        {
            while (await call.ResponseStream.MoveNext(TestChain.Limit))
            {
                foreach (Wire.PaymentResult result in call.ResponseStream.Current.Results)
                    if (result.Refusal == Wire.Refusal.Unspecified) _totals[left[(int)result.Index]] = ulong.Parse(result.TotalSent);
            }
        }
        catch (Exception error) when (CallWriting.IsOfEndedCall(error))
        {
            // The node was killed, and the connection to it closed; the application asks again.
            EndedBy = error;
        }

        await writing;
    }

    private async Task WriteAsync(IClientStreamWriter<Wire.StreamPaymentsRequest> requests, int[] left, int pauseMs)
    {
        try
        {
            foreach (int[] chunk in left.Chunk(PaymentsPerRequest))
            {
                await requests.WriteAsync(new Wire.StreamPaymentsRequest { Payments = { chunk.Select(Payment) } });
                if (pauseMs > 0) await Task.Delay(pauseMs);
            }

            await requests.CompleteAsync();
        }
        catch (Exception error) when (CallWriting.IsOfEndedCall(error))
        {
            // As above.
        }
    }

    private Wire.Payment Payment(int number) => new()
    {
        ChannelId = channel,
        Amount = AmountOf(number).ToString(),
        ItemId = ByteString.CopyFromUtf8(ItemOf(number)),
        IdempotencyKey = $"key-{number}",
    };
}
