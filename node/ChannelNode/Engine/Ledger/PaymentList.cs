using System.Buffers;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Many payments in few bytes, as they travel under one signature and lie in the journal. For each: the amount as
/// unsigned LEB128 (seven bits a byte, lowest first, at most 16 bytes: 112 bits), one byte with the length of the item
/// id, the item id.
/// </summary>
internal static class PaymentList
{
    public const int ItemIdBytesMax = 64;

    /// <summary>16 groups of seven bits are 112: what is longer is above <see cref="Amounts.Max"/>.</summary>
    private const int AmountBytesMax = 16;

    public const int PaymentBytesMax = AmountBytesMax + 1 + ItemIdBytesMax;

    /// <summary>The first thing wrong with a peer's list, or None and what it holds. An empty list holds nothing.</summary>
    public static Refusal Check(ReadOnlySpan<byte> list, int countMax, out int count, out UInt128 sum)
    {
        (count, sum) = (0, UInt128.Zero);
        while (!list.IsEmpty)
        {
            if (count == countMax) return Refusal.TooManyPayments;
            Refusal refusal = TryTake(ref list, out UInt128 amount, out _);
            if (refusal != Refusal.None) return refusal;
            sum += amount;
            if (sum > Amounts.Max) return Refusal.AmountTooLarge;
            count++;
        }

        return Refusal.None;
    }

    /// <summary>The next payment of a list that was checked; advances past it.</summary>
    public static IncomingPayment Take(ref ReadOnlyMemory<byte> list)
    {
        ReadOnlySpan<byte> rest = list.Span;
        Refusal refusal = TryTake(ref rest, out UInt128 amount, out int itemIdBytes);
        if (refusal != Refusal.None) throw Bad(refusal);
        int end = list.Length - rest.Length;
        IncomingPayment payment = new(amount, list[(end - itemIdBytes)..end]);
        list = list[end..];
        return payment;
    }

    /// <summary>The next payment's amount alone.</summary>
    public static UInt128 TakeAmount(ref ReadOnlySpan<byte> list) => TakeAmount(ref list, out _);

    /// <summary>The same, and whether it is for something: has an item id.</summary>
    public static UInt128 TakeAmount(ref ReadOnlySpan<byte> list, out bool hasItem)
    {
        Refusal refusal = TryTake(ref list, out UInt128 amount, out int itemIdBytes);
        hasItem = itemIdBytes > 0;
        return refusal == Refusal.None ? amount : throw Bad(refusal);
    }

    private static InvalidOperationException Bad(Refusal refusal) =>
        new($"a list of payments that was checked holds a bad one: {refusal}");

    private static Refusal TryTake(ref ReadOnlySpan<byte> list, out UInt128 amount, out int itemIdBytes)
    {
        itemIdBytes = 0;
        Refusal refusal = TryTakeAmount(ref list, out amount);
        if (refusal != Refusal.None) return refusal;
        if (list.IsEmpty) return Refusal.InvalidArgument;
        itemIdBytes = list[0];
        if (itemIdBytes > ItemIdBytesMax) return Refusal.ItemIdTooLong;
        if (itemIdBytes >= list.Length) return Refusal.InvalidArgument;
        list = list[(1 + itemIdBytes)..];
        return Refusal.None;
    }

    private static Refusal TryTakeAmount(ref ReadOnlySpan<byte> list, out UInt128 amount)
    {
        const int groupsInLong = 9; // 63 bits: most amounts never leave one register.
        ulong low = 0;
        amount = UInt128.Zero;
        for (int index = 0; index < list.Length && index < groupsInLong; index++)
        {
            byte group = list[index];
            low |= (ulong)(group & 0x7F) << (7 * index);
            if (group >= 0x80) continue;
            amount = low;
            list = list[(index + 1)..];
            return low == 0 ? Refusal.ZeroAmount : Refusal.None;
        }

        amount = low;
        for (int index = groupsInLong; index < list.Length && index < AmountBytesMax; index++)
        {
            byte group = list[index];
            amount |= (UInt128)(uint)(group & 0x7F) << (7 * index);
            if (group >= 0x80) continue;
            list = list[(index + 1)..];
            return amount == UInt128.Zero ? Refusal.ZeroAmount : Refusal.None;
        }

        return list.Length < AmountBytesMax ? Refusal.InvalidArgument : Refusal.AmountTooLarge;
    }

    /// <summary>Writes one payment at the start of <paramref name="target"/>; answers its length.</summary>
    public static int Write(Span<byte> target, UInt128 amount, ReadOnlySpan<byte> itemId)
    {
        int at = 0;
        for (; amount >= 0x80; amount >>= 7) target[at++] = (byte)((byte)(amount & 0x7F) | 0x80);
        target[at++] = (byte)amount;
        target[at++] = checked((byte)itemId.Length);
        itemId.CopyTo(target[at..]);
        return at + itemId.Length;
    }

    public static void Write(IBufferWriter<byte> target, UInt128 amount, ReadOnlySpan<byte> itemId) =>
        target.Advance(Write(target.GetSpan(PaymentBytesMax), amount, itemId));
}
