namespace ChannelNode.Core;

/// <summary>
/// Sums and counts of the newest span of time, in slots that are let go of one by one. A window of n slots holds the last
/// n - 1 whole ones and the one that has begun: so never less than the span it is asked for, and at most one slot more. A
/// clock that steps back changes nothing until it has caught up. Not for several threads.
/// </summary>
public sealed class VelocityWindow
{
    private readonly UInt128[] _sums;
    private readonly ulong[] _counts;
    private long _newest;

    /// <param name="spanMs">The span that is never cut short, a multiple of <paramref name="slotMs"/>.</param>
    public VelocityWindow(long spanMs, long slotMs)
    {
        SlotMs = slotMs;
        _sums = new UInt128[spanMs / slotMs + 1];
        _counts = new ulong[_sums.Length];
    }

    public long SlotMs { get; }

    public UInt128 Sum { get; private set; }

    public ulong Count { get; private set; }

    /// <summary>The slot that counts now.</summary>
    public long Newest => _newest;

    public UInt128 NewestSum => _sums[_newest % _sums.Length];

    public ulong NewestCount => _counts[_newest % _sums.Length];

    /// <summary>Lets go of what is older than the window at this time.</summary>
    public void Advance(long nowMs)
    {
        long slot = nowMs / SlotMs;
        if (slot <= _newest) return;
        long gone = Math.Min(slot - _newest, _sums.Length);
        for (long step = 1; step <= gone; step++)
        {
            long at = (slot - gone + step) % _sums.Length;
            Sum -= _sums[at];
            Count -= _counts[at];
            (_sums[at], _counts[at]) = (UInt128.Zero, 0);
        }

        _newest = slot;
    }

    public void Add(long nowMs, UInt128 sum, ulong count)
    {
        Advance(nowMs);
        Put(_newest, sum, count);
    }

    /// <summary>What was counted in an earlier slot, before a restart; what the window does not reach is passed over.</summary>
    public void Restore(long slot, UInt128 sum, ulong count)
    {
        if (slot > _newest) Advance(slot * SlotMs);
        if (slot > _newest - _sums.Length) Put(slot, sum, count);
    }

    private void Put(long slot, UInt128 sum, ulong count)
    {
        long at = slot % _sums.Length;
        _sums[at] += sum;
        _counts[at] += count;
        Sum += sum;
        Count += count;
    }
}
