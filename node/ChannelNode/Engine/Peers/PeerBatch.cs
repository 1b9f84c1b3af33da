using System.Diagnostics;
using System.Runtime.InteropServices;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>The largest total that a peer has acknowledged in a channel, and its largest receipt once that is checked.</summary>
internal readonly record struct HeardAcknowledgement(ChannelSlot Slot, UInt128 Received, SignedReceipt? Receipt);

/// <summary>A receipt that is not checked yet, with the place of its acknowledgement in the batch and of its signature in the frame.</summary>
internal readonly record struct HeardReceipt(int Acknowledgement, BalanceUpdate Balance, PeerFrame Frame, int Signature);

/// <summary>An update that is refused, to be told when the acknowledgements before it have been.</summary>
/// <param name="UntilSeconds">Unix time until which it would be refused again, where that is known; else 0.</param>
internal readonly record struct RefusedUpdate(ChannelId Channel, UInt128 Sent, Refusal Reason, ulong UntilSeconds = 0);

/// <summary>
/// All that a peer has said and that waits together, grouped by channel: updates that follow one another are a run, of
/// which only the newest needs its signature checked and its state written. Made and verified on the session's thread
/// and by idle cores, decided by the ledger's writer (<see cref="AcceptRuns"/>), then used again. Where an update does
/// not follow the one before it, a new run begins, so each is judged as if it had come alone.
/// </summary>
internal sealed class PeerBatch(ISignatureScheme scheme, int paymentsPerUpdateMax) : SharedWork
{
    /// <summary>What has arrived joins a batch up to here; one frame beyond it aside.</summary>
    private const int UpdatesMax = 4_096;
    private const int BytesMax = 512 * 1024;

    /// <summary>Bytes of payments in one run, and so in one row of the journal; one update beyond it aside.</summary>
    private const int RunPaymentBytesMax = 128 * 1024;

    private const int VerificationsPerGo = 4;

    /// <summary>For as many it keeps its room while nothing is in it.</summary>
    private const int KeptMax = UpdatesMax;

    private readonly List<PeerFrame> _frames = [];
    private readonly List<BatchUpdate> _updates = [];
    private readonly List<UpdateRun> _runs = [];
    private readonly List<HeardAcknowledgement> _acknowledgements = [];
    private readonly List<HeardReceipt> _receipts = [];
    private readonly List<RefusedUpdate> _refused = [];
    private readonly Dictionary<ChannelId, int> _newestRuns = [];
    private readonly Dictionary<ChannelId, (int Acknowledgement, int? Receipt)> _heard = [];
    private int _bytes;
    private int _verifyFrom;
    private volatile bool _isUnfinished;
    private int _wrongSignatures;
    private int _useless;

    /// <summary>The spans of updates that the peer traces; none normally. Of whoever has the batch.</summary>
    public List<(UpdateTrace Trace, Activity Span)> Traced { get; } = [];

    /// <summary>Updates in the largest of its frames.</summary>
    public int LargestFrame { get; private set; }

    /// <summary>What is held for it, in <see cref="MessageRoom"/>.</summary>
    public long Weight { get; private set; }

    public bool HasRoom => _updates.Count < UpdatesMax && _bytes < BytesMax;

    public Span<UpdateRun> Runs => CollectionsMarshal.AsSpan(_runs);

    public ReadOnlySpan<BatchUpdate> Updates => CollectionsMarshal.AsSpan(_updates);

    public ReadOnlySpan<HeardAcknowledgement> Acknowledgements => CollectionsMarshal.AsSpan(_acknowledgements);

    public ReadOnlySpan<RefusedUpdate> Refused => CollectionsMarshal.AsSpan(_refused);

    /// <summary>Takes the frame over, until <see cref="Clear"/>.</summary>
    public void Add(PeerFrame frame, PeerChannels channels)
    {
        _frames.Add(frame);
        _bytes += frame.Length;
        Weight += frame.Weight;
        LargestFrame = Math.Max(LargestFrame, frame.Updates.Length);
        foreach (ref readonly FrameAcknowledgement said in frame.Acknowledgements) Add(frame, said, channels);
        foreach (ref readonly FrameUpdate said in frame.Updates) Add(frame, said, channels);
    }

    /// <summary>Totals are cumulative: of a channel the largest says all, and only the largest receipt is checked.</summary>
    private void Add(PeerFrame frame, in FrameAcknowledgement said, PeerChannels channels)
    {
        ChannelId id = frame.ChannelAt(said.Channel);
        ref (int Acknowledgement, int? Receipt) heard = ref CollectionsMarshal.GetValueRefOrAddDefault(_heard, id, out bool known);
        if (!known)
        {
            if (channels.Find(id) is not { } found)
            {
                NoteUseless();
                _heard.Remove(id);
                return;
            }

            heard = (_acknowledgements.Count, null);
            _acknowledgements.Add(new HeardAcknowledgement(found, UInt128.Zero, null));
        }

        ref HeardAcknowledgement newest = ref CollectionsMarshal.AsSpan(_acknowledgements)[heard.Acknowledgement];
        UInt128 received = frame.AmountAt(said.Received);
        if (received > newest.Received) newest = newest with { Received = received };

        // One for what is acknowledged already, or was never sent, is of no use: saying it again must not cost a signature each.
        ChannelState state = newest.Slot.State;
        if (said.Signature < 0 || received <= state.Acknowledged || received > state.Sent) return;
        HeardReceipt receipt = new(heard.Acknowledgement, new BalanceUpdate(id, frame.AmountAt(said.Sent), received), frame, said.Signature);
        if (heard.Receipt is not { } before)
        {
            heard.Receipt = _receipts.Count;
            _receipts.Add(receipt);
        }
        else if (received > _receipts[before].Balance.Received)
        {
            _receipts[before] = receipt;
        }
    }

    /// <summary>Receipts to be checked, one of a channel.</summary>
    public int ReceiptCount => _receipts.Count;

    public void VerifyReceipts(int from, int count)
    {
        foreach ((int place, BalanceUpdate balance, PeerFrame frame, int at) in CollectionsMarshal.AsSpan(_receipts).Slice(from, count))
        {
            ref HeardAcknowledgement heard = ref CollectionsMarshal.AsSpan(_acknowledgements)[place];
            Signature signature = frame.SignatureAt(at);
            if (scheme.Verify(balance, signature, heard.Slot.Channel.Theirs.Signer))
                heard = heard with { Receipt = new SignedReceipt(balance.Sent, balance.Received, signature) };
            else NoteWrong();
        }
    }

    private void Add(PeerFrame frame, in FrameUpdate said, PeerChannels channels)
    {
        ChannelId id = frame.ChannelAt(said.Channel);
        BatchUpdate update = new()
        {
            Frame = frame,
            Said = said,
            Sent = frame.AmountAt(said.Sent),
            Received = frame.AmountAt(said.Received),
        };
        Refusal refusal = PaymentList.Check(
            frame.PaymentsOf(said), paymentsPerUpdateMax, out update.PaymentCount, out update.PaymentSum);
        if (refusal != Refusal.None)
        {
            Refuse(id, update.Sent, refusal);
            return;
        }

        ref int newest = ref CollectionsMarshal.GetValueRefOrAddDefault(_newestRuns, id, out bool known);
        if (known && TryFollow(ref update, ref Runs[newest])) return;
        ChannelSlot? slot = known ? Runs[newest].Slot : channels.Find(id);
        if (slot is null)
        {
            NoteUseless();
            _newestRuns.Remove(id);
            Refuse(id, update.Sent, Refusal.UnknownChannel);
            return;
        }

        newest = _runs.Count;
        _runs.Add(new UpdateRun(slot, _updates.Count, said));
        _updates.Add(update);
    }

    /// <summary>Whether the payments lead from the run's newest update to this one, which then becomes the newest.</summary>
    private bool TryFollow(ref BatchUpdate update, ref UpdateRun run)
    {
        ref BatchUpdate last = ref CollectionsMarshal.AsSpan(_updates)[run.Last];
        if (update.Sent < last.Sent || update.Received < last.Received) return false;
        if (update.Sent == last.Sent && update.Received == last.Received) (update.PaymentCount, update.PaymentSum) = (0, 0);
        else if (update.PaymentCount > 0 && update.Sent - update.PaymentSum != last.Sent) return false;
        if (run.PaymentBytes + update.Said.PaymentBytes > RunPaymentBytesMax) return false;

        last.After = _updates.Count;
        update.Before = run.Last;
        run.Last = _updates.Count;
        run.PaymentBytes += update.Said.PaymentBytes;
        run.WantsReceipt |= update.Said.WantsReceipt;
        _updates.Add(update);
        return true;
    }

    /// <summary>
    /// Checks the signatures of runs, on this thread and idle cores. False when there is more to do: runs with many bad
    /// updates take several goes, so that whoever sends such things holds up nobody but itself.
    /// </summary>
    public bool Verify(int from, int count)
    {
        (_verifyFrom, _isUnfinished) = (from, false);
        DoAll(count);
        return !_isUnfinished;
    }

    /// <summary>
    /// Something was said of a channel that the peer has not with this node, and was looked for on disk, or that was never funded: no honest
    /// node does that often, and who does waits for it as for a wrong signature.
    /// </summary>
    public void NoteUseless() => Interlocked.Increment(ref _useless);

    /// <summary>The writer has found a wrong signature.</summary>
    public void NoteWrong() => Interlocked.Increment(ref _wrongSignatures);

    /// <summary>The wrong signatures that were found since this was asked last.</summary>
    public int TakeWrongSignatures() => Interlocked.Exchange(ref _wrongSignatures, 0);

    public int TakeUseless() => Interlocked.Exchange(ref _useless, 0);

    /// <summary>
    /// Goes back from the newest until one is rightly signed and, as the channel was committed last, acceptable: that one
    /// stands for all before it. Rightly signed ones after it, which the writer will refuse unless the channel has
    /// changed by then, are kept beside it. So the writer hardly ever checks a signature itself.
    /// </summary>
    protected override void Do(int piece)
    {
        ref UpdateRun run = ref Runs[_verifyFrom + piece];
        if (run.IsVerified) return;
        if (run.At < 0) run.At = run.Last;
        for (int left = VerificationsPerGo; left > 0; left--)
        {
            run.IsVerified = TryStand(ref run, run.At) || run.At == run.First;
            if (run.IsVerified) return;
            run.At = _updates[run.At].Before;
        }

        _isUnfinished = true;
    }

    private bool TryStand(ref UpdateRun run, int at)
    {
        Channel channel = run.Slot.Channel;
        if (!TryVerify(channel, at, out VerifiedUpdate verified))
        {
            Interlocked.Increment(ref _wrongSignatures);
            Refuse(channel.Id, _updates[at].Sent, Refusal.WrongSigner);
            return false;
        }

        if (at != run.First && MayPassWithoutIt(Core.Updates.Check(channel, run.Slot.State, verified.Update)))
        {
            (run.Doubtful ??= []).Add((at, verified));
            return false;
        }

        (run.Newest, run.Verified) = (at, verified);
        return true;
    }

    /// <summary>Whether what an update is refused for may not hold of the one before it.</summary>
    private static bool MayPassWithoutIt(Refusal refusal) => refusal is
        Refusal.AmountTooLarge or Refusal.ReceivedNotSent or Refusal.InsufficientBalance or Refusal.DepositUncredited;

    public bool TryVerify(Channel channel, int at, out VerifiedUpdate verified)
    {
        ref readonly BatchUpdate update = ref Updates[at];
        return VerifiedUpdate.TryVerify(
            scheme,
            new BalanceUpdate(channel.Id, update.Sent, update.Received),
            update.Frame.SignatureAt(update.Said.Signature),
            channel.Theirs.Signer,
            out verified);
    }

    /// <summary>From any thread: parts of a batch are verified while others are decided.</summary>
    public void Refuse(ChannelId channel, UInt128 sent, Refusal reason, ulong untilSeconds = 0)
    {
        lock (_refused) _refused.Add(new RefusedUpdate(channel, sent, reason, untilSeconds));
    }

    /// <summary>Everything is decided and told.</summary>
    public void Clear()
    {
        foreach (PeerFrame frame in _frames) frame.Return();
        _frames.Clear();
        _updates.Clear();
        _runs.Clear();
        _acknowledgements.Clear();
        _receipts.Clear();
        _refused.Clear();
        _newestRuns.Clear();
        _heard.Clear();
        (_bytes, Weight, LargestFrame) = (0, 0, 0);
        Shrink(_updates);
        Shrink(_runs);
        Shrink(_acknowledgements);
        Shrink(_receipts);
        Shrink(_refused);
        if (_newestRuns.Capacity > KeptMax) _newestRuns.TrimExcess();
        if (_heard.Capacity > KeptMax) _heard.TrimExcess();
    }

    private static void Shrink<T>(List<T> emptied)
    {
        if (emptied.Capacity > KeptMax) emptied.Capacity = 0;
    }
}

/// <summary>One update of a batch whose list of payments is well formed.</summary>
internal struct BatchUpdate
{
    public required PeerFrame Frame { get; init; }

    public required FrameUpdate Said { get; init; }

    public required UInt128 Sent { get; init; }

    public required UInt128 Received { get; init; }

    public int PaymentCount;

    public UInt128 PaymentSum;

    /// <summary>Places in the batch of the updates before and after it in its run.</summary>
    public int Before;

    public int After;

    public readonly ReadOnlySpan<byte> Payments => Frame.PaymentsOf(Said);
}

/// <summary>Updates of one channel that follow one another, from First to Last in their batch.</summary>
internal struct UpdateRun(ChannelSlot slot, int first, in FrameUpdate said)
{
    public readonly ChannelSlot Slot = slot;

    public readonly int First = first;

    public int Last = first;

    public int PaymentBytes = said.PaymentBytes;

    public bool WantsReceipt = said.WantsReceipt;

    /// <summary>The update to be looked at next, going back; negative before the newest.</summary>
    public int At = -1;

    public bool IsVerified;

    /// <summary>The update that stands for the run; negative when none is rightly signed.</summary>
    public int Newest = -1;

    public VerifiedUpdate Verified;

    /// <summary>Rightly signed ones after <see cref="Newest"/>, newest first.</summary>
    public List<(int At, VerifiedUpdate Verified)>? Doubtful;
}

/// <summary>The channels that a peer may speak of: those whose other signer it is.</summary>
internal sealed class PeerChannels(ChannelBook book, Address signer)
{
    public ChannelSlot? Find(ChannelId id) =>
        book.Find(id) is { } slot && slot.Channel.Theirs.Signer == signer ? slot : null;
}
