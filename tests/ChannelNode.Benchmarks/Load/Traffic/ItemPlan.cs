using System.Buffers.Binary;
using ChannelNode.Core;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>
/// The payments of one update: each with an amount of its own from 1 to <see cref="AmountMax"/> and a 16-byte item id
/// that names its channel and its number there, so that a subscriber can tell whether one is missing, twice or out of
/// order. Every update of a plan has the same sum and the same length.
/// </summary>
internal sealed class ItemPlan(int count)
{
    public const int ItemIdBytes = 16;

    private const int AmountMax = 7;
    private const int PaymentBytes = 1 + 1 + ItemIdBytes; // amount below 128, length, id

    /// <summary>Nothing said: the whole step is one payment without an item id.</summary>
    public static ItemPlan OnePayment { get; } = new(1);

    public int Count => count;

    public ulong Sum { get; } = count == 1 ? 1 : Enumerable.Range(0, count).Aggregate(0ul, (sum, index) => sum + AmountOf(index));

    private int ContentBytes => count == 1 ? 0 : count * PaymentBytes;

    /// <summary>Bytes of the whole field, its tag and length included.</summary>
    public int FieldBytes => count == 1 ? 0 : 1 + Tape.VarintBytes((uint)ContentBytes) + ContentBytes;

    public static ulong AmountOf(long index) => 1 + (ulong)(index % AmountMax);

    /// <summary>The update of a round, counted from 0, holds payments round * count up to (round + 1) * count.</summary>
    public void Write(Span<byte> target, ChannelId channel, long round)
    {
        if (count == 1) return;
        target[0] = Tape.Tag(Proto.V1.Update.PaymentsFieldNumber);
        target = target[(1 + Tape.WriteVarint(target[1..], (uint)ContentBytes))..];
        for (int index = 0; index < count; index++, target = target[PaymentBytes..])
        {
            target[0] = (byte)AmountOf(index);
            target[1] = ItemIdBytes;
            WriteId(target[2..], channel, (round * count) + index);
        }
    }

    public static void WriteId(Span<byte> target, ChannelId channel, long number)
    {
        BinaryPrimitives.WriteUInt64BigEndian(target, channel.Value.W0);
        BinaryPrimitives.WriteInt64BigEndian(target[8..], number);
    }
}
