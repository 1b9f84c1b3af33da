using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>
/// Payments made and their idempotency keys, over the parts of a series. A channel's payments lie in the order in
/// which they were made in each part, and in the order of the parts.
/// </summary>
internal sealed class SentPayments(RocksDb database, SegmentSeries segments)
{
    private const int RunsPerRead = 64;

    private readonly SentRunReads _reads = new();

    public OutgoingPayment? Find(string idempotencyKey)
    {
        // Nothing is stored under a key that is empty or too long to store.
        Span<byte> key = stackalloc byte[1 + byte.MaxValue];
        key[0] = IdempotencyRow.KeyMark;
        if (!Encoding.UTF8.TryGetBytes(idempotencyKey, key[1..], out int length) || length == 0) return null;

        Segment[] parts = segments.All;
        for (int index = parts.Length - 1; index >= 0; index--)
        {
            if (!parts[index].TryEnter(out StoreGate.Pass pass)) continue;
            using StoreGate.Pass inside = pass;
            byte[]? pointer = database.Get(key[..(1 + length)], parts[index].Family);
            if (pointer is null) continue;
            return At(IdempotencyRow.Read(pointer), parts[index], idempotencyKey);
        }

        return null;
    }

    /// <summary>In a part that is there: what was read of it before is still true then, for no row ever changes.</summary>
    private OutgoingPayment At(ReadOnlySpan<byte> place, Segment part, string idempotencyKey)
    {
        (ChannelId channel, UInt128 total) = SentRow.ReadKey(place);
        if (_reads.Find(part, channel, total, idempotencyKey) is { } known) return known;
        using Iterator rows = database.NewIterator(part.Family).Seek(place);
        if (rows.HasRow() && rows.GetKeySpan().StartsWith(place[..^16]))
        {
            SentRun run = SentRow.Read(rows.GetKeySpan(), rows.GetValueSpan());
            if (_reads.Keep(part, run, total, idempotencyKey) is { } found) return found;
        }

        throw new StoreException("The database is corrupt: an idempotency key points at no payment.");
    }

    /// <summary>
    /// Runs with payments above a total; the first may begin below it. A few at a time: whoever gives up half-way holds
    /// nothing, and rows of a channel are only ever added behind those already given.
    /// </summary>
    public List<SentRun> Read(ChannelId channel, UInt128 afterTotal)
    {
        var runs = new List<SentRun>();
        foreach (Segment part in segments.All)
        {
            if (runs.Count > 0) afterTotal = runs[^1].Total; // Also past what was carried over into this part.
            Read(part, channel, afterTotal, runs);
        }

        return runs;
    }

    public static bool IsWhole(List<SentRun> runs) => runs.Count < RunsPerRead;

    private void Read(Segment part, ChannelId channel, UInt128 afterTotal, List<SentRun> runs)
    {
        if (afterTotal == UInt128.MaxValue || !part.TryEnter(out StoreGate.Pass pass)) return;
        using StoreGate.Pass inside = pass;
        Span<byte> from = stackalloc byte[SentRow.KeySize];
        SentRow.WriteKey(from, channel, afterTotal + 1);
        ReadOnlySpan<byte> prefix = from[..^16];
        using Iterator rows = database.NewIterator(part.Family).Seek(from);
        for (; rows.HasRow() && runs.Count < RunsPerRead; rows.Next())
        {
            ReadOnlySpan<byte> key = rows.GetKeySpan();
            if (!key.StartsWith(prefix)) break;
            runs.Add(SentRow.Read(key, rows.GetValueSpan()));
        }
    }

    /// <summary>
    /// Begins a new part where that is due. True when the oldest holds nothing that was made within
    /// <paramref name="keptFor"/>: it can go, once what is still under way is carried over.
    /// </summary>
    public bool Trim(TimeSpan keptFor, long nowMs)
    {
        long keptMs = (long)keptFor.TotalMilliseconds;
        if (nowMs - segments.Newest.StartedAtMs >= keptMs) segments.Begin(nowMs);
        return segments.All is [_, Segment second, Segment, ..] && nowMs - second.StartedAtMs >= keptMs;
    }

    /// <summary>Puts the channel's payments above a total that lie in the oldest part into the next one too.</summary>
    public void CarryOver(StoreBatch batch, ChannelId channel, UInt128 afterTotal)
    {
        if (segments.All is not [Segment oldest, Segment next, ..]) return;
        List<SentRun> runs = [];
        do
        {
            runs.Clear();
            Read(oldest, channel, afterTotal, runs);
            foreach (SentRun run in runs) batch.PutSent(next, run);
            if (runs.Count > 0) afterTotal = runs[^1].Total;
        }
        while (!IsWhole(runs));
    }

    public void DropOldest()
    {
        segments.DropOldest();
        _reads.Clear();
    }
}
