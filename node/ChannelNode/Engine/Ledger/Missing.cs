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
    /// <param name="payments">Those above <paramref name="received"/>, in order.</param>
    /// <returns>False where it is more than <paramref name="countMax"/>.</returns>
    public static bool Write(
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
