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
    private const int RowsPerRead = 256;

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
            ReadOnlySpan<byte> place = IdempotencyRow.Read(pointer);
            byte[] row = database.Get(place, parts[index].Family)
                ?? throw new StoreException("The database is corrupt: an idempotency key points at no payment.");
            return OutgoingRow.Read(place, row);
        }

        return null;
    }

    /// <summary>
    /// A few hundred at a time: whoever gives up half-way holds nothing, and rows of a channel are only ever added
    /// behind those already given.
    /// </summary>
    public List<OutgoingPayment> Read(ChannelId channel, UInt128 afterTotal)
    {
        var payments = new List<OutgoingPayment>();
        foreach (Segment part in segments.All)
        {
            if (payments.Count > 0) afterTotal = payments[^1].Total; // Also past what was carried over into this part.
            Read(part, channel, afterTotal, payments);
        }

        return payments;
    }

    public static bool IsWhole(List<OutgoingPayment> payments) => payments.Count < RowsPerRead;

    private void Read(Segment part, ChannelId channel, UInt128 afterTotal, List<OutgoingPayment> payments)
    {
        if (afterTotal == UInt128.MaxValue || !part.TryEnter(out StoreGate.Pass pass)) return;
        using StoreGate.Pass inside = pass;
        Span<byte> from = stackalloc byte[OutgoingRow.KeySize];
        OutgoingRow.WriteKey(from, channel, afterTotal + 1);
        ReadOnlySpan<byte> prefix = from[..^16];
        using Iterator rows = database.NewIterator(part.Family).Seek(from);
        for (; rows.HasRow() && payments.Count < RowsPerRead; rows.Next())
        {
            ReadOnlySpan<byte> key = rows.GetKeySpan();
            if (!key.StartsWith(prefix)) break;
            payments.Add(OutgoingRow.Read(key, rows.GetValueSpan()));
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
        List<OutgoingPayment> payments = [];
        do
        {
            payments.Clear();
            Read(oldest, channel, afterTotal, payments);
            foreach (OutgoingPayment payment in payments) batch.PutOutgoing(next, payment);
            if (payments.Count > 0) afterTotal = payments[^1].Total;
        }
        while (!IsWhole(payments));
    }

    public void DropOldest() => segments.DropOldest();
}
