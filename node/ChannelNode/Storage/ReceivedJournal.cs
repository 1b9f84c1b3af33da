using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>Payments received, in the order of their cursors, over the parts of a series.</summary>
internal sealed class ReceivedJournal(RocksDb database, SegmentSeries segments)
{
    /// <summary>Parts in which the journal is kept: what is beyond a limit is at most one of them more.</summary>
    private const int Parts = 8;

    /// <summary>What all parts hold, in files and in memory.</summary>
    public ulong Bytes
    {
        get
        {
            ulong bytes = 0;
            foreach (Segment part in segments.All)
            {
                if (!part.TryEnter(out StoreGate.Pass pass)) continue;
                using StoreGate.Pass inside = pass;
                bytes += segments.BytesOf(part);
            }

            return bytes;
        }
    }

    /// <summary>The newest cursor; 0 before the first. The part that holds it is never dropped.</summary>
    public ulong LastCursor()
    {
        Segment[] parts = segments.All;
        for (int index = parts.Length - 1; index >= 0; index--)
        {
            if (!parts[index].TryEnter(out StoreGate.Pass pass)) continue;
            using StoreGate.Pass inside = pass;
            using Iterator rows = database.NewIterator(parts[index].Family).SeekToLast();
            if (rows.HasRow()) return Head(rows, out _).LastCursor;
        }

        return 0;
    }

    /// <summary>The newest cursor that is not kept any more; 0 while all are.</summary>
    public ulong DroppedCursor()
    {
        foreach (Segment part in segments.All)
        {
            if (FirstCursorOf(part) is > 0 and ulong first) return first - 1;
        }

        return 0;
    }

    public IReadOnlyList<JournalledRun> Read(ulong afterCursor, int countMax)
    {
        var runs = new List<JournalledRun>();
        long count = 0;
        Segment[] parts = segments.All;
        for (int index = 0; index < parts.Length && count < countMax; index++)
        {
            bool isBehind = index + 1 < parts.Length
                && FirstCursorOf(parts[index + 1]) is > 0 and ulong next && next - 1 <= afterCursor;
            if (!isBehind) Read(parts[index], afterCursor, countMax, runs, ref count);
        }

        return runs;
    }

    private void Read(Segment part, ulong afterCursor, int countMax, List<JournalledRun> runs, ref long count)
    {
        if (!part.TryEnter(out StoreGate.Pass pass)) return;
        using StoreGate.Pass inside = pass;
        var from = new RowWriter(stackalloc byte[ReceivedRow.KeySize]);
        from.UInt64(afterCursor);
        using Iterator rows = database.NewIterator(part.Family).SeekForPrev(from.Row);
        // The run that begins at or before the cursor may end at it, or go on after it.
        if (!rows.HasRow()) rows.SeekToFirst();
        for (; rows.HasRow() && count < countMax; rows.Next())
        {
            ReceivedRun run = Head(rows, out ReadOnlySpan<byte> payments);
            if (run.LastCursor <= afterCursor) continue;
            runs.Add(new JournalledRun(run, payments.ToArray()));
            count += (long)(run.LastCursor - Math.Max(afterCursor, run.FirstCursor - 1));
        }
    }

    /// <summary>Begins a new part where that is due, and drops the oldest while it is too old or all are too large.</summary>
    public void Trim(TimeSpan keptFor, ulong bytesMax, long nowMs)
    {
        long keptMs = (long)keptFor.TotalMilliseconds;
        Segment newest = segments.Newest;
        bool isFull = nowMs - newest.StartedAtMs >= keptMs / Parts || segments.BytesOf(newest) >= bytesMax / Parts;
        if (isFull && FirstCursorOf(newest) > 0) segments.Begin(nowMs);

        while (segments.All is [_, Segment second, ..] parts && FirstCursorOf(second) > 0)
        {
            ulong bytes = 0;
            foreach (Segment part in parts) bytes += segments.BytesOf(part);
            if (nowMs - second.StartedAtMs < keptMs && bytes <= bytesMax) return;
            segments.DropOldest();
        }
    }

    private ulong FirstCursorOf(Segment part)
    {
        if (part.FirstCursor == 0 && part.TryEnter(out StoreGate.Pass pass))
        {
            using StoreGate.Pass inside = pass;
            using Iterator rows = database.NewIterator(part.Family).SeekToFirst();
            if (rows.HasRow()) part.FirstCursor = ReceivedRow.ReadKey(rows.GetKeySpan());
        }

        return part.FirstCursor;
    }

    private static ReceivedRun Head(Iterator rows, out ReadOnlySpan<byte> payments) =>
        ReceivedRow.ReadHead(rows.GetKeySpan(), rows.GetValueSpan(), out payments);
}
