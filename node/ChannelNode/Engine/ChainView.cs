using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>How far the chain is followed: everything up to the cursor is in the channels' committed states.</summary>
internal sealed class ChainView(IChannelStore store)
{
    private volatile ChainCursor? _cursor = store.ReadChainCursor();
    private volatile TaskCompletionSource? _advanced;

    /// <summary>Null before the first block.</summary>
    public ChainCursor? Cursor => _cursor;

    public void Advance(ChainCursor cursor)
    {
        _cursor = cursor;
        Interlocked.Exchange(ref _advanced, null)?.TrySetResult();
    }

    /// <summary>Returns when a block's events are taken over.</summary>
    public async Task WhenFollowedAsync(ulong blockNumber, CancellationToken cancel)
    {
        while (true)
        {
            TaskCompletionSource fresh = new(TaskCreationOptions.RunContinuationsAsynchronously);
            TaskCompletionSource waiter = Interlocked.CompareExchange(ref _advanced, fresh, null) ?? fresh;
            if (_cursor is { } cursor && cursor.Number >= blockNumber) return;
            await waiter.Task.WaitAsync(cancel);
        }
    }
}
