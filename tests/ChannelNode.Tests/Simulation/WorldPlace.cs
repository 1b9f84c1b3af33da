using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Tests.Simulation;

/// <summary>Where a node lives, and all that outlives it.</summary>
internal sealed class WorldPlace(string name, Party us, NodeOptions options)
{
    public string Name => name;

    public Party Us => us;

    public NodeOptions Options => options;

    /// <summary>Keeps to the rules in what it does on chain, and comes back after a power cut.</summary>
    public bool IsHonest { get; init; } = true;

    public SimulatedDisk Disk { get; init; } = new();

    public SpokenWords Words { get; } = new();

    public RpcWeather Weather { get; } = new();

    public SimulatedLife? Life { get; set; }

    public bool IsUp => Life is { HasCaughtUp: true };

    /// <summary>Time at which it is started again.</summary>
    public long DownUntilMs { get; set; }

    public long PoorUntilMs { get; set; }

    public long SlowDiskUntilMs { get; set; }

    /// <summary>What has left the other node, and when it arrives here.</summary>
    public Queue<(long AtMs, byte[] Bytes)> Arriving { get; } = new();

    /// <summary>What has arrived of the present session, for a peer that says it again.</summary>
    public List<byte[]> Heard { get; } = [];

    public Task Giving { get; set; } = Task.CompletedTask;

    /// <summary>Turns of this life that were checked.</summary>
    public int TurnsChecked { get; set; } = -1;

    /// <summary>Turns of this life of which the tower has heard.</summary>
    public int TurnsHeard { get; set; }

    /// <summary>What the node knew of each channel when it was checked last, and up to which block.</summary>
    public Dictionary<ChannelId, (ChannelState State, NetworkBlock? Cursor)> Checked { get; } = [];
}

/// <summary>Something that an application or an operator wants done, once, and asks for again until it knows.</summary>
internal sealed class WorldWish(WorldPlace place, ChannelId channel, UInt128 amount, string key)
{
    public WorldPlace Place => place;

    public ChannelId Channel => channel;

    public UInt128 Amount => amount;

    public string Key => key;

    /// <summary>The life that was asked last; another one knows nothing of the question.</summary>
    public SimulatedLife? Life { get; set; }

    public AwaitedPayment? Payment { get; set; }

    /// <summary>Of a deposit.</summary>
    public Task? Deposit { get; set; }
}
