using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>The open column families of one database.</summary>
internal sealed record StoreFamilies(
    ColumnFamilyHandle Meta,
    ColumnFamilyHandle Channels,
    ColumnFamilyHandle States,
    ColumnFamilyHandle Guarded,
    ColumnFamilyHandle Pending,
    ColumnFamilyHandle Peers,
    ColumnFamilyHandle Jobs,
    ColumnFamilyHandle Blocks,
    ColumnFamilyHandle Undo,
    ColumnFamilyHandle Deposits,
    ColumnFamilyHandle Events,
    ColumnFamilyHandle Tokens,
    ColumnFamilyHandle Unconfirmed,
    ColumnFamilyHandle Policy,
    ColumnFamilyHandle Audit,
    SegmentSeries Received,
    SegmentSeries Sent)
{
    public static StoreFamilies Of(OpenedDatabase opened) => new(
        opened.Database.GetColumnFamily(StoreSchema.Meta),
        opened.Database.GetColumnFamily(StoreSchema.Channels),
        opened.Database.GetColumnFamily(StoreSchema.States),
        opened.Database.GetColumnFamily(StoreSchema.Guarded),
        opened.Database.GetColumnFamily(StoreSchema.Pending),
        opened.Database.GetColumnFamily(StoreSchema.Peers),
        opened.Database.GetColumnFamily(StoreSchema.Jobs),
        opened.Database.GetColumnFamily(StoreSchema.Blocks),
        opened.Database.GetColumnFamily(StoreSchema.Undo),
        opened.Database.GetColumnFamily(StoreSchema.Deposits),
        opened.Database.GetColumnFamily(StoreSchema.Events),
        opened.Database.GetColumnFamily(StoreSchema.Tokens),
        opened.Database.GetColumnFamily(StoreSchema.Unconfirmed),
        opened.Database.GetColumnFamily(StoreSchema.Policy),
        opened.Database.GetColumnFamily(StoreSchema.Audit),
        new SegmentSeries(opened.Database, StoreSchema.Received, opened.Schema.JournalOptions, opened.Families),
        new SegmentSeries(opened.Database, StoreSchema.Sent, opened.Schema.SentOptions, opened.Families));

    /// <summary>All that hold a node's data; an empty database has nothing in any of them.</summary>
    public IEnumerable<ColumnFamilyHandle> Data =>
        [
            Meta, Channels, States, Guarded, Pending, Peers, Jobs, Blocks, Undo, Deposits, Events, Tokens, Unconfirmed, Policy, Audit,
            .. Received.All.Concat(Sent.All).Select(part => part.Family),
        ];
}
