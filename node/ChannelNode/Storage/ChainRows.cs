using System.Buffers.Binary;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// A block that was followed, under its number (8 bytes, big-endian).
/// <code>
/// offset size field                        offset size field
///      0    1 version = 1                      33   32 hash of the block before
///      1   32 hash                             65    8 timestamp, Unix seconds
/// </code>
/// </summary>
internal static class BlockRow
{
    public const int KeySize = sizeof(ulong);

    public const int Size = 73;

    private const byte Version = 1;

    public static void WriteKey(Span<byte> target, ulong number) => BinaryPrimitives.WriteUInt64BigEndian(target, number);

    public static void Write(ref RowWriter row, ChainBlock block)
    {
        row.Byte(Version);
        row.Bytes32(block.Hash);
        row.Bytes32(block.Parent);
        row.UInt64(block.TimestampSeconds);
    }

    public static ChainBlock Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source)
    {
        var place = new RowReader("block key", key);
        ulong number = place.UInt64();
        place.End();
        var row = new RowReader("block", source, Version);
        var block = new ChainBlock(number, row.Bytes32(), row.Bytes32(), row.UInt64());
        row.End();
        return block;
    }
}

/// <summary>
/// A channel as it stood before a block that changed it: a <see cref="StateRow"/> under the block's number (8 bytes,
/// big-endian) and the channel's id (32).
/// </summary>
internal static class UndoKey
{
    public const int Size = BlockRow.KeySize + Bytes32.Size;

    public static void Write(Span<byte> target, ulong block, ChannelId channel)
    {
        BlockRow.WriteKey(target, block);
        channel.Write(target[BlockRow.KeySize..]);
    }

    public static ChannelId Read(ReadOnlySpan<byte> key)
    {
        var place = new RowReader("undo key", key);
        place.UInt64();
        var channel = new ChannelId(place.Bytes32());
        place.End();
        return channel;
    }
}

/// <summary>
/// What a block put into a side of a channel, under the block's number (8 bytes, big-endian), the channel's id (32) and
/// the side (1): version = 1, then the amount.
/// </summary>
internal static class RecentDepositRow
{
    public const int KeySize = UndoKey.Size + 1;

    public const int SizeMax = 1 + RowWriter.AmountSizeMax;

    private const byte Version = 1;

    public static void WriteKey(Span<byte> target, ChannelId channel, in RecentDeposit deposit)
    {
        UndoKey.Write(target, deposit.Block, channel);
        target[UndoKey.Size] = (byte)deposit.Side;
    }

    public static void Write(ref RowWriter row, in RecentDeposit deposit)
    {
        row.Byte(Version);
        row.Amount(deposit.Amount);
    }

    public static (ChannelId Channel, RecentDeposit Deposit) Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source)
    {
        var place = new RowReader("deposit key", key);
        ulong block = place.UInt64();
        var channel = new ChannelId(place.Bytes32());
        var side = (Side)place.Flags((byte)Side.B);
        place.End();
        var row = new RowReader("deposit", source, Version);
        UInt128 amount = row.Amount();
        row.End();
        return (channel, new RecentDeposit(block, side, amount));
    }
}
