using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The node's way out: what is under way is finished, nothing new is begun. Payments' calls are counted, so that the node can
/// wait for them; everything else that lasts is told to end.
/// </summary>
internal sealed class Drain
{
    private readonly CancellationTokenSource _begun = new();
    private readonly CancellationTokenSource _over = new();
    private readonly Signal _left = new();
    private volatile bool _isOn;
    private int _calls;

    public bool IsOn => _isOn;

    /// <summary>Cancelled when it begins.</summary>
    public CancellationToken Begun => _begun.Token;

    /// <summary>Calls of payments that are not answered yet.</summary>
    public int Calls => Volatile.Read(ref _calls);

    public void Begin()
    {
        _isOn = true;
        _ = _begun.CancelAsync();
    }

    /// <summary>Ends the calls that would go on for ever.</summary>
    public void EndStreams() => _ = _over.CancelAsync();

    public void ThrowIfOn()
    {
        if (_isOn) throw Refused();
    }

    /// <summary>A call that may not be cut off; <see cref="Leave"/> must follow, unless this throws Draining.</summary>
    public void Enter()
    {
        Interlocked.Increment(ref _calls);
        if (!_isOn) return;
        Leave();
        throw Refused();
    }

    public void Leave()
    {
        Interlocked.Decrement(ref _calls);
        if (_isOn) _left.Raise();
    }

    /// <summary>Returns when every call that was entered has left.</summary>
    public Task WhenLeftAsync(CancellationToken cancel) => _left.WhenAsync(() => Calls == 0, cancel);

    /// <summary>Runs a call that goes on until its caller, or the node, ends it.</summary>
    public async Task RunAsync(Func<CancellationToken, Task> call, CancellationToken cancel)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancel, _over.Token);
        try
        {
            await call(ends.Token);
        }
        catch (OperationCanceledException error) when (_over.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw Refused(error);
        }
    }

    public static RefusalException Refused(Exception? inner = null) =>
        new(Refusal.Draining, "the node is stopping; ask again, with the same key or cursor, when it is back", inner);
}
