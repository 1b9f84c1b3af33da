using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The deposits that a reorganisation could still take away, of the channels that have any, and what does not count of
/// each yet. Not for several threads.
/// </summary>
internal sealed class RecentDeposits(Func<Address, CreditPolicy> policyOf)
{
    /// <summary>What changes in a channel: how much of its pots does not count, and the deposits that are settled.</summary>
    public sealed record Change(ChannelId Channel, UInt128 UncreditedA, UInt128 UncreditedB, IReadOnlyList<RecentDeposit> Settled);

    private sealed class Entry(CreditPolicy policy)
    {
        public readonly CreditPolicy Policy = policy;
        public readonly List<RecentDeposit> Deposits = [];
        public UInt128 UncreditedA, UncreditedB;
    }

    private readonly Dictionary<ChannelId, Entry> _entries = [];

    public bool IsEmpty => _entries.Count == 0;

    /// <summary>The newest block of a deposit.</summary>
    public ulong NewestBlock => _entries.Values.SelectMany(entry => entry.Deposits).Max(deposit => deposit.Block);

    /// <summary>One that the channel's stored state counts, or does not, already.</summary>
    public void Load(Channel channel, in ChannelState state, RecentDeposit deposit) => EntryOf(channel, state).Deposits.Add(deposit);

    /// <summary>
    /// A new one, nothing of which counts before the next review. Several into one side in one block are one: answers it
    /// with the sum.
    /// </summary>
    public RecentDeposit Add(Channel channel, in ChannelState state, RecentDeposit deposit)
    {
        Entry entry = EntryOf(channel, state);
        if (deposit.Side == Side.A) entry.UncreditedA += deposit.Amount;
        else entry.UncreditedB += deposit.Amount;
        int same = entry.Deposits.FindIndex(it => it.Block == deposit.Block && it.Side == deposit.Side);
        if (same >= 0) return entry.Deposits[same] = deposit with { Amount = deposit.Amount + entry.Deposits[same].Amount };
        entry.Deposits.Add(deposit);
        return deposit;
    }

    private Entry EntryOf(Channel channel, in ChannelState state)
    {
        if (_entries.TryGetValue(channel.Id, out Entry? known)) return known;
        return _entries[channel.Id] = new Entry(policyOf(channel.Terms.Token))
        {
            UncreditedA = state.UncreditedA,
            UncreditedB = state.UncreditedB,
        };
    }

    /// <summary>Blocks after this one are no longer part of the chain.</summary>
    public IEnumerable<(ChannelId Channel, RecentDeposit Deposit)> DropAfter(ulong block)
    {
        List<(ChannelId, RecentDeposit)> dropped = [];
        foreach ((ChannelId id, Entry entry) in _entries)
        {
            dropped.AddRange(entry.Deposits.Where(deposit => deposit.Block > block).Select(deposit => (id, deposit)));
            entry.Deposits.RemoveAll(deposit => deposit.Block > block);
        }

        return dropped;
    }

    /// <summary>What changes with a new head or a newer final block in all channels but these.</summary>
    public IReadOnlyList<Change> ReviewOthers(HashSet<ChannelId> channels, ulong head, ulong final) =>
        Review([.. _entries.Keys.Where(id => !channels.Contains(id))], head, final);

    /// <summary>The same, of these channels only.</summary>
    public IReadOnlyList<Change> Review(IReadOnlyCollection<ChannelId> channels, ulong head, ulong final)
    {
        List<Change> changes = [];
        foreach (ChannelId id in channels)
            if (_entries.TryGetValue(id, out Entry? entry) && Review(id, entry, head, final) is { } change) changes.Add(change);
        return changes;
    }

    private Change? Review(ChannelId id, Entry entry, ulong head, ulong final)
    {
        UInt128 a = entry.Policy.Uncredited(entry.Deposits, Side.A, head, final);
        UInt128 b = entry.Policy.Uncredited(entry.Deposits, Side.B, head, final);
        RecentDeposit[] settled = [.. entry.Deposits.Where(deposit => entry.Policy.IsSettled(deposit, head, final))];
        bool changed = (a, b) != (entry.UncreditedA, entry.UncreditedB) || settled.Length > 0;
        (entry.UncreditedA, entry.UncreditedB) = (a, b);
        foreach (RecentDeposit deposit in settled) entry.Deposits.Remove(deposit);
        if (entry.Deposits.Count == 0) _entries.Remove(id);
        return changed ? new Change(id, a, b, settled) : null;
    }
}
