using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// How often somebody may ask, and how much at a time. Up to a second's worth may come at once; from then on one every
/// 1/<paramref name="perSecondMax"/> s. A <paramref name="openMax"/> of what goes on at a time.
/// </summary>
internal sealed class CallAllowance(TimeProvider time, uint perSecondMax, uint openMax)
{
    private readonly Lock _lock = new();
    private (uint PerSecond, uint Open) _max = (perSecondMax, openMax);
    private long _due = time.GetTimestamp(); // When all that was asked for so far would have been spread evenly.
    private uint _open;

    public bool IsIdle
    {
        get
        {
            lock (_lock) return _open == 0 && _due <= time.GetTimestamp();
        }
    }

    private long Interval => Math.Max(1, time.TimestampFrequency / Math.Max(1, _max.PerSecond));

    /// <summary>Holds from now on; what was asked for and is open counts as before.</summary>
    public void Limit(uint perSecond, uint open)
    {
        lock (_lock) _max = (perSecond, open);
    }

    /// <summary>Throws by name what speaks against one more; else it is open until <see cref="Leave"/>.</summary>
    /// <param name="leavesOne">Leaves the last call in a second, and the last that is open, to others, where there is more than one.</param>
    public void Enter(string who, bool leavesOne = false)
    {
        lock (_lock)
        {
            Take(who, leavesOne && _max.PerSecond > 1 ? Interval : 0);
            uint max = leavesOne && _max.Open > 1 ? _max.Open - 1 : _max.Open;
            if (_open >= max) throw TooMany(Refusal.TooManyStreams, "streams", who, _open + 1, max);
            _open++;
        }
    }

    public void Leave()
    {
        lock (_lock) _open--;
    }

    /// <summary>One that is over at once.</summary>
    public void Pass(string who)
    {
        lock (_lock) Take(who);
    }

    private void Take(string who, long left = 0)
    {
        long now = time.GetTimestamp();
        long due = Math.Max(_due, now), interval = Interval, room = time.TimestampFrequency - interval - left;
        if (due - now > room)
        {
            TimeSpan wait = time.GetElapsedTime(now + room, due);
            throw new RefusalException(
                Refusal.RateLimited, $"{who} asks more often than {_max.PerSecond} times a second; again in {wait.TotalMilliseconds:0} ms")
            {
                Field = "requests_per_second",
                Value = $"more than {_max.PerSecond}",
                Limit = Text(_max.PerSecond),
                RetryAfter = wait,
            };
        }

        _due = due + interval;
    }

    public static RefusalException TooMany(Refusal refusal, string field, string who, uint value, uint limit) =>
        new(refusal, $"{field} of {who} would be {value}, expected at most {limit}")
        {
            Field = field,
            Value = Text(value),
            Limit = Text(limit),
        };

    private static string Text(uint number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One allowance for each address, of IPv6 each network of 64 bits; those that are idle are forgotten when there are many.</summary>
internal sealed class AddressAllowances(TimeProvider time, uint perSecondMax, uint openMax, int addressesMax = 16_384)
{
    private readonly ConcurrentDictionary<IPAddress, CallAllowance> _known = [];

    /// <summary>All that come when too many others are busy.</summary>
    private readonly CallAllowance _others = new(time, perSecondMax, openMax);

    public CallAllowance Of(IPAddress address)
    {
        address = ConnectionRoom.NetworkOf(address) ?? IPAddress.Loopback;
        if (_known.TryGetValue(address, out CallAllowance? allowance)) return allowance;
        if (_known.Count >= addressesMax) Forget();
        return _known.Count >= addressesMax
            ? _others
            : _known.GetOrAdd(address, _ => new CallAllowance(time, perSecondMax, openMax));
    }

    private void Forget()
    {
        foreach ((IPAddress address, CallAllowance allowance) in _known)
            if (allowance.IsIdle) _known.TryRemove(address, out _);
    }
}
