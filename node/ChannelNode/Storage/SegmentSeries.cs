using System.Globalization;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>One part of a series: a column family of its own. Its name says when it was begun.</summary>
internal sealed class Segment(string name, long startedAtMs, ColumnFamilyHandle family)
{
    private readonly StoreGate _gate = new(name);
    private long _firstCursor;

    public string Name => name;

    public long StartedAtMs => startedAtMs;

    public ColumnFamilyHandle Family => family;

    /// <summary>For whoever reads in it; false when it was dropped.</summary>
    public bool TryEnter(out StoreGate.Pass pass) => _gate.TryEnter(out pass);

    /// <summary>Waits for those who read in it. Its files go with the handle, not before.</summary>
    public void Close()
    {
        if (_gate.Close()) ((IDisposable)family).Dispose();
    }

    /// <summary>The first row's, which never changes; 0 while it was not looked for, or there is none.</summary>
    public ulong FirstCursor
    {
        get => (ulong)Interlocked.Read(ref _firstCursor);
        set => Interlocked.Exchange(ref _firstCursor, (long)value);
    }
}

/// <summary>
/// Rows of one kind in several column families, each begun after the one before. What is too old goes as a whole
/// family: its files are unlinked, whereas deleted rows would be written again and compacted away. New rows go to the
/// newest part. Read from any thread; begun and dropped by one.
/// </summary>
internal sealed class SegmentSeries
{
    private const char Separator = '@';

    private readonly RocksDb _database;
    private readonly string _name;
    private readonly ColumnFamilyOptions _options;
    private volatile Segment[] _segments;

    public SegmentSeries(RocksDb database, string name, ColumnFamilyOptions options, IEnumerable<string> families)
    {
        _database = database;
        _name = name;
        _options = options;
        _segments =
        [
            .. families.Where(family => IsOf(name, family))
                .Select(family => new Segment(family, StartOf(family), database.GetColumnFamily(family)))
                .OrderBy(segment => segment.StartedAtMs),
        ];
        if (_segments.Length == 0) Begin(0);
    }

    /// <summary>Oldest first; never empty.</summary>
    public Segment[] All => _segments;

    public Segment Newest => _segments[^1];

    public static bool IsOf(string series, string family) => family.StartsWith(series + Separator, StringComparison.Ordinal);

    private static long StartOf(string family) =>
        long.TryParse(family.AsSpan(family.IndexOf(Separator) + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long ms)
            ? ms
            : throw new StoreException($"The database has a column family {family}, whose name says no time.");

    /// <summary>Begins a new part. A clock that was set back does not change their order.</summary>
    public void Begin(long nowMs)
    {
        long startedAtMs = _segments is { Length: > 0 } segments ? Math.Max(nowMs, segments[^1].StartedAtMs + 1) : nowMs;
        string name = string.Create(CultureInfo.InvariantCulture, $"{_name}{Separator}{startedAtMs}");
        _segments = [.. _segments ?? [], new Segment(name, startedAtMs, _database.CreateColumnFamily(_options, name))];
    }

    /// <summary>Drops the oldest part of several, when those who read in it just now are done.</summary>
    public void DropOldest()
    {
        Segment[] segments = _segments;
        if (segments.Length < 2) throw new InvalidOperationException($"The only part of {_name} is not to be dropped.");
        _segments = segments[1..];
        _database.DropColumnFamily(segments[0].Name);
        segments[0].Close();
    }

    /// <summary>What a part holds, in files and in memory.</summary>
    public ulong BytesOf(Segment segment) =>
        Property(segment, "rocksdb.live-sst-files-size") + Property(segment, "rocksdb.cur-size-all-mem-tables");

    private ulong Property(Segment segment, string name) =>
        ulong.Parse(_database.GetProperty(name, segment.Family), CultureInfo.InvariantCulture);
}
