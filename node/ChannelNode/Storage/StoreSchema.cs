using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>
/// The column families and how RocksDB treats them. A later program may read an older schema, never the reverse.
/// <code>
/// family    key                              row
/// default   (unused, RocksDB insists on it)
/// meta      "identity", "chain"              IdentityRow, ChainCursorRow
/// channels  channel id                       TermsRow
/// states    channel id                       StateRow
/// outgoing  channel id, lifetime total       OutgoingRow
/// keys      idempotency key, UTF-8           IdempotencyRow
/// received  cursor of the first payment      ReceivedRow
/// peers     signer                           PeerRow
/// </code>
/// </summary>
internal static class StoreSchema
{
    public const string Meta = "meta";
    public const string Channels = "channels";
    public const string States = "states";
    public const string Outgoing = "outgoing";
    public const string Keys = "keys";
    public const string Received = "received";
    public const string Peers = "peers";

    private const ulong BlockCacheBytes = 32 << 20;
    private const ulong BusyMemtableBytes = 16 << 20;
    private const ulong CalmMemtableBytes = 1 << 20;
    private const ulong MemtablesBytesMax = 96 << 20;
    private const ulong WalBytesMax = 256 << 20;
    private const ulong InfoLogBytesMax = 4 << 20;

    public static DbOptions DatabaseOptions() => new DbOptions()
        .SetCreateIfMissing(true)
        .SetCreateMissingColumnFamilies(true)
        .SetParanoidChecks(true)

        // After a power cut the log may end in batches that nobody was promised: what is whole up to there counts.
        .SetWalRecoveryMode(Recovery.PointInTime)
        .SetMaxTotalWalSize(WalBytesMax)
        .SetDbWriteBufferSize(MemtablesBytesMax)
        .SetMaxOpenFiles(512)
        .SetInfoLogLevel(InfoLogLevel.Warn)
        .SetMaxLogFileSize(InfoLogBytesMax)
        .SetKeepLogFileNum(4)
        .SetStatsDumpPeriodSec(0);

    public static ColumnFamilies Families(Cache cache)
    {
        ColumnFamilyOptions calm = Family(cache, CalmMemtableBytes, bloom: false);
        ColumnFamilyOptions busy = Family(cache, BusyMemtableBytes, bloom: false);
        return new ColumnFamilies(calm)
        {
            { Meta, calm },
            { Channels, calm },
            { States, busy },
            { Outgoing, busy },
            { Keys, Family(cache, BusyMemtableBytes, bloom: true) },
            { Received, busy },
            { Peers, calm },
        };
    }

    public static Cache NewCache() => Cache.CreateLru(BlockCacheBytes);

    /// <summary>
    /// <paramref name="bloom"/> where most look-ups are for keys that are not there: 10 bits each spare the disk 99 of
    /// 100 of them.
    /// </summary>
    private static ColumnFamilyOptions Family(Cache cache, ulong memtableBytes, bool bloom)
    {
        BlockBasedTableOptions table = new BlockBasedTableOptions()
            .SetBlockCache(cache)
            .SetBlockSize(16 << 10)
            .SetCacheIndexAndFilterBlocks(true)
            .SetPinL0FilterAndIndexBlocksInCache(true);
        if (bloom) table.SetFilterPolicy(BloomFilterPolicy.Create(10, false));
        return new ColumnFamilyOptions()
            .SetWriteBufferSize(memtableBytes)
            .SetMaxWriteBufferNumber(3)
            .SetCompression(Compression.Lz4)
            .SetBlockBasedTableFactory(table);
    }
}
