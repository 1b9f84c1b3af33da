using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Commands on their way to the ledger's writer, which is a thread of its own: whoever adds to an empty queue wakes it
/// directly, without another thread in between. Who takes a turn has it alone: the writer, or a caller that finds nothing
/// to wait for. Bounded: callers wait while it is full.
/// </summary>
/// <param name="max">Commands that wait at most.</param>
/// <param name="updatesWaitedFor">As many as make a sync cheap for each: more are not waited for.</param>
/// <param name="bulkWaitedFor">The same where all that waits is of many (<see cref="LedgerCommand.IsOfMany"/>).</param>
/// <param name="patienceMs">How long the writer waits at most for what is expected; -1 without an end.</param>
/// <param name="bulkPatienceMs">The same where all that waits is of many.</param>
internal sealed class LedgerQueue(
    int max, int updatesWaitedFor = 256, int bulkWaitedFor = 256, int patienceMs = LedgerQueue.PatienceMs,
    int bulkPatienceMs = LedgerQueue.BulkPatienceMs)
{
    /// <summary>Lets everybody through who waits for room, to be told that nothing is taken any more.</summary>
    private const int Everybody = 1_000_000_000;

    private const int PatienceMs = 5;

    private const int BulkPatienceMs = 10;

    /// <summary>Where all that waits is of many, so many times as much waits for what is expected. Whoever has few under way waits no longer.</summary>
    private const int BulkForEachExpected = 8;

    private readonly SemaphoreSlim _room = new(max);
    private readonly Queue<LedgerCommand> _waiting = new();
    private bool _isComplete;
    private bool _writerSleeps;
    private int _updates;
    private int _others;
    private int _single;
    private int _expected;

    /// <summary>Somebody has the turn. Nobody else than the writer begins: before it first waits, everything waits.</summary>
    private bool _isTaken = true;

    /// <summary>Updates that are being verified and come next.</summary>
    public int Expected
    {
        get
        {
            lock (_waiting) return _expected;
        }
    }

    public int Count
    {
        get
        {
            lock (_waiting) return _waiting.Count;
        }
    }

    public bool IsEmpty
    {
        get
        {
            lock (_waiting) return _waiting.Count == 0;
        }
    }

    /// <summary>Nothing waits, and nobody has the turn.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_waiting) return !_isTaken && _waiting.Count == 0;
        }
    }

    /// <summary>Throws <see cref="RefusalException"/> with NotReady when the queue is complete.</summary>
    public async ValueTask EnqueueAsync(LedgerCommand command, CancellationToken cancel)
    {
        if (!_room.Wait(0, cancel)) await _room.WaitAsync(cancel);
        lock (_waiting)
        {
            if (_isComplete) throw new RefusalException(Refusal.NotReady, "the node is stopping");
            _waiting.Enqueue(command);
            Weigh(command, 1);
            bool isFirstOfItsKind = _waiting.Count == 1 || (_single == 1 && !command.IsOfMany); // The writer has less patience now.
            if (_writerSleeps && !_isTaken && (isFirstOfItsKind || !IsMoreAboutToCome)) Monitor.Pulse(_waiting);
        }
    }

    private void Weigh(LedgerCommand command, int more)
    {
        if (!command.IsOfMany) _single += more;
        if (command.RunCount == 0) _others += more;
        else _updates += more * command.RunCount;
    }

    /// <summary>
    /// So many updates more, or less, are being verified and come next. Where those are more than the updates that wait, and nothing
    /// else does, the writer lets them join: a sync costs as much as several verifications, so a busy node has many updates share one.
    /// Where all that waits is of many, an eighth of it is enough, and more are let join: to such a peer time counts less than what each
    /// costs, and the frames of answers, and whom they wake, are shared too.
    /// </summary>
    public void Expect(int updates)
    {
        lock (_waiting)
        {
            _expected += updates;
            if (updates < 0 && _writerSleeps && !_isTaken && _waiting.Count > 0 && !IsMoreAboutToCome) Monitor.Pulse(_waiting);
        }
    }

    private bool IsMoreAboutToCome => Patience != 0;

    /// <summary>For how many milliseconds what waits may be let wait for more; 0 for none.</summary>
    private int Patience
    {
        get
        {
            if (_others > 0 || _waiting.Count >= max || _isComplete) return 0;
            if (_single == 0 && _expected * BulkForEachExpected > _updates && _updates < bulkWaitedFor) return bulkPatienceMs;
            return _expected > _updates && _updates < updatesWaitedFor ? patienceMs : 0;
        }
    }

    /// <summary>
    /// For the writer: its turn is over; sleeps until there is something to take, and then it has the turn again. False
    /// when there will never be. Without <paramref name="isPatient"/> nothing more is let join what waits.
    /// </summary>
    public bool WaitToTake(bool isPatient = true)
    {
        lock (_waiting)
        {
            _isTaken = false;
            long since = 0;
            while (MillisecondsToWait(isPatient, ref since) is var milliseconds and not 0)
            {
                if (_isComplete && !_isTaken) return false;
                _writerSleeps = true;
                Monitor.Wait(_waiting, milliseconds);
                _writerSleeps = false;
            }

            return _isTaken = true;
        }
    }

    /// <summary>-1 without an end. <paramref name="since"/> is when something that could be taken was first let wait.</summary>
    private int MillisecondsToWait(bool isPatient, ref long since)
    {
        if (_isTaken || _waiting.Count == 0)
        {
            since = 0;
            return Timeout.Infinite;
        }

        int patience = isPatient ? Patience : 0;
        if (patience <= 0) return patience;
        if (since == 0) since = Stopwatch.GetTimestamp();
        return Math.Max(0, patience - (int)Stopwatch.GetElapsedTime(since).TotalMilliseconds);
    }

    /// <summary>For others than the writer: takes the turn when nothing waits and nobody has it.</summary>
    public bool TryBeginTurn()
    {
        lock (_waiting)
        {
            if (_isTaken || _isComplete || _waiting.Count > 0) return false;
            return _isTaken = true;
        }
    }

    /// <summary>After <see cref="TryBeginTurn"/>: what came meanwhile is the writer's.</summary>
    public void EndTurn()
    {
        lock (_waiting)
        {
            _isTaken = false;
            if (_writerSleeps && (_isComplete || _waiting.Count > 0)) Monitor.Pulse(_waiting);
        }
    }

    public bool TryTake([NotNullWhen(true)] out LedgerCommand? command)
    {
        lock (_waiting)
        {
            if (!_waiting.TryDequeue(out command)) return false;
            Weigh(command, -1);
        }

        _room.Release();
        return true;
    }

    /// <summary>Nothing more is taken in; what waits can still be taken out.</summary>
    public void Complete()
    {
        lock (_waiting)
        {
            if (_isComplete) return;
            _isComplete = true;
            Monitor.Pulse(_waiting);
        }

        _room.Release(Everybody);
    }
}
