using RocksDbSharp;

namespace ChannelNode.Storage;

internal static class StoreIterators
{
    /// <summary>
    /// Whether the iterator stands on a row. RocksDB's own answer is also "no" when the disk could not be read; here
    /// that throws, or a failed disk would look like a shorter database.
    /// </summary>
    public static bool HasRow(this Iterator rows)
    {
        if (rows.Valid()) return true;
        Native.Instance.rocksdb_iter_get_error(rows.Handle);
        return false;
    }
}
