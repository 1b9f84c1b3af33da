using System.Net;
using ChannelNode.Engine;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace ChannelNode.Grpc;

/// <summary>
/// A door's places for connections. One address, of IPv6 one network of 64 bits, which is what one subscriber is given, has so
/// many at most; 127.0.0.1 and ::1 are excepted, since a proxy of this machine calls from there, and so are unix sockets. What
/// is too many is closed before anything is read or encrypted. Where places are short those who use none give theirs up: the
/// one that has been without a call for longest. For any thread.
/// </summary>
internal sealed class ConnectionRoom(int max, int perAddressMax, TimeProvider time, DoorCounts counts)
{
    /// <summary>As long as a connection may take to begin its first call while there is room, once three quarters are taken.</summary>
    private static readonly TimeSpan PatienceWhenShort = TimeSpan.FromSeconds(10);

    /// <summary>The same when all are taken.</summary>
    private static readonly TimeSpan PatienceWhenFull = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, int> _byAddress = [];

    /// <summary>Those without a call; who has been without one for longest is the first.</summary>
    private readonly LinkedList<Place> _unused = [];
    private int _open;

    /// <summary>Who tells the log of connections that were sent away; nobody where null.</summary>
    public RefusedConnections? Refused { get; init; }

    public int Open
    {
        get
        {
            lock (_lock) return _open;
        }
    }

    /// <summary>The connections' part: to stand before everything else that is done with one.</summary>
    public ConnectionDelegate Limit(ConnectionDelegate next) => async connection =>
    {
        using Place? place = Enter(connection.RemoteEndPoint, () => connection.Abort(Ended));
        if (place is null)
        {
            Refused?.Note();
            connection.Abort(Ended);
            return;
        }

        connection.Items[typeof(Place)] = place;
        await next(connection);
    };

    /// <summary>The calls' part, before everything else that is done with one: ends what <see cref="Use"/> begins.</summary>
    public static async Task CountAsync(HttpContext http, RequestDelegate next)
    {
        try
        {
            await next(http);
        }
        finally
        {
            if (http.Items.TryGetValue(typeof(Place), out object? used)) ((Place)used!).End();
        }
    }

    /// <summary>
    /// The call is admitted: while it lasts, its connection is in use. Whoever only knocks, is refused, or never says all of what he asks
    /// uses none, however often.
    /// </summary>
    public static void Use(HttpContext http)
    {
        if (http.Items.ContainsKey(typeof(Place))) return;
        if (http.Features.Get<IConnectionItemsFeature>()?.Items.TryGetValue(typeof(Place), out object? found) != true) return;
        ((Place)found!).Begin();
        http.Items[typeof(Place)] = found;
    }

    /// <summary>Null where there is no place for the connection; <paramref name="end"/> is called when its place is needed.</summary>
    public Place? Enter(EndPoint? from, Action end)
    {
        IPAddress? network = NetworkOf(from);
        Place? leaving = null;
        Place place = new(this, network, end);
        lock (_lock)
        {
            if (network is not null && _byAddress.GetValueOrDefault(network) >= perAddressMax)
            {
                leaving = TakeUnused(OldestOf(network), PatienceWhenFull);
                if (leaving is null)
                {
                    counts.RefuseOfAddress();
                    return null;
                }
            }

            if (_open >= max - max / 4) leaving ??= TakeUnused(_unused.First?.Value, _open >= max ? PatienceWhenFull : PatienceWhenShort);
            if (_open >= max)
            {
                counts.RefuseOfAll();
                return null;
            }

            _open++;
            if (network is not null) _byAddress[network] = _byAddress.GetValueOrDefault(network) + 1;
            place.Rest(_unused, time.GetTimestamp());
        }

        leaving?.Cut();
        return place;
    }

    /// <summary>Under the lock.</summary>
    private Place? OldestOf(IPAddress network)
    {
        foreach (Place place in _unused)
            if (network.Equals(place.Network)) return place;
        return null;
    }

    /// <summary>Under the lock.</summary>
    private Place? TakeUnused(Place? oldest, TimeSpan patience)
    {
        if (oldest is null || time.GetElapsedTime(oldest.Since) < patience) return null;
        Remove(oldest);
        counts.EndUnused();
        return oldest;
    }

    /// <summary>Under the lock.</summary>
    private void Remove(Place place)
    {
        if (place.IsGone) return;
        place.IsGone = true;
        place.Leave(_unused);
        _open--;
        if (place.Network is not { } network) return;
        int left = _byAddress[network] - 1;
        if (left == 0) _byAddress.Remove(network);
        else _byAddress[network] = left;
    }

    private static readonly ConnectionAbortedException Ended = new("there is no place for the connection");

    /// <summary>Whom a connection counts for; null for this machine itself.</summary>
    public static IPAddress? NetworkOf(EndPoint? from) => from is IPEndPoint { Address: { } address } ? NetworkOf(address) : null;

    /// <summary>The same, of an address.</summary>
    public static IPAddress? NetworkOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.Equals(IPAddress.Loopback) || address.Equals(IPAddress.IPv6Loopback)) return null;
        if (address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6) return address;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[8..].Clear();
        return new IPAddress(bytes);
    }

    /// <summary>One connection's.</summary>
    public sealed class Place(ConnectionRoom room, IPAddress? network, Action end) : IDisposable
    {
        private LinkedListNode<Place>? _resting;
        private int _calls;

        internal IPAddress? Network { get; } = network;

        /// <summary>Timestamp since which it has no call.</summary>
        internal long Since { get; private set; }

        internal bool IsGone { get; set; }

        public void Begin()
        {
            lock (room._lock)
                if (_calls++ == 0) Leave(room._unused);
        }

        public void End()
        {
            lock (room._lock)
                if (--_calls == 0 && !IsGone) Rest(room._unused, room.Now);
        }

        internal void Rest(LinkedList<Place> unused, long now)
        {
            Since = now;
            _resting = unused.AddLast(this);
        }

        internal void Leave(LinkedList<Place> unused)
        {
            if (_resting is null) return;
            unused.Remove(_resting);
            _resting = null;
        }

        /// <summary>Whoever takes the place must not wait for the one who had it.</summary>
        internal void Cut() => ThreadPool.UnsafeQueueUserWorkItem(static cut => cut(), end, preferLocal: false);

        public void Dispose()
        {
            lock (room._lock) room.Remove(this);
        }
    }

    private long Now => time.GetTimestamp();
}
