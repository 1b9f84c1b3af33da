using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Asks a peer, in one session, where channels stand: those in which it has not acknowledged everything as soon as it
/// is there, any other when it is used first. So many at once, the others in turn: a node with a million channels
/// with one peer asks about the few that matter. The ledger's writer owns it.
/// </summary>
internal sealed class Reestablishing(PeerLink link)
{
    private const int UnderWayMax = 256;

    private readonly HashSet<ChannelSlot> _underWay = [];
    private readonly Queue<ChannelSlot> _next = new();
    private readonly HashSet<ChannelSlot> _putOff = [];

    /// <summary>Asks once in a session, and again only where the answer counts no more: the chain told of an older life of the channel.</summary>
    public void Ask(ChannelSlot slot)
    {
        if (slot.AskedOn == link) return;
        slot.AskedOn = link;
        _next.Enqueue(slot);
        AskNext();
    }

    /// <summary>
    /// The peer has told where the channel stands. When it was not asked it wants to know the same, and is told. True
    /// when that establishes the channel in this session, or somebody may have waited for it.
    /// </summary>
    public bool Take(ChannelSlot slot)
    {
        bool isAnswer = _underWay.Remove(slot);
        if (isAnswer) AskNext();
        else Tell(slot);
        if (slot.AskedOn == link) slot.AskedOn = null; // Whoever finds it not established any more must be able to ask again.
        if (slot.IsEstablished) return isAnswer;
        slot.EstablishedOn = link;
        return true;
    }

    /// <summary>
    /// What the peer has told is to count later: until then the channel is as if the answer had not come yet. False where it was put off
    /// already.
    /// </summary>
    public bool PutOff(ChannelSlot slot)
    {
        slot.EstablishedOn = null;
        slot.AskedOn = link;
        return _putOff.Add(slot);
    }

    /// <summary>The time of what was put off has come; true where it still counts.</summary>
    public bool TakeLate(ChannelSlot slot)
    {
        if (!_putOff.Remove(slot)) return false;
        slot.AskedOn = null;
        slot.EstablishedOn = link;
        return true;
    }

    /// <summary>The peer does not know the channel. Whoever uses it next asks again.</summary>
    public void Refuse(ChannelSlot slot, LedgerTurn turn)
    {
        if (!_underWay.Remove(slot)) return;
        slot.AskedOn = null;
        foreach (EstablishedCommand waiting in slot.TakeWaiting()) waiting.Refuse(Refusal.PeerRefusing, turn);
        AskNext();
    }

    /// <summary>
    /// The session is over: what waited for an answer, or an acknowledgement, is refused, unless a newer session was asked, or
    /// can be, or the peer is expected back.
    /// </summary>
    public void End(PeersAway away, LedgerTurn turn)
    {
        foreach (ChannelSlot slot in _underWay.Concat(_next).Concat(_putOff))
        {
            if (slot.AskedOn != link) continue;
            slot.AskedOn = null;
            End(slot, away, turn);
        }

        foreach (ChannelSlot slot in link.Held)
        {
            if (slot.EstablishedOn != link || (slot.AskedOn is { } asked && asked != link)) continue;
            End(slot, away, turn);
        }

        _underWay.Clear();
        _next.Clear();
        _putOff.Clear();
        link.Held.Clear();
        link.OffersHeld.Clear();
    }

    private void End(ChannelSlot slot, PeersAway away, LedgerTurn turn)
    {
        if (slot.Waiting.Count == 0) return;
        if (slot.Link is { } newer && newer != link) newer.Reestablishing.Ask(slot);
        else if (!away.TryHold(slot))
            foreach (EstablishedCommand waiting in slot.TakeWaiting()) waiting.Refuse(Refusal.PeerOffline, turn);
    }

    private void AskNext()
    {
        while (_underWay.Count < UnderWayMax && _next.TryDequeue(out ChannelSlot? slot))
        {
            if (slot.IsEstablished) continue; // The peer was first.
            if (_underWay.Add(slot)) Tell(slot); // A question too many would be answered, and that answer taken for a question.
        }
    }

    /// <summary>Nothing of the turn in progress may be told before its commit: what was committed is what the peer hears.</summary>
    private void Tell(ChannelSlot slot)
    {
        ChannelState committed = slot.State;
        PeerMessage.HeldUpdate? held = committed.HasTheirUpdate
            ? new PeerMessage.HeldUpdate(committed.TheirSent, committed.TheirReceived, committed.TheirSignature)
            : null;
        link.Send(new PeerMessage.Reestablish(slot.Channel.Id, committed.Sent, committed.TheirTotal) { Held = held });
        link.Tokens.Add(slot.Channel.Terms.Token);
        link.Policies?.Tell(link); // How much more is taken is counted from what was said to be accepted.
    }
}
