using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Peers that have said that they go away and come back at once: what is to be paid to them waits so long instead of being
/// refused. Nothing of it is signed, so nothing of it is lost when they do not come. The ledger's writer owns it.
/// </summary>
internal sealed class PeersAway
{
    private readonly Dictionary<Address, HashSet<ChannelSlot>> _waiting = [];

    public bool IsAway(Address peer) => _waiting.ContainsKey(peer);

    public void Begin(Address peer) => _waiting.TryAdd(peer, []);

    /// <summary>The channel's payments wait for the peer's next session; false when it is not expected back.</summary>
    public bool TryHold(ChannelSlot slot) =>
        _waiting.TryGetValue(slot.Channel.Theirs.Signer, out HashSet<ChannelSlot>? slots) && (slots.Add(slot) || true);

    /// <summary>The peer is back: it is asked where these channels stand, and what waits goes on when it answers.</summary>
    public void Return(PeerLink link)
    {
        if (!_waiting.TryGetValue(link.Signer, out HashSet<ChannelSlot>? slots)) return;
        foreach (ChannelSlot slot in slots)
        {
            DropAbandoned(slot);
            if (slot.Waiting.Count > 0) link.Reestablishing.Ask(slot);
        }

        slots.Clear(); // Held again should this session break off too: the peer is expected until its time is over.
    }

    /// <summary>Its time is over: what still waits, with no session, is refused.</summary>
    public void End(Address peer, Refusal refusal = Refusal.PeerOffline)
    {
        if (!_waiting.Remove(peer, out HashSet<ChannelSlot>? slots)) return;
        foreach (ChannelSlot slot in slots)
        {
            if (slot.Link is not null) continue;
            foreach (EstablishedCommand waiting in slot.TakeWaiting()) waiting.Refuse(refusal);
        }
    }

    /// <summary>This node goes away itself.</summary>
    public void EndAll(Refusal refusal)
    {
        foreach (Address peer in _waiting.Keys.ToArray()) End(peer, refusal);
    }

    /// <summary>Of callers that have given up meanwhile nothing is paid.</summary>
    private static void DropAbandoned(ChannelSlot slot)
    {
        List<EstablishedCommand> waiting = slot.Waiting;
        for (int index = waiting.Count - 1; index >= 0; index--)
        {
            if (waiting[index] is not PaymentRequest { IsAbandoned: true } payment) continue;
            waiting.RemoveAt(index);
            payment.Refuse(Refusal.PeerOffline);
        }
    }
}

/// <summary>The peer goes away and expects to be back so soon: it is told of no new payments from now on.</summary>
internal sealed class TakeGoingAway(PeerLink link, PeersAway away, Action expires) : LedgerCommand
{
    internal override void Apply(LedgerTurn turn)
    {
        if (!link.IsCurrent || link.IsGoingAway) return;
        link.IsGoingAway = true;
        away.Begin(link.Signer);
        expires();
    }

    internal override void Abandon(Exception error) { }
}
