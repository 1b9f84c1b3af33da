using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A settle that the contract found too early: each try is written to disk, so it is not tried again each second.</summary>
public sealed class EarlySettlesTests
{
    private const ulong ClosesAt = 1_700_000_600;

    private readonly SimulatedTime _time = new();
    private readonly NodeClock _clock;
    private readonly ChainView _view;
    private readonly EarlySettles _early;

    public EarlySettlesTests()
    {
        _clock = new NodeClock(_time);
        _view = new ChainView(null, _time, TimeSpan.FromHours(1));
        _early = new EarlySettles(_view, _clock);
    }

    [Fact]
    public async Task BlockWhoseTimeHasCome_EndsTheWait_AndAnEarlierOneDoesNot()
    {
        Task waiting = WaitAsync();
        Follow(1, ClosesAt - 1);
        await Task.Delay(50);
        Assert.False(waiting.IsCompleted);

        Follow(2, ClosesAt);
        await waiting.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task ChainWithoutBlocks_IsTriedEverMoreSeldom()
    {
        foreach (int seconds in (int[])[15, 30, 60])
        {
            Task waiting = WaitAsync();
            _time.Advance(seconds * 1_000 - 1);
            await Task.Delay(50);
            Assert.False(waiting.IsCompleted);
            _time.Advance(1);
            await waiting.WaitAsync(TimeSpan.FromSeconds(20));
        }

        _early.Forget(Sample.Id, ClosesAt);
        Task again = WaitAsync();
        _time.Advance(15_000);
        await again.WaitAsync(TimeSpan.FromSeconds(20));
    }

    private Task WaitAsync() => _early.WaitAsync(Sample.Id, ClosesAt, CancellationToken.None);

    private void Follow(ulong number, ulong seconds)
    {
        _clock.FollowChain(seconds);
        _view.Advance(new ChainBatch(ChainMove.Next, new ChainBlock(number, default, default, seconds), [], IsCaughtUp: true));
    }
}
