using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using Google.Protobuf;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// A node's session with the watchtower: the real messages as bytes between the real engines of both, without the proofs of
/// who they are. What is under way when it ends is lost.
/// </summary>
internal sealed class WorldGuardSession(WorldPlace place, SimulatedLife life, SimulatedTower tower, TimeProvider time)
{
    private const int UpdatesPerFrame = 2;

    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _ended = new();
    private TaskCompletionSource<Wire.GuardResponse>? _hearing;
    private GuardClient? _client;

    public WorldPlace Place => place;

    /// <summary>The lives at its two ends.</summary>
    public (SimulatedLife Node, SimulatedTower Tower) Ends => (life, tower);

    /// <summary>What one end has said and the other one has not heard, each when it leaves.</summary>
    public Queue<byte[]> FromNode { get; } = new();

    public Queue<byte[]> FromTower { get; } = new();

    /// <summary>The watchtower has told what it has.</summary>
    public bool HasBegun => _client is not null;

    /// <summary>The node has given up.</summary>
    public bool IsOver { get; private set; }

    /// <summary>What the watchtower does with what it heard last.</summary>
    public Task Serving { get; private set; } = Task.CompletedTask;

    /// <summary>The node's end, as the node runs it.</summary>
    public async Task RunAsync(WatchtowerLink link, CancellationToken stopping)
    {
        try
        {
            Wire.Holdings holdings = (await AskAsync(new Wire.GuardRequest { Hello = new Wire.Hello() })).Holdings;
            link.Begin(WorldTower.Key, holdings.Guarded.Select(WatchtowerWire.Read).ToDictionary(totals => totals.Channel));
            while (true)
            {
                IReadOnlyList<GuardRequest> frame = await link.NextFrameAsync(UpdatesPerFrame, _ended.Token);
                Wire.GuardResponse answer = await AskAsync(new Wire.GuardRequest { Frame = WatchtowerWire.Write(frame) });
                link.Take(WatchtowerWire.Read(answer.FrameReply));
            }
        }
        catch (Exception error) when (
            error is TimeoutException || (error is OperationCanceledException && !stopping.IsCancellationRequested))
        {
            throw new RefusalException(Refusal.PeerOffline, "the session with the watchtower ended", error);
        }
        finally
        {
            IsOver = true;
        }
    }

    private async Task<Wire.GuardResponse> AskAsync(Wire.GuardRequest said)
    {
        _hearing = new TaskCompletionSource<Wire.GuardResponse>();
        FromNode.Enqueue(said.ToByteArray());
        return await _hearing.Task.WaitAsync(AnswerMax, time, _ended.Token);
    }

    /// <summary>As the node: it hears the watchtower, or that the session has ended.</summary>
    public void Hear(byte[] bytes) => _hearing?.TrySetResult(Wire.GuardResponse.Parser.ParseFrom(bytes));

    public void End() => _ended.Cancel();

    /// <summary>
    /// As the watchtower. <paramref name="leaving"/> sees what was heard and what is answered before that leaves; null for what
    /// is not answered.
    /// </summary>
    public void Serve(byte[] bytes, Action<IReadOnlyList<GuardRequest>, GuardAnswer>? leaving) => Serving = ServeAsync(bytes, leaving);

    private async Task ServeAsync(byte[] bytes, Action<IReadOnlyList<GuardRequest>, GuardAnswer>? leaving)
    {
        Wire.GuardRequest heard = Wire.GuardRequest.Parser.ParseFrom(bytes);
        if (heard.Hello is not null)
        {
            _client = tower.Tower.Guards.Join(place.Us.Signer);
            Wire.Holdings holdings = new() { IsLast = true };
            holdings.Guarded.Add(tower.Tower.Guards.Holdings(_client).Select(WatchtowerWire.Write));
            FromTower.Enqueue(new Wire.GuardResponse { Holdings = holdings }.ToByteArray());
            return;
        }

        IReadOnlyList<GuardRequest> given = WatchtowerWire.Read(heard.Frame);
        GuardAnswer answer = await tower.Tower.Guards.TakeAsync(_client!, given, CancellationToken.None);
        if (leaving is null) return;
        leaving(given, answer);
        FromTower.Enqueue(new Wire.GuardResponse { FrameReply = WatchtowerWire.Write(answer) }.ToByteArray());
    }

    /// <summary>As the watchtower: nobody is there any more.</summary>
    public void Leave()
    {
        if (_client is not null) tower.Tower.Guards.Leave(_client);
    }
}
