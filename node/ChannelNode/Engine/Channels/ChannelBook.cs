using System.Collections.Concurrent;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelNode.Engine;

/// <summary>
/// The node's channels. All of them are on disk, those in use are in memory too: looking one up loads it, from any
/// thread. Of one channel there is never more than one slot: whoever finds it finds the one that anybody else still
/// holds, and it is loaded again only when nobody does.
/// </summary>
internal sealed class ChannelBook
{
    private readonly IChannelStore _store;
    private readonly PeerLinks _links;
    private readonly SlotTable _slots = new();
    private readonly SlotCache _cache;
    private readonly ConcurrentDictionary<ChannelId, ChannelSlot> _closing = new();
    private readonly UnfundedChannels _unfunded = new();
    private readonly Dictionary<Address, HashSet<ChannelSlot>> _unacknowledged = [];

    /// <summary>Loads only the channels in which something is pending, and puts that index right where it says too much.</summary>
    public ChannelBook(IChannelStore store, PeerLinks links, int keptMax, ILogger? log = null)
    {
        _store = store;
        _links = links;
        _cache = new SlotCache(keptMax);
        Hold = new RestoredHold(store);
        Funded = new FundedPeers(Pages, log ?? NullLogger.Instance);
        Open = new OpenChannels(Pages, log ?? NullLogger.Instance);
        Tokens = new ChannelTokens(Pages);
        IStoreBatch corrections = store.NewBatch();
        foreach ((ChannelId id, Pending pending) in store.ReadPending())
        {
            ChannelSlot slot = Find(id) ?? throw new InvalidOperationException($"Channel {id} is indexed and not stored.");
            if (slot.Pending != pending) corrections.PutPending(id, slot.Pending);
            if (slot.Pending.HasFlag(Pending.Acknowledgement)) AddUnacknowledged(slot);
            Watch(slot, slot.State);
        }

        if (corrections.IsEmpty) corrections.Dispose();
        else store.Commit(corrections, durable: false);
    }

    /// <summary>Channels known, wherever they are.</summary>
    public ulong Count => _store.ChannelCount;

    public UnfundedChannels Unfunded => _unfunded;

    /// <summary>Who is no stranger.</summary>
    public FundedPeers Funded { get; }

    /// <summary>How many each peer has that are not closed.</summary>
    public OpenChannels Open { get; }

    /// <summary>What is paid in.</summary>
    public ChannelTokens Tokens { get; }

    /// <summary>Not for a watchtower: nobody pays it, and strangers name it as many tokens as they like.</summary>
    public bool NotesTokens { private get; init; } = true;

    public PeerLinks Links => _links;

    /// <summary>Whether the database is a restored backup: channels may have been used, or made, that it does not know.</summary>
    public bool IsRestored => _store.Restorations.Count > 0;

    /// <summary>What a restored backup does not accept yet.</summary>
    public RestoredHold Hold { get; }

    /// <summary>Channels that are closing or about to: the guardian's.</summary>
    public IEnumerable<ChannelSlot> Watched => _closing.Values;

    /// <summary>By what was followed of the chain.</summary>
    public bool IsClosing(ChannelId id) => Find(id)?.State.OnChain.IsClosing == true;

    /// <summary>Whether it was open, and is paid out.</summary>
    public bool IsClosed(ChannelId id) => Find(id)?.State.IsClosed == true;

    /// <summary>Whether both sides have signed a close that may still be mined.</summary>
    public bool IsCloseAgreed(ChannelId id) => Find(id)?.State.CloseDeadlineSeconds is > 0;

    /// <summary>The same, or this side has asked for one: for the ledger's writer, in its turn.</summary>
    public bool IsCloseUnderWay(ChannelId id) => Find(id) is { } slot && (slot.CloseProposed || slot.Working.CloseDeadlineSeconds > 0);

    /// <summary>The channel's one slot; null when the node does not know it. May read the disk.</summary>
    public ChannelSlot? Find(ChannelId id)
    {
        ChannelSlot? slot = _slots.Find(id) ?? _slots.FindOrAdd(id, Load);
        if (slot is not null) _cache.Use(slot);
        return slot;
    }

    public ChannelSlot Get(ChannelId id) =>
        Find(id) ?? throw new RefusalException(Refusal.UnknownChannel, $"channel_id {id} is not known to this node")
        {
            Field = "channel_id",
        };

    /// <summary>
    /// At most <paramref name="countMax"/> channels behind an id (null: from the first), in the order of their ids, as
    /// last committed. Brings none of them into memory.
    /// </summary>
    public IReadOnlyList<StoredChannel> Read(ChannelId? after, int countMax) => _store.ReadChannels(after, countMax);

    /// <summary>All channels, a page at a time, as <see cref="Read"/> gives them.</summary>
    public IEnumerable<IReadOnlyList<StoredChannel>> Pages(int countMax)
    {
        ChannelId? after = null;
        while (Read(after, countMax) is { Count: > 0 } page)
        {
            yield return page;
            after = page[^1].Channel.Id;
        }
    }

    /// <summary>What the channel's slot adds to what is stored; null for a channel that nobody uses.</summary>
    public ChannelSlot? Peek(ChannelId id) => _slots.Find(id);

    private ChannelSlot? Load(ChannelId id)
    {
        if (_store.FindChannel(id) is not { } stored) return null;
        ChannelSlot slot = new(stored.Channel, stored.State, _links)
        {
            Pending = PendingOf.State(stored.State),
            IsOpen = stored.State.Status != ChannelStatus.Closed,
            IsUnconfirmed = _store.IsUnconfirmed(stored.Channel.Theirs.Signer, id),
            IsHeld = _store.IsHeld(stored.Channel.Theirs.Signer, id),
        };
        if (stored.State.Sent == stored.State.Acknowledged) return slot;
        foreach (OutgoingPayment payment in _store.ReadOutgoing(id, stored.State.Acknowledged))
            slot.InFlight.Add(payment.Total, null);
        return slot;
    }

    // Below: the ledger's writer alone.

    /// <summary>A channel that is stored with the turn in progress.</summary>
    public void Add(ChannelSlot slot)
    {
        _slots.FindOrAdd(slot.Channel.Id, _ => slot);
        if (NotesTokens) Tokens.Add(slot.Channel.Terms.Token);
        Watch(slot, slot.State);
    }

    /// <summary>Something changes in the channel: it stays in memory until that is on disk and nothing is under way.</summary>
    public void Keep(ChannelSlot slot) => _cache.Keep(slot);

    /// <summary>Keeps the lists right; to be told of every state that the chain or a close changed.</summary>
    public void Watch(ChannelSlot slot, in ChannelState state)
    {
        Pending pending = PendingOf.State(state);
        _unfunded.Set(slot.Channel.Id, slot.Channel.Theirs.Signer, pending.HasFlag(Pending.Deposit));
        if (state.EverFunded) Funded.Add(slot.Channel.Theirs.Signer);
        bool isOpen = state.Status != ChannelStatus.Closed;
        if (slot.IsOpen != isOpen) Open.Set(slot.Channel.Id, slot.Channel.Theirs.Signer, isOpen);
        slot.IsOpen = isOpen;
        if (pending.HasFlag(Pending.Close)) _closing[slot.Channel.Id] = slot;
        else _closing.TryRemove(slot.Channel.Id, out _);
    }

    /// <summary>The channel is not known any more: a watchtower lets go of it. What still holds the slot changes nothing on disk.</summary>
    public void Drop(ChannelSlot slot, IStoreBatch batch)
    {
        slot.IsDropped = true;
        batch.DropChannel(slot.Channel.Id);
        _slots.Remove(slot.Channel.Id);
        _closing.TryRemove(slot.Channel.Id, out _);
        _unfunded.Set(slot.Channel.Id, slot.Channel.Theirs.Signer, false);
    }

    /// <summary>Writes a channel's working state, and the index where that changes it.</summary>
    public void Write(ChannelSlot slot, IStoreBatch batch)
    {
        if (slot.IsDropped) return;
        batch.PutState(slot.Channel.Id, slot.Working);
        Pending pending = PendingOf.State(slot.Working) | (slot.Pending & Pending.Acknowledgement);
        if (pending == slot.Pending) return;
        batch.PutPending(slot.Channel.Id, pending);
        if ((pending & ~slot.Pending).HasFlag(Pending.Acknowledgement)) AddUnacknowledged(slot);
        slot.Pending = pending;
    }

    /// <summary>The channels with a peer in which it may not have acknowledged all that this node signed.</summary>
    public IEnumerable<ChannelSlot> UnacknowledgedBy(Address peer) =>
        PerhapsUnacknowledgedBy(peer).Where(slot => slot.Working.Sent > slot.Working.Acknowledged);

    /// <summary>Those too that it has acknowledged meanwhile, as long as they stay in memory.</summary>
    public IReadOnlyCollection<ChannelSlot> PerhapsUnacknowledgedBy(Address peer) => _unacknowledged.GetValueOrDefault(peer, []);

    /// <summary>All channels in which a peer may not have acknowledged all that this node signed.</summary>
    public IEnumerable<ChannelSlot> Unacknowledged => _unacknowledged.Keys.SelectMany(UnacknowledgedBy);

    /// <summary>After a turn: lets go of channels that were not used for longest, above the limit and while idle.</summary>
    public void Sweep(IStoreBatch nextBatch)
    {
        while (_cache.TakeIdle() is { } slot)
        {
            slot.Forget();
            if (!slot.Pending.HasFlag(Pending.Acknowledgement)) continue;
            slot.Pending &= ~Pending.Acknowledgement;
            nextBatch.PutPending(slot.Channel.Id, slot.Pending);
            HashSet<ChannelSlot> slots = _unacknowledged[slot.Channel.Theirs.Signer];
            slots.Remove(slot);
            if (slots.Count == 0) _unacknowledged.Remove(slot.Channel.Theirs.Signer);
        }
    }

    private void AddUnacknowledged(ChannelSlot slot)
    {
        Address peer = slot.Channel.Theirs.Signer;
        if (!_unacknowledged.TryGetValue(peer, out HashSet<ChannelSlot>? slots)) _unacknowledged[peer] = slots = [];
        slots.Add(slot);
    }
}
