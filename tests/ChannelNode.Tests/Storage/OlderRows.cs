using System.Buffers.Binary;
using System.Net;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using RocksDbSharp;

namespace ChannelNode.Tests.Storage;

/// <summary>
/// Takes a stopped node's database back to an older schema: every row that later programs write differently becomes what the last program of
/// that schema would have written, and what it had no rows for goes. Held to the databases which such programs have left, byte for byte
/// (<see cref="OlderRowsTests"/>). What is written here is never changed; a newer schema needs a line more.
/// </summary>
internal static class OlderRows
{
    private const int RowBytesMax = 1 << 20;

    /// <summary>The versions in which a schema's last program wrote its rows; 0 where it had none of that kind.</summary>
    private readonly record struct Versions(byte Token, byte Job, byte Audit, bool HasDeposited, bool HasUnrecorded);

    private static readonly Dictionary<uint, Versions> Known = new()
    {
        [5] = new(Token: 0, Job: 1, Audit: 0, HasDeposited: false, HasUnrecorded: false),
        [6] = new(Token: 1, Job: 2, Audit: 1, HasDeposited: false, HasUnrecorded: false),
        [7] = new(Token: 1, Job: 2, Audit: 2, HasDeposited: false, HasUnrecorded: false),
        [8] = new(Token: 1, Job: 3, Audit: 2, HasDeposited: false, HasUnrecorded: false),
        [9] = new(Token: 2, Job: 3, Audit: 2, HasDeposited: true, HasUnrecorded: true),
    };

    /// <summary>What schema 5 knew nothing of; in meta it had the identity alone.</summary>
    private static readonly string[] FamiliesSince6 = [StoreSchema.Tokens, StoreSchema.Unconfirmed, StoreSchema.Policy, StoreSchema.Audit];

    /// <summary>Answers how many rows it has changed or removed, the one that says the schema aside.</summary>
    public static int TakeDown(string directory, uint schema)
    {
        Versions versions = Known[schema];
        using RocksDb database = StoreOpening.Open(directory, StoreSchema.DatabaseOptions()).Database;
        int changed = 0;
        Rewrite(StoreSchema.Jobs, (key, row) => Job(JobRow.Read(BinaryPrimitives.ReadUInt64BigEndian(key), row), versions.Job));
        Rewrite(StoreSchema.Audit, (key, row) => versions.Audit == 0 ? null : Audit(AuditRow.Read(key, row), versions.Audit));
        Rewrite(StoreSchema.Tokens, (key, row) => TokenOrSpending(key, row, versions));
        Rewrite(StoreSchema.States, (_, row) => State(row, versions));
        Rewrite(StoreSchema.Undo, (_, row) => State(row, versions));
        if (schema == 5)
        {
            Rewrite(StoreSchema.Meta, (key, row) => IdentityRow.Key.SequenceEqual(key) ? row : null);
            foreach (string family in FamiliesSince6)
            {
                Rewrite(family, (_, _) => null);
                database.DropColumnFamily(family);
            }
        }

        ColumnFamilyHandle meta = database.GetColumnFamily(StoreSchema.Meta);
        byte[] identity = database.Get(IdentityRow.Key, meta);
        BinaryPrimitives.WriteUInt32BigEndian(identity, schema);
        database.Put(IdentityRow.Key, identity, meta);
        return changed;

        void Rewrite(string family, Func<byte[], byte[], byte[]?> older)
        {
            ColumnFamilyHandle handle = database.GetColumnFamily(family);
            foreach ((byte[] key, byte[] row) in ReadAll(database, handle))
            {
                byte[]? written = older(key, row);
                if (written is not null && written.AsSpan().SequenceEqual(row)) continue;
                changed++;
                if (written is null) database.Remove(key, handle);
                else database.Put(key, written, handle);
            }
        }
    }

    /// <summary>All families that there are, and all their rows, in hex.</summary>
    public static SortedDictionary<string, string> Read(string directory)
    {
        DbOptions options = StoreSchema.DatabaseOptions();
        ColumnFamilies families = [];
        string[] names = [.. RocksDb.ListColumnFamilies(options, directory).Where(name => name != "default")];
        foreach (string name in names) families.Add(name, new ColumnFamilyOptions());
        using RocksDb database = RocksDb.OpenReadOnly(options, directory, families, false);
        SortedDictionary<string, string> rows = new(StringComparer.Ordinal);
        foreach (string name in names)
        {
            rows.Add(name, "");
            foreach ((byte[] key, byte[] row) in ReadAll(database, database.GetColumnFamily(name)))
                rows.Add($"{name} {Convert.ToHexStringLower(key)}", Convert.ToHexStringLower(row));
        }

        return rows;
    }

    private static List<(byte[] Key, byte[] Row)> ReadAll(RocksDb database, ColumnFamilyHandle family)
    {
        List<(byte[], byte[])> all = [];
        using Iterator rows = database.NewIterator(family);
        for (rows.SeekToFirst(); rows.Valid(); rows.Next()) all.Add((rows.Key(), rows.Value()));
        return all;
    }

    /// <summary>A channel that a lost database had signed more in: no older program could be in that.</summary>
    private static byte[] State(byte[] row, Versions versions) =>
        versions.HasUnrecorded || StateRow.Read(row).SentUnrecorded == UInt128.Zero
            ? row
            : throw new InvalidOperationException("a channel has payments that a lost database had made: older schemas had no word for that");

    private static byte[]? TokenOrSpending(byte[] key, byte[] row, Versions versions)
    {
        if (versions.Token == 0) return null;
        return key[0] switch
        {
            (byte)'t' => Token(AccessTokenRow.Read(BinaryPrimitives.ReadUInt64BigEndian(key.AsSpan(1)), row), versions.Token),
            (byte)'s' => row,
            _ => versions.HasDeposited ? row : null,
        };
    }

    /// <summary>In version 1 or 2.</summary>
    public static byte[] Token(AccessToken token, byte version)
    {
        var row = new RowWriter(new byte[RowBytesMax]);
        row.Byte(version);
        row.Bytes32(token.Hash);
        row.Byte((byte)token.Scopes);
        row.Int64(token.CreatedAtMs);
        row.UInt64(token.ExpiresAtSeconds);
        row.Int64(token.RevokedAtMs);
        row.UInt32(token.RequestsPerSecondMax);
        row.UInt32(token.StreamsMax);
        if (version >= 2) row.UInt32(token.ChannelsPerDayMax);
        row.ShortBytes(Encoding.UTF8.GetBytes(token.Name));
        row.Byte((byte)token.Methods.Count);
        foreach (string method in token.Methods) row.ShortBytes(Encoding.UTF8.GetBytes(method));
        row.Byte((byte)token.Networks.Count);
        foreach (IPNetwork network in token.Networks) row.ShortBytes(Encoding.UTF8.GetBytes(network.ToString()));
        row.Byte((byte)token.Caps.Count);
        foreach (SpendingCap cap in token.Caps)
        {
            row.Address(cap.Currency);
            row.Amount(cap.PerPayment);
            row.Amount(cap.PerDay);
            row.Amount(cap.PerPeerPerDay);
            row.Amount(cap.Total);
            if (version < 2) continue;
            row.Amount(cap.DepositPerDay);
            row.Amount(cap.DepositTotal);
        }

        return row.Row.ToArray();
    }

    private static byte[] Audit(PolicyAuditEntry entry, byte version)
    {
        var row = new RowWriter(new byte[RowBytesMax]);
        row.Byte(version);
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
        if (version >= 2) row.ShortBytes(Encoding.UTF8.GetBytes(entry.Actor));
        row.Bytes(Encoding.UTF8.GetBytes(entry.Detail));
        return row.Row.ToArray();
    }

    private static byte[] Job(Job job, byte version)
    {
        bool hasStake = version >= 2 && job.Stake is not null, hasReopens = version >= 3 && job.Reopens.Count > 0;
        var row = new RowWriter(new byte[RowBytesMax]);
        row.Byte(version);
        row.Byte((byte)job.Kind);
        row.Byte((byte)job.Status);
        row.Byte((byte)((job.Nonce is null ? 0 : 1) | (job.Receipt is null ? 0 : 2) | (hasStake ? 4 : 0) | (hasReopens ? 8 : 0)));
        row.UInt64(job.CreatedAtSeconds);
        row.UInt64(job.EndedAtSeconds);
        row.UInt64(job.DeadlineSeconds);
        row.ShortBytes(Encoding.UTF8.GetBytes(job.Purpose));
        Channels(ref row, job.Channels);
        row.ShortBytes(Encoding.UTF8.GetBytes(job.Call.Operation));
        row.Address(job.Call.To);
        row.Amount(job.Call.Value);
        row.LongBytes(job.Call.Data.Span);
        row.Address(job.Call.Token);
        row.Amount(job.Call.Spends);
        Attempts(ref row, job);
        if (job.Receipt is { } receipt)
        {
            row.Bytes32(receipt.Hash);
            row.UInt64(receipt.BlockNumber);
            row.UInt64(receipt.GasUsed);
        }

        row.Amount(job.SpentWei);
        if (version >= 3) row.Amount(job.ReceiptWei);
        row.Byte((byte)job.Refusal);
        row.LongBytes(Encoding.UTF8.GetBytes(job.Message));
        if (hasStake)
        {
            row.Address(job.Stake!.Value.Token);
            row.Amount(job.Stake.Value.Amount);
            row.Amount(job.Stake.Value.Won);
        }

        if (hasReopens) Channels(ref row, job.Reopens);
        return row.Row.ToArray();
    }

    private static void Channels(ref RowWriter row, IReadOnlyList<ChannelId> channels)
    {
        row.UInt32((uint)channels.Count);
        foreach (ChannelId channel in channels) row.Bytes32(channel.Value);
    }

    private static void Attempts(ref RowWriter row, Job job)
    {
        if (job.Nonce is { } nonce) row.UInt64(nonce);
        row.UInt32((uint)job.Attempts.Count);
        foreach (JobAttempt attempt in job.Attempts)
        {
            row.Byte((byte)attempt.Kind);
            row.UInt64(attempt.Nonce);
            row.Bytes32(attempt.Hash);
            row.Amount(attempt.Fees.MaxFee);
            row.Amount(attempt.Fees.Tip);
            row.UInt64(attempt.Gas);
            row.UInt64(attempt.SentAtSeconds);
        }

        row.LongBytes(job.Raw.Span);
    }
}
