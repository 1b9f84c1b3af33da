using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// A decision of the policies, under its cursor (8 bytes, big-endian). Amounts, the tier's name and who
/// asked have a byte of length.
/// <code>
/// size field                                       size field
///    1 version = 2                                    1  rule
///    1 kind                                      1 - 17  value
///    8 at, Unix milliseconds                     1 - 17  limit
///   20 peer                                           8  count
///   32 channel                                        t  tier's name
///   20 token                                          a  who asked, UTF-8; not in version 1
///                                                     d  detail, UTF-8, to the row's end
/// </code>
/// </summary>
internal static class AuditRow
{
    private const byte Version = 2;
    private const int FixedSizeMax = 128;

    public static int SizeMax(PolicyAuditEntry entry) =>
        FixedSizeMax + Encoding.UTF8.GetByteCount(entry.Tier) + Encoding.UTF8.GetByteCount(entry.Actor)
        + Encoding.UTF8.GetByteCount(entry.Detail);

    public static void Write(ref RowWriter row, PolicyAuditEntry entry)
    {
        row.Byte(Version);
        row.Byte((byte)entry.Kind);
        row.Int64(entry.TimeMs);
        row.Address(entry.Peer);
        row.Bytes32(entry.Channel.Value);
        row.Address(entry.Token);
        row.Byte((byte)entry.Decision.Rule);
        row.Amount(entry.Decision.Value);
        row.Amount(entry.Decision.Limit);
        row.UInt64(entry.Count);
        row.ShortBytes(Encoding.UTF8.GetBytes(entry.Tier));
        row.ShortBytes(Encoding.UTF8.GetBytes(entry.Actor));
        row.Bytes(Encoding.UTF8.GetBytes(entry.Detail));
    }

    public static PolicyAuditEntry Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source)
    {
        var place = new RowReader("audit key", key);
        ulong cursor = place.UInt64();
        place.End();
        var row = new RowReader("audit", source);
        bool hasActor = row.Version(Version) > 1;
        var kind = (PolicyAuditKind)row.Byte();
        if (!Enum.IsDefined(kind)) throw new StoreException($"An audit row is corrupt: kind {(byte)kind}.");
        PolicyAuditEntry entry = new(kind, string.Empty)
        {
            Cursor = cursor,
            TimeMs = row.Int64(),
            Peer = row.Address(),
            Channel = new ChannelId(row.Bytes32()),
            Token = row.Address(),
            Decision = new PolicyDecision((PolicyRule)row.Byte(), row.Amount(), row.Amount()),
            Count = row.UInt64(),
            Tier = Encoding.UTF8.GetString(row.ShortBytes()),
            Actor = hasActor ? Encoding.UTF8.GetString(row.ShortBytes()) : string.Empty,
        };
        return entry with { Detail = Encoding.UTF8.GetString(row.Rest()) };
    }
}
