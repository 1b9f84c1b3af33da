namespace ChannelNode.Engine;

/// <summary>
/// Holds the slots that are used, up to a limit; those with something under way also beyond it. Any thread may use a
/// slot; only the ledger's writer, who alone knows whether one is idle, lets go of them.
/// </summary>
internal sealed class SlotCache(int keptMax)
{
    /// <summary>Slots looked at for one that can go, before the rest is left to the next turn.</summary>
    private const int LooksMax = 64;

    private readonly Lock _lock = new();
    private readonly List<ChannelSlot> _kept = [];
    private int _count;
    private int _hand;

    /// <summary>Marks a slot as used; one that was just loaded is kept while there is room.</summary>
    public void Use(ChannelSlot slot)
    {
        if (!slot.IsUsed) slot.IsUsed = true;
        if (!slot.IsKept && Volatile.Read(ref _count) < keptMax) Keep(slot);
    }

    /// <summary>Keeps a slot beyond the limit too.</summary>
    public void Keep(ChannelSlot slot)
    {
        if (slot.IsKept) return;
        lock (_lock)
        {
            if (slot.IsKept) return;
            slot.IsKept = true;
            _kept.Add(slot);
            _count = _kept.Count;
        }
    }

    /// <summary>
    /// While there are too many: lets go of one that is idle and was not used since the hand came by last (the "clock"
    /// of page caches). Null when there is none, or none is found quickly.
    /// </summary>
    public ChannelSlot? TakeIdle()
    {
        lock (_lock)
        {
            for (int look = 0; look < LooksMax && _kept.Count > keptMax; look++)
            {
                if (_hand >= _kept.Count) _hand = 0;
                ChannelSlot slot = _kept[_hand];
                if (slot.IsUsed || !slot.IsIdle)
                {
                    slot.IsUsed = false;
                    _hand++;
                    continue;
                }

                slot.IsKept = false;
                _kept[_hand] = _kept[^1];
                _kept.RemoveAt(_kept.Count - 1);
                _count = _kept.Count;
                return slot;
            }

            return null;
        }
    }
}
