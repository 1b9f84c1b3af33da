using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>
/// The column families and how RocksDB treats them. A later program may read an older schema, never the reverse.
/// <code>
/// family       key                              row
/// default      (unused, RocksDB insists on it)
/// meta         "identity"                       IdentityRow
///              "restored", number               RestorationRow
///              "webhook", topic, URL            WebhookRow
/// channels     channel id                       TermsRow
/// states       channel id                       StateRow
/// guarded      channel id, side                 GuardedRow; only in a watchtower's
/// pending      channel id                       PendingRow; only of channels that something is pending in
/// peers        signer                           PeerRow
/// jobs         number                           JobRow
/// blocks       number                           BlockRow; of those that can be undone
/// undo         block number, channel id         StateRow
/// deposits     block number, channel id, side   RecentDepositRow
/// events       cursor                           EventRow
/// tokens       't', number                      AccessTokenRow
///              's', number, currency, peer      SpendingRow
/// unconfirmed  peer's signer, channel id        UnconfirmedKey; only in a restored one
/// policy       kind, what it is about           PolicyRow
/// audit        cursor                           AuditRow
/// received@ms  first cursor                     ReceivedRow
/// sent@ms      'p', channel id, lifetime total  SentRow
///              'k', idempotency key, UTF-8      IdempotencyRow
/// </code>
/// Of the last two there are several, named after the Unix time in milliseconds at which they were begun: a
/// <see cref="SegmentSeries"/>.
/// </summary>
internal sealed class StoreSchema
{
    public const string Meta = "meta";
    public const string Channels = "channels";
    public const string States = "states";
    public const string Guarded = "guarded";
    public const string Pending = "pending";
    public const string Peers = "peers";
    public const string Jobs = "jobs";
    public const string Blocks = "blocks";
    public const string Undo = "undo";
    public const string Deposits = "deposits";
    public const string Events = "events";
    public const string Tokens = "tokens";
    public const string Unconfirmed = "unconfirmed";
    public const string Policy = "policy";
    public const string Audit = "audit";
    public const string Received = "received";
    public const string Sent = "sent";

    private const ulong BlockCacheBytes = 64 << 20;
    private const ulong BusyMemtableBytes = 32 << 20;

    /// <summary>Each update writes a state at a random place: in a table that a core's cache holds, that costs half.</summary>
    private const ulong StatesMemtableBytes = 8 << 20;

    /// <summary>New files that are merged into the old ones at a time; so many more before writes are slowed down, or stopped.</summary>
    private const int StatesFilesMerged = 16;
    private const int StatesFilesSlow = 40;
    private const int StatesFilesMax = 56;

    private const ulong ChannelsMemtableBytes = 8 << 20;
    private const ulong CalmMemtableBytes = 1 << 20;
    private const ulong MemtablesBytesMax = 128 << 20;

    /// <summary>Rows read one by one: little is read and unpacked for each.</summary>
    private const ulong SmallBlockBytes = 4 << 10;

    /// <summary>Rows read in their order.</summary>
    private const ulong LargeBlockBytes = 16 << 10;

    /// <summary>Files leave for the disk bit by bit: a log's sync must not wait for a whole file of another kind.</summary>
    private const ulong SyncBytes = 1 << 20;
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
        .SetAllowConcurrentMemtableWrite(false)
        .SetBytesPerSync(SyncBytes)
        .SetInfoLogLevel(InfoLogLevel.Warn)
        .SetMaxLogFileSize(InfoLogBytesMax)
        .SetKeepLogFileNum(4)
        .SetStatsDumpPeriodSec(0);

    private readonly ColumnFamilyOptions _calm;
    private readonly ColumnFamilyOptions _channels;
    private readonly ColumnFamilyOptions _states;

    public StoreSchema()
    {
        Cache cache = Cache.CreateLru(BlockCacheBytes);
        _calm = Family(cache, CalmMemtableBytes);
        _channels = WithBloom(cache, ChannelsMemtableBytes);
        _states = WithBloom(cache, StatesMemtableBytes)
            .SetLevel0FileNumCompactionTrigger(StatesFilesMerged)
            .SetLevel0SlowdownWritesTrigger(StatesFilesSlow)
            .SetLevel0StopWritesTrigger(StatesFilesMax);
        JournalOptions = Family(cache, BusyMemtableBytes);
        SentOptions = WithBloom(cache, BusyMemtableBytes);
    }

    public ColumnFamilyOptions JournalOptions { get; }

    public ColumnFamilyOptions SentOptions { get; }

    /// <summary>Ours, made where they are missing, and whatever else there is.</summary>
    public ColumnFamilies Families(IEnumerable<string> there)
    {
        var families = new ColumnFamilies(_calm)
        {
            { Meta, _calm },
            { Channels, _channels },
            { States, _states },
            { Guarded, _channels },
            { Pending, _calm },
            { Peers, _calm },
            { Jobs, _calm },
            { Blocks, _calm },
            { Undo, _calm },
            { Deposits, _calm },
            { Events, _calm },
            { Tokens, _calm },
            { Unconfirmed, _calm },
            { Policy, _calm },
            { Audit, _calm },
        };
        foreach (string name in there)
        {
            if (families.Any(known => known.Name == name)) continue;
            families.Add(
                name,
                SegmentSeries.IsOf(Received, name) ? JournalOptions : SegmentSeries.IsOf(Sent, name) ? SentOptions : _calm);
        }

        return families;
    }

    /// <summary>
    /// For look-ups one by one, of which many are for keys that are not there: 10 bits each spare the disk 99 of 100 of
    /// those.
    /// </summary>
    private static ColumnFamilyOptions WithBloom(Cache cache, ulong memtableBytes)
    {
        // In parts of a few kilobytes. In one piece a file's filter is larger than what one shard of the cache holds, and
        // would be read anew for every look-up.
        BlockBasedTableOptions table = Table(cache, SmallBlockBytes)
            .SetFilterPolicy(BloomFilterPolicy.Create(10, false))
            .SetIndexType(BlockBasedTableIndexType.TwoLevelIndex);
        Native.Instance.rocksdb_block_based_options_set_partition_filters(table.Handle, 1);
        return Family(memtableBytes, table);
    }

    private static ColumnFamilyOptions Family(Cache cache, ulong memtableBytes) =>
        Family(memtableBytes, Table(cache, LargeBlockBytes));

    private static BlockBasedTableOptions Table(Cache cache, ulong blockBytes) => new BlockBasedTableOptions()
        .SetBlockCache(cache)
        .SetBlockSize(blockBytes)
        .SetCacheIndexAndFilterBlocks(true)
        .SetPinL0FilterAndIndexBlocksInCache(true);

    private static ColumnFamilyOptions Family(ulong memtableBytes, BlockBasedTableOptions table) =>
        new ColumnFamilyOptions()
            .SetWriteBufferSize(memtableBytes)
            .SetMaxWriteBufferNumber(3)
            .SetCompression(Compression.Lz4)
            .SetBlockBasedTableFactory(table);
}
