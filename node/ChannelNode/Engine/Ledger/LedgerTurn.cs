using System.Buffers;
using System.Runtime.InteropServices;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Something to be done by the ledger's writer, in the order in which it was queued.</summary>
internal abstract class LedgerCommand
{
    /// <summary>How much of a turn it is, once applied: 1, or the number of updates or payments in it.</summary>
    internal virtual int Weight => 1;

    /// <summary>Runs of a peer's updates in it, which may wait for others to share a sync; always the same.</summary>
    internal virtual int RunCount => 0;

    /// <summary>Its runs are some of many that a peer has sent in one frame; always the same.</summary>
    internal virtual bool IsOfMany => false;

    /// <summary>Decides and changes the slots' working state; nothing is visible or said before the turn's commit.</summary>
    internal abstract void Apply(LedgerTurn turn);

    /// <summary>The turn is on disk.</summary>
    internal virtual void Committed() { }

    /// <summary>The ledger stopped before this was begun: nothing of it was done.</summary>
    internal abstract void Abandon(Exception error);

    /// <summary>The turn could not be committed: it may be on disk or not, and nobody may be told either.</summary>
    internal virtual void Fail(Exception error) { }
}

/// <summary>
/// What can only be done once both sides have told, in this session, where the channel stands: applied again then, or
/// refused when the session ends.
/// </summary>
internal abstract class EstablishedCommand : LedgerCommand
{
    /// <summary>Nothing of it was done. Called on the ledger's thread: must be quick and must not throw.</summary>
    internal abstract void Refuse(Refusal refusal, LedgerTurn turn);
}

/// <summary>What one group commit gathers: the writes, the channels touched, the answers held back until then.</summary>
internal sealed class LedgerTurn(
    ChannelBook book, IChannelStore store, ChainView view, NodeClock clock, NodeOptions options, LedgerCounts counts,
    Action<PeerLink> goOn, PolicyGate? policies = null)
{
    private readonly Dictionary<string, OutgoingPayment> _keys = [];
    private readonly List<ChannelSlot> _touched = [];
    private readonly List<(ulong First, ChannelSlot Slot)> _toWrite = [];
    private readonly List<LedgerCommand> _commands = [];
    private readonly List<OperatorEvent> _told = [];
    private readonly List<SpendingCounter> _spent = [];
    private ulong _cursor = store.ReadReceivedCursor();
    private ulong _eventCursor = store.ReadEventCursor();
    private long _nowMs;
    private ulong _auditCursor = store.ReadAuditCursor();

    /// <summary>To gather a run's payments in.</summary>
    public ArrayBufferWriter<byte> Payments { get; } = new(4_096);

    /// <summary>To be added to as things are decided; a turn that is never committed ends the node.</summary>
    public LedgerCounts Counts { get; } = WithThoseFromBefore(counts, book);

    /// <summary>When the turn in progress, or the last one, was committed: a timestamp of the clock's.</summary>
    public long CommittedAt { get; private set; }

    /// <summary>How long the commit was synced for; zero where it was not.</summary>
    private TimeSpan _sync;

    private TimeSpan _slowestAcknowledgement;

    private bool _isCommitted;

    public int InFlightMax { get; } = options.InFlightPaymentsPerChannelMax;

    /// <summary>What a restored database does not accept yet.</summary>
    public RestoredHold Hold { get; } = book.Hold;

    /// <summary>The channel may be older than this restored database knows: a close of it may have been forgotten.</summary>
    public void HoldBack(ChannelSlot slot)
    {
        if (!Hold.IsOn || slot.IsHeld) return;
        slot.IsHeld = true;
        Batch.PutHeld(slot.Channel.Theirs.Signer, slot.Channel.Id);
    }

    /// <summary>Whether the chain is followed closely enough to take or give money.</summary>
    public bool ChainIsCurrent => view.IsCurrent;

    /// <summary>The newest block whose events are in the channels.</summary>
    public ulong FollowedUpTo => view.Cursor?.Number ?? 0;

    public required DiskRoom Disk { private get; init; }

    /// <summary>Whether what anybody is paid could take the room of what protects it.</summary>
    public bool DiskIsLow => Disk.IsLow;

    public ISignatureScheme? Signing { private get; set; }

    /// <summary>Whether what this node promises can be signed now, as far as is known.</summary>
    public bool CanSign => Signing is not { CanSign: false };

    /// <summary>Payments taken in so far; a turn has a limit of them too.</summary>
    public int ReceivedCount { get; private set; }

    /// <summary>Commands and updates taken so far.</summary>
    public int Weight { get; private set; }

    public IStoreBatch Batch { get; private set; } = store.NewBatch();

    public bool Durable { get; private set; }

    public ReadOnlySpan<ChannelSlot> TouchedSlots => CollectionsMarshal.AsSpan(_touched);

    public ulong ReceivedCursor => _cursor;

    public ulong EventCursor => _eventCursor;

    /// <summary>What operators are to hear of this turn.</summary>
    public IReadOnlyList<OperatorEvent> Told => _told;

    /// <summary>Marks a channel for writing, and the turn for fsync when anything said afterwards relies on it.</summary>
    public void Touch(ChannelSlot slot, bool durable)
    {
        Durable |= durable;
        slot.IsToBeWritten = true;
        TouchToSpeak(slot);
    }

    /// <summary>What the disk has already is to be said once more: nobody fills it by asking again.</summary>
    public void TouchToSpeak(ChannelSlot slot)
    {
        if (slot.Touched) return;
        slot.Touched = true;
        _touched.Add(slot);
        book.Keep(slot);
    }

    /// <summary>
    /// The command is applied again when the peer, which must be connected or expected back, has told where the channel stands.
    /// </summary>
    public void WaitForPeer(ChannelSlot slot, EstablishedCommand command)
    {
        slot.Waiting.Add(command);
        book.Keep(slot);
        if (slot.Link is { } link) link.Reestablishing.Ask(slot);
        else book.Links.Away.TryHold(slot);
    }

    /// <summary>Whether the peer, which is not connected, has said that it comes back at once.</summary>
    public bool IsExpectedBack(ChannelSlot slot) => book.Links.Away.IsAway(slot.Channel.Theirs.Signer);

    /// <summary>The peer has told where a channel of a restored database stands.</summary>
    public void Confirm(ChannelSlot slot)
    {
        bool isAskedAgain = slot.IsHeld && Hold.IsOn;
        if (slot.IsUnconfirmed)
        {
            slot.IsUnconfirmed = false;
            Batch.DropUnconfirmed(slot.Channel.Theirs.Signer, slot.Channel.Id);
            if (isAskedAgain) Batch.PutHeld(slot.Channel.Theirs.Signer, slot.Channel.Id);
        }
        else if (slot.IsHeld && !isAskedAgain)
        {
            Batch.DropHeld(slot.Channel.Theirs.Signer, slot.Channel.Id);
        }

        slot.IsHeld = isAskedAgain;
    }

    /// <summary>
    /// Whether a payment waits for an earlier update's acknowledgement: as many updates of the channel as may be are under
    /// way, or its peer is to be told much already, or others wait, and nothing else speaks against more.
    /// </summary>
    public bool MustWait(ChannelSlot slot) =>
        slot.IsEstablished && (slot.Waiting.Count > 0 || !HasRoom(slot)) && slot.PeerRefusal == Refusal.None && !slot.StateLost
        && slot.InFlight.Count + slot.Waiting.Count < InFlightMax;

    private bool HasRoom(ChannelSlot slot) =>
        slot.EstablishedOn is { IsGoingAway: false } link
        && slot.UnderWay.Count(slot.Working.Acknowledged) < options.UpdatesInFlightPerChannelMax && !link.HoldsPayments(goOn);

    /// <summary>The payment is applied again when the peer has acknowledged an update of the channel, or taken what it is to be told.</summary>
    public void WaitForRoom(ChannelSlot slot, PaymentRequest payment)
    {
        slot.Waiting.Add(payment);
        book.Keep(slot);
        slot.Link!.Held.Add(slot);
        if (HasRoom(slot)) Touch(slot, durable: false); // Made in this turn: at its end those before this one go on.
    }

    /// <summary>Where the turn has made room, what waited for it is in the turn too.</summary>
    public void ApplyHeld()
    {
        for (int index = 0; index < _touched.Count; index++)
        {
            ChannelSlot slot = _touched[index];
            if (slot.Waiting.Count > 0 && slot.IsEstablished && HasRoom(slot)) ApplyWaiting(slot);
        }
    }

    /// <summary>What waited for the peer goes on, or is refused for what speaks against it now.</summary>
    public void ApplyWaiting(ChannelSlot slot)
    {
        book.Keep(slot);
        slot.Link?.Held.Remove(slot);
        foreach (EstablishedCommand command in slot.TakeWaiting()) command.Apply(this);
    }

    /// <summary>How much more the peer takes, counted from here on.</summary>
    /// <returns>How much was to be looked at.</returns>
    public int TakeRoom(PeerLink link, PeerTold told)
    {
        link.Room ??= new PeerRoom(book.PerhapsUnacknowledgedBy(link.Signer));
        return _touched.Count + link.Room.Take(told, _touched.Where(slot => slot.Channel.Theirs.Signer == link.Signer));
    }

    /// <summary>The machine's time, the same for all of a turn from when it was first asked for.</summary>
    public long NowMs => _nowMs == 0 ? _nowMs = clock.NowMs : _nowMs;

    /// <summary>For writes that belong to no channel's state.</summary>
    public void RequireDurable() => Durable = true;

    public OutgoingPayment? FindOutgoing(string idempotencyKey) =>
        _keys.TryGetValue(idempotencyKey, out OutgoingPayment? payment) ? payment : store.FindOutgoing(idempotencyKey);

    /// <summary>A new payment with a key, which the store will know from the commit on.</summary>
    public void Remember(OutgoingPayment payment) => _keys.Add(payment.IdempotencyKey, payment);

    public void PutReceived(ChannelId channel, int count, UInt128 totalBefore, ReadOnlySpan<byte> payments)
    {
        Batch.PutReceived(new ReceivedRun(_cursor + 1, count, channel, totalBefore, NowMs), payments);
        _cursor += (ulong)count;
        ReceivedCount += count;
    }

    /// <summary>What a token has spent with this turn is in the write of the payments that spend it.</summary>
    public void Spend(SpendingCounter counter)
    {
        if (counter.IsCharged) return;
        counter.IsCharged = true;
        _spent.Add(counter);
    }

    /// <summary>
    /// Journals what operators care about in the write of the change that it tells of, so it is there with the change or
    /// not at all. The turn is synced: a cursor that a subscriber was told must never stand for another event.
    /// </summary>
    public void Tell(OperatorEvent what)
    {
        OperatorEvent told = what with { Cursor = ++_eventCursor, TimeMs = clock.NowMs };
        Batch.PutEvent(told);
        _told.Add(told);
        Durable = true;
    }

    /// <summary>The operator's rules; null for a watchtower, which takes and gives no money.</summary>
    public PolicyGate? Policies => policies;

    public ulong AuditCursor => _auditCursor;

    /// <summary>Puts a decision into the audit log, in the write of what was decided; synced, as events are.</summary>
    public void Audit(PolicyAuditEntry entry) => Audit(entry, string.Empty);

    public void Audit(PolicyAuditEntry entry, string actor)
    {
        Batch.PutAudit(entry with { Cursor = ++_auditCursor, TimeMs = clock.NowMs, Actor = actor });
        Durable = true;
    }

    public void Run(LedgerCommand command)
    {
        _commands.Add(command);
        command.Apply(this);
        Weight += command.Weight;
    }

    public void Fail(Exception error)
    {
        foreach (LedgerCommand command in _commands) command.Fail(error);
    }

    /// <summary>Persist: every touched channel's row and everything else of the turn, in one write.</summary>
    public void Commit()
    {
        policies?.Write(this);
        WriteStates();
        foreach (ChannelSlot slot in _touched)
        {
            if (slot.New.Count == 0) continue;
            Batch.PutSent(slot.New.Run(slot.Channel.Id));
            Counts.PaymentsSigned += slot.New.Count;
        }

        foreach (SpendingCounter counter in _spent)
        {
            counter.IsCharged = false;
            Batch.PutSpending(counter.Spending);
        }

        _spent.Clear();
        long begunAt = clock.Time.GetTimestamp();
        if (!Batch.IsEmpty)
        {
            store.Commit(Batch, Durable);
            Batch = store.NewBatch();
            CommittedAt = clock.Time.GetTimestamp();
            Count(clock.Time.GetElapsedTime(begunAt, CommittedAt));
        }
        else
        {
            CommittedAt = begunAt;
        }
    }

    /// <summary>In the order of their keys: each finds its place in the memtable near the one before, which the core's cache has.</summary>
    private void WriteStates()
    {
        foreach (ChannelSlot slot in _touched)
        {
            if (!slot.IsToBeWritten) continue;
            slot.IsToBeWritten = false;
            _toWrite.Add((slot.Channel.Id.Value.W0, slot));
        }

        if (_toWrite.Count > 1) CollectionsMarshal.AsSpan(_toWrite).Sort(static (one, other) => one.First.CompareTo(other.First));
        foreach ((_, ChannelSlot slot) in _toWrite) book.Write(slot, Batch);
        _toWrite.Clear();
    }

    private void Count(TimeSpan duration)
    {
        _isCommitted = true;
        Counts.Commits++;
        Counts.CommandsCommitted += Weight;
        Counts.PaymentsReceived += ReceivedCount;
        if (!Durable) return;
        Counts.SyncedCommits++;
        Counts.Syncs.Add(duration);
        _sync = duration;
    }

    /// <summary>Own updates of a channel, the oldest of them told at a time, are acknowledged, and that is committed.</summary>
    public void Acknowledged(int updates, long oldestToldAt)
    {
        Counts.UpdatesAcknowledged += updates;
        TimeSpan underWay = clock.Time.GetElapsedTime(oldestToldAt, CommittedAt);
        Counts.Acknowledgements.Add(underWay);
        if (underWay > _slowestAcknowledgement) _slowestAcknowledgement = underWay;
    }

    /// <summary>Null where there was nothing to commit.</summary>
    public CommitFigures? Figures => _isCommitted ? new CommitFigures(Weight, _sync, _slowestAcknowledgement) : null;

    public void NotifyCommitted()
    {
        foreach (LedgerCommand command in _commands) command.Committed();
    }

    private static LedgerCounts WithThoseFromBefore(LedgerCounts counts, ChannelBook book)
    {
        foreach (ChannelSlot slot in book.Unacknowledged)
        {
            counts.PaymentsFromBefore += slot.InFlight.Count;
            CountNotTaken(slot, counts);
        }

        return counts;
    }

    /// <summary>What this turn commits, before anybody is answered for it.</summary>
    public void CountNotTaken(ChannelSlot slot) => CountNotTaken(slot, Counts);

    private static void CountNotTaken(ChannelSlot slot, LedgerCounts counts)
    {
        int notTaken = slot.InFlight.Count > 0 && slot.Working.IsClosed
            ? slot.InFlight.Count - slot.InFlight.CountUpTo(slot.Working.Acknowledged)
            : 0;
        counts.PaymentsNotTaken += notTaken - slot.CountedNotTaken;
        slot.CountedNotTaken = notTaken;
    }

    public void Reset()
    {
        foreach (ChannelSlot slot in _touched) slot.Touched = false;
        _touched.Clear();
        _commands.Clear();
        _keys.Clear();
        _told.Clear();
        Durable = false;
        ReceivedCount = 0;
        Weight = 0;
        _isCommitted = false;
        _sync = TimeSpan.Zero;
        _slowestAcknowledgement = TimeSpan.Zero;
        _nowMs = 0;
        book.Sweep(Batch);
    }
}
