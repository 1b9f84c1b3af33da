using System.Buffers.Binary;
using System.Net;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>
/// Who may use the API, under 't' and its number (8 bytes, big-endian). Nothing of its secret but the hash.
/// <code>
/// size field                                size field
///    1 version = 4                             1 + s  name, UTF-8
///   32 SHA-256 of the secret                   1      number of methods; of each 1 + s
///    1 scopes                                  1      number of networks; of each 1 + s, as 10.0.0.0/8
///    8 made at, Unix milliseconds              1      number of caps; of each
///    8 over at, Unix seconds, 0 for never      20       currency
///    8 revoked at, Unix milliseconds, 0: not   1 - 17   per payment, 0 for no such cap; so with the next five
///    4 calls a second, 0: the node's own       1 - 17   per day
///    4 calls open, 0: the node's own           1 - 17   per peer and day
///    4 channels a day, 0: any number           1 - 17   total
///    4 bytes of a message, 0: the node's own   1 - 17   deposited per day
///    8 narrowed from, its number, 0 for none   1 - 17   deposited in total
///                                              1 + 32c  number of channels, and these; nothing where it is for all
/// </code>
/// Version 1 has no channels a day, and nothing of deposits; neither it nor version 2 has bytes of a message, or channels;
/// no version before 4 has what it was narrowed from.
/// </summary>
internal static class AccessTokenRow
{
    public const int KeySize = 1 + sizeof(ulong);

    private const byte KeyMark = (byte)'t';
    private const byte Version = 4;
    private const int FixedSizeMax = 128;
    private const int CapSizeMax = Address.Size + 6 * RowWriter.AmountSizeMax;

    public static int SizeMax(AccessToken token) =>
        FixedSizeMax + byte.MaxValue * (1 + token.Methods.Count + token.Networks.Count) + CapSizeMax * token.Caps.Count
        + 1 + Bytes32.Size * token.Channels.Count;

    public static void WriteKey(Span<byte> key, ulong number)
    {
        key[0] = KeyMark;
        BinaryPrimitives.WriteUInt64BigEndian(key[1..], number);
    }

    public static void Write(ref RowWriter row, AccessToken token)
    {
        row.Byte(Version);
        row.Bytes32(token.Hash);
        row.Byte((byte)token.Scopes);
        row.Int64(token.CreatedAtMs);
        row.UInt64(token.ExpiresAtSeconds);
        row.Int64(token.RevokedAtMs);
        row.UInt32(token.RequestsPerSecondMax);
        row.UInt32(token.StreamsMax);
        row.UInt32(token.ChannelsPerDayMax);
        row.UInt32(token.MessageBytesMax);
        row.UInt64(token.Parent);
        row.ShortBytes(Encoding.UTF8.GetBytes(token.Name));
        row.Byte(checked((byte)token.Methods.Count));
        foreach (string method in token.Methods) row.ShortBytes(Encoding.UTF8.GetBytes(method));
        row.Byte(checked((byte)token.Networks.Count));
        foreach (IPNetwork network in token.Networks) row.ShortBytes(Encoding.UTF8.GetBytes(network.ToString()));
        row.Byte(checked((byte)token.Caps.Count));
        foreach (SpendingCap cap in token.Caps)
        {
            row.Address(cap.Currency);
            row.Amount(cap.PerPayment);
            row.Amount(cap.PerDay);
            row.Amount(cap.PerPeerPerDay);
            row.Amount(cap.Total);
            row.Amount(cap.DepositPerDay);
            row.Amount(cap.DepositTotal);
        }

        if (!token.IsConfined) return;
        row.Byte(checked((byte)token.Channels.Count));
        foreach (ChannelId channel in token.Channels) row.Bytes32(channel.Value);
    }

    public static AccessToken Read(ulong number, ReadOnlySpan<byte> source)
    {
        var row = new RowReader("token", source);
        byte version = row.Byte();
        if (version is 0 or > Version)
            throw new StoreException($"A token row has version {version}; this program knows versions 1 to {Version}.");
        Bytes32 hash = row.Bytes32();
        var scopes = (Scopes)row.Byte();
        if (scopes is Scopes.None || (scopes & ~Scopes.All) != 0) throw new StoreException($"A token row is corrupt: scopes {(byte)scopes}.");
        long createdAt = row.Int64();
        ulong expiresAt = row.UInt64();
        long revokedAt = row.Int64();
        uint requests = row.UInt32(), streams = row.UInt32(), channelsPerDay = version == 1 ? 0 : row.UInt32();
        uint messageBytes = version <= 2 ? 0 : row.UInt32();
        ulong parent = version <= 3 ? 0 : row.UInt64();
        if (parent >= number) throw new StoreException($"A token row is corrupt: {number} was narrowed from {parent}.");
        string name = Encoding.UTF8.GetString(row.ShortBytes());
        List<string> methods = [];
        for (int left = row.Byte(); left > 0; left--) methods.Add(Encoding.UTF8.GetString(row.ShortBytes()));
        List<IPNetwork> networks = [];
        for (int left = row.Byte(); left > 0; left--) networks.Add(IPNetwork.Parse(Encoding.UTF8.GetString(row.ShortBytes())));
        List<SpendingCap> caps = [];
        for (int left = row.Byte(); left > 0; left--)
        {
            SpendingCap cap = new(row.Address(), row.Amount(), row.Amount(), row.Amount(), row.Amount());
            caps.Add(version == 1 ? cap : cap with { DepositPerDay = row.Amount(), DepositTotal = row.Amount() });
        }

        List<ChannelId> channels = [];
        if (version > 2 && !row.IsAtEnd)
        {
            for (int left = row.Byte(); left > 0; left--) channels.Add(new ChannelId(row.Bytes32()));
            if (channels.Count == 0) throw new StoreException("A token row is corrupt: it is for no channel."); // Never for all of them by it.
        }

        row.End();
        return new AccessToken
        {
            Number = number,
            Parent = parent,
            Name = name,
            Hash = hash,
            Scopes = scopes,
            Methods = methods,
            Networks = networks,
            Caps = caps,
            RequestsPerSecondMax = requests,
            StreamsMax = streams,
            MessageBytesMax = messageBytes,
            ChannelsPerDayMax = channelsPerDay,
            Channels = channels,
            CreatedAtMs = createdAt,
            ExpiresAtSeconds = expiresAt,
            RevokedAtMs = revokedAt,
        };
    }

    public static IReadOnlyList<AccessToken> ReadAll(RocksDb database, ColumnFamilyHandle family)
    {
        List<AccessToken> tokens = [];
        using Iterator rows = database.NewIterator(family);
        for (rows.Seek([KeyMark]); rows.HasRow() && rows.GetKeySpan()[0] == KeyMark; rows.Next())
            tokens.Add(Read(BinaryPrimitives.ReadUInt64BigEndian(rows.GetKeySpan()[1..]), rows.GetValueSpan()));
        return tokens;
    }
}

/// <summary>
/// What a token has spent, deposited or opened, under 's', 'd' or 'o', its number (8 bytes, big-endian), the currency and the peer (20 bytes each; the peer is
/// zero for all together): version = 1, the day (4 bytes, since 1970), what was spent on it and in all (1 to 17 bytes each).
/// </summary>
internal static class SpendingRow
{
    public const int SizeMax = 1 + sizeof(uint) + 2 * RowWriter.AmountSizeMax;

    public static readonly SpendingKind[] Kinds = Enum.GetValues<SpendingKind>();

    private const byte Version = 1;
    private const int KeySize = 1 + sizeof(ulong) + 2 * Address.Size;

    private static byte MarkOf(SpendingKind kind) => (byte)"sdo"[(int)kind];

    public static byte[] Key(in Spending spending)
    {
        byte[] key = new byte[KeySize];
        var place = new RowWriter(key);
        place.Byte(MarkOf(spending.Kind));
        place.UInt64(spending.Token);
        place.Address(spending.Currency);
        place.Address(spending.Peer);
        return key;
    }

    public static void Write(ref RowWriter row, in Spending spending)
    {
        row.Byte(Version);
        row.UInt32(spending.Day);
        row.Amount(spending.Today);
        row.Amount(spending.Total);
    }

    public static Spending Read(SpendingKind kind, ReadOnlySpan<byte> key, ReadOnlySpan<byte> source)
    {
        var place = new RowReader("spending key", key, MarkOf(kind));
        var row = new RowReader("spending", source, Version);
        Spending spending = new(place.UInt64(), place.Address(), place.Address(), row.UInt32(), row.Amount(), row.Amount()) { Kind = kind };
        place.End();
        row.End();
        return spending;
    }

    public static IReadOnlyList<Spending> ReadAll(RocksDb database, ColumnFamilyHandle family)
    {
        List<Spending> all = [];
        using Iterator rows = database.NewIterator(family);
        foreach (SpendingKind kind in Kinds)
        {
            byte mark = MarkOf(kind);
            for (rows.Seek([mark]); rows.HasRow() && rows.GetKeySpan()[0] == mark; rows.Next())
                all.Add(Read(kind, rows.GetKeySpan(), rows.GetValueSpan()));
        }

        return all;
    }
}
