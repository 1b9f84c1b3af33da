using ChannelNode.Engine;
using Grpc.Core;

namespace ChannelNode.Grpc;

/// <summary>Sessions that peers open with this node.</summary>
internal sealed class PeerGrpcService(Node node, NodeIdentity identity, PeerAdmission admission)
{
    public async Task Exchange(
        IAsyncStreamReader<PeerEnvelope> requestStream,
        IServerStreamWriter<PeerEnvelope> responseStream,
        ServerCallContext context)
    {
        HttpContext http = context.GetHttpContext();
        using PeerAdmission.Seat seat = admission.Enter(http.Connection.RemoteIpAddress);
        PeerTransport transport = new(node, identity, SessionTls.OfCalled(http), requestStream, responseStream);
        PeerSession session = await transport.HandshakeAsync(null, seat.BeginSession, context.CancellationToken);
        await transport.RunAsync(session, context.CancellationToken);
    }
}
