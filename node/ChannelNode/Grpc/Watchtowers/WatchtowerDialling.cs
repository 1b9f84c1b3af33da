using System.Net.Sockets;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Grpc.Net.Client;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>Sessions that this node opens with its watchtowers.</summary>
internal sealed class WatchtowerDialling(NodeIdentity identity, int messageBytesMax)
{
    private const int UpdatesPerFrame = 256;

    /// <summary>No watchtower guards more channels of one signer.</summary>
    private const int HoldingsMax = 1_000_000;

    /// <summary>Runs one session until it ends; throws why it did, PeerOffline where nobody is there.</summary>
    public async Task RunAsync(WatchtowerLink tower, CancellationToken cancel)
    {
        SessionTls tls = SessionTls.OfCaller();
        using GrpcChannel channel = OutgoingChannel.Open(tower.Url, "--watchtower", messageBytesMax, tls);
        using AsyncDuplexStreamingCall<Wire.GuardRequest, Wire.GuardResponse> call =
            new Wire.WatchtowerService.WatchtowerServiceClient(channel).Guard(cancellationToken: cancel);
        try
        {
            GuardListener listener = new(call.ResponseStream, TimeProvider.System, cancel);
            GuardSpeaker speaker = new(call.RequestStream, listener, TimeProvider.System);
            Address signer = await ShakeHandsAsync(speaker, listener, tls, cancel);
            tower.Begin(signer, await HearHoldingsAsync(tower, listener));
            while (true)
            {
                IReadOnlyList<GuardRequest> frame = await NextFrameAsync(tower, listener, cancel);
                await speaker.SayAsync(new Wire.GuardRequest { Frame = WatchtowerWire.Write(frame) }, cancel);
                Wire.GuardResponse answer = await listener.HearAsync(GuardSpeaker.AnswerMax);
                tower.Take(WatchtowerWire.Read(answer.FrameReply ?? throw Handshake.Unexpected(answer.KindCase, "frame_reply")));
            }
        }
        catch (Exception error) when (
            error is RpcException or HttpRequestException or SocketException or InvalidOperationException or TimeoutException)
        {
            throw PeerDialling.RefusalOf(error, "watchtower", tower.Url);
        }
    }

    private async Task<Address> ShakeHandsAsync(GuardSpeaker speaker, GuardListener listener, SessionTls tls, CancellationToken cancel)
    {
        Handshake handshake = new(identity, WatchtowerWire.ProtocolVersion);
        Wire.GuardResponse? hello = tls.IsEncryptedCall ? await listener.HearAsync(Handshake.Timeout) : null;
        await speaker.SayAsync(new Wire.GuardRequest { Hello = handshake.Hello(tls.Seen) }, cancel);
        hello ??= await listener.HearAsync(Handshake.Timeout);
        handshake.Take(hello.Hello ?? throw Handshake.Unexpected(hello.KindCase, "hello"), null);
        await speaker.SayAsync(new Wire.GuardRequest { HelloProof = await handshake.ProofAsync(cancel) }, cancel);
        Wire.GuardResponse proof = await listener.HearAsync(Handshake.Timeout);
        handshake.Take(proof.HelloProof ?? throw Handshake.Unexpected(proof.KindCase, "hello_proof"));
        return handshake.Them.Signer;
    }

    /// <summary>Only what concerns this node's channels is kept, and it is listened to for as long as it can be true.</summary>
    private static async Task<Dictionary<ChannelId, GuardedTotals>> HearHoldingsAsync(WatchtowerLink tower, GuardListener listener)
    {
        Dictionary<ChannelId, GuardedTotals> all = [];
        int heardOf = 0;
        while (true)
        {
            Wire.GuardResponse heard = await listener.HearAsync(GuardSpeaker.AnswerMax);
            Wire.Holdings some = heard.Holdings ?? throw Handshake.Unexpected(heard.KindCase, "holdings");
            heardOf += some.Guarded.Count;
            if (heardOf > HoldingsMax) throw PeerWire.Malformed("holdings", heardOf, $"at most {HoldingsMax}");
            if (some.Guarded.Count == 0 && !some.IsLast) throw PeerWire.Malformed("holdings", 0, "some in each message but the last");
            foreach (Wire.GuardedTotals said in some.Guarded)
            {
                GuardedTotals totals = WatchtowerWire.Read(said);
                if (tower.Knows(totals.Channel)) all[totals.Channel] = totals;
            }

            if (some.IsLast) return all;
        }
    }

    /// <summary>While there is nothing to say, the end of the session is noticed all the same.</summary>
    private static async Task<IReadOnlyList<GuardRequest>> NextFrameAsync(
        WatchtowerLink tower, GuardListener listener, CancellationToken cancel)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task<IReadOnlyList<GuardRequest>> next = tower.NextFrameAsync(UpdatesPerFrame, ending.Token);
        if (await Task.WhenAny(next, listener.Coming) == next) return await next;
        await ending.CancelAsync();
        Wire.GuardResponse heard = await listener.HearAsync(GuardSpeaker.AnswerMax);
        throw Handshake.Unexpected(heard.KindCase, "nothing before the next frame");
    }
}
