using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>The open column families of one database.</summary>
internal sealed record StoreFamilies(
    ColumnFamilyHandle Meta,
    ColumnFamilyHandle Channels,
    ColumnFamilyHandle States,
    ColumnFamilyHandle Pending,
    ColumnFamilyHandle Outgoing,
    ColumnFamilyHandle Keys,
    ColumnFamilyHandle Received,
    ColumnFamilyHandle Peers)
{
    public static StoreFamilies Of(RocksDb database) => new(
        database.GetColumnFamily(StoreSchema.Meta),
        database.GetColumnFamily(StoreSchema.Channels),
        database.GetColumnFamily(StoreSchema.States),
        database.GetColumnFamily(StoreSchema.Pending),
        database.GetColumnFamily(StoreSchema.Outgoing),
        database.GetColumnFamily(StoreSchema.Keys),
        database.GetColumnFamily(StoreSchema.Received),
        database.GetColumnFamily(StoreSchema.Peers));

    /// <summary>All that hold a node's data; an empty database has nothing in any of them.</summary>
    public ColumnFamilyHandle[] Data => [Meta, Channels, States, Pending, Outgoing, Keys, Received, Peers];
}
