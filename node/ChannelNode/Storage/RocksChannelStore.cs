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

    private RocksChannelStore(RocksDb database)
    {
        _database = database;
        _families = StoreFamilies.Of(database);
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
        var store = new RocksChannelStore(StoreOpening.Open(directory, options));
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
        var batch = new StoreBatch(_families);
        batch.PutIdentity(identity);
        Commit(batch, durable: true);
    }

    public IEnumerable<StoredChannel> ReadChannels()
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Snapshot snapshot = _database.CreateSnapshot();
        ReadOptions together = new ReadOptions().SetSnapshot(snapshot);
        using Iterator terms = _database.NewIterator(_families.Channels, together).SeekToFirst();
        using Iterator states = _database.NewIterator(_families.States, together).SeekToFirst();

        var channels = new List<StoredChannel>();
        for (; terms.HasRow() && states.HasRow(); terms.Next(), states.Next())
        {
            if (!terms.GetKeySpan().SequenceEqual(states.GetKeySpan())) break;
            ChannelId id = ChannelId.Read(terms.GetKeySpan());
            Channel channel = TermsRow.Read(id, terms.GetValueSpan());
            channels.Add(new StoredChannel(channel, StateRow.Read(states.GetValueSpan())));
        }
        if (terms.HasRow() || states.HasRow())
            throw new StoreException("The database is corrupt: a channel has terms without a state, or a state without terms.");
        return channels;
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

    public IStoreBatch NewBatch() => new StoreBatch(_families);

    public void Commit(IStoreBatch batch, bool durable)
    {
        using var writes = (StoreBatch)batch;
        using StoreGate.Pass pass = _gate.Enter();
        try
        {
            _database.Write(writes.Writes, durable ? _synced : _buffered);
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
