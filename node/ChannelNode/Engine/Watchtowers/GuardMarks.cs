using System.Collections.Concurrent;

namespace ChannelNode.Engine;

/// <summary>
/// Channels whose peer's newest update is another since they were last asked for: all that the ledger does for watchtowers. Marked
/// by its writer alone, each channel once; taken by one other thread at a time.
/// </summary>
internal sealed class GuardMarks
{
    private readonly ConcurrentQueue<ChannelSlot> _marked = new();

    /// <summary>After the channel's new state is published.</summary>
    public void Mark(ChannelSlot slot)
    {
        Interlocked.MemoryBarrier(); // The state is to be seen before it is decided that whoever takes the mark will see it.
        if (slot.IsMarked) return;
        slot.IsMarked = true;
        _marked.Enqueue(slot);
    }

    /// <summary>Whoever takes a channel sees its state as of then, or it is marked again.</summary>
    public bool TryTake(out ChannelSlot? slot)
    {
        if (!_marked.TryDequeue(out slot)) return false;
        slot!.IsMarked = false;
        Interlocked.MemoryBarrier();
        return true;
    }
}
