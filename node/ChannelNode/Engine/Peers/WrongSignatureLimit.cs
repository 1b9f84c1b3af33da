namespace ChannelNode.Engine;

/// <summary>
/// How many wrong signatures of a peer are looked at in a second. One costs as much to check as a right one, and an honest
/// node never sends any: so its sender waits for each, and is looked at in small portions for a while, that nobody else
/// has to wait for a large one. Nothing is lost: every update is judged and answered. Not for several threads.
/// </summary>
/// <param name="ofAll">Shared with the sessions of all other peers.</param>
internal sealed class WrongSignatureLimit(TimeProvider time, int perSecond, WrongSignaturePace ofAll)
{
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(10);

    private long? _newest;

    /// <summary>Wrong ones came lately, and more are to be expected.</summary>
    public bool IsWary => _newest is { } newest && time.GetElapsedTime(newest) < Remembered;

    /// <summary>How long to wait after <paramref name="count"/> more.</summary>
    public TimeSpan After(int count)
    {
        _newest = time.GetTimestamp();
        TimeSpan own = new(TimeSpan.TicksPerSecond / perSecond * count), others = ofAll.After(count);
        return own > others ? own : others;
    }
}

/// <summary>
/// The same of all peers together: keys cost nothing, and a hundred that flood would else have a core between them. Whoever sends
/// wrong signatures waits behind all others that do. For any thread.
/// </summary>
internal sealed class WrongSignaturePace(TimeProvider time, int perPeerAndSecond)
{
    /// <summary>As many peers may use up what each may send.</summary>
    public const int Peers = 5;

    private readonly long _interval = Math.Max(1, time.TimestampFrequency / ((long)perPeerAndSecond * Peers));
    private readonly Lock _lock = new();
    private long _due = time.GetTimestamp();

    /// <summary>How long to wait after <paramref name="count"/> more.</summary>
    public TimeSpan After(int count)
    {
        lock (_lock)
        {
            long now = time.GetTimestamp();
            _due = Math.Max(_due, now) + count * _interval;
            return time.GetElapsedTime(now, _due);
        }
    }
}
