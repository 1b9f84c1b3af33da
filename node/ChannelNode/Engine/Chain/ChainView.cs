using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>How often the chain took blocks back, how many in all, and how many at most at once.</summary>
internal sealed record Reorganizations(ulong Count, ulong Blocks, ulong Deepest);

/// <summary>How far the chain is followed: everything up to the cursor is in the channels' committed states.</summary>
internal sealed class ChainView(ChainBlock? cursor, TimeProvider time, TimeSpan silenceMax)
{
    private volatile ChainBlock? _cursor = cursor;
    private readonly Signal _advanced = new();
    private long _caughtUpAt;
    private ulong _head;
    private Reorganizations _reorganizations = new(0, 0, 0);
    private long _beatAt = time.GetTimestamp();
    private volatile Missed? _missed;

    private sealed record Missed(string Why, long SinceTimestamp);

    /// <summary>Null before the first block.</summary>
    public ChainBlock? Cursor => _cursor;

    /// <summary>For how long it may be out of sight.</summary>
    public TimeSpan SilenceMax => silenceMax;

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

    /// <summary>The chain's newest block, as far as was seen; the cursor's at least.</summary>
    public ulong Head => Math.Max(Volatile.Read(ref _head), _cursor?.Number ?? 0);

    /// <summary>Blocks that are seen and not taken over yet.</summary>
    public ulong BlocksBehind => Head - (_cursor?.Number ?? 0);

    /// <summary>Since everything that counts was taken over; null before that was so for the first time.</summary>
    public TimeSpan? SinceCurrent => Interlocked.Read(ref _caughtUpAt) is not 0 and var at ? time.GetElapsedTime(at) : null;

    /// <summary>Since this node was started.</summary>
    public Reorganizations Reorganizations => Volatile.Read(ref _reorganizations);

    /// <summary>How long ago whoever follows the chain went round last, whatever the chain said, or if it said nothing.</summary>
    public TimeSpan SinceBeat => time.GetElapsedTime(Interlocked.Read(ref _beatAt));

    /// <summary>Why the chain gives no answer at present, for people, and for how long it has given none; null while it answers.</summary>
    public (string Why, TimeSpan For)? NoAnswer => _missed is { } missed ? (missed.Why, time.GetElapsedTime(missed.SinceTimestamp)) : null;

    /// <summary>To be called by it when the chain could not be asked.</summary>
    public void Miss(string why)
    {
        Beat();
        _missed = new Missed(why, _missed?.SinceTimestamp ?? time.GetTimestamp());
    }

    private void Beat() => Interlocked.Exchange(ref _beatAt, time.GetTimestamp());

    /// <summary>To be called when the batch is in the channels' committed states.</summary>
    public void Advance(ChainBatch batch)
    {
        Beat();
        _missed = null;
        if (batch.Move == ChainMove.Back && _cursor is { } was) Count(was.Number - (batch.Cursor?.Number ?? 0));
        _cursor = batch.Cursor ?? _cursor;
        if (batch.Head > 0) Volatile.Write(ref _head, batch.Head); // May fall, with the chain.
        if (batch.IsCaughtUp) Interlocked.Exchange(ref _caughtUpAt, time.GetTimestamp());
        _advanced.Raise();
    }

    private void Count(ulong depth)
    {
        Reorganizations sofar = _reorganizations;
        Volatile.Write(
            ref _reorganizations,
            new Reorganizations(sofar.Count + 1, sofar.Blocks + depth, Math.Max(sofar.Deepest, depth)));
    }

    /// <summary>Returns when all that happened while the node was away is taken over.</summary>
    public Task WhenCurrentAsync(CancellationToken cancel) => _advanced.WhenAsync(() => IsCurrent, cancel);

    /// <summary>Returns when a followed block has brought about what is waited for.</summary>
    public Task WhenAsync(Func<bool> reached, CancellationToken cancel) => _advanced.WhenAsync(reached, cancel);

    /// <summary>Returns when a block's events are taken over.</summary>
    public Task WhenFollowedAsync(ulong blockNumber, CancellationToken cancel) =>
        _advanced.WhenAsync(() => _cursor is { } cursor && cursor.Number >= blockNumber, cancel);
}
