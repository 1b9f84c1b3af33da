namespace ChannelNode.Engine;

/// <summary>Wakes those who wait for a state to be reached, without ever missing a change in between.</summary>
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
            await waiter.Task.WaitAsync(cancel);
        }
    }
}
