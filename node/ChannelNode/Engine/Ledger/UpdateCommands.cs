using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// The peer refused an update that we signed. What is signed stays signed: it is offered again after a while, and
/// until the peer takes it nothing new is paid in the channel.
/// </summary>
internal sealed class TakeRefusal(
    ChannelSlot slot, UInt128 sent, Refusal reason, ulong untilSeconds, Action<int> offerAgainIn, ILogger log) : LedgerCommand
{
    private const int DelayMsMin = 50;
    private const int DelayMsMax = 10_000;

    /// <summary>A race with a change of rules, or of what is known of the chain, has passed by then.</summary>
    private const long StuckAfterMs = 13_000;

    /// <summary>So has what only takes its time: deposits count later, restored nodes wait, RPCs come back.</summary>
    private const long StuckAfterMsWhereItPasses = 2 * 3_600_000;

    /// <summary>Where the peer takes nothing before a time that it has told; when that has come it asks by itself.</summary>
    private const int HeldDelayMsMax = 60_000;

    internal override void Apply(LedgerTurn turn)
    {
        if (reason == Refusal.UnknownChannel && slot.AskedOn is { } asked && !slot.IsEstablished)
        {
            asked.Reestablishing.Refuse(slot, turn);
            return;
        }

        if (sent <= slot.PeerHas || sent > slot.Working.Sent) return;
        turn.Counts.OffersRefused.Add(reason);
        if (slot.PeerRefusal == Refusal.None) log.UpdateRefused(slot.Channel.Id, sent, reason.Name());
        (slot.PeerRefusal, slot.PeerRefusalUntilSeconds) = (reason, untilSeconds);
        turn.ApplyWaiting(slot); // Refused now: nothing of them was signed.
        if (slot.OfferAgainScheduled) return;
        slot.OfferAgainScheduled = true;
        TellWhenStuck(turn);
        int delayMsMax = reason == Refusal.RestoredHeld ? HeldDelayMsMax : DelayMsMax;
        offerAgainIn(Math.Min(DelayMsMin << Math.Min(slot.RefusalsInARow++, 11), delayMsMax));
    }

    /// <summary>Once until all is taken, over all sessions. Of a channel that is paid out nothing waits.</summary>
    private void TellWhenStuck(LedgerTurn turn)
    {
        if (slot.IsStuckTold || slot.Working.IsClosed) return;
        if (slot.RefusedSinceMs == 0) slot.RefusedSinceMs = turn.NowMs;
        bool passes = reason is Refusal.DepositUncredited or Refusal.RestoredHeld or Refusal.ChainUnavailable or Refusal.DiskLow;
        if (turn.NowMs - slot.RefusedSinceMs < (passes ? StuckAfterMsWhereItPasses : StuckAfterMs)) return;
        slot.IsStuckTold = true;
        turn.Tell(ChannelEvents.PaymentStuck(slot.Channel, slot.Working.Sent - slot.PeerHas, reason));
        turn.Touch(slot, durable: false);
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
        if (slot.Working.Sent == slot.PeerHas)
        {
            slot.AllTaken();
            return;
        }

        if (slot.PeerRefusal == Refusal.PaymentsMismatch) slot.EstablishedOn = null; // It stands elsewhere than was thought: it is asked again.
        slot.ReofferAbove = slot.PeerHas;
        turn.Touch(slot, durable: false);
    }

    internal override void Abandon(Exception error) { }
}

/// <summary>
/// After a new connection, once: where the peer stands in a channel. What it misses is told again, also what it had
/// acknowledged and lost.
/// </summary>
internal sealed class TakeReestablish(
    ChannelSlot slot, UInt128 received, PeerLink link, Action<int> putOff) : LedgerCommand
{
    private const int DelayMsMin = 50;
    private const int DelayMsMax = 10_000;

    /// <summary>It was put off, and its time has come.</summary>
    public bool IsDue { get; init; }

    /// <summary>
    /// Of a database that was restored: what the peer has shown, and this node's key has signed, beyond what was known here. Null normally.
    /// </summary>
    public BalanceUpdate? Own { get; init; }

    internal override void Apply(LedgerTurn turn)
    {
        if (slot.Link != link) return;
        bool counts = IsDue || slot.IsEstablished; // Said before in this session: it is the answer to a question that crossed the peer's.
        if (!(IsDue ? link.Reestablishing.TakeLate(slot) : link.Reestablishing.Take(slot)) || (!counts && IsPutOff())) return;
        if (IsDue && slot.OffersInVain == 0)
        {
            // Something was acknowledged meanwhile, by a claim on chain: the word is older than that.
            slot.EstablishedOn = null;
            link.Reestablishing.Ask(slot);
            return;
        }

        slot.ReceivedByLost = Own?.Received ?? UInt128.Zero;
        if (Own is { } own) TakeOver(own, turn);
        slot.ClaimedByPeer = received;
        slot.UnderWay.Clear(); // Told in another session.
        ClearRefusal();
        if (slot.StateLost)
        {
            // Of a channel that was never funded nothing can be proven, and strangers have as many as they like.
            bool isNews = slot.Working.EverFunded && !slot.IsLossTold;
            slot.IsLossTold |= isNews;
            if (isNews) turn.Tell(ChannelEvents.PeerKnowsMore(slot.Channel, received, slot.Working.Sent));
            turn.ApplyWaiting(slot);
            return;
        }

        turn.Confirm(slot);

        // What the peer says beyond our own total is a close that it has seen mined and we have not yet.
        Updates.Acknowledge(slot.Working, UInt128.Min(received, slot.Working.Sent), out ChannelState next);

        slot.Working = next;
        if (received < next.Acknowledged) slot.MissesAbove = received;
        if (received < next.Sent) slot.NoteOffered(above: received);
        turn.Touch(slot, durable: false);
        turn.ApplyWaiting(slot);
    }

    private void TakeOver(in BalanceUpdate own, LedgerTurn turn)
    {
        UInt128 known = slot.Working.Sent;
        if (!Updates.TakeOver(slot.Working, own, out ChannelState next)) return;
        slot.Working = next;
        turn.Tell(ChannelEvents.OwnUpdateShown(slot.Channel, own.Sent, known, isFirst: !slot.IsLossTold));
        slot.IsLossTold = true;
        turn.Touch(slot, durable: true);
    }

    /// <summary>
    /// All that the peer misses is read from disk while everybody waits, and a peer that takes nothing of it could ask for it in one session
    /// after the other: until something is acknowledged its word counts later and later. The channel is not established meanwhile.
    /// </summary>
    private bool IsPutOff()
    {
        if (received >= slot.Working.Sent || slot.OffersInVain == 0) return false;
        if (!link.Reestablishing.PutOff(slot)) return true; // Said again: what was said first counts.
        putOff(Math.Min(DelayMsMin << Math.Min(slot.OffersInVain - 1, 11), DelayMsMax));
        return true;
    }

    /// <summary>After a mismatch of payments the question was asked anew: another one waits as long as it must for its turn.</summary>
    private void ClearRefusal()
    {
        int inARow = slot.PeerRefusal == Refusal.PaymentsMismatch ? slot.RefusalsInARow : 0;
        slot.ClearRefusal();
        slot.RefusalsInARow = inARow;
    }

    internal override void Abandon(Exception error) { }
}

/// <summary>The peer has told how much more it takes, behind the acknowledgements of what it has taken.</summary>
internal sealed class TakeLimits(PeerTold told, PeerLink link) : LedgerCommand
{
    private const int LooksPerWeight = 8;

    private int _looked;

    /// <summary>A turn is bounded by what it looks at, however often a peer tells.</summary>
    internal override int Weight => 1 + (_looked / LooksPerWeight);

    internal override void Apply(LedgerTurn turn)
    {
        if (link.IsCurrent) _looked = turn.TakeRoom(link, told);
    }

    internal override void Abandon(Exception error) { }
}
