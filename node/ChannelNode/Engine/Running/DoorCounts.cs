using System.Collections.Concurrent;

namespace ChannelNode.Engine;

/// <summary>Connections to one door: those that are there, and those that were sent away. For any thread.</summary>
/// <param name="door">Its name in metrics.</param>
internal sealed class DoorCounts(string door)
{
    private long _ofAddress;
    private long _ofAll;
    private long _unused;

    public string Door { get; } = door;

    /// <summary>How many are open; set once by the door.</summary>
    public Func<int> Open { get; set; } = () => 0;

    /// <summary>For what its callers have sent; set once by the door.</summary>
    public MessageRoom? Room { get; set; }

    /// <summary>Closed at once: their address had as many as one may.</summary>
    public long RefusedOfAddress => Volatile.Read(ref _ofAddress);

    /// <summary>Closed at once: all together were as many as there may be.</summary>
    public long RefusedOfAll => Volatile.Read(ref _ofAll);

    /// <summary>Closed because they had no call and others needed their places.</summary>
    public long UnusedEnded => Volatile.Read(ref _unused);

    public void RefuseOfAddress() => Interlocked.Increment(ref _ofAddress);

    public void RefuseOfAll() => Interlocked.Increment(ref _ofAll);

    public void EndUnused() => Interlocked.Increment(ref _unused);
}

/// <summary>The doors that are open. For any thread.</summary>
internal sealed class DoorList
{
    private readonly ConcurrentQueue<DoorCounts> _doors = [];

    public IEnumerable<DoorCounts> All => _doors;

    public DoorCounts Add(string door)
    {
        DoorCounts counts = new(door);
        _doors.Enqueue(counts);
        return counts;
    }
}
