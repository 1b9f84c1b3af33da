namespace ChannelNode.Engine;

/// <summary>
/// The payments of one caller on their way to the ledger. However many wait, one command in the ledger's queue stands for
/// them and takes a share of them each time that it is reached. So what waits together is committed and signed together,
/// and callers take turns, however much each of them asks for. The caller bounds what waits.
/// </summary>
internal sealed class PaymentQueue
{
    /// <summary>Payments taken in one go; then it is the next caller's turn.</summary>
    private const int ShareMax = 1_024;

    private readonly Ledger _ledger;
    private readonly Queue<PaymentRequest> _waiting = new();
    private readonly Share _share;
    private bool _isQueued;

    public PaymentQueue(Ledger ledger) => (_ledger, _share) = (ledger, new Share(this));

    /// <summary>Each is answered once. Waits while the ledger's queue is full; throws as it does.</summary>
    public ValueTask AddAsync(List<PaymentRequest> payments, CancellationToken cancel)
    {
        if (payments.Count == 0) return ValueTask.CompletedTask;
        lock (_waiting)
        {
            foreach (PaymentRequest payment in payments) _waiting.Enqueue(payment);
            if (_isQueued) return ValueTask.CompletedTask;
            _isQueued = true;
        }

        return _ledger.EnqueueAsync(_share, cancel);
    }

    /// <summary>Takes the share; true when more waits.</summary>
    private bool Take(List<PaymentRequest> share)
    {
        lock (_waiting)
        {
            while (share.Count < ShareMax && _waiting.TryDequeue(out PaymentRequest? payment)) share.Add(payment);
            _isQueued = _waiting.Count > 0;
            return _isQueued;
        }
    }

    private void Abandon(Exception error)
    {
        lock (_waiting)
        {
            while (_waiting.TryDequeue(out PaymentRequest? payment)) payment.Abandon(error);
        }
    }

    /// <summary>Where the payments that wait have their place in the ledger's queue; there once at most.</summary>
    private sealed class Share(PaymentQueue queue) : LedgerCommand
    {
        private readonly List<PaymentRequest> _taken = [];

        internal override int Weight => _taken.Count;

        internal override void Apply(LedgerTurn turn)
        {
            _taken.Clear();
            if (queue.Take(_taken)) _ = QueueAgainAsync();
            foreach (PaymentRequest payment in _taken) payment.Apply(turn);
        }

        /// <summary>Behind all others that wait; the writer itself must not wait for room.</summary>
        private async Task QueueAgainAsync()
        {
            try
            {
                await queue._ledger.EnqueueAsync(this, CancellationToken.None);
            }
            catch (RefusalException stopping)
            {
                queue.Abandon(stopping);
            }
        }

        internal override void Abandon(Exception error) => queue.Abandon(error);
    }
}
