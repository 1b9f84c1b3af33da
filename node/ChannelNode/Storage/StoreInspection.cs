using ChannelNode.Core;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>Reads a whole database, changing nothing in its folder: what it holds, and that all of it can be read.</summary>
internal static class StoreInspection
{
    /// <summary>Throws <see cref="StoreException"/> where something cannot be read, or does not belong together.</summary>
    public static StoreContents Read(string folder)
    {
        folder = Path.GetFullPath(folder);
        if (!File.Exists(Path.Combine(folder, "CURRENT"))) throw new StoreException($"There is no database in {folder}.");
        try
        {
            DbOptions options = StoreSchema.DatabaseOptions();
            string[] there = [.. RocksDb.ListColumnFamilies(options, folder)];
            using RocksDb database = RocksDb.OpenReadOnly(options, folder, FamiliesOf(there), false);
            return Read(folder, database, there);
        }
        catch (RocksDbSharpException e)
        {
            throw new StoreException($"The database in {folder} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Only those that are there: a read-only database gets no new ones.</summary>
    private static ColumnFamilies FamiliesOf(string[] there)
    {
        ColumnFamilyOptions plain = new();
        ColumnFamilies families = new(plain);
        foreach (string name in there)
            if (name != "default") families.Add(name, plain);
        return families;
    }

    private static StoreContents Read(string folder, RocksDb database, string[] there)
    {
        byte[] row = Array.IndexOf(there, StoreSchema.Meta) >= 0
            ? database.Get(IdentityRow.Key, database.GetColumnFamily(StoreSchema.Meta))
            : null!;
        if (row is null) throw new StoreException($"The database in {folder} does not say whose it is.");
        StoreIdentity identity = IdentityRow.Read(row, out uint schema);
        IdentityRow.CheckSchema(folder, schema);

        SortedDictionary<string, ulong> rows = [];
        RowChecks checks = new(identity.GuardsOthers ? Address.Zero : identity.Signer);
        foreach (string name in there.Order(StringComparer.Ordinal))
        {
            if (name == "default") continue;
            string kind = name.Split('@')[0];
            using Iterator all = database.NewIterator(database.GetColumnFamily(name)).SeekToFirst();
            ulong count = 0;
            for (; all.HasRow(); all.Next(), count++) checks.Take(kind, all);
            rows[kind] = rows.GetValueOrDefault(kind) + count;
        }

        if (rows.GetValueOrDefault(StoreSchema.Channels) != rows.GetValueOrDefault(StoreSchema.States))
            throw new StoreException($"The database in {folder} is corrupt: a channel has terms without a state, or a state without terms.");
        return new StoreContents(schema, identity, checks.Block, checks.ReceivedCursor, checks.EventCursor, rows);
    }

    /// <summary>Reads rows whose meaning can be checked by themselves, and keeps the newest of what is numbered.</summary>
    private sealed class RowChecks(Address ourSigner)
    {
        public ulong Block { get; private set; }

        public ulong ReceivedCursor { get; private set; }

        public ulong EventCursor { get; private set; }

        public void Take(string kind, Iterator row)
        {
            ReadOnlySpan<byte> key = row.GetKeySpan(), value = row.GetValueSpan();
            switch (kind)
            {
                case StoreSchema.Channels: TermsRow.Read(ChannelId.Read(key), value, ourSigner); break;
                case StoreSchema.States: StateRow.Read(value); break;
                case StoreSchema.Blocks: Block = BlockRow.Read(key, value).Number; break;
                case StoreSchema.Jobs: JobRow.Read(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(key), value); break;
                case StoreSchema.Events: EventCursor = Math.Max(EventCursor, EventRow.Read(key, value).Cursor); break;
                case StoreSchema.Received:
                    ReceivedCursor = Math.Max(ReceivedCursor, ReceivedRow.ReadHead(key, value, out _).LastCursor);
                    break;
                default: break;
            }
        }
    }
}
