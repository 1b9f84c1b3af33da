namespace ChannelNode.Engine;

/// <summary>
/// How many wrong signatures of a peer are looked at in a second. One costs as much to check as a right one, and an honest
/// node never sends any: so its sender waits for each, and is looked at in small portions for a while, that nobody else
/// has to wait for a large one. Nothing is lost: every update is judged and answered. Not for several threads.
/// </summary>
internal sealed class WrongSignatureLimit(TimeProvider time, int perSecond)
{
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(10);

    private long? _newest;

    /// <summary>Wrong ones came lately, and more are to be expected.</summary>
    public bool IsWary => _newest is { } newest && time.GetElapsedTime(newest) < Remembered;

    /// <summary>How long to wait after <paramref name="count"/> more.</summary>
    public TimeSpan After(int count)
    {
        _newest = time.GetTimestamp();
        return new TimeSpan(TimeSpan.TicksPerSecond / perSecond * count);
    }
}
