using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>Sessions that nodes open with a watchtower. One frame of a session is under way at a time: the rest waits in HTTP/2.</summary>
internal sealed class WatchtowerGrpcService(Watchtower tower, NodeIdentity identity, PeerAdmission admission)
    : Wire.WatchtowerService.WatchtowerServiceBase
{
    private const int HoldingsPerMessage = 1_000;

    /// <summary>About, of a frame's bytes.</summary>
    private const int ObjectsPerByte = 3;

    private static readonly TimeSpan UnreadMax = TimeSpan.FromSeconds(30);

    public override async Task Guard(
        IAsyncStreamReader<Wire.GuardRequest> requestStream,
        IServerStreamWriter<Wire.GuardResponse> responseStream,
        ServerCallContext context)
    {
        HttpContext http = context.GetHttpContext();
        using PeerAdmission.Seat seat = admission.Enter(http.Connection.RemoteIpAddress);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, tower.Stopping);
        Address signer = await ShakeHandsAsync(requestStream, responseStream, SessionTls.OfCalled(http), seat, ending.Token);
        seat.BeginSession(signer);
        MeteredBody.PartOf(http).Signer = signer;
        ConnectionRoom.Use(http);
        using GuardSession session = tower.Sessions.Begin(signer);
        using CancellationTokenRegistration ended = session.Ended.Register(ending.Cancel);
        try
        {
            await TellHoldingsAsync(session.Client, responseStream, ending.Token);
            await ServeAsync(session, requestStream, responseStream, MeteredBody.PartOf(http), ending.Token);
        }
        catch (Exception) when (session.Why is not null)
        {
            throw session.Why; // By its name, whatever the session was at.
        }
    }

    /// <summary>The node proves itself first: nothing is signed for someone who only knocks.</summary>
    private async Task<Address> ShakeHandsAsync(
        IAsyncStreamReader<Wire.GuardRequest> requests, IServerStreamWriter<Wire.GuardResponse> responses, SessionTls tls,
        PeerAdmission.Seat seat, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel, seat.Ended);
        limit.CancelAfter(Handshake.Timeout);
        Handshake handshake = new(identity, WatchtowerWire.ProtocolVersion, tls.Presented);
        try
        {
            await responses.WriteAsync(new Wire.GuardResponse { Hello = handshake.Hello() }, limit.Token);
            Wire.GuardRequest hello = await NextAsync(requests, limit.Token);
            handshake.Take(hello.Hello ?? throw Handshake.Unexpected(hello.KindCase, "hello"), null);
            Wire.GuardRequest proof = await NextAsync(requests, limit.Token);
            handshake.Take(proof.HelloProof ?? throw Handshake.Unexpected(proof.KindCase, "hello_proof"));
            await responses.WriteAsync(new Wire.GuardResponse { HelloProof = await handshake.ProofAsync(limit.Token) }, limit.Token);
            return handshake.Them.Signer;
        }
        catch (OperationCanceledException error) when (!cancel.IsCancellationRequested)
        {
            throw seat.Reason ?? new RefusalException(
                Refusal.PeerOffline, $"no handshake within {Handshake.Timeout.TotalSeconds} s", error);
        }
    }

    private static async Task<Wire.GuardRequest> NextAsync(IAsyncStreamReader<Wire.GuardRequest> requests, CancellationToken cancel) =>
        await requests.MoveNext(cancel)
            ? requests.Current
            : throw new RefusalException(Refusal.PeerOffline, "the node ended the handshake");

    private async Task TellHoldingsAsync(
        GuardClient client, IServerStreamWriter<Wire.GuardResponse> responses, CancellationToken cancel)
    {
        foreach (GuardedTotals[] some in tower.Guards.Holdings(client).Chunk(HoldingsPerMessage))
        {
            Wire.Holdings holdings = new();
            foreach (GuardedTotals totals in some) holdings.Guarded.Add(WatchtowerWire.Write(totals));
            await TellAsync(responses, new Wire.GuardResponse { Holdings = holdings }, cancel);
        }

        await TellAsync(responses, new Wire.GuardResponse { Holdings = new Wire.Holdings { IsLast = true } }, cancel);
    }

    /// <summary>The signer's pace is kept before its next frame is looked at: nothing is read of it meanwhile.</summary>
    private async Task ServeAsync(
        GuardSession session, IAsyncStreamReader<Wire.GuardRequest> requests, IServerStreamWriter<Wire.GuardResponse> responses,
        MessageRoom.Part part, CancellationToken cancel)
    {
        while (await HearAsync(requests, cancel))
        {
            tower.Sessions.Hear(session);
            Wire.GuardFrame frame = requests.Current.Frame ?? throw Handshake.Unexpected(requests.Current.KindCase, "frame");
            long bytes = ObjectsPerByte * (long)frame.CalculateSize();
            part.Add(bytes);
            GuardAnswer answer = await tower.Guards.TakeAsync(session.Client, WatchtowerWire.Read(frame), cancel);
            await TellAsync(responses, new Wire.GuardResponse { FrameReply = WatchtowerWire.Write(answer) }, cancel);
            part.Add(-bytes);
            await session.Client.Pace.WaitAsync(cancel);
        }
    }

    /// <summary>The next frame, without ending the call where only the session ends: the node is to be told why.</summary>
    private static async Task<bool> HearAsync(IAsyncStreamReader<Wire.GuardRequest> requests, CancellationToken cancel) =>
        await requests.MoveNext(CancellationToken.None).WaitAsync(cancel);

    /// <summary>A node that does not read loses its session.</summary>
    private static async Task TellAsync(
        IServerStreamWriter<Wire.GuardResponse> responses, Wire.GuardResponse message, CancellationToken cancel)
    {
        try
        {
            await responses.WriteAsync(message, CancellationToken.None).WaitAsync(UnreadMax, cancel);
        }
        catch (TimeoutException error)
        {
            throw new RefusalException(Refusal.PeerOffline, $"nothing is read for {UnreadMax.TotalSeconds} s", error);
        }
    }
}
