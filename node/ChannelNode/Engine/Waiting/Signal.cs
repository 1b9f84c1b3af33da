namespace ChannelNode.Engine;

/// <summary>
/// Wakes those who wait for a state to be reached, without ever missing a change in between. No thread but the waiters'
/// own takes part, so what waits is the same in every run of a simulation.
/// </summary>
internal sealed class Signal
{
    private volatile TaskCompletionSource? _raised;

    /// <summary>To be called after the state has changed.</summary>
    public void Raise() => Interlocked.Exchange(ref _raised, null)?.TrySetResult();

    public async Task WhenAsync(Func<bool> reached, CancellationToken cancel)
    {
        while (true)
        {
            TaskCompletionSource fresh = new(TaskCreationOptions.RunContinuationsAsynchronously);
            // The waiter is in place before the look: a change after the look wakes it.
            TaskCompletionSource waiter = Interlocked.CompareExchange(ref _raised, fresh, null) ?? fresh;
            if (reached()) return;
            cancel.ThrowIfCancellationRequested();

            // Who gives up wakes everybody: the others look once in vain.
            using (cancel.UnsafeRegister(static signal => ((Signal)signal!).Raise(), this)) await waiter.Task;
        }
    }
}
