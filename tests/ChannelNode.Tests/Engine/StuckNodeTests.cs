using ChannelNode.Engine;
using ChannelNode.Tests.Simulation;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// What the service manager hears. A node that is started again for nothing leaves its channels unwatched meanwhile, so it is
/// called stuck late: no step of following the chain takes so long, whatever the chain answers.
/// </summary>
public sealed class StuckNodeTests : IAsyncLifetime
{
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(20);

    private readonly UnaskedNode _rig = new();

    private SimulatedTime Time => _rig.Time;

    private Node Node => _rig.Node;

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _rig.DisposeAsync().AsTask();

    private Task<bool> IsAliveAsync() => Node.IsAliveAsync(Within);

    [Fact]
    public async Task Node_IsCalledStuck_WhenTheChainWasNotFollowedForMoreThanTenMinutes()
    {
        Assert.True(await IsAliveAsync());

        Time.Advance(10 * 60_000);
        Assert.True(await IsAliveAsync());

        Time.Advance(1);
        Assert.False(await IsAliveAsync());
    }

    [Fact]
    public async Task Node_IsNotCalledStuck_WhileTheChainGivesNoAnswer()
    {
        for (int minutes = 0; minutes < 60; minutes += 9)
        {
            Time.Advance(9 * 60_000);
            Node.View.Miss("no such host");
            Assert.True(await IsAliveAsync());
        }
    }

    [Fact]
    public async Task Node_IsCalledStuck_WhileItsWriterTakesNoTurn()
    {
        using ManualResetEventSlim held = new(), release = new();
        Task<bool> holding = Node.Ledger.RunAsync(
            _ =>
            {
                held.Set();
                release.Wait();
                return true;
            },
            CancellationToken.None);
        held.Wait();

        Task<bool> alive = IsAliveAsync();
        Assert.False(alive.IsCompleted);
        Time.Advance((long)Within.TotalMilliseconds);
        Assert.False(await alive);

        release.Set();
        await holding;
        Assert.True(await IsAliveAsync());
    }
}
