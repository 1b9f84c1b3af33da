using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Every slot that anybody holds, by its channel's id, without holding it itself: so a channel that was let go and is
/// still in use somewhere is found, not loaded a second time. For any thread.
/// </summary>
internal sealed class SlotTable
{
    private const int Stripes = 64;

    /// <summary>Entries looked at for each one that is added: so at most about a third are of slots that are gone.</summary>
    private const int LooksPerEntry = 4;

    private readonly ConcurrentDictionary<ChannelId, WeakReference<ChannelSlot>> _entries = new();
    private readonly ConcurrentQueue<KeyValuePair<ChannelId, WeakReference<ChannelSlot>>> _toLookAt = new();
    private readonly Lock[] _loading = new Lock[Stripes];

    public SlotTable()
    {
        for (int index = 0; index < Stripes; index++) _loading[index] = new Lock();
    }

    public ChannelSlot? Find(ChannelId id) =>
        _entries.TryGetValue(id, out WeakReference<ChannelSlot>? entry) && entry.TryGetTarget(out ChannelSlot? slot)
            ? slot
            : null;

    /// <summary>
    /// Loads and adds in one step for each id: a slot that was read before somebody else loaded, changed and let go
    /// of the channel must never get in. Nobody can change a channel whose slot nobody holds.
    /// </summary>
    public ChannelSlot? FindOrAdd(ChannelId id, Func<ChannelId, ChannelSlot?> load)
    {
        lock (LockOf(id))
        {
            if (Find(id) is { } known) return known;
            if (load(id) is not { } slot) return null;
            WeakReference<ChannelSlot> entry = new(slot);
            _entries[id] = entry;
            RemoveDead();
            _toLookAt.Enqueue(KeyValuePair.Create(id, entry));
            return slot;
        }
    }

    /// <summary>The slot is not to be found any more, though somebody may still hold it.</summary>
    public void Remove(ChannelId id)
    {
        lock (LockOf(id)) _entries.TryRemove(id, out _);
    }

    private void RemoveDead()
    {
        for (int look = 0; look < LooksPerEntry && _toLookAt.TryDequeue(out var entry); look++)
        {
            if (entry.Value.TryGetTarget(out _)) _toLookAt.Enqueue(entry);
            else _entries.TryRemove(entry); // Unless it was loaded again: then another entry stands there.
        }
    }

    private Lock LockOf(ChannelId id) => _loading[(uint)id.GetHashCode() % Stripes];
}
