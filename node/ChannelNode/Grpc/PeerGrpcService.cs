using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>Sessions that peers open with this node.</summary>
internal sealed class PeerGrpcService(Node node, NodeIdentity identity)
{
    public async Task Exchange(
        IAsyncStreamReader<Wire.ExchangeRequest> requestStream,
        IServerStreamWriter<Wire.ExchangeResponse> responseStream,
        ServerCallContext context)
    {
        PeerTransport transport = new(
            node,
            identity,
            isCaller: false,
            async cancel => await requestStream.MoveNext(cancel) ? Said(requestStream.Current.Message) : null,
            (message, cancel) => responseStream.WriteAsync(new Wire.ExchangeResponse { Message = message }, cancel));
        PeerSession session = await transport.HandshakeAsync(null, context.CancellationToken);
        await transport.RunAsync(session, context.CancellationToken);
    }

    private static Wire.PeerMessage Said(Wire.PeerMessage? message) => message ?? new Wire.PeerMessage();
}
