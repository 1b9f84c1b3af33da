using System.Buffers.Binary;
using ChannelNode.Core;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>
/// The node's memory in one RocksDB database. Every <see cref="Commit"/> is one batch over all column families and so
/// one record of the write-ahead log: after a crash it is there whole or not at all.
/// </summary>
internal sealed partial class RocksChannelStore : IChannelStore
{
    private readonly StoreGate _gate = new(nameof(RocksChannelStore));

    private readonly WriteOptions _synced = new WriteOptions().SetSync(true);

    private readonly WriteOptions _buffered = new WriteOptions().SetSync(false);

    private readonly RocksDb _database;

    private readonly LogAhead _log;

    private readonly StoreFamilies _families;

    private readonly ReceivedJournal _received;

    private readonly SentPayments _sent;

    private readonly CursorJournal<OperatorEvent> _events;

    private readonly CursorJournal<PolicyAuditEntry> _audit;

    private readonly Address _ourSigner;

    private ulong _channelCount;

    private RocksChannelStore(OpenedDatabase opened, Address ourSigner)
    {
        _database = opened.Database;
        _log = new LogAhead(_database.Path);
        _families = StoreFamilies.Of(opened);
        _received = new ReceivedJournal(_database, _families.Received);
        _sent = new SentPayments(_database, _families.Sent);
        _events = new(_database, _families.Events, EventRow.Read, what => (what.Cursor, what.TimeMs));
        _audit = new(_database, _families.Audit, AuditRow.Read, entry => (entry.Cursor, entry.TimeMs));
        _ourSigner = ourSigner;

        // Called an estimate for what is overwritten and deleted. A node's terms never are: it is the number.
        _channelCount = ulong.Parse(_database.GetProperty("rocksdb.estimate-num-keys", _families.Channels));
    }

    /// <summary>
    /// Opens the database in <paramref name="directory"/>, making both when missing, and holds its lock until
    /// disposed. Throws <see cref="StoreException"/> when another process holds it, or when the database has another
    /// schema or belongs to another identity.
    /// </summary>
    public static RocksChannelStore Open(string directory, StoreIdentity identity) =>
        Open(directory, identity, StoreSchema.DatabaseOptions());

    /// <summary>Whose database is in a folder. Throws where there is none, or where a node holds it.</summary>
    public static StoreIdentity ReadIdentity(string directory)
    {
        directory = Path.GetFullPath(directory);
        if (!File.Exists(Path.Combine(directory, "CURRENT"))) throw new StoreException($"There is no database in {directory}.");
        using RocksDb database = StoreOpening.Open(directory, StoreSchema.DatabaseOptions()).Database;
        byte[] row = database.Get(IdentityRow.Key, database.GetColumnFamily(StoreSchema.Meta))
            ?? throw new StoreException($"The database in {directory} does not say whose it is.");
        return IdentityRow.Read(row);
    }

    /// <summary>For tests that want statistics.</summary>
    internal static RocksChannelStore Open(string directory, StoreIdentity identity, DbOptions options)
    {
        directory = Path.GetFullPath(directory);
        var store = new RocksChannelStore(StoreOpening.Open(directory, options), identity.GuardsOthers ? Address.Zero : identity.Signer);
        try
        {
            store.Claim(directory, identity);
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    private void Claim(string directory, StoreIdentity identity)
    {
        byte[]? row = _database.Get(IdentityRow.Key, _families.Meta);
        if (row is not null)
        {
            uint schema = IdentityRow.Check(directory, row, identity);
            if (schema < IdentityRow.Schema) Migrate(schema, identity);
            ReadMarks();
            return;
        }
        foreach (ColumnFamilyHandle family in _families.Data)
        {
            using Iterator rows = _database.NewIterator(family).SeekToFirst();
            if (rows.HasRow()) throw new StoreException($"The database in {directory} does not say whose it is.");
        }
        var batch = new StoreBatch(_families, _ourSigner);
        batch.PutIdentity(identity);
        Commit(batch, durable: true);
    }

    /// <summary>All steps from an older schema to ours, in one write with the schema's new number: done whole or not at all.</summary>
    private void Migrate(uint schema, StoreIdentity identity)
    {
        var batch = new StoreBatch(_families, _ourSigner);
        StoreMigrations.Add(batch, schema);
        batch.PutIdentity(identity);
        Commit(batch, durable: true);
        MigratedFrom = schema;
    }

    public ulong ChannelCount => Interlocked.Read(ref _channelCount);

    public StoredChannel? FindChannel(ChannelId id)
    {
        Span<byte> key = stackalloc byte[Bytes32.Size];
        id.Write(key);
        using StoreGate.Pass pass = _gate.Enter();
        byte[]? terms = _database.Get(key, _families.Channels);
        if (terms is null) return null;
        byte[] state = _database.Get(key, _families.States) ?? throw Torn();
        return new StoredChannel(TermsRow.Read(id, terms, _ourSigner), StateRow.Read(state));
    }

    public GuardedUpdate? FindGuarded(ChannelId id, Side side)
    {
        Span<byte> key = stackalloc byte[GuardedRow.KeySize];
        GuardedRow.WriteKey(key, id, side);
        using StoreGate.Pass pass = _gate.Enter();
        return _database.Get(key, _families.Guarded) is { } row ? GuardedRow.Read(id, row) : null;
    }

    public IReadOnlyList<StoredChannel> ReadChannels(ChannelId? after, int countMax)
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Snapshot snapshot = _database.CreateSnapshot();
        ReadOptions together = new ReadOptions().SetSnapshot(snapshot).SetFillCache(false); // What is in use stays in the cache.
        using Iterator terms = SeekBehind(after, _database.NewIterator(_families.Channels, together));
        using Iterator states = SeekBehind(after, _database.NewIterator(_families.States, together));

        var channels = new List<StoredChannel>();
        for (; channels.Count < countMax && terms.HasRow() && states.HasRow(); terms.Next(), states.Next())
        {
            if (!terms.GetKeySpan().SequenceEqual(states.GetKeySpan())) throw Torn();
            ChannelId id = ChannelId.Read(terms.GetKeySpan());
            Channel channel = TermsRow.Read(id, terms.GetValueSpan(), _ourSigner);
            channels.Add(new StoredChannel(channel, StateRow.Read(states.GetValueSpan())));
        }
        if (channels.Count < countMax && (terms.HasRow() || states.HasRow())) throw Torn();
        return channels;
    }

    private static Iterator SeekBehind(ChannelId? after, Iterator rows)
    {
        if (after is null) return rows.SeekToFirst();
        Span<byte> key = stackalloc byte[Bytes32.Size];
        after.Value.Write(key);
        rows.Seek(key);
        return rows.HasRow() && rows.GetKeySpan().SequenceEqual(key) ? rows.Next() : rows;
    }

    private static StoreException Torn() =>
        new("The database is corrupt: a channel has terms without a state, or a state without terms.");

    public IReadOnlyDictionary<ChannelId, Pending> ReadPending()
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Pending).SeekToFirst();
        var pending = new Dictionary<ChannelId, Pending>();
        for (; rows.HasRow(); rows.Next())
            pending.Add(ChannelId.Read(rows.GetKeySpan()), PendingRow.Read(rows.GetValueSpan()));
        return pending;
    }

    public IReadOnlyList<ChainBlock> ReadBlocks()
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Blocks).SeekToFirst();
        var blocks = new List<ChainBlock>();
        for (; rows.HasRow(); rows.Next()) blocks.Add(BlockRow.Read(rows.GetKeySpan(), rows.GetValueSpan()));
        return blocks;
    }

    public IReadOnlyList<(ChannelId Channel, ChannelState Before)> ReadUndo(ulong block)
    {
        Span<byte> behind = stackalloc byte[BlockRow.KeySize];
        BlockRow.WriteKey(behind, checked(block + 1));
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Undo);
        rows.Seek(behind);
        var states = new List<(ChannelId, ChannelState)>();
        for (; rows.HasRow(); rows.Next()) states.Add((UndoKey.Read(rows.GetKeySpan()), StateRow.Read(rows.GetValueSpan())));
        return states;
    }

    public IReadOnlyList<(ChannelId Channel, RecentDeposit Deposit)> ReadRecentDeposits()
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Deposits).SeekToFirst();
        var deposits = new List<(ChannelId, RecentDeposit)>();
        for (; rows.HasRow(); rows.Next()) deposits.Add(RecentDepositRow.Read(rows.GetKeySpan(), rows.GetValueSpan()));
        return deposits;
    }

    public IReadOnlyDictionary<Address, string> ReadPeerUrls()
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Peers).SeekToFirst();
        var urls = new Dictionary<Address, string>();
        for (; rows.HasRow(); rows.Next())
            urls.Add(PeerRow.ReadKey(rows.GetKeySpan()), PeerRow.Read(rows.GetValueSpan()));
        return urls;
    }

    public IReadOnlyList<Job> ReadJobs()
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Jobs).SeekToFirst();
        var jobs = new List<Job>();
        for (; rows.HasRow(); rows.Next())
            jobs.Add(JobRow.Read(BinaryPrimitives.ReadUInt64BigEndian(rows.GetKeySpan()), rows.GetValueSpan()));
        return jobs;
    }

    public IReadOnlyList<AccessToken> ReadAccessTokens()
    {
        using StoreGate.Pass pass = _gate.Enter();
        return AccessTokenRow.ReadAll(_database, _families.Tokens);
    }

    public IReadOnlyList<Spending> ReadSpending()
    {
        using StoreGate.Pass pass = _gate.Enter();
        return SpendingRow.ReadAll(_database, _families.Tokens);
    }

    public ulong ReadReceivedCursor()
    {
        using StoreGate.Pass pass = _gate.Enter();
        return Math.Max(_received.LastCursor(), _restorations.Count == 0 ? 0 : _restorations[^1].Received.UpTo);
    }

    public ulong ReadDroppedCursor()
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _received.DroppedCursor();
    }

    public IReadOnlyList<JournalledRun> ReadReceived(ulong afterCursor, int countMax)
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _received.Read(afterCursor, countMax);
    }

    public void TrimReceived(TimeSpan keptFor, ulong bytesMax, long nowMs)
    {
        using StoreGate.Pass pass = _gate.Enter();
        _received.Trim(keptFor, bytesMax, nowMs);
    }

    public OutgoingPayment? FindOutgoing(string idempotencyKey)
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _sent.Find(idempotencyKey);
    }

    public IEnumerable<OutgoingPayment> ReadOutgoing(ChannelId channel, UInt128 afterTotal)
    {
        while (true)
        {
            List<SentRun> runs = ReadSent(channel, afterTotal);
            foreach (SentRun run in runs)
            {
                foreach (OutgoingPayment payment in run.Read())
                    if (payment.Total > afterTotal) yield return payment;
            }

            if (SentPayments.IsWhole(runs)) yield break;
            afterTotal = runs[^1].Total;
        }
    }

    private List<SentRun> ReadSent(ChannelId channel, UInt128 afterTotal)
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _sent.Read(channel, afterTotal);
    }

    public bool TrimSent(TimeSpan keptFor, long nowMs)
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _sent.Trim(keptFor, nowMs);
    }

    public void CarryOverSent(IStoreBatch batch, ChannelId channel, UInt128 afterTotal)
    {
        using StoreGate.Pass pass = _gate.Enter();
        _sent.CarryOver((StoreBatch)batch, channel, afterTotal);
    }

    public void DropOldestSent()
    {
        using StoreGate.Pass pass = _gate.Enter();
        _sent.DropOldest();
    }

    public ulong ReadEventCursor()
    {
        using StoreGate.Pass pass = _gate.Enter();
        return Math.Max(_events.LastCursor(), _restorations.Count == 0 ? 0 : _restorations[^1].Events.UpTo);
    }

    public ulong ReadDroppedEventCursor()
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _events.DroppedCursor();
    }

    public IReadOnlyList<OperatorEvent> ReadEvents(ulong afterCursor, int countMax)
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _events.Read(afterCursor, countMax);
    }

    public void TrimEvents(TimeSpan keptFor, ulong countMax, long nowMs)
    {
        using StoreGate.Pass pass = _gate.Enter();
        _events.Trim(keptFor, countMax, nowMs);
    }

    public IStoreBatch NewBatch() => new StoreBatch(_families, _ourSigner);

    public void Commit(IStoreBatch batch, bool durable)
    {
        using var writes = (StoreBatch)batch;
        using StoreGate.Pass pass = _gate.Enter();
        try
        {
            _database.Write(writes.Writes, durable ? _synced : _buffered);
            Interlocked.Add(ref _channelCount, (ulong)(long)writes.NewChannels);
            if (writes.Confirmed > 0) Interlocked.Add(ref _unconfirmedCount, -writes.Confirmed);
            lock (_log) _log.Wrote(writes.ByteCount);
        }
        catch (RocksDbSharpException e)
        {
            throw new StoreException($"The database in {_database.Path} cannot be written: {e.Message}", e);
        }
    }

    public void Dispose()
    {
        if (_gate.Close()) _database.Dispose();
    }
}
