using System.Buffers.Binary;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>Reads a row under its cursor back.</summary>
internal delegate T ReadRow<T>(ReadOnlySpan<byte> key, ReadOnlySpan<byte> row);

/// <summary>
/// Rows in the order of their cursors (8 bytes, big-endian): events, and the audit log. So little is written here that the
/// oldest are deleted, not dropped with a column family of their own.
/// </summary>
internal sealed class CursorJournal<T>(
    RocksDb database, ColumnFamilyHandle family, ReadRow<T> read, Func<T, (ulong Cursor, long TimeMs)> placeOf)
    where T : class
{
    private const int KeySize = sizeof(ulong);

    /// <summary>What is beyond a limit is at most this part more.</summary>
    private const int Parts = 8;

    /// <summary>Cursors that were never given.</summary>
    public IReadOnlyList<CursorGap> Gaps { private get; set; } = [];

    /// <summary>The newest cursor; 0 before the first. Its row is never deleted.</summary>
    public ulong LastCursor()
    {
        using Iterator rows = database.NewIterator(family).SeekToLast();
        return rows.HasRow() ? BinaryPrimitives.ReadUInt64BigEndian(rows.GetKeySpan()) : 0;
    }

    /// <summary>The newest cursor that is not kept any more; 0 while all are.</summary>
    public ulong DroppedCursor() => Oldest() is { } oldest ? placeOf(oldest).Cursor - 1 : 0;

    public IReadOnlyList<T> Read(ulong afterCursor, int countMax)
    {
        var events = new List<T>();
        if (afterCursor == ulong.MaxValue) return events;
        var from = new RowWriter(stackalloc byte[KeySize]);
        from.UInt64(afterCursor + 1);
        using Iterator rows = database.NewIterator(family);
        rows.Seek(from.Row);
        for (; rows.HasRow() && events.Count < countMax; rows.Next())
            events.Add(read(rows.GetKeySpan(), rows.GetValueSpan()));
        return events;
    }

    /// <summary>Deletes the oldest, many at once, while they are too old or too many.</summary>
    public void Trim(TimeSpan keptFor, ulong countMax, long nowMs)
    {
        if (Oldest() is not { } row) return;
        (ulong Cursor, long TimeMs) oldest = placeOf(row);
        long keptMs = (long)keptFor.TotalMilliseconds;
        ulong last = LastCursor(), count = last - oldest.Cursor + 1, first = oldest.Cursor;
        foreach (CursorGap gap in Gaps)
            if (oldest.Cursor <= gap.After && last > gap.UpTo) count -= gap.UpTo - gap.After;
        if (count > countMax + countMax / Parts) first = Math.Max(oldest.Cursor, last - Math.Min(last, countMax) + 1);
        if (nowMs - oldest.TimeMs > keptMs + keptMs / Parts) first = Math.Max(first, FirstSince(nowMs - keptMs, last));
        if (first > oldest.Cursor) Delete(oldest.Cursor, first);
    }

    private T? Oldest()
    {
        using Iterator rows = database.NewIterator(family).SeekToFirst();
        return rows.HasRow() ? read(rows.GetKeySpan(), rows.GetValueSpan()) : null;
    }

    /// <summary>The first that is not older, the last otherwise.</summary>
    private ulong FirstSince(long timeMs, ulong last)
    {
        using Iterator rows = database.NewIterator(family).SeekToFirst();
        for (; rows.HasRow(); rows.Next())
        {
            (ulong cursor, long atMs) = placeOf(read(rows.GetKeySpan(), rows.GetValueSpan()));
            if (atMs >= timeMs) return cursor;
        }

        return last;
    }

    private void Delete(ulong first, ulong behindLast)
    {
        byte[] from = KeyOf(first), to = KeyOf(behindLast);
        using var writes = new WriteBatch();
        writes.DeleteRange(from, (ulong)from.Length, to, (ulong)to.Length, family);
        try
        {
            database.Write(writes);
        }
        catch (RocksDbSharpException e)
        {
            throw new StoreException($"The database in {database.Path} cannot be written: {e.Message}", e);
        }
    }

    private static byte[] KeyOf(ulong cursor)
    {
        var key = new RowWriter(stackalloc byte[KeySize]);
        key.UInt64(cursor);
        return key.Row.ToArray();
    }
}
