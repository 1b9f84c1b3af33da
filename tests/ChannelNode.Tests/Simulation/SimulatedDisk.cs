using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Tests.Simulation;

/// <summary>The power is gone: nothing of the node goes on.</summary>
internal sealed class PowerCutException : Exception;

/// <summary>Where in a commit the power is cut.</summary>
internal enum CutPoint
{
    /// <summary>Nothing of it is written.</summary>
    BeforeWriting,

    /// <summary>It is written and not synced: it may survive.</summary>
    BeforeSyncing,

    /// <summary>It is on disk, and nobody has been told.</summary>
    BeforeSpeaking,
}

/// <summary>
/// A write-ahead log as a disk keeps it: what was synced stays, of the rest a power cut leaves a beginning of any
/// length. Outlives its nodes.
/// </summary>
internal sealed class SimulatedDisk
{
    private List<IReadOnlyList<Action<SimulatedRows>>> _log = [];
    private int _synced;

    /// <summary>A disk that says "synced" and is not: what the simulation must find out.</summary>
    public bool IsLying { get; init; }

    public void Write(IReadOnlyList<Action<SimulatedRows>> batch) => _log.Add(batch);

    public void Sync()
    {
        if (!IsLying) _synced = _log.Count;
    }

    public void CutPower(Random random)
    {
        int kept = random.Next(_synced, _log.Count + 1);
        _log.RemoveRange(kept, _log.Count - kept);
        _synced = kept;
    }

    /// <summary>All that was written, synced or not: what a backup of the running node has.</summary>
    public SimulatedDisk Copy() => new() { _log = [.. _log], _synced = _log.Count };

    /// <summary>It is lost, and another that holds the copy takes its place.</summary>
    public void ReplaceBy(SimulatedDisk copy) => (_log, _synced) = ([.. copy._log], copy._log.Count);

    public SimulatedRows Read()
    {
        SimulatedRows rows = new();
        foreach (IReadOnlyList<Action<SimulatedRows>> batch in _log)
        {
            foreach (Action<SimulatedRows> write in batch) write(rows);
        }

        return rows;
    }
}

/// <summary>What a database holds.</summary>
internal sealed class SimulatedRows
{
    public SortedDictionary<ChannelId, Channel> Channels { get; } = [];

    public Dictionary<ChannelId, ChannelState> States { get; } = [];

    public Dictionary<(ChannelId Channel, Side Side), GuardedUpdate> Guarded { get; } = [];

    public Dictionary<ChannelId, Pending> Pending { get; } = [];

    public Dictionary<ChannelId, SortedDictionary<UInt128, OutgoingPayment>> Outgoing { get; } = [];

    public Dictionary<string, OutgoingPayment> Keys { get; } = [];

    public List<JournalledRun> Received { get; } = [];

    public Dictionary<Address, string> PeerUrls { get; } = [];

    public SortedDictionary<ulong, Job> Jobs { get; } = [];

    public SortedDictionary<ulong, ChainBlock> Blocks { get; } = [];

    public ChainBlock? Cursor { get; set; }

    public SortedDictionary<(ulong Block, ChannelId Channel), ChannelState> Undo { get; } = [];

    public SortedDictionary<(ulong Block, ChannelId Channel, Side Side), RecentDeposit> Deposits { get; } = [];

    public SortedDictionary<ulong, OperatorEvent> Events { get; } = [];

    /// <summary>The newest event's.</summary>
    public ulong EventCursor { get; set; }

    public Dictionary<(ulong Token, SpendingKind Kind, Address Currency, Address Peer), Spending> Spent { get; } = [];

    public Dictionary<object, PolicyFact> Policy { get; } = [];

    public List<Restoration> Restorations { get; } = [];

    /// <summary>Of a restored one, what is held; true: its peer has not told yet where it stands.</summary>
    public Dictionary<(Address Peer, ChannelId Channel), bool> Unconfirmed { get; } = [];

    public SortedDictionary<ulong, PolicyAuditEntry> Audit { get; } = [];

    /// <summary>What a fact is about: a later one about the same takes its place.</summary>
    public static object AboutOf(PolicyFact fact) => fact switch
    {
        PolicyFact.TierRules it => it.Tier,
        PolicyFact.PeerRules it => it.Peer,
        PolicyFact.Standing it => ("standing", it.Peer),
        PolicyFact.Listed it => (it.List, it.Peer),
        PolicyFact.TrustedAttestor it => ("attestor", it.Signer),
        PolicyFact.Revoked it => it.Attestation,
        PolicyFact.Spent it => (it.Peer, it.Token, it.IsSent, it.Hour),
        _ => throw new ArgumentOutOfRangeException(nameof(fact), fact, "not a fact"),
    };
}
