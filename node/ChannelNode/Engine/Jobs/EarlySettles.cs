using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Settles that the contract refused because their window is open: this machine's clock is ahead of the chain's. Each try is
/// a job on disk, so the next one waits until a followed block says that the time has come. A quiet chain makes no blocks,
/// and only trying tells: that is done ever more seldom. For any thread.
/// </summary>
internal sealed class EarlySettles(ChainView view, NodeClock clock)
{
    private static readonly TimeSpan WaitMin = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan WaitMax = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<(ChannelId Channel, ulong ClosesAtSeconds), int> _refused = new();
    private int _waiting;

    /// <summary>How many wait now.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Returns when it is worth another try.</summary>
    public async Task WaitAsync(ChannelId channel, ulong closesAtSeconds, CancellationToken cancel)
    {
        int before = _refused.AddOrUpdate((channel, closesAtSeconds), 0, (_, count) => Math.Min(count + 1, 10));
        TimeSpan most = WaitMin * (1 << before);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task due = view.WhenAsync(() => clock.ChainSeconds >= closesAtSeconds, either.Token);
        Task late = Task.Delay(most < WaitMax ? most : WaitMax, clock.Time, either.Token);
        Interlocked.Increment(ref _waiting);
        await Task.WhenAny(due, late);
        Interlocked.Decrement(ref _waiting);
        either.Cancel(); // Here, not on a thread of the pool: simulations have only their own.
        cancel.ThrowIfCancellationRequested();
    }

    /// <summary>It is settled, or is not this one's to settle any more.</summary>
    public void Forget(ChannelId channel, ulong closesAtSeconds) => _refused.TryRemove((channel, closesAtSeconds), out _);
}
