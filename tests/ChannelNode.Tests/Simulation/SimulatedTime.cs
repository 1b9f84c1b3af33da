namespace ChannelNode.Tests.Simulation;

/// <summary>Time that passes when it is told to; timers go off in their order. Any thread may set one.</summary>
internal sealed class SimulatedTime : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<Timer> _timers = [];

    public long NowMs { get; private set; } = 1_700_000_000_000;

    public ulong NowSeconds => (ulong)(NowMs / 1_000);

    /// <summary>When the next timer goes off; far away where none runs.</summary>
    public long NextDueMs => Next()?.DueMs ?? long.MaxValue;

    public override long TimestampFrequency => 1_000;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(NowMs);

    public override long GetTimestamp() => NowMs;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        CreateTimer(this, callback, state, dueTime, period);

    public ITimer CreateTimer(object owner, TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Timer timer = new(this, owner, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>No timer of the owner goes off any more.</summary>
    public void Stop(object owner)
    {
        lock (_lock) _timers.RemoveAll(timer => timer.Owner == owner);
    }

    public void Advance(long ms)
    {
        long until = NowMs + ms;
        while (NextDueMs <= until)
        {
            MoveTo(NextDueMs);
            GoOff();
        }

        NowMs = until;
    }

    /// <summary>Without any timer going off.</summary>
    public void MoveTo(long ms) => NowMs = Math.Max(NowMs, ms);

    /// <summary>The one timer that is due first, where one is.</summary>
    public void GoOff()
    {
        if (Next() is { } next && next.DueMs <= NowMs) next.GoOff();
    }

    private Timer? Next()
    {
        Timer? next = null;
        lock (_lock)
        {
            foreach (Timer timer in _timers)
                if (next is null || timer.DueMs < next.DueMs) next = timer;
        }

        return next;
    }

    private sealed class Timer(SimulatedTime time, object owner, TimerCallback callback, object? state) : ITimer
    {
        private long _periodMs = -1;

        public object Owner => owner;

        public long DueMs { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._lock)
            {
                time._timers.Remove(this);
                _periodMs = (long)period.TotalMilliseconds;
                if (dueTime < TimeSpan.Zero) return true;
                DueMs = time.NowMs + (long)dueTime.TotalMilliseconds;
                time._timers.Add(this);
                return true;
            }
        }

        public void GoOff()
        {
            lock (time._lock)
            {
                if (_periodMs > 0) DueMs += _periodMs;
                else time._timers.Remove(this);
            }

            callback(state);
        }

        public void Dispose()
        {
            lock (time._lock) time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

/// <summary>The clock of one machine: it may be wrong, and when the machine stops its timers are gone.</summary>
internal sealed class MachineTime(SimulatedTime time, TimeSpan aheadBy) : TimeProvider
{
    public override long TimestampFrequency => time.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + aheadBy;

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        time.CreateTimer(this, callback, state, dueTime, period);

    public void Stop() => time.Stop(this);
}
