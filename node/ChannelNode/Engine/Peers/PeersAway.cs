using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Peers that have said that they go away and come back at once: what is to be paid to them waits so long instead of being
/// refused. Nothing of it is signed, so nothing of it is lost when they do not come. The ledger's writer owns it.
/// </summary>
internal sealed class PeersAway
{
    private sealed class Expected
    {
        public HashSet<ChannelSlot> Waiting { get; } = [];

        public long Round { get; set; }
    }

    private readonly Dictionary<Address, Expected> _expected = [];

    public bool IsAway(Address peer) => _expected.ContainsKey(peer);

    /// <summary>The peer is expected back, once more maybe; answers what <see cref="End(Address, long, LedgerTurn)"/> is to be told.</summary>
    public long Begin(Address peer)
    {
        if (!_expected.TryGetValue(peer, out Expected? expected)) _expected[peer] = expected = new Expected();
        return ++expected.Round;
    }

    /// <summary>The channel's payments wait for the peer's next session; false when it is not expected back.</summary>
    public bool TryHold(ChannelSlot slot)
    {
        if (!_expected.TryGetValue(slot.Channel.Theirs.Signer, out Expected? expected)) return false;
        expected.Waiting.Add(slot);
        return true;
    }

    /// <summary>The peer is back: it is asked where these channels stand, and what waits goes on when it answers.</summary>
    public void Return(PeerLink link, LedgerTurn turn)
    {
        if (!_expected.TryGetValue(link.Signer, out Expected? expected)) return;
        foreach (ChannelSlot slot in expected.Waiting)
        {
            DropAbandoned(slot, turn);
            if (slot.Waiting.Count > 0) link.Reestablishing.Ask(slot);
        }

        expected.Waiting.Clear(); // Held again should this session break off too: the peer is expected until its time is over.
    }

    /// <summary>
    /// Its time is over, if it has not gone away once more since: what still waits, with no session, is refused.
    /// </summary>
    public void End(Address peer, long round, LedgerTurn turn)
    {
        if (_expected.TryGetValue(peer, out Expected? expected) && expected.Round == round) End(peer, Refusal.PeerOffline, turn);
    }

    private void End(Address peer, Refusal refusal, LedgerTurn turn)
    {
        if (!_expected.Remove(peer, out Expected? expected)) return;
        foreach (ChannelSlot slot in expected.Waiting)
        {
            if (slot.Link is not null) continue;
            foreach (EstablishedCommand waiting in slot.TakeWaiting()) waiting.Refuse(refusal, turn);
        }
    }

    /// <summary>This node goes away itself.</summary>
    public void EndAll(Refusal refusal, LedgerTurn turn)
    {
        foreach (Address peer in _expected.Keys.ToArray()) End(peer, refusal, turn);
    }

    /// <summary>Of callers that have given up meanwhile nothing is paid.</summary>
    private static void DropAbandoned(ChannelSlot slot, LedgerTurn turn)
    {
        List<EstablishedCommand> waiting = slot.Waiting;
        for (int index = waiting.Count - 1; index >= 0; index--)
        {
            if (waiting[index] is not PaymentRequest { IsAbandoned: true } payment) continue;
            waiting.RemoveAt(index);
            payment.Refuse(Refusal.PeerOffline, turn);
        }
    }
}

/// <summary>The peer goes away and expects to be back so soon: it is told of no new payments from now on.</summary>
internal sealed class TakeGoingAway(PeerLink link, PeersAway away, Action<long> expires) : LedgerCommand
{
    internal override void Apply(LedgerTurn turn)
    {
        if (!link.IsCurrent || link.IsGoingAway) return;
        link.IsGoingAway = true;
        expires(away.Begin(link.Signer));
    }

    internal override void Abandon(Exception error) { }
}
