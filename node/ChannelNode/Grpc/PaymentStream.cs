using System.Threading.Channels;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// One StreamPayments call: items in, results out, many under way. The number under way, to the result's leaving, is
/// bounded; past it the stream is not read, and HTTP/2 holds the caller back.
/// </summary>
internal sealed class PaymentStream
{
    private const int PaymentsPerRequestMax = 1_024;
    private const int UnderWayMax = 8_192;
    private const int ResultsPerResponseMax = 1_024;

    private readonly Node _node;
    private readonly IAsyncStreamReader<Wire.StreamPaymentsRequest> _requests;
    private readonly IServerStreamWriter<Wire.StreamPaymentsResponse> _responses;
    private readonly SemaphoreSlim _room = new(UnderWayMax);
    private readonly Channel<Wire.PaymentResult> _results =
        System.Threading.Channels.Channel.CreateUnbounded<Wire.PaymentResult>(
            new UnboundedChannelOptions { SingleReader = true });
    private long _underWay = 1; // One for the reading itself.

    public PaymentStream(
        Node node,
        IAsyncStreamReader<Wire.StreamPaymentsRequest> requests,
        IServerStreamWriter<Wire.StreamPaymentsResponse> responses)
    {
        _node = node;
        _requests = requests;
        _responses = responses;
    }

    public async Task RunAsync(CancellationToken cancel)
    {
        Task reading = ReadAsync(cancel);
        await WriteAsync(cancel);
        await reading;
    }

    private async Task ReadAsync(CancellationToken cancel)
    {
        try
        {
            ulong index = 0;
            while (await _requests.MoveNext(cancel))
            {
                if (_requests.Current.Payments.Count is 0 or > PaymentsPerRequestMax)
                {
                    throw Fields.Invalid(
                        "payments", $"{_requests.Current.Payments.Count} items", $"1 to {PaymentsPerRequestMax}");
                }

                foreach (Wire.Payment payment in _requests.Current.Payments)
                {
                    await _room.WaitAsync(cancel);
                    await TakeAsync(index++, payment, cancel);
                }
            }

            Finish();
        }
        catch (Exception error)
        {
            _results.Writer.TryComplete(error);
        }
    }

    private ValueTask TakeAsync(ulong index, Wire.Payment payment, CancellationToken cancel)
    {
        Interlocked.Increment(ref _underWay);
        ChannelSlot? slot = null;
        Refusal refusal = Fields.TryReadAmount(payment.Amount, out UInt128 amount);
        if (!Fields.TryReadChannelId(payment.ChannelId, out ChannelId id)) refusal = Refusal.InvalidArgument;
        if (refusal == Refusal.None) refusal = PaymentRequest.CheckForm(payment.ItemId.Length, payment.IdempotencyKey);
        if (refusal == Refusal.None && (slot = _node.Book.Find(id)) is null) refusal = Refusal.UnknownChannel;
        if (refusal != Refusal.None)
        {
            Report(index, PaymentOutcome.Refused(refusal));
            return ValueTask.CompletedTask;
        }

        return _node.Ledger.EnqueueAsync(
            new StreamedPayment(this, index, slot!, amount, payment, cancel), cancel);
    }

    private void Report(ulong index, PaymentOutcome outcome)
    {
        _results.Writer.TryWrite(new Wire.PaymentResult
        {
            Index = index,
            Refusal = (Wire.Refusal)outcome.Refusal,
            TotalSent = outcome.Refusal == Refusal.None ? outcome.Total.ToString() : string.Empty,
            Repeated = outcome.Repeated,
            Receipt = NodeWire.Write(outcome.Receipt),
        });
        Finish();
    }

    private void Finish()
    {
        if (Interlocked.Decrement(ref _underWay) == 0) _results.Writer.TryComplete();
    }

    private async Task WriteAsync(CancellationToken cancel)
    {
        while (await _results.Reader.WaitToReadAsync(cancel))
        {
            Wire.StreamPaymentsResponse response = new();
            while (response.Results.Count < ResultsPerResponseMax
                && _results.Reader.TryRead(out Wire.PaymentResult? result))
            {
                response.Results.Add(result);
            }

            await _responses.WriteAsync(response, cancel);
            _room.Release(response.Results.Count);
        }
    }

    /// <summary>A refused payment as an error for people.</summary>
    public static RefusalException Explain(Refusal refusal, Wire.Payment payment, ChannelSlot? slot = null) =>
        refusal switch
        {
            Refusal.ItemIdTooLong => new RefusalException(
                refusal,
                $"item_id has {payment.ItemId.Length} bytes, expected at most {PaymentList.ItemIdBytesMax}")
            {
                Field = "item_id",
            },
            Refusal.IdempotencyKeyTooLong => new RefusalException(
                refusal, $"idempotency_key is longer than {PaymentRequest.IdempotencyKeyBytesMax} bytes of UTF-8")
            {
                Field = "idempotency_key",
            },
            Refusal.IdempotencyKeyReused => new RefusalException(
                refusal,
                $"idempotency_key \"{payment.IdempotencyKey}\" was used for another channel, amount or item")
            {
                Field = "idempotency_key",
            },
            Refusal.InsufficientBalance => new RefusalException(
                refusal,
                $"amount is {payment.Amount}, expected at most {slot?.State.OurBalance(slot.Channel)}, the balance"
                + (slot?.State.Status == ChannelStatus.Closed ? "; the channel is closed, a deposit opens it again" : ""))
            {
                Field = "amount",
            },
            Refusal.PeerRefusing => new RefusalException(
                refusal, $"the peer refused the newest update of {payment.ChannelId}: {slot?.PeerRefusal}"),
            _ => new RefusalException(refusal, $"channel {payment.ChannelId}: {Reason(refusal)}")
            {
                Field = "channel_id",
            },
        };

    private static string Reason(Refusal refusal) => refusal switch
    {
        Refusal.OneWayChannel => "only the peer pays in this one-way channel",
        Refusal.DepositUnconfirmed => "it has no confirmed deposit yet; a deposit opens it",
        Refusal.DepositUncredited => "its deposit has too few confirmations yet for so large an amount",
        Refusal.ChannelClosing => "it is closing on chain",
        Refusal.CloseAgreed => "a cooperative close is agreed, and waits to be mined or to expire",
        Refusal.PeerOffline => "its peer is not connected; the same call with the same key may be made again",
        Refusal.StateLost => "the peer can prove more payments than this node's database knows: it is older than the truth",
        Refusal.TooManyInFlight => "too many payments wait for the peer's acknowledgement",
        Refusal.ChainUnavailable => "the chain was not seen for too long to take or give money",
        _ => refusal.ToString(),
    };

    private sealed class StreamedPayment(
        PaymentStream stream,
        ulong index,
        ChannelSlot slot,
        UInt128 amount,
        Wire.Payment payment,
        CancellationToken cancel)
        : PaymentRequest(slot, amount, payment.ItemId.Memory, payment.IdempotencyKey, payment.Receipt)
    {
        public override bool IsAbandoned => cancel.IsCancellationRequested;

        public override void Done(PaymentOutcome outcome) => stream.Report(index, outcome);
    }
}
