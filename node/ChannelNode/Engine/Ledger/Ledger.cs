using System.Buffers;
using System.Runtime.ExceptionServices;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// The one writer of all channels: a thread of its own, or who finds it idle. Takes what waits, decides, commits it together, and only then lets anything be
/// said: <see cref="Conclude"/> is the one place where "persist, then speak" stands.
/// </summary>
internal sealed class Ledger : IAsyncDisposable
{
    private readonly LedgerQueue _queue;
    private readonly IChannelStore _store;
    private readonly ILogger<Ledger> _log;
    private readonly int _batchMax;
    private readonly GuardMarks? _marks;
    private readonly LedgerTurn _turn;
    private Task _writer = Task.CompletedTask;
    private ExceptionDispatchInfo? _failed;
    private long _receivedCursor;
    private readonly Signal _received = new();
    private long _eventCursor;
    private long _auditCursor;
    private readonly Signal _happened = new();
    private readonly HashSet<PeerLink> _spokenTo = [];
    private readonly Action<PeerLink> _goOn;

    /// <summary>Received payments that one turn takes at most, a last update beyond it aside.</summary>
    private const int ReceivedPerTurnMax = 65_536;

    /// <summary>A sync costs the processor as much as some of them do: of so many it is a hundredth.</summary>
    private const int UpdatesPerSync = 256;

    /// <summary>So many take some milliseconds to be decided and written, for which others wait: only where all come in bulk is it worth that.</summary>
    private const int BulkUpdatesPerSync = 1_024;

    /// <summary>Payments told under one signature at most: what every node takes.</summary>
    private const int PaymentsPerUpdateMax = 16_384;

    public Ledger(
        ChannelBook book, IChannelStore store, ChainView view, NodeClock clock, NodeOptions options, ILogger<Ledger> log,
        GuardMarks? marks = null, PolicyGate? policies = null)
    {
        _marks = marks;
        _store = store;
        _log = log;
        _batchMax = options.CommitBatchMax;
        _receivedCursor = (long)store.ReadReceivedCursor();
        _eventCursor = (long)store.ReadEventCursor();
        _queue = new LedgerQueue(options.LedgerQueueMax, Math.Min(UpdatesPerSync, _batchMax), Math.Min(BulkUpdatesPerSync, _batchMax));
        _auditCursor = (long)store.ReadAuditCursor();
        Disk = new DiskRoom(options.DiskReserveBytes);
        _goOn = link => _ = GoOnAsync(link);
        _turn = new LedgerTurn(book, store, view, clock, options, Counts, _goOn, policies) { Disk = Disk };
    }

    public DiskRoom Disk { get; }

    /// <summary>Asked, where it is set, whether what a payment brings about can be signed.</summary>
    public ISignatureScheme? Signing { init => _turn.Signing = value; }

    /// <summary>Starts the writer. Until then commands wait.</summary>
    public void Start() => _writer = Task.Factory.StartNew(
        RunWriter, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>
    /// Instead of <see cref="Start"/>, for simulations: takes one turn on the caller's thread. False when nothing waits.
    /// What a writer's thread would die of is thrown.
    /// </summary>
    internal bool TakeTurn()
    {
        if (_queue.IsEmpty) return false;
        Turn(_turn);
        return true;
    }

    /// <summary>Ends when the ledger stops; faulted when the disk or the code failed: the node must stop then.</summary>
    public Task Completion => _writer;

    /// <summary>The newest cursor of payments received that is on disk.</summary>
    public ulong ReceivedCursor => (ulong)Interlocked.Read(ref _receivedCursor);

    /// <summary>The newest cursor of operators' events that is on disk.</summary>
    public ulong EventCursor => (ulong)Interlocked.Read(ref _eventCursor);

    public LedgerCounts Counts { get; } = new();

    /// <summary>Told of every commit; set before the ledger is started.</summary>
    public CommitWatcher? Watcher { private get; set; }

    /// <summary>Commands that wait for a turn.</summary>
    public int QueueLength => _queue.Count;

    /// <summary>The newest cursor of the policies' audit log that is on disk.</summary>
    public ulong AuditCursor => (ulong)Interlocked.Read(ref _auditCursor);

    /// <summary>Nothing waits and nobody takes a turn.</summary>
    public bool IsIdle => _queue.IsIdle;

    /// <summary>
    /// Takes a turn with this one command on the caller's thread, and says there too what <paramref name="link"/> is to be
    /// told; false, and nothing is done, when anything else is under way. Spares an idle node two changes of threads. The
    /// caller is held up by one fsync at most.
    /// </summary>
    public bool TryTurn(LedgerCommand command, PeerLink link)
    {
        if (!_queue.TryBeginTurn()) return false;
        try
        {
            _turn.Run(command);
            Conclude(_turn, link);
        }
        catch (Exception error)
        {
            // Nobody takes another turn, and the writer dies of it.
            _failed = ExceptionDispatchInfo.Capture(error);
            _queue.Complete();
        }

        _queue.EndTurn();
        link.WakeHere();
        return true;
    }

    /// <summary>Queues a command; waits while the queue is full.</summary>
    public ValueTask EnqueueAsync(LedgerCommand command, CancellationToken cancel) => _queue.EnqueueAsync(command, cancel);

    /// <summary>So many updates more, or less, are being verified and come next.</summary>
    public void Expect(int updates) => _queue.Expect(updates);

    public int Expected => _queue.Expected;

    /// <summary>Runs a decision on the writer; the result is given once it is on disk.</summary>
    public async Task<T> RunAsync<T>(Func<LedgerTurn, T> decide, CancellationToken cancel)
    {
        LedgerDecision<T> decision = new(decide);
        await EnqueueAsync(decision, cancel);
        return await decision.Task;
    }

    /// <summary>Journals an event that no write of a change tells of; on disk when this returns.</summary>
    public Task TellAsync(OperatorEvent what, CancellationToken cancel) => RunAsync(
        turn =>
        {
            turn.Tell(what);
            return true;
        },
        cancel);

    /// <summary>Returns when an event with a cursor above <paramref name="cursor"/> is on disk.</summary>
    public Task WhenHappenedAsync(ulong cursor, CancellationToken cancel) =>
        _happened.WhenAsync(() => EventCursor > cursor, cancel);

    /// <summary>Returns when a payment with a cursor above <paramref name="cursor"/> is on disk.</summary>
    public Task WhenReceivedAsync(ulong cursor, CancellationToken cancel) =>
        _received.WhenAsync(() => ReceivedCursor > cursor, cancel);

    public async ValueTask DisposeAsync()
    {
        _queue.Complete();
        try
        {
            await _writer;
        }
        catch (Exception)
        {
            // Told by Completion to whoever must stop the node.
        }
    }

    private void RunWriter()
    {
        try
        {
            bool isPatient = true;
            while (_queue.WaitToTake(isPatient))
            {
                _failed?.Throw();
                isPatient = Turn(_turn);
            }

            _failed?.Throw();
        }
        catch (Exception error)
        {
            _log.LedgerFailed(error);
            _queue.Complete();
            _turn.Fail(error);
            while (_queue.TryTake(out LedgerCommand? command)) command.Abandon(error);
            throw;
        }
        finally
        {
            _turn.Batch.Dispose();
        }
    }

    /// <summary>False when it was full, and what still waits has waited enough.</summary>
    private bool Turn(LedgerTurn turn)
    {
        bool hasTakenAll = false;
        while (!hasTakenAll && turn.Weight < _batchMax && turn.ReceivedCount < ReceivedPerTurnMax)
        {
            if (_queue.TryTake(out LedgerCommand? command)) turn.Run(command);
            else hasTakenAll = true;
        }

        Conclude(turn, wakesItself: null);
        return hasTakenAll || _queue.IsEmpty;
    }

    private void Conclude(LedgerTurn turn, PeerLink? wakesItself)
    {
        turn.ApplyHeld();

        // Persist,
        turn.Commit();

        // then speak. Who is answered can read at once all that is on disk.
        foreach (ChannelSlot slot in turn.TouchedSlots)
        {
            slot.Publish();
            turn.CountNotTaken(slot);
        }

        bool hasReceived = Advance(ref _receivedCursor, turn.ReceivedCursor);
        bool hasHappened = Advance(ref _eventCursor, turn.EventCursor);
        Advance(ref _auditCursor, turn.AuditCursor);
        if (hasHappened) Count(turn.Told);
        foreach (ChannelSlot slot in turn.TouchedSlots) Speak(slot);
        turn.Policies?.SayLimits(_spokenTo);
        foreach (PeerLink link in _spokenTo) link.EndTurn();
        turn.NotifyCommitted();
        foreach (PeerLink link in _spokenTo)
            if (link != wakesItself) link.Wake();
        _spokenTo.Clear();
        if (hasReceived) _received.Raise();
        if (hasHappened) NotifyTold(turn.Told);
        if (turn.Figures is { } figures) Watcher?.Invoke(figures);
        turn.Reset();
    }

    private static bool Advance(ref long cursor, ulong newest)
    {
        if (cursor == (long)newest) return false;
        Interlocked.Exchange(ref cursor, (long)newest);
        return true;
    }

    private void Speak(ChannelSlot slot)
    {
        if (slot.HasNewsForGuards) _marks?.Mark(slot);
        if (slot.UnderWay.TakeAcknowledged(slot.Working.Acknowledged, out long toldAt) is var updates and > 0)
            _turn.Acknowledged(updates, toldAt);
        slot.InFlight.Acknowledge(slot.Working.Acknowledged, ref Counts.PaymentsPaid, slot.NewestReceipt);
        if (slot.InFlight.Count == 0) slot.WantsReceipt = false;
        if (slot.Link is { Room: { } room } link && room.Commit(slot) && slot.HasTurned) AskAgain(slot, link);
        if (slot.AcknowledgementDue) Acknowledge(slot);
        if (slot.ReofferAbove is { } received) slot.ReofferAbove = Reoffer(slot, received);
        else if (slot.New.Count > 0) Tell(slot, slot.New.Payments, anew: false);
        else return;
        slot.New.Clear();
    }

    /// <summary>
    /// What was under way is so no more, or is again, with the chain: neither signing nor acknowledgements tell then how much is left.
    /// With where the channel stands the peer tells it.
    /// </summary>
    private void AskAgain(ChannelSlot slot, PeerLink link)
    {
        slot.EstablishedOn = null;
        link.Reestablishing.Ask(slot);
        _spokenTo.Add(link);
    }

    /// <summary>Side B of a one-way channel has no updates to sign, so its acknowledgements are no receipts.</summary>
    private void Acknowledge(ChannelSlot slot)
    {
        bool withReceipt = slot.ReceiptDue && !slot.Channel.Terms.OneWay;
        slot.AcknowledgementDue = false;
        slot.ReceiptDue = false;
        if (slot.Link is not { } link) return;
        link.Acknowledge(slot, withReceipt);
        _spokenTo.Add(link);
    }

    /// <summary>
    /// Sends everything that the peer has not accepted, above <paramref name="received"/>, as one update; or answers above what it is
    /// to be sent when the peer has taken what it is told already.
    /// </summary>
    private UInt128? Reoffer(ChannelSlot slot, UInt128 received)
    {
        received = UInt128.Max(received, slot.PeerHas); // It may have taken some of it while the rest was held back.
        if (slot.IsEstablished && slot.Link!.HoldsOffers(_goOn))
        {
            slot.Link.OffersHeld.Add(slot);
            _spokenTo.Add(slot.Link);
            return received;
        }

        ArrayBufferWriter<byte> list = new();
        UInt128 asOne = Missing.Write(list, slot, above => _store.ReadOutgoing(slot.Channel.Id, above), received, PaymentsPerUpdateMax);
        if (asOne != UInt128.Zero) _log.PeerLostState(slot.Channel.Id, received, slot.Working.Acknowledged, asOne);
        if (list.WrittenCount > 0) Tell(slot, list.WrittenSpan, anew: true);
        return null;
    }

    /// <summary>The peer has taken what it was to be told: there is room for what was held back.</summary>
    private async Task GoOnAsync(PeerLink link)
    {
        try
        {
            await EnqueueAsync(new TellMore(link), CancellationToken.None);
        }
        catch (RefusalException)
        {
            // The node is stopping; the next connection tells the peer what it misses.
        }
    }

    /// <summary>Hands the slot's committed totals to the session, which signs them, with the payments that led there.</summary>
    private void Tell(ChannelSlot slot, ReadOnlySpan<byte> payments, bool anew)
    {
        if (!slot.IsEstablished)
        {
            // Told again when the peer is back; it may be already, in a session that began in this very turn and knew of nothing to ask.
            slot.Link?.Reestablishing.Ask(slot);
            if (slot.Link is { } asked) _spokenTo.Add(asked);
            return;
        }

        if (anew) slot.UnderWay.Clear();
        slot.UnderWay.Add(slot.Working.Sent, _turn.CommittedAt);
        Counts.UpdatesTold++;
        slot.Link!.Tell(slot, payments, slot.WantsReceipt, anew, slot.New.Traced);
        _spokenTo.Add(slot.Link);
    }

    private void Count(IReadOnlyList<OperatorEvent> told)
    {
        foreach (OperatorEvent what in told) Counts.Events.Add(what);
    }

    private void NotifyTold(IReadOnlyList<OperatorEvent> told)
    {
        _happened.Raise();
        foreach (OperatorEvent what in told) _log.Told(LevelOf(what.Severity), what.Cursor, what.Kind, what.Sentence);
    }

    private static LogLevel LevelOf(EventSeverity severity) => severity switch
    {
        EventSeverity.Alarm => LogLevel.Critical,
        EventSeverity.Warning => LogLevel.Warning,
        _ => LogLevel.Information,
    };
}

/// <summary>A decision of the ledger with a result.</summary>
internal sealed class LedgerDecision<T>(Func<LedgerTurn, T> decide) : LedgerCommand
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? _result;
    private RefusalException? _refusal;

    public Task<T> Task => _done.Task;

    internal override void Apply(LedgerTurn turn)
    {
        try
        {
            _result = decide(turn);
        }
        catch (RefusalException refusal)
        {
            _refusal = refusal;
        }
    }

    internal override void Committed()
    {
        if (_refusal is not null) _done.TrySetException(_refusal);
        else _done.TrySetResult(_result!);
    }

    internal override void Abandon(Exception error) =>
        _done.TrySetException(new RefusalException(Refusal.NotReady, "the node is stopping", error));

    internal override void Fail(Exception error) => Abandon(error);
}
