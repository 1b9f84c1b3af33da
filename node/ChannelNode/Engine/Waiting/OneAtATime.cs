namespace ChannelNode.Engine;

/// <summary>
/// Lets in one after the other, in the order in which they came. No thread but their own takes part, unlike with a semaphore,
/// so who comes next is the same in every run of a simulation.
/// </summary>
internal sealed class OneAtATime
{
    private readonly Lock _lock = new();
    private readonly Queue<TaskCompletionSource> _waiting = new();
    private bool _isTaken;

    /// <summary>Whoever was let in must leave; who was cancelled was not let in.</summary>
    public async Task EnterAsync(CancellationToken cancel)
    {
        TaskCompletionSource turn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_isTaken) _waiting.Enqueue(turn);
            else turn.SetResult();
            _isTaken = true;
        }

        using (cancel.UnsafeRegister(static turn => ((TaskCompletionSource)turn!).TrySetCanceled(), turn)) await turn.Task;
    }

    public void Leave()
    {
        lock (_lock)
        {
            _isTaken = false;
            while (!_isTaken && _waiting.TryDequeue(out TaskCompletionSource? next)) _isTaken = next.TrySetResult();
        }
    }
}
