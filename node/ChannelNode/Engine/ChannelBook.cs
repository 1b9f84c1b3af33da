using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>All channels of the node, by id and by peer.</summary>
internal sealed class ChannelBook
{
    private readonly ConcurrentDictionary<ChannelId, ChannelSlot> _byId = new();
    private readonly ConcurrentDictionary<Address, ConcurrentDictionary<ChannelId, ChannelSlot>> _byPeer = new();
    private readonly ConcurrentDictionary<ChannelId, ChannelSlot> _watched = new();
    private readonly ConcurrentDictionary<ChannelId, Address> _unfunded = new();

    public ChannelBook(IChannelStore store)
    {
        foreach (StoredChannel stored in store.ReadChannels())
        {
            ChannelSlot slot = new(stored.Channel, stored.State);
            if (stored.State.Sent > stored.State.Acknowledged)
            {
                foreach (OutgoingPayment payment in store.ReadOutgoing(stored.Channel.Id, stored.State.Acknowledged))
                    slot.InFlight.Add(payment.Total, null);
            }

            Add(slot);
        }
    }

    public int Count => _byId.Count;

    public IEnumerable<ChannelSlot> All => _byId.Values;

    public IEnumerable<Address> Peers => _byPeer.Keys;

    /// <summary>Channels waiting for their first deposit, of all peers.</summary>
    public int UnfundedCount => _unfunded.Count;

    public int UnfundedCountOf(Address peer)
    {
        int count = 0;
        foreach ((_, Address of) in _unfunded)
        {
            if (of == peer) count++;
        }

        return count;
    }

    /// <summary>Channels that are closing or about to: the guardian's.</summary>
    public IEnumerable<ChannelSlot> Watched => _watched.Values;

    public ChannelSlot? Find(ChannelId id) => _byId.GetValueOrDefault(id);

    public ChannelSlot Get(ChannelId id) =>
        Find(id) ?? throw new RefusalException(Refusal.UnknownChannel, $"channel_id {id} is not known to this node")
        {
            Field = "channel_id",
        };

    public IEnumerable<ChannelSlot> With(Address peer) =>
        _byPeer.TryGetValue(peer, out ConcurrentDictionary<ChannelId, ChannelSlot>? slots) ? slots.Values : [];

    public void Add(ChannelSlot slot)
    {
        _byId[slot.Channel.Id] = slot;
        _byPeer.GetOrAdd(slot.Channel.Theirs.Signer, _ => new())[slot.Channel.Id] = slot;
        Watch(slot, slot.State);
    }

    /// <summary>Keeps the lists right; to be told of every state that the chain or a close changed.</summary>
    public void Watch(ChannelSlot slot, in ChannelState state)
    {
        if (!state.EverFunded) _unfunded[slot.Channel.Id] = slot.Channel.Theirs.Signer;
        else _unfunded.TryRemove(slot.Channel.Id, out _);

        if (state.OnChain.IsClosing || state.CloseDeadlineSeconds != 0) _watched[slot.Channel.Id] = slot;
        else _watched.TryRemove(slot.Channel.Id, out _);
    }
}
