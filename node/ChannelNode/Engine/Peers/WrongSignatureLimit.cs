using System.Globalization;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// How many wrong signatures of a peer are looked at in a second. One costs as much to check as a right one, and an honest
/// node never sends any: so its sender waits for each, and is looked at in small portions for a while, that nobody else
/// has to wait for a large one. Up to <see cref="WaitMax"/> nothing is lost: every update is judged and answered. For any thread,
/// and for one session of the peer after the other.
/// </summary>
/// <param name="ofAll">Shared with all other peers.</param>
internal sealed class WrongSignatureLimit(TimeProvider time, int perSecond, WrongSignaturePace ofAll)
{
    /// <summary>
    /// Who would have to wait for longer loses its session instead: a peer that meant no harm is back with the next one, and
    /// what it had to say with it, before its turn would have come.
    /// </summary>
    public static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly long _start = time.GetTimestamp();
    private TimeSpan? _newest;
    private TimeSpan _freeAt;

    private TimeSpan Now => time.GetElapsedTime(_start);

    /// <summary>Wrong ones came lately, and more are to be expected.</summary>
    public bool IsWary
    {
        get
        {
            lock (_lock) return _newest is { } newest && Now - newest < Remembered;
        }
    }

    /// <summary>
    /// Returns when what came before is waited for, in whatever session: nobody is done with it by coming back. After that only the
    /// peer's own wrong ones count.
    /// </summary>
    public async ValueTask WaitAsync(CancellationToken cancel)
    {
        while (Owed is { Ticks: > 0 } owed) await Task.Delay(owed, time, cancel);
    }

    private TimeSpan Owed
    {
        get
        {
            lock (_lock) return _freeAt - Now;
        }
    }

    /// <summary>
    /// How long to wait after <paramref name="count"/> more. Throws RateLimited where that is more than
    /// <see cref="WaitMax"/>; so much of it is remembered.
    /// </summary>
    public TimeSpan After(int count)
    {
        (TimeSpan own, TimeSpan others) = WaitAfter(count);
        return Bearable(own > others ? own : others);
    }

    private TimeSpan Bearable(TimeSpan wait)
    {
        if (wait <= WaitMax) return wait;
        string milliseconds = wait.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);
        throw new RefusalException(
            Refusal.RateLimited,
            $"wrong signatures: the next would be looked at in {milliseconds} ms, expected at most {WaitMax.TotalMilliseconds} ms: "
            + $"{perSecond} of a peer are looked at in a second, and {WrongSignaturePace.Peers} times as many of all peers")
        {
            Field = "wrong_signatures",
            Value = $"{milliseconds} ms",
            Limit = $"{WaitMax.TotalMilliseconds} ms",
            RetryAfter = wait,
        };
    }

    /// <summary>
    /// After so many things more that were of no use, and that an honest peer may do too: in a flood of others' it waits, and stays; what
    /// it did itself counts as wrong signatures do.
    /// </summary>
    public TimeSpan AfterUseless(int count)
    {
        (TimeSpan own, TimeSpan others) = WaitAfter(count);
        own = Bearable(own);
        return own > others ? own : others < WaitMax ? others : WaitMax;
    }

    private (TimeSpan Own, TimeSpan Others) WaitAfter(int count) =>
        (Charge(new TimeSpan(TimeSpan.TicksPerSecond / perSecond * count)), ofAll.After(count));

    private TimeSpan Charge(TimeSpan cost)
    {
        lock (_lock)
        {
            TimeSpan now = Now, freeAt = (_freeAt > now ? _freeAt : now) + cost;
            (_newest, _freeAt) = (now, freeAt < now + WaitMax ? freeAt : now + WaitMax);
            return freeAt - now;
        }
    }
}

/// <summary>
/// The same of all peers together: keys cost nothing, and a hundred that flood would else have a core between them. Whoever sends
/// wrong signatures waits behind all others that do. For any thread.
/// </summary>
internal sealed class WrongSignaturePace(TimeProvider time, int perPeerAndSecond)
{
    /// <summary>As many peers may use up what each may send.</summary>
    public const int Peers = 5;

    private readonly long _interval = Math.Max(1, time.TimestampFrequency / ((long)perPeerAndSecond * Peers));
    private readonly long _aheadMax = (long)(WrongSignatureLimit.WaitMax.TotalSeconds * time.TimestampFrequency);
    private readonly Lock _lock = new();
    private long _due = time.GetTimestamp();

    /// <summary>
    /// How long to wait after <paramref name="count"/> more. The line never grows beyond what somebody waits for: who was sent
    /// away stands in nobody's way.
    /// </summary>
    public TimeSpan After(int count)
    {
        lock (_lock)
        {
            long now = time.GetTimestamp();
            long due = Math.Max(_due, now) + count * _interval;
            _due = Math.Min(due, now + _aheadMax);
            return time.GetElapsedTime(now, due);
        }
    }
}
