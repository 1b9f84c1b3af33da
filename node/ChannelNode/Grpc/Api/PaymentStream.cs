using System.Threading.Channels;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf.Collections;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// One StreamPayments call: items in, results out, many under way. The number under way, to the result's leaving, is
/// bounded; past it the stream is not read, and HTTP/2 holds the caller back. So a caller that does not read its results
/// holds up nobody but itself.
/// </summary>
internal sealed class PaymentStream
{
    public const int PaymentsPerRequestMax = 1_024;
    private const int ResultsPerResponseMax = 1_024;
    private const int MessageCharsMax = 512;

    /// <summary>
    /// A refusal of the ledger's is put into words when it leaves, not on the ledger's thread. One whose form is wrong has its words
    /// at once: what it came in can be large, and is not kept.
    /// </summary>
    private readonly record struct Result(ulong Index, PaymentOutcome Outcome, StreamedPayment? Decided, string Words = "");

    private readonly Node _node;
    private readonly IAsyncStreamReader<Wire.StreamPaymentsRequest> _requests;
    private readonly IServerStreamWriter<Wire.StreamPaymentsResponse> _responses;
    private readonly AccessTokenEntry? _token;
    private readonly PaymentQueue _queue;
    private readonly int _underWayMax;
    private readonly Signal _answersLeft = new();
    private readonly Lock _answering = new();
    private readonly Channel<bool> _wake = System.Threading.Channels.Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private List<Result> _results = [];
    private int _underWay;
    private bool _isCutShort;
    private long _unanswered = 1; // One for the reading itself.

    public PaymentStream(
        Node node,
        IAsyncStreamReader<Wire.StreamPaymentsRequest> requests,
        IServerStreamWriter<Wire.StreamPaymentsResponse> responses,
        AccessTokenEntry? token)
    {
        _token = token;
        _node = node;
        _requests = requests;
        _responses = responses;
        _queue = new PaymentQueue(node.Ledger);
        _underWayMax = node.Options.PaymentsPerStreamMax;
    }

    public async Task RunAsync(CancellationToken cancel)
    {
        using var mayRead = CancellationTokenSource.CreateLinkedTokenSource(cancel, _node.Drain.Begun);
        Task reading = ReadAsync(mayRead.Token, cancel);
        await WriteAsync(cancel);
        await reading;
        if (_isCutShort) throw Drain.Refused(); // All that was read is answered.
    }

    private async Task ReadAsync(CancellationToken mayRead, CancellationToken cancel)
    {
        try
        {
            List<PaymentRequest> asked = [];
            ulong index = 0;
            while (await _requests.MoveNext(mayRead))
            {
                RepeatedField<Wire.Payment> payments = _requests.Current.Payments;
                if (payments.Count is 0 or > PaymentsPerRequestMax)
                    throw Fields.Invalid("payments", $"{payments.Count} items", $"1 to {PaymentsPerRequestMax}");

                await TakeRoomAsync(payments.Count, cancel);
                asked.Clear();
                foreach (Wire.Payment payment in payments) Take(index++, payment, asked, cancel);
                await _queue.AddAsync(asked, cancel);
            }

            Finish();
        }
        catch (OperationCanceledException) when (_node.Drain.IsOn && !cancel.IsCancellationRequested)
        {
            _isCutShort = true;
            Finish();
        }
        catch (Exception error)
        {
            _wake.Writer.TryComplete(error);
        }
    }

    private async ValueTask TakeRoomAsync(int count, CancellationToken cancel)
    {
        if (!HasRoom()) await _answersLeft.WhenAsync(HasRoom, cancel);
        Interlocked.Add(ref _underWay, count);
        Interlocked.Add(ref _unanswered, count);

        bool HasRoom() => Volatile.Read(ref _underWay) + count <= _underWayMax;
    }

    private void Take(ulong index, Wire.Payment payment, List<PaymentRequest> asked, CancellationToken cancel)
    {
        ChannelSlot? slot = null;
        Refusal refusal = Fields.TryReadAmount(payment.Amount, out UInt128 amount);
        if (!Fields.TryReadChannelId(payment.ChannelId, out ChannelId id)) refusal = Refusal.InvalidArgument;
        if (refusal == Refusal.None) refusal = PaymentRequest.CheckForm(payment.ItemId.Length, payment.IdempotencyKey);
        if (refusal == Refusal.None && !Seen.Contains(id)) refusal = Refusal.ChannelNotAllowed;
        if (refusal == Refusal.None && (slot = _node.Book.Find(id)) is null) refusal = Refusal.UnknownChannel;
        if (refusal != Refusal.None) Report(new Result(index, PaymentOutcome.Refused(refusal), null, Cut(Explain(refusal, payment).Message)));
        else asked.Add(new StreamedPayment(this, index, slot!, amount, payment, cancel) { Budget = _token?.Budget });
    }

    /// <summary>As the token has them now.</summary>
    private CallerChannels Seen => new(_token);

    private void Report(in Result result)
    {
        bool isFirst;
        lock (_answering)
        {
            isFirst = _results.Count == 0;
            _results.Add(result);
        }

        if (isFirst) _wake.Writer.TryWrite(true);
        Finish();
    }

    private void Finish()
    {
        if (Interlocked.Decrement(ref _unanswered) == 0) _wake.Writer.TryComplete();
    }

    private async Task WriteAsync(CancellationToken cancel)
    {
        List<Result> leaving = [];
        while (await _wake.Reader.WaitToReadAsync(cancel))
        {
            _wake.Reader.TryRead(out _);
            lock (_answering) (leaving, _results) = (_results, leaving);
            for (int from = 0; from < leaving.Count; from += ResultsPerResponseMax)
            {
                int to = Math.Min(leaving.Count, from + ResultsPerResponseMax);
                Wire.StreamPaymentsResponse response = new();
                for (int place = from; place < to; place++) response.Results.Add(Write(leaving[place]));
                await _responses.WriteAsync(response, cancel);
                Interlocked.Add(ref _underWay, from - to);
                _answersLeft.Raise();
            }

            leaving.Clear();
        }
    }

    private static Wire.PaymentResult Write(in Result result) => new()
    {
        Index = result.Index,
        Refusal = (Wire.Refusal)result.Outcome.Refusal,
        TotalSent = result.Outcome.Refusal == Refusal.None ? result.Outcome.Total.ToString() : string.Empty,
        Repeated = result.Outcome.Repeated,
        Receipt = NodeWire.Write(result.Outcome.Receipt),
        CapExceeded = AccessTokenWire.Write(result.Outcome.Breach),
        Message = result.Outcome.Refusal == Refusal.None ? string.Empty : Message(result),
    };

    private static string Message(in Result result) => result.Decided is { } decided
        ? Cut(Explain(result.Outcome, decided.Written(), decided.Slot, decided.IsConfined, decided.Balance).Message)
        : result.Words;

    private static string Cut(string message) =>
        message.Length <= MessageCharsMax ? message : string.Concat(message.AsSpan(0, MessageCharsMax - 4), " ...");

    /// <summary>A refused payment as an error for people.</summary>
    /// <param name="isConfined">Whether the caller must not hear of other channels.</param>
    /// <param name="balance">The channel's when it was decided; null where that is what is committed.</param>
    public static RefusalException Explain(
        in PaymentOutcome outcome, Wire.Payment payment, ChannelSlot? slot, bool isConfined, UInt128? balance = null) =>
        outcome.Breach?.ToException()
            ?? (outcome.No is { } no && isConfined ? PolicyWords.RefuseBriefly(no, "amount") : Explain(outcome.Refusal, payment, slot, outcome.No, balance));

    public static RefusalException Explain(
        Refusal refusal, Wire.Payment payment, ChannelSlot? slot = null, PolicyNo? no = null, UInt128? balance = null) =>
        refusal switch
        {
            Refusal.InvalidArgument when !Fields.TryReadChannelId(payment.ChannelId, out _) => Fields.NoChannelId(payment.ChannelId),
            Refusal.InvalidArgument or Refusal.ZeroAmount or Refusal.AmountTooLarge
                when Fields.TryReadAmount(payment.Amount, out _) == refusal => Fields.NoAmount(refusal, payment.Amount),
            Refusal.UnknownChannel => new RefusalException(refusal, $"channel_id {payment.ChannelId} is not known to this node")
            {
                Field = "channel_id",
            },
            Refusal.ChannelNotAllowed => new RefusalException(refusal, $"channel_id is {payment.ChannelId}, expected one that the token is for")
            {
                Field = "channel_id",
            },
            Refusal.ItemIdTooLong => new RefusalException(
                refusal,
                $"item_id has {payment.ItemId.Length} bytes, expected at most {PaymentList.ItemIdBytesMax}")
            {
                Field = "item_id",
            },
            Refusal.IdempotencyKeyTooLong => new RefusalException(
                refusal,
                $"idempotency_key has {Encoding.UTF8.GetByteCount(payment.IdempotencyKey)} bytes of UTF-8, expected at most {PaymentRequest.IdempotencyKeyBytesMax}")
            {
                Field = "idempotency_key",
            },
            Refusal.IdempotencyKeyReused => new RefusalException(
                refusal,
                $"idempotency_key \"{payment.IdempotencyKey}\" was used for another channel, amount or item")
            {
                Field = "idempotency_key",
            },
            Refusal.InsufficientBalance => BalanceTooSmall(payment, slot, balance ?? slot?.State.OurBalance(slot.Channel) ?? 0),
            Refusal.PolicyRefused when no is not null => PolicyWords.Refuse(no, "amount"),
            Refusal.PeerRefusing => new RefusalException(
                refusal, $"channel {payment.ChannelId}: the peer does not take what was paid before"
                + (slot?.PeerRefusal is null or Refusal.None ? "" : $" ({RefusalStatus.NameOf(slot.PeerRefusal)}{WhyPeerRefuses(slot)})")
                + ". This payment was not made; those before are offered to the peer again by this node"),
            Refusal.DepositUncredited => new RefusalException(
                refusal,
                $"amount is {In(slot, payment.Amount)}, expected at most {In(slot, Usable(slot))} for now: "
                + $"{In(slot, slot?.State.UncreditedOf(slot.Channel.OurSide) ?? 0)} of this channel's deposits are too new to count. They count by "
                + "themselves some blocks later: all above --credit-small after --confirmations-larger, all above --credit-larger when final")
            {
                Field = "amount",
            },
            _ => new RefusalException(refusal, $"channel {payment.ChannelId}: {Reason(refusal, slot)}")
            {
                Field = "channel_id",
            },
        };

    private static RefusalException BalanceTooSmall(Wire.Payment payment, ChannelSlot? slot, UInt128 balance) => new(
        Refusal.InsufficientBalance,
        $"amount is {In(slot, payment.Amount)}, expected at most {In(slot, balance)}, the balance"
        + "; a deposit adds to it ('channel deposit')")
    {
        Field = "amount",
        Value = payment.Amount,
        Limit = balance.ToString(),
    };

    private static string In(ChannelSlot? slot, string amount) => UInt128.TryParse(amount, out UInt128 units) ? In(slot, units) : amount;

    private static string In(ChannelSlot? slot, UInt128 amount) =>
        slot is null ? amount.ToString() : AmountWords.Of(amount, slot.Channel.Terms.Token);

    /// <summary>What may be paid now.</summary>
    private static UInt128 Usable(ChannelSlot? slot) => slot is null
        ? UInt128.Zero
        : Amounts.Excess(slot.State.OurBalance(slot.Channel), slot.State.UncreditedOf(slot.Channel.OurSide));

    private static string WhyPeerRefuses(ChannelSlot slot) => slot switch
    {
        { PeerRefusal: Refusal.DepositUncredited } =>
            ": what counts there of young deposits, into this channel or all channels (--credit-small, --credit-small-total and the larger "
            + "pair), is used up until the deposit is older",
        { PeerRefusal: Refusal.RestoredHeld, PeerRefusalUntilSeconds: > 0 and var until } =>
            $": its database was restored from a backup, and takes payments again when the chain is past {RestoredHold.Words(until)}",
        _ => "",
    };

    private static string Reason(Refusal refusal, ChannelSlot? slot) => refusal switch
    {
        Refusal.StateLost when slot?.State.SentUnrecorded is { } unrecorded && unrecorded != UInt128.Zero =>
            $"{In(slot, unrecorded)} were paid in it after the backup that the database was restored from: their idempotency keys are not known, so "
            + "nothing is paid until the operator says so ('channel resume')",
        Refusal.RestoredHeld =>
            "the database was restored from a backup, and lacks payments that the lost one had accepted: they are taken again when the peer offers them, "
            + "where the hold is on after it (restored_held_until_seconds); before that the peer takes nothing that does not count them",
        Refusal.OneWayChannel => "only the peer pays in this one-way channel",
        Refusal.DepositUnconfirmed => "it has no confirmed deposit yet; a deposit opens it",
        Refusal.ChannelClosed => "it is closed and paid out; a deposit opens it again",
        Refusal.ChannelClosing => "it is closing on chain",
        Refusal.CloseAgreed => "a cooperative close is agreed, and waits to be mined or to expire",
        Refusal.PeerOffline => "its peer is not connected; the same call with the same key may be made again",
        Refusal.RestoredUnconfirmed =>
            "the database was restored from a backup, and the peer has not told since where this channel stands",
        Refusal.StateLost => "the peer can prove more payments than this node's database knows: it is older than the truth",
        Refusal.TooManyInFlight => "too many payments wait for the peer's acknowledgement",
        Refusal.ChainUnavailable => "the chain was not seen for too long to take or give money",
        Refusal.DiskLow => "this node's disk has less room left than --disk-reserve; nothing is paid until it has more",
        Refusal.SignerUnavailable => "the program that holds this node's key does not sign",
        Refusal.NotReady => "the node is starting or stopping; the same call with the same key may be made again",
        _ => RefusalStatus.NameOf(refusal),
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

        public bool IsConfined => stream.Seen.IsConfined;

        /// <summary>When it was refused for it: others of the same turn, that nobody sees yet, have used it up. The ledger's until then.</summary>
        public UInt128? Balance { get; private set; }

        public override void Done(PaymentOutcome outcome)
        {
            if (outcome.Refusal == Refusal.InsufficientBalance) Balance = Slot.Working.OurBalance(Slot.Channel);
            stream.Report(new Result(index, outcome, this));
        }

        /// <summary>As far as a refusal speaks of it. The message that it came in is not kept: many wait for long.</summary>
        public Wire.Payment Written() => new()
        {
            ChannelId = Slot.Channel.Id.ToString(),
            Amount = Amount.ToString(),
            IdempotencyKey = IdempotencyKey,
        };
    }
}
