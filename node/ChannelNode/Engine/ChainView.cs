using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>How far the chain is followed: everything up to the cursor is in the channels' committed states.</summary>
internal sealed class ChainView(ChainBlock? cursor, TimeProvider time, TimeSpan silenceMax)
{
    private volatile ChainBlock? _cursor = cursor;
    private readonly Signal _advanced = new();
    private long _caughtUpAt;

    /// <summary>Null before the first block.</summary>
    public ChainBlock? Cursor => _cursor;

    /// <summary>
    /// Whether everything that counts was taken over a short while ago. Where not, a peer may have done anything there.
    /// </summary>
    public bool IsCurrent
    {
        get
        {
            long seenAt = Interlocked.Read(ref _caughtUpAt);
            return seenAt != 0 && time.GetElapsedTime(seenAt) <= silenceMax;
        }
    }

    /// <summary>To be called when the batch is in the channels' committed states.</summary>
    public void Advance(ChainBatch batch)
    {
        _cursor = batch.Cursor ?? _cursor;
        if (batch.IsCaughtUp) Interlocked.Exchange(ref _caughtUpAt, time.GetTimestamp());
        _advanced.Raise();
    }

    /// <summary>Returns when all that happened while the node was away is taken over.</summary>
    public Task WhenCurrentAsync(CancellationToken cancel) => _advanced.WhenAsync(() => IsCurrent, cancel);

    /// <summary>Returns when a followed block has brought about what is waited for.</summary>
    public Task WhenAsync(Func<bool> reached, CancellationToken cancel) => _advanced.WhenAsync(reached, cancel);

    /// <summary>Returns when a block's events are taken over.</summary>
    public Task WhenFollowedAsync(ulong blockNumber, CancellationToken cancel) =>
        _advanced.WhenAsync(() => _cursor is { } cursor && cursor.Number >= blockNumber, cancel);
}
