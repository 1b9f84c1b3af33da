namespace ChannelNode.Engine;

/// <summary>
/// How many wrong signatures a peer may send in a second before its session waits. A signature costs as much to check
/// when it is wrong, and an honest node never sends one: so what a flood of them takes of the cores stays small, and
/// only the peer that sends it waits. Nothing is lost: every update is judged and answered. Not for several threads.
/// </summary>
internal sealed class WrongSignatureLimit(TimeProvider time, int perSecond)
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly long _ticksOfEach = TimeSpan.TicksPerSecond / perSecond;
    private TimeSpan _owed;
    private long _at = time.GetTimestamp();

    /// <summary>How long to wait after <paramref name="count"/> more; zero within the limit.</summary>
    public TimeSpan After(int count)
    {
        long now = time.GetTimestamp();
        TimeSpan left = _owed - time.GetElapsedTime(_at, now);
        _owed = (left > TimeSpan.Zero ? left : TimeSpan.Zero) + new TimeSpan(_ticksOfEach * count);
        _at = now;
        return _owed > Second ? _owed - Second : TimeSpan.Zero;
    }
}
