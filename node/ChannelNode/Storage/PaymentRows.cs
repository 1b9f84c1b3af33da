using System.Buffers.Binary;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// A payment made, under 'p' (1 byte), channel id (32 bytes) and lifetime total (16, big-endian), so that a channel's
/// payments lie together in the order in which they were made.
/// <code>
/// size field
///    1 version = 2
///    a amount: a byte of length, then that many bytes, big-endian
///    1 length i of the item id
///    i item id
///    k idempotency key, UTF-8, to the row's end
/// </code>
/// </summary>
internal static class OutgoingRow
{
    public const int KeySize = 1 + Bytes32.Size + 16;

    public const int SizeMax = 1 + RowWriter.AmountSizeMax + 1 + byte.MaxValue + byte.MaxValue;

    private const byte KeyMark = (byte)'p';

    private const byte Version = 2;

    public static void WriteKey(Span<byte> target, ChannelId channel, UInt128 total)
    {
        target[0] = KeyMark;
        channel.Write(target[1..]);
        BinaryPrimitives.WriteUInt128BigEndian(target[(1 + Bytes32.Size)..], total);
    }

    /// <summary>The idempotency key must have been measured before: longer than 255 bytes throws.</summary>
    public static void Write(ref RowWriter row, OutgoingPayment payment, ReadOnlySpan<byte> idempotencyKey)
    {
        row.Byte(Version);
        row.Amount(payment.Amount);
        row.ShortBytes(payment.ItemId.Span);
        row.Bytes(idempotencyKey);
    }

    public static OutgoingPayment Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source)
    {
        var place = new RowReader("outgoing payment key", key, KeyMark);
        var channel = new ChannelId(place.Bytes32());
        UInt128 total = place.UInt128();
        place.End();

        var row = new RowReader("outgoing payment", source, Version);
        UInt128 amount = row.Amount();
        byte[] itemId = row.ShortBytes().ToArray();
        string idempotencyKey = Encoding.UTF8.GetString(row.Rest());
        return new OutgoingPayment(channel, total, amount, itemId, idempotencyKey);
    }
}

/// <summary>
/// Where the payment of an idempotency key lies, under 'k' (1 byte) and the key (UTF-8), in the same column family as
/// the payment: a version byte, then the key of its row.
/// </summary>
internal static class IdempotencyRow
{
    public const int Size = 1 + OutgoingRow.KeySize;

    public const byte KeyMark = (byte)'k';

    private const byte Version = 2;

    public static void Write(ref RowWriter row, ReadOnlySpan<byte> outgoingKey)
    {
        row.Byte(Version);
        row.Bytes(outgoingKey);
    }

    public static ReadOnlySpan<byte> Read(ReadOnlySpan<byte> source)
    {
        var row = new RowReader("idempotency key", source, Version);
        ReadOnlySpan<byte> outgoingKey = row.Rest();
        return outgoingKey.Length == OutgoingRow.KeySize
            ? outgoingKey
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
