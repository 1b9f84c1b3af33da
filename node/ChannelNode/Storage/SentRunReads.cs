using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// The runs of sent payments that keys led to last. Who asks again for what is paid does so in the order in which it was paid:
/// of a run with thousands of payments each key then costs one step, where it would be read and gone through for each. For any
/// thread, one at a time.
/// </summary>
internal sealed class SentRunReads
{
    private const int RunsMax = 8;

    /// <summary>Of rows that are kept. A node's largest is below 3 MB.</summary>
    private const int BytesMax = 4 * 1024 * 1024;

    private readonly Lock _gate = new();
    private readonly List<SentRunReader> _runs = []; // The one that was asked last is the last.
    private int _bytes;

    /// <summary>Null where no run that is kept has it, under that key.</summary>
    public OutgoingPayment? Find(Segment part, ChannelId channel, UInt128 total, string idempotencyKey)
    {
        lock (_gate)
        {
            for (int index = _runs.Count - 1; index >= 0; index--)
            {
                SentRunReader run = _runs[index];
                if (!run.Covers(part, channel, total)) continue;
                if (index < _runs.Count - 1)
                {
                    _runs.RemoveAt(index);
                    _runs.Add(run);
                }

                return run.Find(total, idempotencyKey);
            }

            return null;
        }
    }

    /// <summary>The newest is kept in any case. Answers as <see cref="Find"/> of this run: another thread may drop it at once.</summary>
    public OutgoingPayment? Keep(Segment part, in SentRun run, UInt128 total, string idempotencyKey)
    {
        lock (_gate)
        {
            SentRunReader reader = new(part, run);
            _runs.Add(reader);
            _bytes += reader.Bytes;
            while (_runs.Count > 1 && (_runs.Count > RunsMax || _bytes > BytesMax))
            {
                _bytes -= _runs[0].Bytes;
                _runs.RemoveAt(0);
            }

            return reader.Covers(part, run.Channel, total) ? reader.Find(total, idempotencyKey) : null;
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            _runs.Clear();
            _bytes = 0;
        }
    }
}

/// <summary>A run and a place in it, from which the next payment that is asked for is mostly the next one.</summary>
internal sealed class SentRunReader(Segment part, SentRun run)
{
    private ReadOnlyMemory<byte> _payments = run.Payments;
    private ReadOnlyMemory<byte> _keys = run.Keys;
    private UInt128 _total = run.TotalBefore;

    public int Bytes => run.Payments.Length + run.Keys.Length;

    public bool Covers(Segment asked, ChannelId channel, UInt128 total) =>
        asked == part && channel == run.Channel && Step(total) - 1 < Step(run.Total);

    /// <summary>Null where the payment that leads to the total has another key, or there is none.</summary>
    public OutgoingPayment? Find(UInt128 total, string idempotencyKey)
    {
        if (Step(_total) >= Step(total)) (_payments, _keys, _total) = (run.Payments, run.Keys, run.TotalBefore);
        while (Step(_total) < Step(total))
        {
            IncomingPayment payment = PaymentList.Take(ref _payments);
            ReadOnlyMemory<byte> key = SentRun.TakeKey(ref _keys);
            _total += payment.Amount;
            if (_total != total) continue;
            return Encoding.UTF8.GetString(key.Span) == idempotencyKey
                ? new OutgoingPayment(run.Channel, total, payment.Amount, payment.ItemId, idempotencyKey)
                : null;
        }

        return null;
    }

    /// <summary>How far a total is from the run's beginning.</summary>
    private UInt128 Step(UInt128 total) => total - run.TotalBefore;
}
