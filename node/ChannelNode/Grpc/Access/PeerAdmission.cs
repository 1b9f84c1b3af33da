using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// How many peers may call at a time, and how often. Until it has proven who it is a caller costs a signature and some memory,
/// so those under way are few; the sessions that come of them are bounded too, here or by who begins them. Keys and addresses
/// cost nothing: so where places are short strangers give theirs up to peers with funded channels, and the address that knocks
/// most waits for itself.
/// </summary>
internal sealed class PeerAdmission
{
    private readonly AddressAllowances _knocking;
    private readonly string _whom;
    private readonly int _handshakesMax;
    private readonly int _sessionsMax;
    private readonly FundedPeers? _funded;
    private readonly Lock _lock = new();

    /// <summary>The oldest first.</summary>
    private readonly LinkedList<Seat> _handshakes = [];
    private readonly LinkedList<Seat> _sessions = [];

    private PeerAdmission(
        string whom, int handshakesMax, int handshakesPerSecondMax, int sessionsMax, FundedPeers? funded, TimeProvider time)
    {
        (_whom, _handshakesMax, _sessionsMax, _funded) = (whom, handshakesMax, sessionsMax, funded);
        _knocking = new AddressAllowances(time, (uint)handshakesPerSecondMax, (uint)handshakesMax);
    }

    /// <summary>To a node's door for peers.</summary>
    public static PeerAdmission ToNode(NodeOptions options, FundedPeers funded, TimeProvider time) =>
        new("peers", options.PeerHandshakesMax, options.PeerHandshakesPerSecondMax, options.PeerSessionsMax, funded, time);

    /// <summary>To a watchtower, which bounds its sessions by itself: who has a deposit gets in when all are taken.</summary>
    public static PeerAdmission ToWatchtower(WatchtowerOptions options, TimeProvider time) =>
        new("nodes", options.HandshakesMax, options.HandshakesPerSecondMax, int.MaxValue, funded: null, time);

    /// <summary>Throws by name what speaks against one more call.</summary>
    public Seat Enter(IPAddress? from)
    {
        IPAddress address = (from is null ? null : ConnectionRoom.NetworkOf(from)) ?? IPAddress.Loopback;
        _knocking.Of(address).Pass($"{address}");
        Seat seat = new(this, address);
        Seat? leaving = null;
        lock (_lock)
        {
            if (_handshakes.Count >= _handshakesMax)
            {
                leaving = OldestOfTheMost();
                leaving.Leave();
            }

            seat.Take(_handshakes);
        }

        leaving?.End(TooMany("handshakes", _handshakesMax));
        return seat;
    }

    /// <summary>Of all that prove themselves, the oldest of the address that has the most: a flood pushes out itself.</summary>
    private Seat OldestOfTheMost()
    {
        Dictionary<IPAddress, int> counts = [];
        foreach (Seat seat in _handshakes) counts[seat.From] = counts.GetValueOrDefault(seat.From) + 1;
        IPAddress most = counts.MaxBy(it => it.Value).Key;
        return _handshakes.First(seat => seat.From.Equals(most));
    }

    private void Begin(Seat seat, Address signer)
    {
        Seat? leaving = null;
        lock (_lock)
        {
            if (_sessions.Count >= _sessionsMax / 2) _funded?.Look();
            if (_sessions.Count >= _sessionsMax)
            {
                leaving = MakesRoomFor(signer) ?? throw TooMany("sessions", _sessionsMax);
                leaving.Leave();
            }

            seat.Leave();
            seat.Signer = signer;
            seat.Take(_sessions);
        }

        leaving?.End(TooMany("sessions", _sessionsMax));
    }

    /// <summary>A session of the same peer, which this one replaces anyway; for a peer with a funded channel else the oldest stranger's.</summary>
    private Seat? MakesRoomFor(Address signer) =>
        _sessions.FirstOrDefault(seat => seat.Signer == signer)
        ?? (_funded is { } funded && funded.Has(signer) ? _sessions.FirstOrDefault(seat => !funded.Has(seat.Signer)) : null);

    private RefusalException TooMany(string field, int limit) =>
        CallAllowance.TooMany(Refusal.TooManySessions, field, _whom, (uint)limit + 1, (uint)limit);

    /// <summary>A caller's place: first among the handshakes, then among the sessions.</summary>
    public sealed class Seat(PeerAdmission admission, IPAddress from) : IDisposable
    {
        private readonly CancellationTokenSource _ended = new();
        private LinkedListNode<Seat>? _place;
        private volatile RefusalException? _reason;

        public IPAddress From { get; } = from;

        /// <summary>Who it was proven to be; zero before that.</summary>
        public Address Signer { get; set; }

        /// <summary>Cancelled when somebody else needs the place more.</summary>
        public CancellationToken Ended => _ended.Token;

        /// <summary>Why the place was taken away; null where it was not.</summary>
        public RefusalException? Reason => _reason;

        /// <summary>The handshake is done. Throws where there is no session for the peer.</summary>
        public void BeginSession(Address signer) => admission.Begin(this, signer);

        internal void Take(LinkedList<Seat> places) => _place = places.AddLast(this);

        /// <summary>Under the admission's lock.</summary>
        internal void Leave()
        {
            if (_place is not { List: { } places } place) return;
            places.Remove(place);
            _place = null;
        }

        /// <summary>What waits for the token goes on elsewhere: whoever takes a place must not wait for the one who had it.</summary>
        public void End(RefusalException reason)
        {
            _reason = reason;
            _ = _ended.CancelAsync();
        }

        public void Dispose()
        {
            lock (admission._lock) Leave();
        }
    }
}
