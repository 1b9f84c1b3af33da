using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The deposits that a reorganisation could still take away, of the channels that have any, and what does not count of
/// each yet. Of what others put in there is a limit over all channels too: what counts keeps its place, and what is free goes
/// to the oldest deposits first. That follows from the rows alone, so it is the same after a restart. Not for several threads.
/// </summary>
internal sealed class RecentDeposits(Func<Address, CreditPolicy> policyOf)
{
    /// <summary>What changes in a channel: how much of its pots does not count, and the deposits that are settled.</summary>
    public sealed record Change(ChannelId Channel, UInt128 UncreditedA, UInt128 UncreditedB, IReadOnlyList<RecentDeposit> Settled);

    private sealed class Entry(Channel channel, CreditPolicy policy)
    {
        public readonly Channel Channel = channel;
        public readonly CreditPolicy Policy = policy;
        public readonly List<RecentDeposit> Deposits = [];
        public UInt128 UncreditedA, UncreditedB;

        public ulong OldestBlock => Deposits.Count == 0 ? 0 : Deposits.Min(deposit => deposit.Block);

        public UInt128 UncreditedTheirs
        {
            get => Channel.TheirSide == Side.A ? UncreditedA : UncreditedB;
            set
            {
                if (Channel.TheirSide == Side.A) UncreditedA = value;
                else UncreditedB = value;
            }
        }

        public UInt128 ByPolicy(Side side, ulong head, ulong final) => Policy.Uncredited(Deposits, side, head, final);

        public YoungDeposits Theirs(ulong head, ulong final) => Policy.YoungOf(Deposits, Channel.TheirSide, head, final);
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
        return _entries[channel.Id] = new Entry(channel, policyOf(channel.Terms.Token))
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
        List<KeyValuePair<ChannelId, Entry>> reviewed = [];
        foreach (ChannelId id in channels)
            if (_entries.TryGetValue(id, out Entry? entry)) reviewed.Add(new(id, entry));
        if (reviewed.Count == 0) return [];
        reviewed.Sort(static (one, other) => (one.Value.OldestBlock, one.Key).CompareTo((other.Value.OldestBlock, other.Key)));
        Dictionary<ChannelId, (UInt128 A, UInt128 B)> before = reviewed.ToDictionary(it => it.Key, it => (it.Value.UncreditedA, it.Value.UncreditedB));
        FitAll(reviewed, head, final);
        List<Change> changes = [];
        foreach ((ChannelId id, Entry entry) in reviewed)
            if (Settle(id, entry, before[id], head, final) is { } change) changes.Add(change);
        return changes;
    }

    /// <summary>First what counts already keeps its place, then what is free is given out.</summary>
    private void FitAll(List<KeyValuePair<ChannelId, Entry>> reviewed, ulong head, ulong final)
    {
        Dictionary<Address, CreditRoom> rooms = [];
        HashSet<ChannelId> ours = [.. reviewed.Select(it => it.Key)];
        foreach ((ChannelId id, Entry entry) in _entries)
            if (!ours.Contains(id)) RoomOf(rooms, entry).Take(entry.Theirs(head, final), entry.UncreditedTheirs);
        foreach ((_, Entry entry) in reviewed)
        {
            Side own = entry.Channel.OurSide;
            if (own == Side.A) entry.UncreditedA = entry.ByPolicy(own, head, final);
            else entry.UncreditedB = entry.ByPolicy(own, head, final);
            UInt128 kept = UInt128.Max(entry.UncreditedTheirs, entry.ByPolicy(entry.Channel.TheirSide, head, final));
            entry.UncreditedTheirs = RoomOf(rooms, entry).Fit(entry.Theirs(head, final), kept);
        }

        foreach ((_, Entry entry) in reviewed)
        {
            YoungDeposits theirs = entry.Theirs(head, final);
            CreditRoom room = RoomOf(rooms, entry);
            room.Return(theirs, entry.UncreditedTheirs);
            entry.UncreditedTheirs = room.Fit(theirs, entry.ByPolicy(entry.Channel.TheirSide, head, final));
        }
    }

    private static CreditRoom RoomOf(Dictionary<Address, CreditRoom> rooms, Entry entry)
    {
        Address token = entry.Channel.Terms.Token;
        if (!rooms.TryGetValue(token, out CreditRoom? room))
            rooms[token] = room = new CreditRoom(entry.Policy.SmallTotal, entry.Policy.LargerTotal);
        return room;
    }

    private Change? Settle(ChannelId id, Entry entry, (UInt128, UInt128) before, ulong head, ulong final)
    {
        RecentDeposit[] settled = [.. entry.Deposits.Where(deposit => entry.Policy.IsSettled(deposit, head, final))];
        bool changed = before != (entry.UncreditedA, entry.UncreditedB) || settled.Length > 0;
        foreach (RecentDeposit deposit in settled) entry.Deposits.Remove(deposit);
        if (entry.Deposits.Count == 0) _entries.Remove(id);
        return changed ? new Change(id, entry.UncreditedA, entry.UncreditedB, settled) : null;
    }
}
