using System.Buffers;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What leads from the total that a peer has to this node's own, as a list of payments. Most of it are payments made; but a
/// total may have gaps that no payment of the journal fills: a cooperative close counts one unit more, which stays counted
/// where the chain takes the close back for good, and payments that are too old are forgotten. A gap is told as a payment
/// without an item, for a total once signed is never taken back.
/// </summary>
internal static class Missing
{
    /// <summary>
    /// Where it is more than <paramref name="countMax"/>, the peer has lost what it had acknowledged: that is told as one payment without
    /// an item, so that all of its money is there, and what is newer with its items.
    /// </summary>
    /// <param name="above">The payments above a total, in order.</param>
    /// <returns>What is told as one; 0 where each is told by itself.</returns>
    public static UInt128 Write(
        ArrayBufferWriter<byte> list, ChannelSlot slot, Func<UInt128, IEnumerable<OutgoingPayment>> above, UInt128 received, int countMax)
    {
        if (TryWrite(list, slot, above(received), received, countMax)) return UInt128.Zero;
        UInt128 acknowledged = UInt128.Max(received, slot.Working.Acknowledged);
        OutgoingPayment[] newest = [.. above(acknowledged)];
        for (int most = countMax - 2; ; most /= 2) // Fewer where there are gaps between them.
        {
            UInt128 from = newest.Length <= most ? acknowledged : newest[^(most + 1)].Total;
            list.ResetWrittenCount();
            Fill(list, received, from);
            if (TryWrite(list, slot, newest.TakeLast(most), from, countMax - 1)) return from - received;
        }
    }

    /// <summary>False where it is more than <paramref name="countMax"/>.</summary>
    private static bool TryWrite(
        IBufferWriter<byte> list, ChannelSlot slot, IEnumerable<OutgoingPayment> payments, UInt128 received, int countMax)
    {
        UInt128 total = received;
        int count = 0;
        foreach (OutgoingPayment payment in payments)
        {
            count += Fill(list, total, payment.Total - payment.Amount);
            if (count++ >= countMax) return false;
            PaymentList.Write(list, payment.Amount, payment.ItemId.Span);
            total = payment.Total;
        }

        if (count > 0 || MayFill(slot)) count += Fill(list, total, slot.Working.Sent);
        return count <= countMax;
    }

    /// <summary>Answers how many payments that makes.</summary>
    private static int Fill(IBufferWriter<byte> list, UInt128 total, UInt128 upTo)
    {
        if (upTo <= total) return 0;
        PaymentList.Write(list, upTo - total, default);
        return 1;
    }

    /// <summary>Nothing waits to be paid: the gap alone is told only where the peer would take it.</summary>
    private static bool MayFill(ChannelSlot slot)
    {
        ref readonly ChannelState state = ref slot.Working;
        return state.Status == ChannelStatus.Open && slot.Channel.CanSend(slot.Channel.OurSide)
            && state.CoversWithCredit(slot.Channel.OurSide, state.Sent, Updates.ToSign(slot.Channel, state).Received);
    }
}
