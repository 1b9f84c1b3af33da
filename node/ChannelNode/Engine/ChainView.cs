using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>How far the chain is followed: everything up to the cursor is in the channels' committed states.</summary>
internal sealed class ChainView(ChainBlock? cursor, TimeProvider time, TimeSpan silenceMax)
{
    private volatile ChainBlock? _cursor = cursor;
    private readonly Signal _advanced = new();
    private long _caughtUpAt;
    private long _beatAt = time.GetTimestamp();

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

    /// <summary>How long ago whoever follows the chain went round last, whatever the chain said, or if it said nothing.</summary>
    public TimeSpan SinceBeat => time.GetElapsedTime(Interlocked.Read(ref _beatAt));

    /// <summary>To be called by it when the chain could not be asked.</summary>
    public void Beat() => Interlocked.Exchange(ref _beatAt, time.GetTimestamp());

    /// <summary>To be called when the batch is in the channels' committed states.</summary>
    public void Advance(ChainBatch batch)
    {
        Beat();
        _cursor = batch.Cursor ?? _cursor;
        if (batch.IsCaughtUp) Interlocked.Exchange(ref _caughtUpAt, time.GetTimestamp());
        _advanced.Raise();
    }

    /// <summary>Returns when all that happened while the node was away is taken over.</summary>
    public Task WhenCurrentAsync(CancellationToken cancel) => _advanced.WhenAsync(() => IsCurrent, cancel);

    /// <summary>Returns when a block's events are taken over.</summary>
    public Task WhenFollowedAsync(ulong blockNumber, CancellationToken cancel) =>
        _advanced.WhenAsync(() => _cursor is { } cursor && cursor.Number >= blockNumber, cancel);
}
