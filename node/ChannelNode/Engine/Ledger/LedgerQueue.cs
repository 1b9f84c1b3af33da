using System.Diagnostics.CodeAnalysis;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Commands on their way to the ledger's writer, which is a thread of its own: whoever adds to an empty queue wakes it
/// directly, without another thread in between. Who takes a turn has it alone: the writer, or a caller that finds nothing
/// to wait for. Bounded: callers wait while it is full.
/// </summary>
internal sealed class LedgerQueue(int max)
{
    /// <summary>Lets everybody through who waits for room, to be told that nothing is taken any more.</summary>
    private const int Everybody = 1_000_000_000;

    private readonly SemaphoreSlim _room = new(max);
    private readonly Queue<LedgerCommand> _waiting = new();
    private bool _isComplete;
    private bool _writerSleeps;

    /// <summary>Somebody has the turn. Nobody else than the writer begins: before it first waits, everything waits.</summary>
    private bool _isTaken = true;

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
            if (_writerSleeps && !_isTaken) Monitor.Pulse(_waiting);
        }
    }

    /// <summary>
    /// For the writer: its turn is over; sleeps until there is something to take, and then it has the turn again. False
    /// when there will never be.
    /// </summary>
    public bool WaitToTake()
    {
        lock (_waiting)
        {
            _isTaken = false;
            while (_isTaken || _waiting.Count == 0)
            {
                if (_isComplete && !_isTaken) return false;
                _writerSleeps = true;
                Monitor.Wait(_waiting);
                _writerSleeps = false;
            }

            return _isTaken = true;
        }
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
