using ChannelNode.Core;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>Backups of an open database, and what one that was restored from a backup must remember.</summary>
internal sealed partial class RocksChannelStore
{
    private const int ChannelsPerBatch = 10_000;

    private IReadOnlyList<Restoration> _restorations = [];

    private long _unconfirmedCount;

    /// <summary>Channels are marked, or may come to be.</summary>
    private volatile bool _hasMarked;

    /// <summary>The schema of the program that wrote the database before this one, where that was an older; 0 otherwise.</summary>
    public uint MigratedFrom { get; private set; }

    public IReadOnlyList<Restoration> Restorations => _restorations;

    public ulong UnconfirmedCount => (ulong)Interlocked.Read(ref _unconfirmedCount);

    public bool IsUnconfirmed(Address peer, ChannelId channel)
    {
        if (UnconfirmedCount == 0) return false;
        using StoreGate.Pass pass = _gate.Enter();
        return _database.Get(UnconfirmedKey.Of(peer, channel), _families.Unconfirmed) is { Length: 0 };
    }

    public bool IsHeld(Address peer, ChannelId channel)
    {
        if (!_hasMarked) return false;
        using StoreGate.Pass pass = _gate.Enter();
        return _database.Get(UnconfirmedKey.Of(peer, channel), _families.Unconfirmed) is not null;
    }

    public IReadOnlyList<ChannelId> ReadHeld(Address peer, int countMax)
    {
        if (!_hasMarked) return [];
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Unconfirmed);
        byte[] start = UnconfirmedKey.Of(peer, default);
        rows.Seek(start);
        var channels = new List<ChannelId>();
        for (; channels.Count < countMax && rows.HasRow() && rows.GetKeySpan().StartsWith(start.AsSpan(0, Address.Size)); rows.Next())
            channels.Add(UnconfirmedKey.ReadChannel(rows.GetKeySpan()));
        return channels;
    }

    /// <summary>
    /// Copies the database as it stands into a new folder on the same file system, beside commits and without holding them
    /// up: files are linked, not copied. All that was committed before the call is in it.
    /// </summary>
    public void Checkpoint(string folder)
    {
        using StoreGate.Pass pass = _gate.Enter();
        try
        {
            using Checkpoint checkpoint = _database.Checkpoint();
            checkpoint.Save(folder);
        }
        catch (RocksDbSharpException e)
        {
            throw new StoreException($"The database in {_database.Path} cannot be copied to {folder}: {e.Message}", e);
        }
    }

    /// <summary>
    /// Marks a database that lies where a backup was unpacked, before any node opens it: nothing is paid in any of its channels
    /// before the peer has told where it stands.
    /// </summary>
    /// <param name="keepsTokens">Else all access tokens end: which of them were revoked after the backup nobody knows.</param>
    public void MarkRestored(long restoredAtMs, long backupAtMs, bool keepsTokens = false)
    {
        ChannelId? after = null;
        while (ReadChannels(after, ChannelsPerBatch) is { Count: > 0 } page)
        {
            using WriteBatch writes = new();
            foreach (StoredChannel stored in page)
                writes.Put(UnconfirmedKey.Of(stored.Channel.Theirs.Signer, stored.Channel.Id), Array.Empty<byte>(), _families.Unconfirmed);
            _database.Write(writes, _buffered);
            after = page[^1].Channel.Id;
        }

        var batch = (StoreBatch)NewBatch();
        batch.PutRestoration(
            _restorations.Count,
            new Restoration(restoredAtMs, backupAtMs, CursorGap.Behind(ReadReceivedCursor()), CursorGap.Behind(ReadEventCursor())));
        foreach (AccessToken token in keepsTokens ? [] : ReadAccessTokens())
            if (token.RevokedAtMs == 0) batch.PutAccessToken(token with { RevokedAtMs = restoredAtMs });
        Commit(batch, durable: true); // Synced with all that was written before it.
        ReadMarks();
    }

    /// <summary>The same, of a database that nobody has open.</summary>
    public static void MarkRestored(string folder, StoreIdentity identity, long restoredAtMs, long backupAtMs, bool keepsTokens)
    {
        using RocksChannelStore store = Open(folder, identity);
        store.MarkRestored(restoredAtMs, backupAtMs, keepsTokens);
    }

    private void ReadMarks()
    {
        var restorations = new List<Restoration>();
        for (int number = 0; _database.Get(RestorationRow.Key(number), _families.Meta) is { } row; number++)
            restorations.Add(RestorationRow.Read(row));
        _restorations = restorations;
        _events.Gaps = [.. restorations.Select(restored => restored.Events)];

        long count = 0;
        if (restorations.Count > 0)
        {
            using Iterator rows = _database.NewIterator(_families.Unconfirmed).SeekToFirst();
            _hasMarked = rows.HasRow() || !restorations[^1].IsReleased;
            for (; rows.HasRow(); rows.Next())
                if (rows.GetValueSpan().IsEmpty) count++;
        }

        Interlocked.Exchange(ref _unconfirmedCount, count);
    }
}
