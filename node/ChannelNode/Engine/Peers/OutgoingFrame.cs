using System.Buffers;
using System.Runtime.InteropServices;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Up to <paramref name="Received"/> the peer's updates are durable here.</summary>
internal record struct OutgoingAcknowledgement(
    ChannelId Channel, UInt128 Received, UInt128 Sent, bool IsReceipt, Signature Signature);

/// <summary>Our own total, durable here and signed when it leaves, with the payments that led there.</summary>
internal record struct OutgoingUpdate(
    BalanceUpdate Balance, ArrayBufferWriter<byte> Payments, bool WantsReceipt, Signature Signature);

/// <summary>
/// What waits to be said to one peer. Of each channel one update and one acknowledgement at most: a newer one takes the
/// older one's place. Reused; not for several threads.
/// </summary>
internal sealed class OutgoingFrame : SharedWork
{
    private const int BufferBytesMax = 64 * 1024;

    /// <summary>For as many it keeps its room while nothing is in it; of refusals there are few in a session that means no harm.</summary>
    private const int KeptMax = 4_096;
    private const int RefusalsKeptMax = 64;

    private readonly List<OutgoingAcknowledgement> _acknowledgements = [];
    private readonly List<OutgoingUpdate> _updates = [];
    private readonly List<ArrayBufferWriter<byte>> _buffers = [];
    private ISignatureScheme? _signing;
    private bool _hasReceipts;

    /// <summary>Tells the present use of the frame from its earlier ones.</summary>
    public long Round { get; set; }

    public Span<OutgoingAcknowledgement> Acknowledgements => CollectionsMarshal.AsSpan(_acknowledgements);

    public Span<OutgoingUpdate> Updates => CollectionsMarshal.AsSpan(_updates);

    public List<RefusedUpdate> Refusals { get; } = [];

    /// <summary>Which of the updates have traced payments; none normally.</summary>
    public List<UpdateTrace> Traces { get; } = [];

    /// <summary>What does not travel in frames; said after all that does.</summary>
    public List<PeerMessage> Messages { get; } = [];

    public int PaymentBytes { get; private set; }

    public bool IsEmpty => _acknowledgements.Count + _updates.Count + Refusals.Count + Messages.Count == 0;

    /// <summary>A newer acknowledgement takes the place of an older one.</summary>
    public void Replace(int place, in OutgoingAcknowledgement newer)
    {
        ref OutgoingAcknowledgement older = ref Acknowledgements[place];
        older = newer with { IsReceipt = newer.IsReceipt || older.IsReceipt };
        _hasReceipts |= newer.IsReceipt;
    }

    /// <summary>Answers the acknowledgement's place.</summary>
    public int Add(in OutgoingAcknowledgement acknowledgement)
    {
        _hasReceipts |= acknowledgement.IsReceipt;
        _acknowledgements.Add(acknowledgement);
        return _acknowledgements.Count - 1;
    }

    /// <summary>Answers the update's place, for <see cref="Updates"/>.</summary>
    public int Add(in BalanceUpdate balance, ReadOnlySpan<byte> payments, bool wantsReceipt)
    {
        if (_buffers.Count == _updates.Count) _buffers.Add(new ArrayBufferWriter<byte>());
        ArrayBufferWriter<byte> buffer = _buffers[_updates.Count];
        buffer.ResetWrittenCount();
        _updates.Add(new OutgoingUpdate(balance, buffer, wantsReceipt, default));
        Append(_updates.Count - 1, payments);
        return _updates.Count - 1;
    }

    public void Append(int place, ReadOnlySpan<byte> payments)
    {
        Updates[place].Payments.Write(payments);
        PaymentBytes += payments.Length;
    }

    /// <summary>Forgets an update's payments.</summary>
    public void Restart(int place)
    {
        PaymentBytes -= Updates[place].Payments.WrittenCount;
        Updates[place].Payments.ResetWrittenCount();
    }

    /// <summary>Signs every update and receipt, on this thread and idle cores.</summary>
    public void Sign(ISignatureScheme scheme)
    {
        _signing = scheme;
        DoAll(_updates.Count + (_hasReceipts ? _acknowledgements.Count : 0));
    }

    /// <summary>The same, wherever the key is. What has its signature keeps it: may be called again after a refusal.</summary>
    public ValueTask SignAsync(ISignatureScheme scheme, CancellationToken cancel)
    {
        if (!scheme.SignsHere) return new ValueTask(SignElsewhereAsync(scheme, cancel));
        Sign(scheme);
        return ValueTask.CompletedTask;
    }

    private Task SignElsewhereAsync(ISignatureScheme scheme, CancellationToken cancel)
    {
        List<Task> signing = [];
        for (int place = 0; place < _updates.Count; place++)
        {
            if (_updates[place].Signature == default) signing.Add(SignUpdateAsync(place));
        }

        for (int place = 0; place < _acknowledgements.Count; place++)
        {
            if (_acknowledgements[place].IsReceipt && _acknowledgements[place].Signature == default)
                signing.Add(SignReceiptAsync(place));
        }

        return Task.WhenAll(signing);

        async Task SignUpdateAsync(int place)
        {
            Signature signature = await scheme.SignAsync(_updates[place].Balance, cancel);
            Updates[place].Signature = signature;
        }

        async Task SignReceiptAsync(int place)
        {
            OutgoingAcknowledgement said = _acknowledgements[place];
            Signature signature = await scheme.SignAsync(new BalanceUpdate(said.Channel, said.Sent, said.Received), cancel);
            Acknowledgements[place].Signature = signature;
        }
    }

    protected override void Do(int piece)
    {
        if (piece < _updates.Count)
        {
            ref OutgoingUpdate update = ref Updates[piece];
            update.Signature = _signing!.Sign(update.Balance);
            return;
        }

        ref OutgoingAcknowledgement said = ref Acknowledgements[piece - _updates.Count];
        if (said.IsReceipt)
            said.Signature = _signing!.Sign(new BalanceUpdate(said.Channel, said.Sent, said.Received));
    }

    public void Clear()
    {
        _buffers.RemoveAll(buffer => buffer.Capacity > BufferBytesMax);
        _acknowledgements.Clear();
        _updates.Clear();
        Refusals.Clear();
        Traces.Clear();
        Messages.Clear();
        if (_acknowledgements.Capacity > KeptMax) _acknowledgements.Capacity = 0;
        if (_buffers.Count > KeptMax) _buffers.RemoveRange(KeptMax, _buffers.Count - KeptMax);
        if (_buffers.Capacity > KeptMax) _buffers.TrimExcess();
        if (_updates.Capacity > KeptMax) _updates.Capacity = 0;
        if (Refusals.Capacity > RefusalsKeptMax) Refusals.Capacity = 0;
        PaymentBytes = 0;
        _hasReceipts = false;
    }
}
