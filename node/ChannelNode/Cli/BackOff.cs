namespace ChannelNode.Cli;

/// <summary>
/// How long to wait after a failure that may pass: from 20 ms, doubled each time, up to a second. Where everything waits for
/// the same thing, one question at a time finds out whether it has passed.
/// </summary>
internal sealed class BackOff(TimeProvider time)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private TimeSpan _pause = Shortest;
    private DateTimeOffset _until = DateTimeOffset.MinValue;
    private bool _isStuck;

    /// <summary>What is left of the pause; zero when there is none.</summary>
    public TimeSpan Left
    {
        get
        {
            lock (_gate)
            {
                TimeSpan left = _until - time.GetUtcNow();
                return left > TimeSpan.Zero ? left : TimeSpan.Zero;
            }
        }
    }

    /// <summary>Many payments fail at once when a peer goes: within a pause they count as one failure.</summary>
    public void Failed()
    {
        lock (_gate) Pause();
    }

    /// <summary>Failed for what keeps all others from going through too, until <see cref="Succeeded"/>.</summary>
    public void GotStuck()
    {
        lock (_gate)
        {
            _isStuck = true;
            Pause();
        }
    }

    /// <summary>Whether one payment is to be asked for, not all: the pause after it has begun then, whatever becomes of it.</summary>
    public bool MustProbe()
    {
        lock (_gate)
        {
            if (_isStuck) Pause();
            return _isStuck;
        }
    }

    /// <summary>What all waited for has passed: no need to wait for the pause's end.</summary>
    public void Succeeded()
    {
        lock (_gate)
        {
            _pause = Shortest;
            if (_isStuck) _until = DateTimeOffset.MinValue;
            _isStuck = false;
        }
    }

    private void Pause()
    {
        DateTimeOffset now = time.GetUtcNow();
        if (now < _until) return;
        _until = now + _pause;
        _pause = _pause * 2 < Longest ? _pause * 2 : Longest;
    }
}
