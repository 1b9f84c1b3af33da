using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// How many peers may call at a time, and how often. Until it has proven who it is a caller costs a signature and some memory,
/// so those under way are few; the sessions that come of them are bounded too.
/// </summary>
internal sealed class PeerAdmission(NodeOptions options, TimeProvider time)
{
    private readonly AddressAllowances _knocking =
        new(time, (uint)options.PeerHandshakesPerSecondMax, (uint)options.PeerHandshakesMax);

    private int _handshakes;
    private int _sessions;

    /// <summary>Throws by name what speaks against one more call.</summary>
    public Seat Enter(IPAddress? from)
    {
        IPAddress address = from ?? IPAddress.Loopback;
        if (Volatile.Read(ref _sessions) >= options.PeerSessionsMax) throw TooMany("sessions", options.PeerSessionsMax);
        _knocking.Of(address).Pass($"{address}");
        if (Interlocked.Increment(ref _handshakes) <= options.PeerHandshakesMax) return new Seat(this);
        Interlocked.Decrement(ref _handshakes);
        throw TooMany("handshakes", options.PeerHandshakesMax);
    }

    private static RefusalException TooMany(string field, int limit) =>
        CallAllowance.TooMany(Refusal.TooManySessions, field, "peers", (uint)limit + 1, (uint)limit);

    /// <summary>A caller's place: first among the handshakes, then among the sessions.</summary>
    public sealed class Seat(PeerAdmission admission) : IDisposable
    {
        private bool _hasSession;

        /// <summary>The handshake is done. Throws where the last session was given away meanwhile.</summary>
        public void BeginSession()
        {
            if (Interlocked.Increment(ref admission._sessions) > admission.SessionsMax)
            {
                Interlocked.Decrement(ref admission._sessions);
                throw TooMany("sessions", admission.SessionsMax);
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

    private int SessionsMax => options.PeerSessionsMax;
}
