using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>How far the chain is followed: everything up to the cursor is in the channels' committed states.</summary>
internal sealed class ChainView(IChannelStore store)
{
    private volatile ChainCursor? _cursor = store.ReadChainCursor();
    private readonly Signal _advanced = new();

    /// <summary>Null before the first block.</summary>
    public ChainCursor? Cursor => _cursor;

    public void Advance(ChainCursor cursor)
    {
        _cursor = cursor;
        _advanced.Raise();
    }

    /// <summary>Returns when a block's events are taken over.</summary>
    public Task WhenFollowedAsync(ulong blockNumber, CancellationToken cancel) =>
        _advanced.WhenAsync(() => _cursor is { } cursor && cursor.Number >= blockNumber, cancel);
}
