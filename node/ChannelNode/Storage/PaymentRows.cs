using System.Buffers.Binary;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// Payments of one channel that were made together, under 'p' (1 byte), channel id (32 bytes) and the lifetime total with
/// the last of them (16, big-endian). So a channel's runs lie together in the order in which they were made, and the first
/// row at or behind a payment's total is the one that holds it.
/// <code>
/// size field
///    1 version = 3
///    a lifetime total before them: a byte of length, then that many bytes, big-endian
///    4 number of payments
///    4 length p of the payments
///    p payments: a PaymentList
///    k idempotency keys as SentRun has them, to the row's end
/// </code>
/// </summary>
internal static class SentRow
{
    public const int KeySize = 1 + Bytes32.Size + 16;

    private const int HeadSizeMax = 1 + RowWriter.AmountSizeMax + 4 + 4;

    private const byte KeyMark = (byte)'p';

    private const byte Version = 3;

    public static void WriteKey(Span<byte> target, ChannelId channel, UInt128 total)
    {
        target[0] = KeyMark;
        channel.Write(target[1..]);
        BinaryPrimitives.WriteUInt128BigEndian(target[(1 + Bytes32.Size)..], total);
    }

    public static (ChannelId Channel, UInt128 Total) ReadKey(ReadOnlySpan<byte> key)
    {
        var place = new RowReader("sent payments key", key, KeyMark);
        var channel = new ChannelId(place.Bytes32());
        UInt128 total = place.UInt128();
        place.End();
        return (channel, total);
    }

    /// <summary>At most.</summary>
    public static int SizeOf(in SentRun run) => HeadSizeMax + run.Payments.Length + run.Keys.Length;

    public static void Write(ref RowWriter row, in SentRun run)
    {
        row.Byte(Version);
        row.Amount(run.TotalBefore);
        row.UInt32((uint)run.Count);
        row.LongBytes(run.Payments.Span);
        row.Bytes(run.Keys.Span);
    }

    public static SentRun Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source)
    {
        (ChannelId channel, UInt128 total) = ReadKey(key);
        var row = new RowReader("sent payments", source, Version);
        UInt128 totalBefore = row.Amount();
        uint count = row.UInt32();
        byte[] payments = row.LongBytes().ToArray();
        byte[] keys = row.Rest().ToArray();
        Refusal wrong = PaymentList.Check(payments, int.MaxValue, out int found, out UInt128 sum);
        if (wrong != Refusal.None || found != count || totalBefore + sum != total || !AreKeys(keys, found))
            throw new StoreException($"A sent payments row is corrupt: {found} of {count} payments lead from {totalBefore} by {sum} to {total}.");
        return new SentRun(channel, totalBefore, total, found, payments, keys);
    }

    private static bool AreKeys(ReadOnlySpan<byte> keys, int count)
    {
        if (keys.IsEmpty) return true;
        while (!keys.IsEmpty && keys[0] < keys.Length)
        {
            keys = keys[(1 + keys[0])..];
            count--;
        }

        return keys.IsEmpty && count == 0;
    }
}

/// <summary>
/// Where the payment of an idempotency key lies, under 'k' (1 byte) and the key (UTF-8), in the same column family as
/// the payment: a version byte, then 'p', channel id and the lifetime total with it. The first row of payments from there
/// on holds it.
/// </summary>
internal static class IdempotencyRow
{
    public const int Size = 1 + SentRow.KeySize;

    public const byte KeyMark = (byte)'k';

    private const byte Version = 2;

    public static void Write(ref RowWriter row, ReadOnlySpan<byte> place)
    {
        row.Byte(Version);
        row.Bytes(place);
    }

    public static ReadOnlySpan<byte> Read(ReadOnlySpan<byte> source)
    {
        var row = new RowReader("idempotency key", source, Version);
        ReadOnlySpan<byte> place = row.Rest();
        return place.Length == SentRow.KeySize
            ? place
            : throw new StoreException($"An idempotency key row is corrupt: it has {source.Length} bytes, not {Size}.");
    }
}

/// <summary>
/// Payments of one channel received together, under the cursor of the first (8 bytes, big-endian).
/// <code>
/// offset size field                        offset size field
///      0    1 version = 2                      53    8 accepted at, Unix milliseconds
///      1    4 number of payments               61    p payments: a PaymentList, to the row's end
///      5   32 channel id
///     37   16 lifetime total before them
/// </code>
/// </summary>
internal static class ReceivedRow
{
    public const int KeySize = sizeof(ulong);

    public const int HeadSize = 61;

    private const byte Version = 2;

    public static ulong ReadKey(ReadOnlySpan<byte> key)
    {
        var place = new RowReader("received payments key", key);
        ulong cursor = place.UInt64();
        place.End();
        return cursor;
    }

    /// <summary>The payments follow.</summary>
    public static void WriteHead(ref RowWriter row, in ReceivedRun run)
    {
        row.Byte(Version);
        row.UInt32(checked((uint)run.Count));
        row.Bytes32(run.Channel.Value);
        row.UInt128(run.TotalBefore);
        row.Int64(run.AcceptedAtMs);
    }

    public static JournalledRun Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source)
    {
        ReceivedRun run = ReadHead(key, source, out ReadOnlySpan<byte> payments);
        return new JournalledRun(run, payments.ToArray());
    }

    public static ReceivedRun ReadHead(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source, out ReadOnlySpan<byte> payments)
    {
        var row = new RowReader("received payments", source, Version);
        uint count = row.UInt32();
        var channel = new ChannelId(row.Bytes32());
        UInt128 totalBefore = row.UInt128();
        long acceptedAtMs = row.Int64();
        payments = row.Rest();
        if (count == 0 || count > payments.Length)
            throw new StoreException($"A received payments row is corrupt: {count} payments in {payments.Length} bytes.");
        return new ReceivedRun(ReadKey(key), (int)count, channel, totalBefore, acceptedAtMs);
    }
}
