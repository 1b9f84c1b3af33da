using ChannelNode.Core;
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
        using var until = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, seat.Ended);
        MessageRoom.Part part = MeteredBody.PartOf(http);
        part.OnEnd(seat.End);
        PeerTransport transport = new(node, identity, SessionTls.OfCalled(http), requestStream, responseStream, part);
        try
        {
            PeerSession session = await transport.HandshakeAsync(null, Begin, until.Token);
            using CancellationTokenRegistration leaving = seat.Ended.UnsafeRegister(
                static link => ((PeerLink)link!).End("its place was needed"), session.Link);
            await transport.RunAsync(session, until.Token);
        }
        catch (OperationCanceledException) when (seat.Reason is not null)
        {
            // Told below, as where the session ended without an error.
        }

        if (seat.Reason is { } reason) throw reason;

        void Begin(Address signer)
        {
            seat.BeginSession(signer);
            part.Signer = signer;
            ConnectionRoom.Use(http);
        }
    }
}
