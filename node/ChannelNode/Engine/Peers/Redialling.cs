namespace ChannelNode.Engine;

/// <summary>
/// When a peer that is away is dialled next, and when its being away is logged: at once and often in its first seconds, then the
/// more rarely the longer it stays away.
/// </summary>
/// <param name="random">A number from 0 to below the one given, for each wait: two nodes that dial each other never stay in step.</param>
internal sealed class Redialling(Func<int, int> random)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest wait at first, where it goes away without a word and where it has said that it comes back at once.</summary>
    private static readonly TimeSpan LongestAtFirst = TimeSpan.FromSeconds(5), LongestExpected = TimeSpan.FromMilliseconds(400);

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    /// <summary>Who has been away for a minute is found back some seconds late.</summary>
    private const int PartOfAway = 8;

    private static readonly TimeSpan ToldAgain = TimeSpan.FromMinutes(1), ToldRarely = TimeSpan.FromHours(1);

    private TimeSpan _wait = First;
    private TimeSpan _toldAt;
    private TimeSpan _untilTold = TimeSpan.Zero;

    /// <summary>Tries that came to nothing.</summary>
    public int Tries { get; private set; }

    /// <summary>How long to wait before the next try: from once to twice what grows.</summary>
    /// <param name="away">For how long it has been away.</param>
    public TimeSpan NextWait(TimeSpan away, bool isExpected)
    {
        TimeSpan longest = Clamp(TimeSpan.FromTicks(away.Ticks / PartOfAway), isExpected ? LongestExpected : LongestAtFirst, isExpected ? LongestAtFirst : Longest);
        if (_wait > longest) _wait = longest;
        TimeSpan wait = _wait + TimeSpan.FromMilliseconds(random((int)_wait.TotalMilliseconds));
        _wait += _wait;
        return wait;
    }

    /// <summary>A try came to nothing; answers whether that is to be told: the first time, after a minute, then half as often each time.</summary>
    public bool Failed(TimeSpan away)
    {
        Tries++;
        if (Tries > 1 && away - _toldAt < _untilTold) return false;
        _toldAt = away;
        _untilTold = Clamp(_untilTold + _untilTold, ToldAgain, ToldRarely);
        return true;
    }

    private static TimeSpan Clamp(TimeSpan span, TimeSpan least, TimeSpan most) => span < least ? least : span > most ? most : span;
}
