using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>Sessions that nodes open with a watchtower. One frame of a session is under way at a time: the rest waits in HTTP/2.</summary>
internal sealed class WatchtowerGrpcService(Watchtower tower, NodeIdentity identity) : Wire.WatchtowerService.WatchtowerServiceBase
{
    private const int HoldingsPerMessage = 1_000;

    public override async Task Guard(
        IAsyncStreamReader<Wire.GuardRequest> requestStream,
        IServerStreamWriter<Wire.GuardResponse> responseStream,
        ServerCallContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, tower.Stopping);
        Address signer = await ShakeHandsAsync(requestStream, responseStream, SessionTls.OfCalled(context.GetHttpContext()), ending.Token);
        GuardClient client = tower.Guards.Join(signer);
        try
        {
            await TellHoldingsAsync(client, responseStream, ending.Token);
            await ServeAsync(client, requestStream, responseStream, ending.Token);
        }
        finally
        {
            tower.Guards.Leave(client);
        }
    }

    /// <summary>The node proves itself first: nothing is signed for someone who only knocks.</summary>
    private async Task<Address> ShakeHandsAsync(
        IAsyncStreamReader<Wire.GuardRequest> requests, IServerStreamWriter<Wire.GuardResponse> responses, SessionTls tls,
        CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
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
            throw new RefusalException(
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
            await responses.WriteAsync(new Wire.GuardResponse { Holdings = holdings }, cancel);
        }

        await responses.WriteAsync(new Wire.GuardResponse { Holdings = new Wire.Holdings { IsLast = true } }, cancel);
    }

    private async Task ServeAsync(
        GuardClient client, IAsyncStreamReader<Wire.GuardRequest> requests, IServerStreamWriter<Wire.GuardResponse> responses,
        CancellationToken cancel)
    {
        WrongSignatureLimit wrong = new(tower.Time, tower.Options.WrongSignaturesPerSecondMax);
        while (await requests.MoveNext(cancel))
        {
            Wire.GuardFrame frame = requests.Current.Frame ?? throw Handshake.Unexpected(requests.Current.KindCase, "frame");
            GuardAnswer answer = await tower.Guards.TakeAsync(client, WatchtowerWire.Read(frame), cancel);
            await responses.WriteAsync(new Wire.GuardResponse { FrameReply = WatchtowerWire.Write(answer) }, cancel);
            TimeSpan wait = wrong.After(answer.Refusals.Count(refusal => refusal.Reason == Refusal.WrongSigner));
            if (wait > TimeSpan.Zero) await Task.Delay(wait, tower.Time, cancel);
        }
    }
}
