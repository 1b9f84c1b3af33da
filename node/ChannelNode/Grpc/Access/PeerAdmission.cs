using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// How many peers may call at a time, and how often. Until it has proven who it is a caller costs a signature and some memory,
/// so those under way are few; the sessions that come of them are bounded too, here or by who begins them.
/// </summary>
internal sealed class PeerAdmission
{
    private readonly AddressAllowances _knocking;
    private readonly string _whom;
    private readonly int _handshakesMax;
    private readonly int _sessionsMax;
    private int _handshakes;
    private int _sessions;

    private PeerAdmission(string whom, int handshakesMax, int handshakesPerSecondMax, int sessionsMax, TimeProvider time)
    {
        (_whom, _handshakesMax, _sessionsMax) = (whom, handshakesMax, sessionsMax);
        _knocking = new AddressAllowances(time, (uint)handshakesPerSecondMax, (uint)handshakesMax);
    }

    /// <summary>To a node's door for peers.</summary>
    public static PeerAdmission ToNode(NodeOptions options, TimeProvider time) =>
        new("peers", options.PeerHandshakesMax, options.PeerHandshakesPerSecondMax, options.PeerSessionsMax, time);

    /// <summary>To a watchtower, which bounds its sessions by itself: who has a deposit gets in when all are taken.</summary>
    public static PeerAdmission ToWatchtower(WatchtowerOptions options, TimeProvider time) =>
        new("nodes", options.HandshakesMax, options.HandshakesPerSecondMax, int.MaxValue, time);

    /// <summary>Throws by name what speaks against one more call.</summary>
    public Seat Enter(IPAddress? from)
    {
        IPAddress address = from ?? IPAddress.Loopback;
        if (Volatile.Read(ref _sessions) >= _sessionsMax) throw TooMany("sessions", _sessionsMax);
        _knocking.Of(address).Pass($"{address}");
        if (Interlocked.Increment(ref _handshakes) <= _handshakesMax) return new Seat(this);
        Interlocked.Decrement(ref _handshakes);
        throw TooMany("handshakes", _handshakesMax);
    }

    private RefusalException TooMany(string field, int limit) =>
        CallAllowance.TooMany(Refusal.TooManySessions, field, _whom, (uint)limit + 1, (uint)limit);

    /// <summary>A caller's place: first among the handshakes, then among the sessions.</summary>
    public sealed class Seat(PeerAdmission admission) : IDisposable
    {
        private bool _hasSession;

        /// <summary>The handshake is done. Throws where the last session was given away meanwhile.</summary>
        public void BeginSession()
        {
            if (Interlocked.Increment(ref admission._sessions) > admission._sessionsMax)
            {
                Interlocked.Decrement(ref admission._sessions);
                throw admission.TooMany("sessions", admission._sessionsMax);
            }

            _hasSession = true;
            Interlocked.Decrement(ref admission._handshakes);
        }

        public void Dispose()
        {
            if (_hasSession) Interlocked.Decrement(ref admission._sessions);
            else Interlocked.Decrement(ref admission._handshakes);
        }
    }
}
