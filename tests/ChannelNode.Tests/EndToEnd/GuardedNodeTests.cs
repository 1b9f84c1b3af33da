using ChannelNode.Core;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A node that names watchtowers, and what it still has when it is gone.</summary>
[Collection(AnvilCollection.Name)]
public sealed class GuardedNodeTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const int TellEveryMs = 100;

    private TestChain _chain = null!;
    private TestNode _cheat = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _cheat = await TestNode.StartAsync(_chain);
    }

    public async Task DisposeAsync()
    {
        await _cheat.DisposeAsync();
        await _chain.DisposeAsync();
    }

    /// <summary>
    /// The counterparty starts to close with the oldest update that it has of ours, our node is dead, and only the
    /// watchtower is up.
    /// </summary>
    [Fact]
    public async Task OldestUpdateWhileOurNodeIsKilled_CostsNothingThatTheWatchtowerWasTold()
    {
        Address owner = RawChannel.FreshAddress();
        await using TowerProcess tower = await TowerProcess.StartAsync(_chain);
        await using NodeProcess honest = await NodeProcess.StartAsync(
            _chain, "--owner", owner.ToString(), "--watchtower", tower.Url, "--watchtower-every-ms", "100");
        string id = await _cheat.OpenAsync(honest.PeerUrl, "1000", oneWay: false);
        await honest.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        await _cheat.PayAsync(id, "400");
        await PayAsync(honest, id, "100");
        (Channel channel, ChannelState oldest) = Look(_cheat, id);
        await _cheat.PayAsync(id, "200");
        await PayAsync(honest, id, "50"); // Acknowledged, but the cheat signs no update for it; so it cannot claim it either.
        await UntilNothingLagsAsync(honest.Api);

        await honest.KillAsync();
        await _cheat.StopAsync();
        using PrivateKey key = KeyFile.Read(Path.Combine(Path.GetDirectoryName(_cheat.DataDirectory)!, "key"));
        await using EthereumChain cheat = await _chain.ConnectAsync(key);
        await cheat.StartCloseAsync(
            channel, new BalanceUpdate(channel.Id, oldest.TheirSent, oldest.TheirReceived), oldest.TheirSignature, null, TestChain.Limit);

        Pots pots = await _chain.UntilAsync(channel.Id, pots => pots.SentA == 600);
        Assert.Equal((UInt128)100, pots.SentB);
        await anvil.PassTimeAsync(601);
        await cheat.SettleAsync(channel, null, TestChain.Limit);
        Assert.Equal((UInt128)500, await _chain.EtherOfAsync(owner));
        await _cheat.StartAsync();
    }

    [Fact]
    public async Task OneOfTwoWatchtowersIsDead_PaymentsGoOn_AndTheOtherActs()
    {
        await using TestTower tower = await TestTower.StartAsync(_chain);
        await using TestNode honest = await StartHonestAsync($"http://127.0.0.1:{Ports.Free()}", tower.Url);
        string id = await _cheat.OpenAsync(honest, "1000");
        foreach (int _ in Enumerable.Range(0, 30)) await _cheat.PayAsync(id, "10");
        Wire.GetInfoResponse info = await UntilAsync(honest.Api, info =>
            info.Watchtowers[1] is { ChannelsGuarded: 1, ChannelsLagging: 0 } && info.Watchtowers[0].LaggingMs > 0);
        Wire.WatchtowerInfo dead = info.Watchtowers[0];
        Assert.Equal((false, 0u, 1u, ""), (dead.Connected, dead.ChannelsGuarded, dead.ChannelsLagging, dead.Signer));
        Assert.Equal((true, tower.Host.Signer.ToString()), (info.Watchtowers[1].Connected, info.Watchtowers[1].Signer));

        await honest.StopAsync();
        await CheatAsync(id);

        await _cheat.UntilAsync(id, channel => channel is { TheirPot: "300", OurRecordedSent: "300" });
        await honest.StartAsync();
    }

    [Fact]
    public async Task WatchtowerKilledAfterItsAnswer_DisputesWhenItIsBack()
    {
        await using TowerProcess tower = await TowerProcess.StartAsync(_chain);
        await using RawChannel channel = await RawChannel.OpenAsync(_chain);
        await using RawGuard guard = new(tower.Url, _chain.ChainId, _chain.Contract, channel.Payee);
        await guard.GreetAsync();
        Wire.GuardFrameReply reply = await guard.AskAsync(channel.Update(guard, 300));
        await tower.KillAsync();
        Assert.Single(reply.Stored);
        await channel.CheatAsync();

        await tower.StartAsync();

        await _chain.UntilAsync(channel.Id, pots => pots.SentA == 300);
    }

    [Fact]
    public async Task NodeAndWatchtowerBothDispute_AndNeitherIsHarmed()
    {
        await using TestTower tower = await TestTower.StartAsync(_chain);
        await using TestNode honest = await StartHonestAsync(tower.Url);
        string id = await _cheat.OpenAsync(honest, "1000");
        await _cheat.PayAsync(id, "300");
        await UntilNothingLagsAsync(honest.Api);

        await anvil.RpcAsync<object?>("evm_setAutomine", false); // So that both have sent before either is mined.
        try
        {
            Task cheating = CheatAsync(id);
            Assert.True(ChannelNode.Core.ChannelId.TryParse(id, out ChannelNode.Core.ChannelId channel));
            await anvil.MineUntilAsync(async () => (await _chain.SidesAsync(channel)).IsClosing);
            for (int look = 0; look < 1_200 && (JobOf(tower.Tower.Jobs) is null || JobOf(honest.Host.Node.Jobs) is null); look++)
                await Task.Delay(50); // A block between would leave the second nothing to send.
            await anvil.MineUntilAsync(() => Task.FromResult(!tower.Tower.Jobs.HasActive && !honest.Host.Node.Jobs.HasActive));
            await cheating;
        }
        finally
        {
            await anvil.RpcAsync<object?>("evm_setAutomine", true);
        }

        ChannelNode.Engine.Job[] jobs = [JobOf(tower.Tower.Jobs)!, JobOf(honest.Host.Node.Jobs)!];
        Assert.Contains(jobs, job => job.Status == ChannelNode.Engine.JobStatus.Done);
        Assert.All(jobs, job => Assert.True(job.Status == ChannelNode.Engine.JobStatus.Done || job.Refusal is Refusal.NothingNew or Refusal.TransactionReverted));
        await _cheat.UntilAsync(id, channel => channel.OurRecordedSent == "300");
        await Task.Delay(2_000);
        Assert.False(tower.Tower.Jobs.HasActive || honest.Host.Node.Jobs.HasActive); // Nor does either begin again.
        Assert.Single(tower.Tower.Jobs.All);
    }

    [Fact]
    public async Task WatchtowerThatWasAway_IsToldWhatItLacksWhenItIsBack()
    {
        await using TestTower tower = await TestTower.StartAsync(_chain);
        await using TestNode honest = await StartHonestAsync(tower.Url);
        string first = await _cheat.OpenAsync(honest, "1000"), second = await _cheat.OpenAsync(honest, "1000");
        await _cheat.PayAsync(first, "10");
        await _cheat.PayAsync(second, "10");
        await tower.UntilGuardsAsync(2);
        await UntilNothingLagsAsync(honest.Api);

        await tower.StopAsync();
        await _cheat.PayAsync(second, "10");
        await UntilAsync(honest.Api, info => info.Watchtowers[0] is { Connected: false, ChannelsGuarded: 2, ChannelsLagging: 1 });
        await tower.StartAsync();
        await UntilNothingLagsAsync(honest.Api);

        ChannelNode.Engine.GuardClient client = tower.Tower.Guards.Join(honest.Signer);
        Assert.Equal([10, 20], tower.Tower.Guards.Holdings(client).Select(totals => (int)totals.Sent).Order());
    }

    [Fact]
    public async Task NodeThatWasRestarted_TellsWhatItDidNotTellBefore()
    {
        await using TestTower tower = await TestTower.StartAsync(_chain);
        await tower.StopAsync();
        await using TestNode honest = await StartHonestAsync(tower.Url);
        string id = await _cheat.OpenAsync(honest, "1000");
        await _cheat.PayAsync(id, "10");
        await honest.StopAsync();
        await tower.StartAsync();

        await honest.StartAsync();

        await tower.UntilGuardsAsync(1);
        await UntilNothingLagsAsync(honest.Api);
    }

    [Fact]
    public async Task ChannelThatAWatchtowerRefuses_IsSeenByItsName()
    {
        await using TestTower tower = await TestTower.StartAsync(
            _chain, options => options with { Node = options.Node with { DisputeWindowSecondsMin = 3_600 } });
        await using TestNode honest = await StartHonestAsync(tower.Url);
        string id = await _cheat.OpenAsync(honest, "1000");
        await _cheat.PayAsync(id, "10");

        Wire.GetInfoResponse info = await UntilAsync(honest.Api, info => info.Watchtowers[0].ChannelsRefused == 1);
        Assert.Equal(Wire.Refusal.DisputeWindowOutOfRange, info.Watchtowers[0].NewestRefusal);
        Assert.Equal(0u, info.Watchtowers[0].ChannelsGuarded);
    }

    private Task<TestNode> StartHonestAsync(params string[] towers) => TestNode.StartAsync(
        _chain, options => options with { Watchtowers = towers, WatchtowerEveryMs = TellEveryMs, ReplaceAfterSeconds = 2 });

    private async Task CheatAsync(string id)
    {
        using var closing = _cheat.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id });
        while (await closing.ResponseStream.MoveNext(TestChain.Limit)) { }
    }

    private static ChannelNode.Engine.Job? JobOf(ChannelNode.Engine.JobBook jobs) => jobs.All
        .Select(entry => entry.Job)
        .FirstOrDefault(job => job is { Kind: ChannelNode.Engine.JobKind.Dispute, Attempts.Count: > 0 });

    private static async Task PayAsync(NodeProcess node, string id, string amount) => await node.Api.PayAsync(
        new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = id, Amount = amount } },
        deadline: DateTime.UtcNow.AddSeconds(30));

    private static (Channel Channel, ChannelState State) Look(TestNode node, string id)
    {
        Assert.True(ChannelId.TryParse(id, out ChannelId channel));
        ChannelNode.Engine.ChannelSlot slot = node.Host.Node.Book.Get(channel);
        return (slot.Channel, slot.State);
    }

    private static Task UntilNothingLagsAsync(Wire.NodeService.NodeServiceClient node) => UntilAsync(node, info => info.Watchtowers.All(
        tower => tower is { Connected: true, ChannelsLagging: 0, ChannelsRefused: 0, ChannelsGuarded: > 0 }));

    private static async Task<Wire.GetInfoResponse> UntilAsync(
        Wire.NodeService.NodeServiceClient node, Func<Wire.GetInfoResponse, bool> reached)
    {
        Wire.GetInfoResponse info = new();
        for (int look = 0; look < 600; look++)
        {
            info = await node.GetInfoAsync(new Wire.GetInfoRequest());
            if (reached(info)) return info;
            await Task.Delay(50);
        }

        Assert.Fail($"never reached: {info}");
        return info;
    }
}
