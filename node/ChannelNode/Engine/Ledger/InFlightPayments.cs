using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The totals that one channel's updates were told with, and when (a timestamp of the clock's), until they are acknowledged.
/// The ledger's writer owns it.
/// </summary>
internal sealed class UpdatesUnderWay
{
    private readonly Queue<(UInt128 Sent, long ToldAt)> _told = new();
    private int _acknowledged;
    private long _oldestToldAt;

    public void Add(UInt128 sent, long toldAt) => _told.Enqueue((sent, toldAt));

    /// <summary>Updates above what is <paramref name="acknowledged"/>.</summary>
    public int Count(UInt128 acknowledged)
    {
        while (_told.TryPeek(out (UInt128 Sent, long ToldAt) told) && told.Sent <= acknowledged)
        {
            if (_acknowledged++ == 0) _oldestToldAt = told.ToldAt;
            _told.Dequeue();
        }

        return _told.Count;
    }

    /// <summary>How many were acknowledged since this was asked last, and when the first of them was told.</summary>
    public int TakeAcknowledged(UInt128 acknowledged, out long oldestToldAt)
    {
        Count(acknowledged);
        (int taken, _acknowledged, oldestToldAt) = (_acknowledged, 0, _oldestToldAt);
        return taken;
    }

    public void Clear() => _told.Clear();
}

/// <summary>
/// Payments of one channel that are signed and not acknowledged, by the total that acknowledges them, and who waits
/// for them. The ledger's writer owns it.
/// </summary>
internal sealed class InFlightPayments
{
    private readonly record struct Entry(UInt128 Total, PaymentRequest? Waiter);

    private const int RepeatsBeforeSweepMin = 64;

    private readonly Queue<Entry> _entries = new();
    private readonly List<Entry> _repeats = [];
    private int _sweepAt = RepeatsBeforeSweepMin;

    public int Count => _entries.Count;

    public bool IsEmpty => _entries.Count == 0 && _repeats.Count == 0;

    /// <summary>Payments that <paramref name="total"/> covers, and that are not answered yet.</summary>
    public int CountUpTo(UInt128 total)
    {
        int count = 0;
        foreach (Entry entry in _entries)
        {
            if (entry.Total > total) break;
            count++;
        }

        return count;
    }

    /// <summary>A new payment; a null waiter stands for one whose caller is gone, since before a restart.</summary>
    public void Add(UInt128 total, PaymentRequest? waiter) => _entries.Enqueue(new Entry(total, waiter));

    /// <summary>Someone asks again, with the same key, for a payment that is under way.</summary>
    public void AddRepeat(UInt128 total, PaymentRequest waiter)
    {
        if (_repeats.Count >= _sweepAt)
        {
            // Callers that gave up must not be kept: only live calls count, and those are limited elsewhere.
            _repeats.RemoveAll(entry => entry.Waiter!.IsAbandoned);
            _sweepAt = Math.Max(RepeatsBeforeSweepMin, 2 * _repeats.Count);
        }

        _repeats.Add(new Entry(total, waiter));
    }

    /// <summary>
    /// Everything up to <paramref name="total"/> is paid; <paramref name="receipt"/> is the peer's newest. Each payment is in
    /// <paramref name="paid"/> before it is answered.
    /// </summary>
    public void Acknowledge(UInt128 total, ref long paid, SignedReceipt? receipt = null)
    {
        while (_entries.TryPeek(out Entry entry) && entry.Total <= total)
        {
            _entries.Dequeue();
            paid++;
            Answer(entry, receipt, repeated: false);
        }

        for (int index = _repeats.Count - 1; index >= 0; index--)
        {
            Entry entry = _repeats[index];
            if (entry.Total > total) continue;
            _repeats.RemoveAt(index);
            Answer(entry, receipt, repeated: true);
        }
    }

    private static void Answer(in Entry entry, SignedReceipt? receipt, bool repeated)
    {
        if (entry.Waiter is not { } waiter) return;
        bool proves = waiter.WantsReceipt && receipt is not null && receipt.Received >= entry.Total;
        waiter.Done(PaymentOutcome.Paid(entry.Total, repeated, proves ? receipt : null));
    }
}
