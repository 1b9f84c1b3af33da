using ChannelNode.Engine;
using Grpc.Core;

namespace ChannelNode.Grpc;

/// <summary>Sessions that peers open with this node.</summary>
internal sealed class PeerGrpcService(Node node, NodeIdentity identity)
{
    public async Task Exchange(
        IAsyncStreamReader<PeerEnvelope> requestStream,
        IServerStreamWriter<PeerEnvelope> responseStream,
        ServerCallContext context)
    {
        PeerTransport transport = new(node, identity, isCaller: false, requestStream, responseStream);
        PeerSession session = await transport.HandshakeAsync(null, context.CancellationToken);
        await transport.RunAsync(session, context.CancellationToken);
    }
}
