using System.Buffers.Binary;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// A restoration, under "restored" and its number (4 bytes) in meta.
/// <code>
/// offset size field                        offset size field
///      0    1 version = 2                      18    8 received: after
///      1    1 flags: 1 told, 2 released        26    8 received: up to
///      2    8 restored at, Unix ms             34    8 events: after
///     10    8 backup at, Unix ms               42    8 events: up to
///                                              50    8 held until, Unix s; 0 not known yet
/// </code>
/// Version 1 ended before the last: its program held nothing, so where it has run nothing is held any more.
/// </summary>
internal static class RestorationRow
{
    public const int Size = 58;

    private const byte Version = 2;
    private const byte VersionWithoutHold = 1;
    private const byte Told = 1;
    private const byte Released = 2;

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
        row.Byte((byte)((restored.IsTold ? Told : 0) | (restored.IsReleased ? Released : 0)));
        row.Int64(restored.RestoredAtMs);
        row.Int64(restored.BackupAtMs);
        row.UInt64(restored.Received.After);
        row.UInt64(restored.Received.UpTo);
        row.UInt64(restored.Events.After);
        row.UInt64(restored.Events.UpTo);
        row.UInt64(restored.HeldUntilSeconds);
    }

    public static Restoration Read(ReadOnlySpan<byte> source)
    {
        bool isOld = source is [VersionWithoutHold, ..];
        var row = new RowReader("restoration", source, isOld ? VersionWithoutHold : Version);
        byte flags = row.Flags(isOld ? Told : (byte)(Told | Released));
        bool isTold = (flags & Told) != 0;
        Restoration restored = new(
            row.Int64(), row.Int64(), new CursorGap(row.UInt64(), row.UInt64()), new CursorGap(row.UInt64(), row.UInt64()), isTold)
        {
            HeldUntilSeconds = isOld ? 0 : row.UInt64(),
            IsReleased = isOld ? isTold : (flags & Released) != 0,
        };
        row.End();
        return restored;
    }
}

/// <summary>
/// A channel that the backup held: the peer's signer, then the channel's id. The row is empty while the peer has not told, since the
/// database was restored, where the channel stands; then it has one byte, until the peer has told it once more after the time in which a
/// forgotten close could be mined. Later channels that may be older than they seem have such a row too.
/// </summary>
internal static class UnconfirmedKey
{
    public const int Size = Address.Size + Bytes32.Size;

    public const byte OnlyHeld = 1;

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
