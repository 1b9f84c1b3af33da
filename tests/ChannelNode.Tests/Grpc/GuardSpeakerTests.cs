using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Simulation;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Grpc;

/// <summary>A watchtower that takes nothing, or says nothing: the node's session with it has an end.</summary>
public sealed class GuardSpeakerTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    private readonly SimulatedTime _time = new();
    private readonly Stalled _tower = new();

    private GuardListener Listener => new(_tower, _time, CancellationToken.None);

    [Fact]
    public async Task WatchtowerThatTakesNothing_IsWaitedForHalfAMinute_AndNotForever()
    {
        GuardSpeaker speaker = new(_tower, Listener, _time);
        Task saying = speaker.SayAsync(new Wire.GuardRequest(), CancellationToken.None);

        _time.Advance((long)GuardSpeaker.AnswerMax.TotalMilliseconds - 1);
        Assert.False(saying.IsCompleted);
        _time.Advance(1);

        await Assert.ThrowsAsync<TimeoutException>(() => saying.WaitAsync(Soon));
        Assert.Equal(TaskStatus.Faulted, saying.Status); // Its own time, not this test's.
    }

    [Fact]
    public async Task WatchtowerThatSaysNothing_IsWaitedForHalfAMinute_AndNotForever()
    {
        Task hearing = Listener.HearAsync(GuardSpeaker.AnswerMax);

        _time.Advance((long)GuardSpeaker.AnswerMax.TotalMilliseconds - 1);
        Assert.False(hearing.IsCompleted);
        _time.Advance(1);

        await Assert.ThrowsAsync<TimeoutException>(() => hearing.WaitAsync(Soon));
        Assert.Equal(TaskStatus.Faulted, hearing.Status);
    }

    [Fact]
    public async Task WatchtowerThatHasEndedTheSession_IsHeardFirst()
    {
        GuardSpeaker speaker = new(_tower, Listener, _time);
        Task saying = speaker.SayAsync(new Wire.GuardRequest(), CancellationToken.None);

        _tower.Said.SetException(new RefusalException(Refusal.TooManySessions, "its place was needed"));
        _tower.Taken.SetException(new RpcException(new Status(StatusCode.Cancelled, "the stream is over")));

        RefusalException why = await Assert.ThrowsAsync<RefusalException>(() => saying.WaitAsync(Soon));
        Assert.Equal(Refusal.TooManySessions, why.Refusal);
    }

    private sealed class Stalled : IClientStreamWriter<Wire.GuardRequest>, IAsyncStreamReader<Wire.GuardResponse>
    {
        public TaskCompletionSource Taken { get; } = new();

        public TaskCompletionSource<bool> Said { get; } = new();

        public WriteOptions? WriteOptions { get; set; }

        public Wire.GuardResponse Current => throw new InvalidOperationException("nothing is said");

        public Task WriteAsync(Wire.GuardRequest message) => Taken.Task;

        Task IAsyncStreamWriter<Wire.GuardRequest>.WriteAsync(Wire.GuardRequest message, CancellationToken cancellationToken) => Taken.Task;

        public Task CompleteAsync() => Task.CompletedTask;

        public Task<bool> MoveNext(CancellationToken cancellationToken) => Said.Task;
    }
}
