using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Tests.Simulation;

/// <summary>A node's home.</summary>
internal sealed class WorldPlace(string name, Party us, NodeOptions options, SimulatedDisk disk) : WorldHome(name, us.Signer, disk)
{
    public Party Us => us;

    public NodeOptions Options => options;

    /// <summary>Keeps to the rules in what it does on chain, and comes back after a power cut.</summary>
    public bool IsHonest { get; init; } = true;

    /// <summary>It has said something old, or nothing that a node says: what the other side believes of it since may be anything.</summary>
    public bool HasMisspoken { get; set; }

    public SpokenWords Words { get; } = new();

    public WorldJournal Journal { get; } = new(name);

    /// <summary>Of jobs that a lost disk had, and the copy in its place has not.</summary>
    public HashSet<Bytes32> ForgottenTransactions { get; } = [];

    /// <summary>The newest block when the disk was lost; null while it never was.</summary>
    public ulong? ForgottenSinceBlock { get; set; }

    public SimulatedLife? Life { get; set; }

    public override SimulatedProcess? Process => Life;

    /// <summary>What has left the other node, and when it arrives here.</summary>
    public Queue<(long AtMs, byte[] Bytes)> Arriving { get; } = new();

    /// <summary>What has arrived of the present session, for a peer that says it again.</summary>
    public List<byte[]> Heard { get; } = [];

    public Task Giving { get; set; } = Task.CompletedTask;

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

    /// <summary>Asked of a node whose disk is lost: whether it was done, the node that is back from a copy may not know.</summary>
    public bool IsDoubtful { get; set; }

    /// <summary>Of a deposit.</summary>
    public Task? Deposit { get; set; }
}
