using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// How many peers may call at a time, and how often. Until it has proven who it is a caller costs a signature and some memory,
/// so those under way are few; the sessions that come of them are bounded too. Keys and addresses cost nothing: so where places
/// are short strangers give theirs up to peers with funded channels, and the address that knocks most waits for itself.
/// </summary>
internal sealed class PeerAdmission(NodeOptions options, FundedPeers funded, TimeProvider time)
{
    private readonly AddressAllowances _knocking =
        new(time, (uint)options.PeerHandshakesPerSecondMax, (uint)options.PeerHandshakesMax);

    private readonly Lock _lock = new();

    /// <summary>The oldest first.</summary>
    private readonly LinkedList<Seat> _handshakes = [];
    private readonly LinkedList<Seat> _sessions = [];

    /// <summary>Throws by name what speaks against one more call.</summary>
    public Seat Enter(IPAddress? from)
    {
        IPAddress address = from ?? IPAddress.Loopback;
        _knocking.Of(address).Pass($"{address}");
        Seat seat = new(this, address);
        Seat? leaving = null;
        lock (_lock)
        {
            if (_handshakes.Count >= options.PeerHandshakesMax)
            {
                leaving = OldestOfTheMost();
                leaving.Leave();
            }

            seat.Take(_handshakes);
        }

        leaving?.End(TooMany("handshakes", options.PeerHandshakesMax));
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
            if (2 * _sessions.Count >= options.PeerSessionsMax) funded.Look();
            if (_sessions.Count >= options.PeerSessionsMax)
            {
                leaving = MakesRoomFor(signer) ?? throw TooMany("sessions", options.PeerSessionsMax);
                leaving.Leave();
            }

            seat.Leave();
            seat.Signer = signer;
            seat.Take(_sessions);
        }

        leaving?.End(TooMany("sessions", options.PeerSessionsMax));
    }

    /// <summary>A session of the same peer, which this one replaces anyway; for a peer with a funded channel else the oldest stranger's.</summary>
    private Seat? MakesRoomFor(Address signer) =>
        _sessions.FirstOrDefault(seat => seat.Signer == signer)
        ?? (funded.Has(signer) ? _sessions.FirstOrDefault(seat => !funded.Has(seat.Signer)) : null);

    private static RefusalException TooMany(string field, int limit) =>
        CallAllowance.TooMany(Refusal.TooManySessions, field, "peers", (uint)limit + 1, (uint)limit);

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
        internal void End(RefusalException reason)
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
