using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>Says what a watchtower may not want to hear any more: then it has said why.</summary>
internal sealed class GuardSpeaker(IClientStreamWriter<Wire.GuardRequest> writer, GuardListener listener, TimeProvider time)
{
    /// <summary>A watchtower that does not take, or does not answer, a message for so long loses its session.</summary>
    public static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(30);

    public async Task SayAsync(Wire.GuardRequest message, CancellationToken cancel)
    {
        try
        {
            // Never without an end: a watchtower that reads nothing, or is gone in the middle, must not keep others unguarded.
            await writer.WriteAsync(message, cancel).WaitAsync(AnswerMax, time, cancel);
        }
        catch (Exception ended) when (
            ended is RpcException or InvalidOperationException or IOException or HttpRequestException
            || ended is OperationCanceledException && !cancel.IsCancellationRequested)
        {
            await listener.HearAsync(AnswerMax);
            throw;
        }
    }
}

/// <summary>Reads ahead what a watchtower says, so that the end of the session is known at once.</summary>
internal sealed class GuardListener(IAsyncStreamReader<Wire.GuardResponse> reader, TimeProvider time, CancellationToken cancel)
{
    private Task<bool> _coming = reader.MoveNext(cancel);

    public Task Coming => _coming;

    public async Task<Wire.GuardResponse> HearAsync(TimeSpan limit)
    {
        if (!await _coming.WaitAsync(limit, time, cancel)) throw new RefusalException(Refusal.PeerOffline, "the watchtower ended the session");
        Wire.GuardResponse heard = reader.Current;
        _coming = reader.MoveNext(cancel);
        return heard;
    }
}
