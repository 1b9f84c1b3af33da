using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// What the database belongs to, under "identity" in meta. This layout is the one thing that every schema shares.
/// <code>
/// offset size field                        offset size field
///      0    4 schema                           12   20 contract
///      4    8 chain id                         32   20 signer
///                                              52    1 role = 1, only in a watchtower's
/// </code>
/// </summary>
internal static class IdentityRow
{
    public const int SizeMax = 53;

    private const byte WatchtowerRole = 1;

    /// <summary>Which column families there are and what their keys mean. Rows carry versions of their own.</summary>
    public const uint Schema = 10;

    public static ReadOnlySpan<byte> Key => "identity"u8;

    public static void Write(ref RowWriter row, StoreIdentity identity)
    {
        row.UInt32(Schema);
        row.UInt64(identity.ChainId);
        row.Address(identity.Contract);
        row.Address(identity.Signer);
        if (identity.GuardsOthers) row.Byte(WatchtowerRole);
    }

    /// <summary>
    /// Answers the database's schema, ours or an older one that can be brought up to it. Throws when it has another or belongs
    /// to another identity, naming both.
    /// </summary>
    public static uint Check(string directory, ReadOnlySpan<byte> source, StoreIdentity expected)
    {
        var row = new RowReader("identity", source);
        uint schema = row.UInt32();
        CheckSchema(directory, schema);

        StoreIdentity found = ReadRest(ref row);
        if (found != expected)
            throw new StoreException(
                $"The database in {directory} belongs to {Describe(found)}; this node is {Describe(expected)}.");
        return schema;
    }

    public static void CheckSchema(string directory, uint schema)
    {
        if (schema is >= StoreMigrations.Oldest and <= Schema) return;
        string known = $"this program knows schema {Schema}, and brings {StoreMigrations.Oldest} and later up to it";
        throw new StoreException(
            $"The database in {directory} has schema {schema}; {known}."
            + (schema > Schema ? " A newer program wrote it: run that one, or restore a backup of before." : ""));
    }

    public static StoreIdentity Read(ReadOnlySpan<byte> source) => Read(source, out _);

    public static StoreIdentity Read(ReadOnlySpan<byte> source, out uint schema)
    {
        var row = new RowReader("identity", source);
        schema = row.UInt32();
        return ReadRest(ref row);
    }

    private static StoreIdentity ReadRest(ref RowReader row)
    {
        var identity = new StoreIdentity(row.UInt64(), row.Address(), row.Address());
        ReadOnlySpan<byte> role = row.Rest();
        if (role.IsEmpty) return identity;
        return role is [WatchtowerRole]
            ? identity with { GuardsOthers = true }
            : throw new StoreException("The database is of a kind that this program does not know.");
    }

    private static string Describe(StoreIdentity identity) =>
        $"chain {identity.ChainId}, contract {identity.Contract}, signer {identity.Signer}"
        + (identity.GuardsOthers ? ", a watchtower" : "");
}

/// <summary>Where a peer was last reached, under its signer (20 bytes): version = 1, then the URL in UTF-8.</summary>
internal static class PeerRow
{
    private const byte Version = 1;

    public static byte[] Write(string url)
    {
        var row = new byte[1 + Encoding.UTF8.GetByteCount(url)];
        row[0] = Version;
        Encoding.UTF8.GetBytes(url, row.AsSpan(1));
        return row;
    }

    public static string Read(ReadOnlySpan<byte> source) =>
        Encoding.UTF8.GetString(new RowReader("peer", source, Version).Rest());

    public static Address ReadKey(ReadOnlySpan<byte> key)
    {
        var place = new RowReader("peer key", key);
        Address signer = place.Address();
        place.End();
        return signer;
    }
}

/// <summary>
/// The newest cursor that a webhook has taken, under "webhook", its topic (1 byte) and its URL in UTF-8, in meta: version = 1,
/// then the cursor (8).
/// </summary>
internal static class WebhookRow
{
    public const int Size = 9;

    private const byte Version = 1;

    public static ReadOnlySpan<byte> Prefix => "webhook"u8;

    public static byte[] Key(string url, WebhookTopic topic) => [.. Prefix, (byte)topic, .. Encoding.UTF8.GetBytes(url)];

    /// <summary>Null where the key is no webhook's.</summary>
    public static string? UrlOf(ReadOnlySpan<byte> key) => key.StartsWith(Prefix) ? Encoding.UTF8.GetString(key[(Prefix.Length + 1)..]) : null;

    public static void Write(ref RowWriter row, ulong cursor)
    {
        row.Byte(Version);
        row.UInt64(cursor);
    }

    public static ulong Read(ReadOnlySpan<byte> source)
    {
        var row = new RowReader("webhook", source, Version);
        ulong cursor = row.UInt64();
        row.End();
        return cursor;
    }
}
