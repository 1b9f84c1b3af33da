using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// What the service manager hears. A node that is started again for nothing leaves its channels unwatched meanwhile, so it is
/// called stuck late: no step of following the chain takes so long, whatever the chain answers.
/// </summary>
public sealed class StuckNodeTests : IAsyncLifetime
{
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(20);

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly SimulatedTime _time = new();
    private readonly RocksChannelStore _store;
    private readonly Node _node;

    public StuckNodeTests()
    {
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        _store = RocksChannelStore.Open(
            Path.Combine(_folder, "data"), new StoreIdentity(1, Address.Zero, Sample.PartyA.Signer));
        SimulatedMachine unasked = new(
            null!, Sample.PartyA.Owner, new RpcWeather(), new Random(1), _time, options.ReorgDepthMax, options.Contract, _ => { });
        _node = new Node(
            options, Sample.PartyA, _store, unasked, new TestScheme(Sample.PartyA.Signer),
            (_, _, _) => throw new InvalidOperationException("nobody is dialled here"),
            (_, _) => throw new InvalidOperationException("there is no watchtower here"), _time, NullLoggerFactory.Instance);
        _node.Ledger.Start();
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private Task<bool> IsAliveAsync() => _node.IsAliveAsync(Within);

    [Fact]
    public async Task Node_IsCalledStuck_WhenTheChainWasNotFollowedForMoreThanTenMinutes()
    {
        Assert.True(await IsAliveAsync());

        _time.Advance(10 * 60_000);
        Assert.True(await IsAliveAsync());

        _time.Advance(1);
        Assert.False(await IsAliveAsync());
    }

    [Fact]
    public async Task Node_IsNotCalledStuck_WhileTheChainGivesNoAnswer()
    {
        for (int minutes = 0; minutes < 60; minutes += 9)
        {
            _time.Advance(9 * 60_000);
            _node.View.Miss("no such host");
            Assert.True(await IsAliveAsync());
        }
    }

    [Fact]
    public async Task Node_IsCalledStuck_WhileItsWriterTakesNoTurn()
    {
        using ManualResetEventSlim held = new(), release = new();
        Task<bool> holding = _node.Ledger.RunAsync(
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
        _time.Advance((long)Within.TotalMilliseconds);
        Assert.False(await alive);

        release.Set();
        await holding;
        Assert.True(await IsAliveAsync());
    }
}
