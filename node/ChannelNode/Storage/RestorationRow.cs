using System.Buffers.Binary;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// A restoration, under "restored" and its number (4 bytes) in meta.
/// <code>
/// offset size field                        offset size field
///      0    1 version = 1                      18    8 received: after
///      1    1 flags: 1 told                    26    8 received: up to
///      2    8 restored at, Unix ms             34    8 events: after
///     10    8 backup at, Unix ms               42    8 events: up to
/// </code>
/// </summary>
internal static class RestorationRow
{
    public const int Size = 50;

    private const byte Version = 1;
    private const byte Told = 1;

    public static ReadOnlySpan<byte> KeyStart => "restored"u8;

    public static byte[] Key(int number)
    {
        var key = new byte[KeyStart.Length + sizeof(int)];
        KeyStart.CopyTo(key);
        BinaryPrimitives.WriteInt32BigEndian(key.AsSpan(KeyStart.Length), number);
        return key;
    }

    public static void Write(ref RowWriter row, Restoration restored)
    {
        row.Byte(Version);
        row.Byte(restored.IsTold ? Told : (byte)0);
        row.Int64(restored.RestoredAtMs);
        row.Int64(restored.BackupAtMs);
        row.UInt64(restored.Received.After);
        row.UInt64(restored.Received.UpTo);
        row.UInt64(restored.Events.After);
        row.UInt64(restored.Events.UpTo);
    }

    public static Restoration Read(ReadOnlySpan<byte> source)
    {
        var row = new RowReader("restoration", source, Version);
        bool isTold = row.Flags(Told) == Told;
        Restoration restored = new(
            row.Int64(), row.Int64(), new CursorGap(row.UInt64(), row.UInt64()), new CursorGap(row.UInt64(), row.UInt64()), isTold);
        row.End();
        return restored;
    }
}

/// <summary>
/// A channel whose peer has not told where it stands since the database was restored: the peer's signer, then the channel's
/// id. The row is empty.
/// </summary>
internal static class UnconfirmedKey
{
    public const int Size = Address.Size + Bytes32.Size;

    public static byte[] Of(Address peer, ChannelId channel)
    {
        var key = new byte[Size];
        peer.Write(key);
        channel.Write(key.AsSpan(Address.Size));
        return key;
    }

    public static ChannelId ReadChannel(ReadOnlySpan<byte> key) => key.Length == Size
        ? ChannelId.Read(key[Address.Size..])
        : throw new StoreException($"An unconfirmed row is corrupt: its key has {key.Length} bytes.");
}
