namespace ChannelNode.Engine;

/// <summary>
/// What a signer has made a watchtower do for nothing it waits for, whatever session it comes by: a wrong signature costs as
/// much to check as a right one, and an honest node sends none; an update that changes nothing on disk, or is of a channel that
/// the chain does not know, costs as much as one that is worth it. For any thread.
/// </summary>
internal sealed class GuardPace(TimeProvider time, int wrongPerSecond)
{
    /// <summary>Updates a second that are neither wrong nor of use. A node that names this watchtower first has its channels told so.</summary>
    private const int UselessPerSecond = 1_000;

    /// <summary>After a frame of which nothing was of use, however short.</summary>
    private static readonly TimeSpan UselessMin = TimeSpan.FromMilliseconds(50);

    /// <summary>More is not remembered: a signer that has mended its ways is not locked out for long.</summary>
    private static readonly TimeSpan OwedMax = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly long _start = time.GetTimestamp();
    private TimeSpan _freeAt;

    /// <summary>How long it would wait now.</summary>
    public TimeSpan Owed
    {
        get
        {
            lock (_lock) return _freeAt - Now is { Ticks: > 0 } owed ? owed : TimeSpan.Zero;
        }
    }

    private TimeSpan Now => time.GetElapsedTime(_start);

    /// <summary>Returns when everything before is waited for.</summary>
    public async Task WaitAsync(CancellationToken cancel)
    {
        while (Owed is { Ticks: > 0 } owed) await Task.Delay(owed, time, cancel);
    }

    public void Wrong(int count) => Charge(TimeSpan.FromSeconds(1) / wrongPerSecond * count);

    /// <summary>Of a frame with so many updates this many were of no use.</summary>
    public void Useless(int count, int all)
    {
        if (count == 0 && all > 0) return;
        TimeSpan cost = TimeSpan.FromSeconds(1) / UselessPerSecond * count;
        Charge(count == all && cost < UselessMin ? UselessMin : cost);
    }

    private void Charge(TimeSpan cost)
    {
        lock (_lock)
        {
            TimeSpan now = Now;
            TimeSpan free = (_freeAt > now ? _freeAt : now) + cost;
            _freeAt = free < now + OwedMax ? free : now + OwedMax;
        }
    }
}
