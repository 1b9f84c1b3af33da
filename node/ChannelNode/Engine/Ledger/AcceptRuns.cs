using System.Buffers;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The writer's part of a batch: takes the runs <paramref name="from"/> to <paramref name="to"/> into their channels and
/// journals their payments. The first part takes the acknowledgements too; the last one tells what was refused.
/// </summary>
internal sealed class AcceptRuns(PeerBatch batch, int from, int to, bool isLast, PeerSession session) : LedgerCommand
{
    /// <summary>
    /// Wrong signatures of one run that the writer looks at: everybody waits for each, and no honest node sends any. Of what
    /// stands before them in the run nothing is taken then.
    /// </summary>
    private const int WrongSignaturesMax = 4;

    /// <summary>
    /// A peer that puts so many updates into one frame, of as many channels, is after what they cost, not after the time of one.
    /// </summary>
    private const int Many = 16;

    /// <summary>Own payments that have been acknowledged wait as little as ever.</summary>
    private readonly bool _isOfMany = batch.LargestFrame >= Many && batch.Runs.Length >= Many
        && (from > 0 || batch.Acknowledgements.Length == 0);

    internal override int Weight => Math.Max(1, to - from);

    internal override int RunCount => to - from;

    internal override bool IsOfMany => _isOfMany;

    internal override void Apply(LedgerTurn turn)
    {
        if (from == 0)
        {
            foreach (ref readonly HeardAcknowledgement heard in batch.Acknowledgements) Take(turn, heard);
        }

        foreach (ref UpdateRun run in batch.Runs[from..to])
        {
            if (run.Newest >= 0) Accept(turn, run);
            for (int index = (run.Doubtful?.Count ?? 0) - 1; index >= 0; index--)
            {
                (int at, VerifiedUpdate verified) = run.Doubtful![index];
                Refusal refusal = TryAccept(turn, run, at, at, verified);
                if (refusal == Refusal.None) continue;
                Charge(run);
                Refuse(turn, run, at, refusal);
            }
        }
    }

    private void Take(LedgerTurn turn, in HeardAcknowledgement heard)
    {
        ChannelSlot slot = heard.Slot;
        Refusal refusal = Updates.Acknowledge(slot.Working, heard.Received, out ChannelState next);
        if (refusal != Refusal.None)
        {
            session.Link.End($"acknowledged {heard.Received} in {slot.Channel.Id}, where {slot.Working.Sent} was sent");
            return;
        }

        if (heard.Receipt is not null) slot.NewestReceipt = heard.Receipt;
        if (next.Acknowledged == slot.Working.Acknowledged)
        {
            TakeAgain(turn, slot, heard.Received);
            return;
        }

        slot.Working = next;
        slot.MissesAbove = null;
        if (slot.WasRefused && next.Acknowledged == next.Sent) slot.AllTaken();
        turn.Touch(slot, durable: false);
    }

    /// <summary>What was acknowledged before: the peer had lost it, and has it now.</summary>
    private static void TakeAgain(LedgerTurn turn, ChannelSlot slot, UInt128 received)
    {
        if (slot.MissesAbove is not { } missed || received <= missed) return;
        if (received < slot.Working.Acknowledged) slot.MissesAbove = received;
        else if (slot.Working.Acknowledged == slot.Working.Sent) slot.AllTaken();
        else slot.ClearRefusal();
        turn.Touch(slot, durable: false); // What is under way has changed.
    }

    private void Accept(LedgerTurn turn, in UpdateRun run)
    {
        Refusal refusal = TryAccept(turn, run, run.First, run.Newest, run.Verified);
        if (refusal == Refusal.None) return;
        Charge(run);
        Refuse(turn, run, run.Newest, refusal);

        // Before any signature is looked at: what the operator's rules would refuse anyway must not cost one each.
        UInt128 reach = turn.Policies?.ReachOf(batch, run) ?? UInt128.MaxValue;
        int wrong = 0;
        for (int at = run.Newest; at != run.First;)
        {
            at = batch.Updates[at].Before;
            if (batch.Updates[at].Sent > reach)
            {
                Refuse(turn, run, at, Refusal.PolicyRefused);
                continue;
            }

            // Payments that do not begin where the channel stands lead nowhere for the earlier ones either.
            if (refusal != Refusal.PaymentsMismatch && wrong < WrongSignaturesMax) refusal = FallBack(turn, run, at);
            if (refusal == Refusal.None) return;
            if (refusal == Refusal.WrongSigner) wrong++;
            Refuse(turn, run, at, refusal);
        }
    }

    /// <summary>Rare: the channel has changed since its run was verified, and the newest update does not fit any more.</summary>
    private Refusal FallBack(LedgerTurn turn, in UpdateRun run, int at)
    {
        BatchUpdate update = batch.Updates[at];
        Channel channel = run.Slot.Channel;
        Refusal refusal = Updates.Check(
            channel, run.Slot.Working, new BalanceUpdate(channel.Id, update.Sent, update.Received));
        if (refusal != Refusal.None) return refusal;
        if (!turn.ChainIsCurrent) return Refusal.ChainUnavailable; // Of all of them: no signature changes that.
        if (turn.DiskIsLow && update.Sent > run.Slot.Working.TheirTotal) return Refusal.DiskLow;
        if (run.Slot.IsHeld && turn.Hold.IsOn && update.Sent > run.Slot.Working.TheirTotal) return Refusal.RestoredHeld;
        if (batch.TryVerify(channel, at, out VerifiedUpdate verified)) return TryAccept(turn, run, run.First, at, verified);
        batch.NoteWrong();
        return Refusal.WrongSigner;
    }

    /// <summary>Takes the updates from <paramref name="at"/> to <paramref name="newest"/>, as far as they are new.</summary>
    private Refusal TryAccept(LedgerTurn turn, in UpdateRun run, int at, int newest, in VerifiedUpdate verified)
    {
        ChannelSlot slot = run.Slot;
        UInt128 before = slot.Working.TheirTotal;
        UInt128? start = null;
        for (; at != newest && batch.Updates[at].Sent <= before; at = batch.Updates[at].After)
            start = batch.Updates[at].Sent; // Known already.

        ref readonly BatchUpdate first = ref batch.Updates[at];
        if (first.Sent == before || start is null) start = first.PaymentCount == 0 ? before : first.Sent - first.PaymentSum;
        Refusal refusal = Updates.Accept(
            slot.Channel, slot.Working, verified, verified.Update.Sent - start.Value, out ChannelState next);
        if (refusal == Refusal.None && !turn.ChainIsCurrent) refusal = Refusal.ChainUnavailable;
        if (refusal != Refusal.None) return refusal;
        if (turn.DiskIsLow && next.TheirSent > before) return Refusal.DiskLow;
        if (slot.IsHeld && turn.Hold.IsOn && next.TheirSent > before) return Refusal.RestoredHeld;
        if (next.TheirSent > before && turn.Policies is { LimitsPayments: true } policies
            && !policies.TryReceive(batch, slot, before, at, newest, next)) return Refusal.PolicyRefused;

        turn.Counts.UpdatesAccepted++;
        if (next.TheirSent > before) turn.Counts.UpdatesCoalesced += Journal(turn, slot, before, at, newest) - 1;
        if (slot.WasRefused && next.Acknowledged == next.Sent) slot.AllTaken();
        bool isSaidAgain = next.TheirSent == slot.Working.TheirSent && next.TheirReceived == slot.Working.TheirReceived && slot.Working.HasTheirUpdate;
        slot.Working = next;
        slot.AcknowledgementDue = true;
        slot.ReceiptDue |= run.WantsReceipt;
        if (isSaidAgain) turn.TouchToSpeak(slot);
        else turn.Touch(slot, durable: true);
        return Refusal.None;
    }

    /// <summary>Answers how many updates that were.</summary>
    private int Journal(LedgerTurn turn, ChannelSlot slot, UInt128 before, int at, int newest)
    {
        ref readonly BatchUpdate only = ref batch.Updates[at];
        if (at == newest && only.PaymentCount > 0)
        {
            turn.PutReceived(slot.Channel.Id, only.PaymentCount, before, only.Payments);
            return 1;
        }

        ArrayBufferWriter<byte> list = turn.Payments;
        list.ResetWrittenCount();
        int count = 0, updates = 1;
        for (UInt128 total = before; ; at = batch.Updates[at].After)
        {
            ref readonly BatchUpdate update = ref batch.Updates[at];
            if (update.PaymentCount > 0)
            {
                list.Write(update.Payments);
                count += update.PaymentCount;
            }
            else if (update.Sent > total)
            {
                PaymentList.Write(list, update.Sent - total, default);
                count++;
            }

            total = update.Sent;
            if (at == newest) break;
            updates++;
        }

        turn.PutReceived(slot.Channel.Id, count, before, list.WrittenSpan);
        return updates;
    }

    /// <summary>
    /// A right signature costs as much to check as a wrong one, and in a channel that was never funded it is worth as little: strangers
    /// have as many of those as they like.
    /// </summary>
    private void Charge(in UpdateRun run)
    {
        if (!run.Slot.Working.EverFunded) batch.NoteUseless();
    }

    private void Refuse(LedgerTurn turn, in UpdateRun run, int at, Refusal reason)
    {
        ulong untilSeconds = reason == Refusal.RestoredHeld ? turn.Hold.UntilSeconds : 0;
        batch.Refuse(run.Slot.Channel.Id, batch.Updates[at].Sent, reason, untilSeconds);
        if (reason == Refusal.PolicyRefused) turn.Policies!.NoteRefused(turn, run.Slot);
    }

    /// <summary>Refusals leave after the acknowledgements of what was taken before them.</summary>
    internal override void Committed()
    {
        if (isLast) session.Finish(batch);
    }

    internal override void Abandon(Exception error) => session.Link.End("the node is stopping");
}
