namespace ChannelNode.Cli;

/// <summary>How long to wait after a failure that may pass: from 20 ms, doubled each time, up to a second.</summary>
internal sealed class BackOff(TimeProvider time)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private TimeSpan _pause = Shortest;
    private DateTimeOffset _until = DateTimeOffset.MinValue;

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
        lock (_gate)
        {
            DateTimeOffset now = time.GetUtcNow();
            if (now < _until) return;
            _until = now + _pause;
            _pause = _pause * 2 < Longest ? _pause * 2 : Longest;
        }
    }

    public void Succeeded()
    {
        lock (_gate) _pause = Shortest;
    }
}
