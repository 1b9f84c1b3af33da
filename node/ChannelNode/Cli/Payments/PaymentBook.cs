using System.Globalization;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>
/// Where each payment of a plan stands. A payment is waiting, in flight, or settled (paid, or refused for good); a
/// refusal that may pass by itself makes it wait again. May be used by several threads.
/// </summary>
internal sealed class PaymentBook(int count, TimeProvider time)
{
    private const byte Waiting = 0;
    private const byte InFlightNow = 1;
    private const byte Settled = 2;

    private readonly Lock _gate = new();
    private readonly byte[] _states = new byte[count];
    private readonly long[] _firstSentAt = new long[count];
    private readonly Refusal[] _lastRefusal = new Refusal[count];
    private readonly Queue<int> _again = new();
    private readonly List<double> _latenciesMs = new(count);
    private readonly SortedDictionary<Refusal, int> _refusedForGood = [];
    private readonly Dictionary<Refusal, string> _messages = [];
    private readonly long _startedAt = time.GetTimestamp();
    private int _next;
    private int _inFlight;
    private int _settled;
    private int _paid;
    private int _repeated;
    private int _retries;
    private UInt128 _totalSent;
    private long _lastPaidAt = time.GetTimestamp();
    private Refusal _waitsFor;
    private Refusal _stoppedBy;

    /// <summary>All are settled, or none of the rest can be paid and nothing is in flight.</summary>
    public bool Done
    {
        get
        {
            lock (_gate) return _settled == count || (_stoppedBy != Refusal.Unspecified && _inFlight == 0);
        }
    }

    public int Paid
    {
        get
        {
            lock (_gate) return _paid;
        }
    }

    public TimeSpan SinceLastPaid
    {
        get
        {
            lock (_gate) return time.GetElapsedTime(_lastPaidAt);
        }
    }

    /// <summary>
    /// What the newest payment that is to be asked for again was refused by, and the node's words for it; none after one that was paid.
    /// </summary>
    public (Refusal Refusal, string Message) WaitsFor
    {
        get
        {
            lock (_gate) return (_waitsFor, _messages.GetValueOrDefault(_waitsFor, ""));
        }
    }

    public TimeSpan Elapsed => time.GetElapsedTime(_startedAt);

    /// <summary>Refusals that pass by themselves, so that the same payment is worth another try.</summary>
    public static bool MayPass(Refusal refusal) => refusal
        is Refusal.PeerOffline or Refusal.PeerRefusing or Refusal.DepositUnconfirmed or Refusal.DepositUncredited or Refusal.TooManyInFlight
        or Refusal.ChainUnavailable or Refusal.SignerUnavailable or Refusal.NotReady or Refusal.Draining or Refusal.RestoredUnconfirmed
        or Refusal.DiskLow;

    /// <summary>
    /// Refusals that any other payment of the same amount through the same channel would meet too, however often it is asked for: something
    /// else must happen first, a deposit mostly.
    /// </summary>
    public static bool StopsAll(Refusal refusal) => refusal
        is Refusal.ChannelClosed or Refusal.ChannelClosing or Refusal.CloseAgreed or Refusal.InsufficientBalance or Refusal.StateLost
        or Refusal.OneWayChannel or Refusal.UnknownChannel or Refusal.ChannelNotAllowed or Refusal.AccessTokenCapExceeded
        or Refusal.AccessTokenExpired or Refusal.AccessTokenRevoked or Refusal.ZeroAmount or Refusal.AmountTooLarge or Refusal.InvalidArgument;

    /// <summary>Payments to send next: those that wait again first; at most so many that no more fly than allowed, and none once the rest cannot be paid.</summary>
    public List<int> Take(int batchMax, int inFlightMax)
    {
        lock (_gate)
        {
            int room = _stoppedBy != Refusal.Unspecified ? 0 : Math.Min(batchMax, inFlightMax - _inFlight);
            var batch = new List<int>();
            while (batch.Count < room && TryTakeOne(out int index)) batch.Add(index);
            return batch;
        }
    }

    /// <summary>Takes in a result; true when the payment is settled by it.</summary>
    public bool Settle(int index, PaymentResult result)
    {
        lock (_gate)
        {
            if (_states[index] != InFlightNow) return false;
            _inFlight--;
            if (result.Message.Length > 0) _messages[result.Refusal] = result.Message;
            if (MayPass(result.Refusal))
            {
                WaitAgain(index, result.Refusal);
                return false;
            }
            _states[index] = Settled;
            _settled++;
            if (_stoppedBy == Refusal.Unspecified && StopsAll(result.Refusal)) _stoppedBy = result.Refusal;
            if (result.Refusal == Refusal.Unspecified) Count(index, result);
            else _refusedForGood[result.Refusal] = _refusedForGood.GetValueOrDefault(result.Refusal) + 1;
            return true;
        }
    }

    /// <summary>After a broken stream: what flew may or may not be paid, and is asked for again under its key.</summary>
    public void TakeBack()
    {
        lock (_gate)
        {
            for (var index = 0; index < _next; index++)
            {
                if (_states[index] == InFlightNow) WaitAgain(index, Refusal.Unspecified);
            }
            _inFlight = 0;
        }
    }

    /// <summary>After a call that was refused as such: nothing of what was sent with it was asked for.</summary>
    public void NothingTaken()
    {
        lock (_gate)
        {
            (_next, _inFlight) = (0, 0);
            Array.Clear(_states);
            _again.Clear();
        }
    }

    public PaymentSummary Summarize()
    {
        lock (_gate)
        {
            var refused = new SortedDictionary<Refusal, int>(_refusedForGood);
            for (var index = 0; index < _next; index++)
            {
                Refusal last = _lastRefusal[index];
                if (_states[index] != Settled && last != Refusal.Unspecified)
                    refused[last] = refused.GetValueOrDefault(last) + 1;
            }
            double[] latencies = [.. _latenciesMs.Order()];
            return new PaymentSummary(
                count, _paid, _repeated, refused, new Dictionary<Refusal, string>(_messages), count - _next, _retries, _totalSent,
                time.GetElapsedTime(_startedAt, _lastPaidAt).TotalSeconds, latencies)
            {
                StoppedBy = _stoppedBy,
            };
        }
    }

    private bool TryTakeOne(out int index)
    {
        if (!_again.TryDequeue(out index))
        {
            if (_next == count) return false;
            index = _next++;
            _firstSentAt[index] = time.GetTimestamp();
        }
        _states[index] = InFlightNow;
        _inFlight++;
        return true;
    }

    private void WaitAgain(int index, Refusal refusal)
    {
        _states[index] = Waiting;
        _lastRefusal[index] = refusal;
        _waitsFor = refusal;
        _retries++;
        _again.Enqueue(index);
    }

    private void Count(int index, PaymentResult result)
    {
        _lastPaidAt = time.GetTimestamp();
        _waitsFor = Refusal.Unspecified;
        _latenciesMs.Add(time.GetElapsedTime(_firstSentAt[index], _lastPaidAt).TotalMilliseconds);
        _paid++;
        if (result.Repeated) _repeated++;
        if (UInt128.TryParse(result.TotalSent, CultureInfo.InvariantCulture, out UInt128 total) && total > _totalSent)
            _totalSent = total;
    }
}
