using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>
/// The column families and how RocksDB treats them. A later program may read an older schema, never the reverse.
/// <code>
/// family       key                              row
/// default      (unused, RocksDB insists on it)
/// meta         "identity"                       IdentityRow
/// channels     channel id                       TermsRow
/// states       channel id                       StateRow
/// pending      channel id                       PendingRow; only of channels that something is pending in
/// peers        signer                           PeerRow
/// blocks       number                           BlockRow; of those that can be undone
/// undo         block number, channel id         StateRow
/// deposits     block number, channel id, side   RecentDepositRow
/// received@ms  first cursor                     ReceivedRow
/// sent@ms      'p', channel id, lifetime total  OutgoingRow
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
    public const string Pending = "pending";
    public const string Peers = "peers";
    public const string Blocks = "blocks";
    public const string Undo = "undo";
    public const string Deposits = "deposits";
    public const string Received = "received";
    public const string Sent = "sent";

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

    private readonly ColumnFamilyOptions _calm;
    private readonly ColumnFamilyOptions _channels;
    private readonly ColumnFamilyOptions _states;

    public StoreSchema()
    {
        Cache cache = Cache.CreateLru(BlockCacheBytes);
        _calm = Family(cache, CalmMemtableBytes, bloom: false);
        _channels = Family(cache, CalmMemtableBytes, bloom: true);
        _states = Family(cache, BusyMemtableBytes, bloom: true);
        JournalOptions = Family(cache, BusyMemtableBytes, bloom: false);
        SentOptions = Family(cache, BusyMemtableBytes, bloom: true);
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
            { Pending, _calm },
            { Peers, _calm },
            { Blocks, _calm },
            { Undo, _calm },
            { Deposits, _calm },
        };
        foreach (string name in there)
        {
            if (name is "default" or Meta or Channels or States or Pending or Peers or Blocks or Undo or Deposits) continue;
            families.Add(
                name,
                SegmentSeries.IsOf(Received, name) ? JournalOptions : SegmentSeries.IsOf(Sent, name) ? SentOptions : _calm);
        }

        return families;
    }

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
