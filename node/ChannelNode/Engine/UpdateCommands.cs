using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Takes a verified update of the peer and journals its payments; answers on the link that it came by. Without a list
/// of payments (<paramref name="count"/> 0) the whole step is one.
/// </summary>
internal sealed class AcceptUpdate(
    ChannelSlot slot,
    VerifiedUpdate verified,
    ReadOnlyMemory<byte> payments,
    int count,
    UInt128 sum,
    PeerSession session,
    NodeClock clock) : LedgerCommand
{
    private Refusal _refusal;

    internal override void Apply(LedgerTurn turn)
    {
        UInt128 before = slot.Working.TheirSent;
        UInt128 step = Amounts.Excess(verified.Update.Sent, before);
        _refusal = Updates.Accept(slot.Channel, slot.Working, verified, count == 0 ? step : sum, out ChannelState next);
        if (_refusal == Refusal.None && !turn.ChainIsCurrent) _refusal = Refusal.ChainUnavailable;
        if (_refusal != Refusal.None) return;

        if (next.TheirSent > before) Journal(turn, before, step);
        if (slot.PeerRefusal != Refusal.None && next.Acknowledged == next.Sent) slot.ClearRefusal();
        slot.Working = next;
        slot.AcknowledgementDue = true;
        turn.Touch(slot, durable: true);
    }

    private void Journal(LedgerTurn turn, UInt128 before, UInt128 step)
    {
        Span<byte> whole = stackalloc byte[PaymentList.PaymentBytesMax];
        ReadOnlySpan<byte> list = count > 0 ? payments.Span : whole[..PaymentList.Write(whole, step, default)];
        turn.PutReceived(slot.Channel.Id, Math.Max(count, 1), before, clock.NowMs, list);
    }

    /// <summary>A refusal leaves after the acknowledgements of what was taken before it.</summary>
    internal override void Committed()
    {
        session.Release(count);
        if (_refusal != Refusal.None)
            session.Link.Send(new PeerMessage.UpdateRefusal(slot.Channel.Id, verified.Update.Sent, _refusal));
    }

    internal override void Abandon(Exception error) => session.Link.End("the node is stopping");
}

/// <summary>The peer has durably accepted our updates up to a total.</summary>
internal sealed class TakeAcknowledgement(ChannelSlot slot, UInt128 received, PeerLink link) : LedgerCommand
{
    internal override void Apply(LedgerTurn turn)
    {
        Refusal refusal = Updates.Acknowledge(slot.Working, received, out ChannelState next);
        if (refusal != Refusal.None)
        {
            link.End($"acknowledged {received} in {slot.Channel.Id}, where {slot.Working.Sent} was sent");
            return;
        }

        if (next.Acknowledged == slot.Working.Acknowledged) return;
        slot.Working = next;
        if (slot.PeerRefusal != Refusal.None && next.Acknowledged == next.Sent) slot.ClearRefusal();
        turn.Touch(slot, durable: false);
    }

    internal override void Abandon(Exception error) { }
}

/// <summary>
/// The peer refused an update that we signed. What is signed stays signed: it is offered again after a while, and
/// until the peer takes it nothing new is paid in the channel.
/// </summary>
internal sealed class TakeRefusal(
    ChannelSlot slot, UInt128 sent, Refusal reason, Action<int> offerAgainIn, ILogger log) : LedgerCommand
{
    private const int DelayMsMin = 50;
    private const int DelayMsMax = 10_000;

    internal override void Apply(LedgerTurn turn)
    {
        if (sent <= slot.Working.Acknowledged || sent > slot.Working.Sent) return;
        if (slot.PeerRefusal == Refusal.None) log.UpdateRefused(slot.Channel.Id, sent, reason);
        slot.PeerRefusal = reason;
        if (slot.OfferAgainScheduled) return;
        slot.OfferAgainScheduled = true;
        offerAgainIn(Math.Min(DelayMsMin << Math.Min(slot.RefusalsInARow++, 10), DelayMsMax));
    }

    internal override void Abandon(Exception error) { }
}

/// <summary>Offers again what the peer refused.</summary>
internal sealed class OfferAgain(ChannelSlot slot) : LedgerCommand
{
    internal override void Apply(LedgerTurn turn)
    {
        slot.OfferAgainScheduled = false;
        if (slot.StateLost) return;
        if (slot.Working.Sent == slot.Working.Acknowledged)
        {
            slot.ClearRefusal();
            return;
        }

        slot.ReofferAbove = slot.Working.Acknowledged;
        turn.Touch(slot, durable: false);
    }

    internal override void Abandon(Exception error) { }
}

/// <summary>
/// After a new connection, once: where the peer stands in a channel. What it misses is told again, also what it had
/// acknowledged and lost.
/// </summary>
internal sealed class TakeReestablish(
    ChannelSlot slot, UInt128 received, PeerLink link, ILogger log) : LedgerCommand
{
    internal override void Apply(LedgerTurn turn)
    {
        if (slot.Link != link || slot.Established) return;
        slot.Established = true;
        slot.ClaimedByPeer = received;
        slot.ClearRefusal();
        if (slot.StateLost)
        {
            log.StateLost(slot.Channel.Id, received, slot.Working.Sent);
            return;
        }

        // What the peer says beyond our own total is a close that it has seen mined and we have not yet.
        Updates.Acknowledge(slot.Working, UInt128.Min(received, slot.Working.Sent), out ChannelState next);

        slot.Working = next;
        if (received < next.Sent) slot.ReofferAbove = received;
        turn.Touch(slot, durable: false);
    }

    internal override void Abandon(Exception error) { }
}
