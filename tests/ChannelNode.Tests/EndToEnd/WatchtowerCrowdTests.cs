using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Signing;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A watchtower that anybody may use, and sixteen strangers who want all of it.</summary>
[Collection(AnvilCollection.Name)]
public sealed class WatchtowerCrowdTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const int Strangers = 16;
    private const int UnfundedMax = 20;

    private readonly CancellationTokenSource _stopping = new();
    private TestChain _chain = null!;
    private TestTower _tower = null!;
    private TestNode _payer = null!;
    private Task[] _crowd = [];
    private int _refusedSessions, _refusedChannels, _refusedSignatures;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _payer = await TestNode.StartAsync(_chain);
    }

    public async Task DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Task.WhenAll(_crowd);
        await _payer.DisposeAsync();
        await _tower.DisposeAsync();
        await _chain.DisposeAsync();
        _stopping.Dispose();
    }

    /// <summary>Its channel is known; its session is not up any more, and others take all there are.</summary>
    [Fact]
    public async Task NodeWithAGuardedDeposit_GetsInAndHasItsNewestUpdateGuarded_WhileStrangersFloodSessionsChannelsAndFrames()
    {
        await StartAsync(sessionsMax: 16);
        await using TestNode node = await StartNodeAsync();
        string id = await _payer.OpenAsync(node, "1000");
        await _payer.PayAsync(id, "100");
        await UntilGuardedAsync(node, 100);
        await FloodAsync();
        await WaitAsync(() => _refusedSessions > 0);

        await _payer.PayAsync(id, "10");
        await UntilGuardedAsync(node, 110);
        await _tower.StopAsync();
        int before = _refusedSessions;
        await _tower.StartAsync();
        await WaitAsync(() => _refusedSessions > before + Strangers || _tower.Tower.Sessions.Count == 16); // Its place is taken.
        await _payer.PayAsync(id, "10");
        await UntilGuardedAsync(node, 120);
        Assert.InRange(_tower.Tower.Sessions.Count, 1, 16);
    }

    /// <summary>The watchtower has never heard of it, and every place of a channel without a deposit is taken.</summary>
    [Fact]
    public async Task NodeThatIsNew_IsGuardedForItsDeposit_WhileStrangersFloodChannelsAndFrames()
    {
        await StartAsync(sessionsMax: 1_000);
        await FloodAsync();
        await WaitAsync(() => _refusedChannels > 0 && _refusedSignatures > 0);
        await using TestNode node = await StartNodeAsync();
        string id = await _payer.OpenAsync(node, "1000");
        await _payer.PayAsync(id, "100");

        await UntilGuardedAsync(node, 100);
        Assert.InRange(_tower.Tower.Guards.GuardedCount, 1, UnfundedMax + 1);
    }

    private async Task StartAsync(int sessionsMax) => _tower = await TestTower.StartAsync(
        _chain, options => options with { SessionsMax = sessionsMax, ChannelsMax = UnfundedMax * 10 });

    private Task<TestNode> StartNodeAsync() => TestNode.StartAsync(
        _chain, options => options with { Watchtowers = [_tower.Url], WatchtowerEveryMs = 100 });

    private Task FloodAsync()
    {
        _crowd = [.. Enumerable.Range(0, Strangers).Select(number => Task.Run(() => FloodAsync((uint)number)))];
        return WaitAsync(() => _refusedChannels > 0 && _refusedSignatures > 0);
    }

    /// <summary>Keys and channels without end, twice as many sessions as there are, and signatures right and wrong.</summary>
    private async Task FloodAsync(uint number)
    {
        for (uint round = 0; !_stopping.IsCancellationRequested; round++)
        {
            using PrivateKey key = PrivateKey.Generate(), payer = PrivateKey.Generate();
            try
            {
                await using RawGuard one = await RawGuard.ConnectAsync(_tower, _chain, key), two = await RawGuard.ConnectAsync(_tower, _chain, key);
                for (uint salt = 0; salt < 5; salt++)
                {
                    Wire.GuardedUpdate[] right = [.. Enumerable.Range(0, 4).Select(at => one.Update(TermsOf(payer, key, new Bytes32(number, round, salt, (uint)at)), 1, 0, payer))];
                    foreach (Wire.GuardedUpdate wrong in right[2..]) wrong.Signature = wrong.Consent;
                    Count(await two.AskAsync(right));
                }
            }
            catch (RpcException ended)
            {
                if (ended.Status.Detail.Contains("place is needed")) Interlocked.Increment(ref _refusedSessions);
            }
            catch (Exception)
            {
                // The session is over, one way or the other.
            }
        }
    }

    private void Count(Wire.GuardFrameReply reply)
    {
        Interlocked.Add(ref _refusedChannels, reply.Refusals.Count(refusal => refusal.Reason == Wire.Refusal.TooManyChannels));
        Interlocked.Add(ref _refusedSignatures, reply.Refusals.Count(refusal => refusal.Reason == Wire.Refusal.WrongSigner));
    }

    private static ChannelTerms TermsOf(PrivateKey payer, PrivateKey payee, Bytes32 salt) => new(
        new Party(payer.Address, payer.Address), new Party(payee.Address, payee.Address), Address.Zero, 600, OneWay: false, salt);

    /// <summary>What the watchtower has on disk.</summary>
    private Task UntilGuardedAsync(TestNode node, UInt128 sent) => WaitAsync(() =>
    {
        GuardClient client = _tower.Tower.Guards.Join(node.Signer);
        try
        {
            return _tower.Tower.Guards.Holdings(client).Any(totals => totals.Sent == sent) && !client.IsStranger;
        }
        finally
        {
            _tower.Tower.Guards.Leave(client);
        }
    });

    private async Task WaitAsync(Func<bool> reached)
    {
        for (int look = 0; look < 1_200 && !reached(); look++) await Task.Delay(50);
        Assert.True(reached(), $"never reached; sessions, channels, signatures refused: {_refusedSessions}, {_refusedChannels}, {_refusedSignatures}");
    }
}
