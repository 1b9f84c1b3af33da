using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>
/// The node's memory in one RocksDB database. Every <see cref="Commit"/> is one batch over all column families and so
/// one record of the write-ahead log: after a crash it is there whole or not at all. Rows are never deleted.
/// </summary>
internal sealed class RocksChannelStore : IChannelStore
{
    private const int RowsPerRead = 256;

    private readonly StoreGate _gate = new(nameof(RocksChannelStore));

    private readonly WriteOptions _synced = new WriteOptions().SetSync(true);

    private readonly WriteOptions _buffered = new WriteOptions().SetSync(false);

    private readonly RocksDb _database;

    private readonly StoreFamilies _families;

    private readonly Address _ourSigner;

    private ulong _channelCount;

    private RocksChannelStore(RocksDb database, Address ourSigner)
    {
        _database = database;
        _families = StoreFamilies.Of(database);
        _ourSigner = ourSigner;

        // Called an estimate for what is overwritten and deleted. Terms never are: it is the number.
        _channelCount = ulong.Parse(database.GetProperty("rocksdb.estimate-num-keys", _families.Channels));
    }

    /// <summary>
    /// Opens the database in <paramref name="directory"/>, making both when missing, and holds its lock until
    /// disposed. Throws <see cref="StoreException"/> when another process holds it, or when the database has another
    /// schema or belongs to another identity.
    /// </summary>
    public static RocksChannelStore Open(string directory, StoreIdentity identity) =>
        Open(directory, identity, StoreSchema.DatabaseOptions());

    /// <summary>For tests that want statistics.</summary>
    internal static RocksChannelStore Open(string directory, StoreIdentity identity, DbOptions options)
    {
        directory = Path.GetFullPath(directory);
        var store = new RocksChannelStore(StoreOpening.Open(directory, options), identity.Signer);
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
            IdentityRow.Check(directory, row, identity);
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

    public IReadOnlyList<StoredChannel> ReadChannels(ChannelId? after, int countMax)
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Snapshot snapshot = _database.CreateSnapshot();
        ReadOptions together = new ReadOptions().SetSnapshot(snapshot);
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

    public ChainCursor? ReadChainCursor()
    {
        using StoreGate.Pass pass = _gate.Enter();
        byte[]? row = _database.Get(ChainCursorRow.Key, _families.Meta);
        return row is null ? null : ChainCursorRow.Read(row);
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

    public ulong ReadReceivedCursor()
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Received).SeekToLast();
        return rows.HasRow() ? ReceivedRow.ReadHead(rows.GetKeySpan(), rows.GetValueSpan(), out _).LastCursor : 0;
    }

    public OutgoingPayment? FindOutgoing(string idempotencyKey)
    {
        // Nothing is stored under a key that is empty or too long to store.
        Span<byte> key = stackalloc byte[byte.MaxValue];
        if (!Encoding.UTF8.TryGetBytes(idempotencyKey, key, out int length) || length == 0) return null;

        using StoreGate.Pass pass = _gate.Enter();
        byte[]? pointer = _database.Get(key[..length], _families.Keys);
        if (pointer is null) return null;
        ReadOnlySpan<byte> place = IdempotencyRow.Read(pointer);
        byte[] row = _database.Get(place, _families.Outgoing)
            ?? throw new StoreException("The database is corrupt: an idempotency key points at no payment.");
        return OutgoingRow.Read(place, row);
    }

    /// <summary>
    /// Read a few hundred at a time: an enumeration that is given up half-way holds nothing, and rows of a channel
    /// are only ever added behind those already given.
    /// </summary>
    public IEnumerable<OutgoingPayment> ReadOutgoing(ChannelId channel, UInt128 afterTotal)
    {
        while (true)
        {
            List<OutgoingPayment> rows = ReadOutgoingRows(channel, afterTotal);
            foreach (OutgoingPayment payment in rows) yield return payment;
            if (rows.Count < RowsPerRead) yield break;
            afterTotal = rows[^1].Total;
        }
    }

    private List<OutgoingPayment> ReadOutgoingRows(ChannelId channel, UInt128 afterTotal)
    {
        var payments = new List<OutgoingPayment>();
        if (afterTotal == UInt128.MaxValue) return payments;

        Span<byte> from = stackalloc byte[OutgoingRow.KeySize];
        OutgoingRow.WriteKey(from, channel, afterTotal + 1);
        ReadOnlySpan<byte> prefix = from[..Bytes32.Size];
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Outgoing).Seek(from);
        for (; rows.HasRow() && payments.Count < RowsPerRead; rows.Next())
        {
            ReadOnlySpan<byte> key = rows.GetKeySpan();
            if (!key.StartsWith(prefix)) break;
            payments.Add(OutgoingRow.Read(key, rows.GetValueSpan()));
        }
        return payments;
    }

    public IReadOnlyList<JournalledRun> ReadReceived(ulong afterCursor, int countMax)
    {
        var runs = new List<JournalledRun>();
        var from = new RowWriter(stackalloc byte[ReceivedRow.KeySize]);
        from.UInt64(afterCursor);
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Received).SeekForPrev(from.Row);
        // The run that begins at or before the cursor may end at it, or go on after it.
        if (!rows.HasRow()) rows.SeekToFirst();
        for (long count = 0; rows.HasRow() && count < countMax; rows.Next())
        {
            ReceivedRun run = ReceivedRow.ReadHead(rows.GetKeySpan(), rows.GetValueSpan(), out ReadOnlySpan<byte> payments);
            if (run.LastCursor <= afterCursor) continue;
            runs.Add(new JournalledRun(run, payments.ToArray()));
            count += (long)(run.LastCursor - Math.Max(afterCursor, run.FirstCursor - 1));
        }

        return runs;
    }

    public IStoreBatch NewBatch() => new StoreBatch(_families, _ourSigner);

    public void Commit(IStoreBatch batch, bool durable)
    {
        using var writes = (StoreBatch)batch;
        using StoreGate.Pass pass = _gate.Enter();
        try
        {
            _database.Write(writes.Writes, durable ? _synced : _buffered);
            Interlocked.Add(ref _channelCount, writes.NewChannels);
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
