namespace ChannelNode.Tests.Simulation;

/// <summary>Time that passes when it is told to; timers go off in their order.</summary>
internal sealed class SimulatedTime : TimeProvider
{
    private readonly List<Timer> _timers = [];
    private long _nowMs = 1_700_000_000_000;

    public override long TimestampFrequency => 1_000;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(_nowMs);

    public override long GetTimestamp() => _nowMs;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Timer timer = new(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    public void Advance(long ms)
    {
        long until = _nowMs + ms;
        while (_timers.Where(timer => timer.DueMs <= until).MinBy(timer => timer.DueMs) is { } next)
        {
            _nowMs = Math.Max(_nowMs, next.DueMs);
            next.GoOff();
        }

        _nowMs = until;
    }

    private sealed class Timer(SimulatedTime time, TimerCallback callback, object? state) : ITimer
    {
        private long _periodMs = -1;

        public long DueMs { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            time._timers.Remove(this);
            _periodMs = (long)period.TotalMilliseconds;
            if (dueTime < TimeSpan.Zero) return true;
            DueMs = time._nowMs + (long)dueTime.TotalMilliseconds;
            time._timers.Add(this);
            return true;
        }

        public void GoOff()
        {
            if (_periodMs > 0) DueMs += _periodMs;
            else time._timers.Remove(this);
            callback(state);
        }

        public void Dispose() => time._timers.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
