using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Simulation;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A program that follows a long chain before its doors open says every ten seconds how far it is.</summary>
public sealed class CatchingUpTests
{
    private readonly SimulatedTime _time = new();
    private readonly LoggedLines _log = new();
    private readonly List<string> _status = [];
    private readonly TaskCompletionSource _caughtUp = new();

    [Fact]
    public async Task LongWay_IsLoggedAndToldEveryTenSeconds()
    {
        ChainView view = new(null, _time, TimeSpan.FromSeconds(60));
        Task watching = CatchingUp.WatchAsync(_caughtUp.Task, view, _time, _log, Tell);

        view.Advance(Batch(1_000));
        _time.Advance(9_999);
        Assert.Empty(_log.All);
        _time.Advance(1);
        await UntilToldAsync(1);
        view.Advance(Batch(3_000));
        await PassAsync(10_000);
        await UntilToldAsync(2);
        view.Miss("no answer");
        await PassAsync(10_000);
        await UntilToldAsync(3);
        _caughtUp.SetResult();
        await watching;

        Assert.Equal(
            [
                "Following the chain: block 1000 of 5000; the doors open at its end", "Following the chain: block 3000 of 5000; the doors open at its end",
            ],
            _log.All);
        Assert.Equal(
            ["following the chain: block 1000 of 5000", "following the chain: block 3000 of 5000", "waiting for the chain: no answer"], _status);
    }

    [Fact]
    public async Task ShortWay_IsNot_AndAFailureIsItsCallers()
    {
        ChainView view = new(null, _time, TimeSpan.FromSeconds(60));
        Task watching = CatchingUp.WatchAsync(_caughtUp.Task, view, _time, _log, Tell);

        _caughtUp.SetException(new InvalidOperationException("gone"));

        await Assert.ThrowsAsync<InvalidOperationException>(() => watching);
        Assert.Empty(_log.All);
        Assert.Empty(_status);
    }

    private static ChainBatch Batch(ulong block) =>
        new(ChainMove.Jump, new ChainBlock(block, default, default, 0), [], IsCaughtUp: false) { Head = 5_000 };

    private void Tell(string status)
    {
        lock (_status) _status.Add(status);
    }

    private async Task UntilToldAsync(int times)
    {
        CancellationToken limit = TestChain.Limit;
        while (true)
        {
            lock (_status)
                if (_status.Count >= times) return;
            await Task.Delay(5, limit);
        }
    }

    /// <summary>Once the next timer is set.</summary>
    private async Task PassAsync(long ms)
    {
        CancellationToken limit = TestChain.Limit;
        while (_time.NextDueMs == long.MaxValue) await Task.Delay(5, limit);
        _time.Advance(ms);
    }
}
