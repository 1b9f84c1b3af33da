using ChannelNode.Engine;
using ChannelNode.Signing;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>How many nodes may be proving who they are to a watchtower, and how often an address may begin to.</summary>
[Collection(AnvilCollection.Name)]
public sealed class WatchtowerAdmissionTests(AnvilFixture anvil) : IAsyncLifetime
{
    private readonly List<RawGuard> _guards = [];
    private TestChain _chain = null!;

    public async Task InitializeAsync() => _chain = await TestChain.OpenAsync(anvil);

    public async Task DisposeAsync()
    {
        foreach (RawGuard guard in _guards) await guard.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private RawGuard Caller(TestTower tower)
    {
        _guards.Add(new RawGuard(tower.Url, _chain.ChainId, _chain.Contract, PrivateKey.Generate()));
        return _guards[^1];
    }

    [Fact]
    public async Task NodeThatProvesItself_GetsIn_WhereOthersHaveBegunEveryHandshakeThereMayBe_AndTheOldestIsToldSo()
    {
        await using TestTower tower = await TestTower.StartAsync(_chain, options => options with { HandshakesMax = 2 });
        await Caller(tower).GreetAsync(); // A session is no handshake any more.
        RawGuard oldest = Caller(tower);
        await oldest.HearAsync(); // The tower's hello: from then on the node's proof is waited for.
        await Caller(tower).HearAsync();

        Assert.Empty(await Caller(tower).GreetAsync());

        await Refusals.AssertRefusedAsync(
            () => oldest.HearAsync(), StatusCode.ResourceExhausted, "TOO_MANY_SESSIONS", "handshakes");
    }

    /// <summary>A call that nobody has admitted is none, however long it lasts.</summary>
    [Fact]
    public async Task WhereEveryPlaceIsTaken_WhoNeverProvesHimselfMakesRoom()
    {
        await using TestTower tower = await TestTower.StartAsync(
            _chain, options => options with { Node = options.Node with { PeerConnectionsMax = 2 } });
        await Caller(tower).GreetAsync();
        await Caller(tower).HearAsync();
        await Task.Delay(1_200); // A caller has a second to begin.

        Assert.Empty(await Caller(tower).GreetAsync());

        DoorCounts counts = tower.Tower.Overview.Doors.All.Single(door => door.Door == "nodes");
        Assert.Equal((1, 2), (counts.UnusedEnded, counts.Open()));
    }

    [Fact]
    public async Task MoreSessionsThanAnAddressMayBeginInASecond_AreRefusedByNameWithTheTimeToWait()
    {
        await using TestTower tower = await TestTower.StartAsync(_chain, options => options with { HandshakesPerSecondMax = 1 });
        RawGuard[] callers = [.. Enumerable.Range(0, 24).Select(_ => Caller(tower))];

        Exception?[] answers = await Task.WhenAll(callers.Select(caller => Record.ExceptionAsync(() => caller.GreetAsync())));

        Assert.Contains(answers, answer => answer is null);
        RpcException[] refused = [.. answers.OfType<RpcException>()];
        Assert.NotEmpty(refused);
        Assert.All(refused, answer => Refusals.AssertIs(answer, StatusCode.ResourceExhausted, "RATE_LIMITED", "requests_per_second"));
        Assert.Empty(await ComeAgainAsync(tower, "RATE_LIMITED"));
    }

    /// <summary>As a node does: until it is let in. Answers what is guarded for it.</summary>
    private async Task<IReadOnlyList<Proto.V1.GuardedTotals>> ComeAgainAsync(TestTower tower, string reason)
    {
        for (int look = 0; ; look++)
        {
            try
            {
                return await Caller(tower).GreetAsync();
            }
            catch (RpcException refused) when (look < 100 && Refusals.NameOf(refused) == reason)
            {
                await Task.Delay(100);
            }
        }
    }
}
