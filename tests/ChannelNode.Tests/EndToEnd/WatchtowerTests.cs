using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Signing;
using ChannelNode.Storage;
using ChannelNode.Tests.Storage;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a watchtower does on chain for a side that is away, and what it keeps for that.</summary>
[Collection(AnvilCollection.Name)]
public sealed class WatchtowerTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;
    private TestTower _tower = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _tower = await TestTower.StartAsync(_chain, options => options with { EmptyKeptFor = TimeSpan.FromSeconds(10) });
    }

    public async Task DisposeAsync()
    {
        await _tower.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [Fact]
    public async Task OldStateOnChain_IsDisputed_AndTheTowersKeyOnlyPays()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain);
        await using RawGuard guard = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee);
        Wire.GuardFrameReply reply = await guard.AskAsync(channel.Update(guard, 300));
        Assert.Empty(reply.Refusals);
        UInt128 had = await _chain.EtherOfAsync(_tower.Host.Signer);

        await channel.CheatAsync();
        Pots pots = await _chain.UntilAsync(channel.Id, pots => pots.SentA == 300);
        await anvil.PassTimeAsync(RawChannel.WindowSeconds + 1);
        await Task.Delay(1_500); // Settling is not its work unless it is told so.
        Assert.True((await _chain.SidesAsync(channel.Id)).IsClosing);
        await channel.SettleAsync();

        Assert.Equal(((UInt128)700, (UInt128)300), (pots.PotA, pots.PotB));
        Assert.Equal((UInt128)700, await _chain.EtherOfAsync(channel.Terms.A.Owner));
        Assert.Equal((UInt128)300, await _chain.EtherOfAsync(channel.Terms.B.Owner));
        Assert.True(await _chain.EtherOfAsync(_tower.Host.Signer) < had);
    }

    [Fact]
    public async Task ChannelThatIsClosingAlreadyWhenItIsGiven_IsDisputed()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain);
        await channel.CheatAsync();
        await anvil.MineAsync(3);
        await _tower.Tower.View.WhenFollowedAsync(await anvil.HeadAsync(), TestChain.Limit);
        await using RawGuard guard = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee);

        await guard.AskAsync(channel.Update(guard, 300));

        await _chain.UntilAsync(channel.Id, pots => pots.SentA == 300);
    }

    [Fact]
    public async Task OneWayChannelThatIsClosing_IsClaimedForThePayee()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain, oneWay: true);
        await using RawGuard guard = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee);
        Assert.Empty((await guard.AskAsync(channel.Update(guard, 300))).Refusals);

        await channel.CheatAsync();

        await _chain.UntilAsync(channel.Id, pots => pots.SentA == 300);
        Assert.Equal((UInt128)300, await _chain.EtherOfAsync(channel.Terms.B.Owner));
    }

    /// <summary>Each of the two gave what the other signed; nobody can keep the other from being guarded by coming first.</summary>
    [Fact]
    public async Task BothSidesOfOneChannel_AreGuardedEachForItself()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain);
        await _chain.DepositAsync(channel.AsPayer, Side.B, 1_000);
        await using RawGuard payee = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee);
        await using RawGuard payer = await RawGuard.ConnectAsync(_tower, _chain, channel.Payer);
        Assert.Empty((await payer.AskAsync(payer.Update(channel.Terms, 50, 50, channel.Payee))).Refusals);
        Assert.Empty((await payee.AskAsync(channel.Update(payee, 50, 50))).Refusals);
        Assert.Empty((await payee.AskAsync(channel.Update(payee, 300, 50))).Refusals);
        Assert.Empty((await payer.AskAsync(payer.Update(channel.Terms, 300, 50, channel.Payee))).Refusals);

        await channel.CheatAsync();

        // The same totals by both, and each disputed: neither alone records more than 50 of the other's.
        await _chain.UntilAsync(channel.Id, pots => pots is { SentA: var a, SentB: var b } && a == 300 && b == 300);
    }

    [Fact]
    public async Task ThousandsOfUpdates_LeaveOneRow_TheNewest()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain);
        await using (RawGuard guard = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee))
        {
            for (uint frame = 0; frame < 20; frame++)
            {
                Wire.GuardFrameReply reply = await guard.AskAsync(
                    [.. Enumerable.Range(1, 100).Select(index => channel.Update(guard, (UInt128)(frame * 100 + index)))]);
                Assert.Equal(RawPeer.Bytes((frame + 1) * 100), Assert.Single(reply.Stored).Sent);
            }
        }

        await _tower.StopAsync();

        StoreIdentity identity = new(_chain.ChainId, _chain.Contract, _tower.Host.Signer, GuardsOthers: true);
        using RocksChannelStore store = RocksChannelStore.Open(_tower.DataDirectory, identity);
        Assert.Equal((UInt128)2_000, store.FindGuarded(channel.Id, Side.B)!.Update.Sent);
        Assert.Null(store.FindGuarded(channel.Id, Side.A));
        Assert.Single(store.ReadChannels(null, 10));
    }

    [Fact]
    public async Task StaleUpdate_IsAnsweredWithTheNewest_AndChangesNothing()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain);
        await using RawGuard guard = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee);
        await guard.AskAsync(channel.Update(guard, 300, 20));

        foreach ((UInt128 sent, UInt128 received) in new (UInt128, UInt128)[] { (299, 20), (300, 19), (400, 19), (300, 20) })
        {
            Wire.GuardFrameReply reply = await guard.AskAsync(channel.Update(guard, sent, received));
            Assert.Empty(reply.Refusals);
            Assert.Equal((RawPeer.Bytes(300), RawPeer.Bytes(20)), (reply.Stored.Single().Sent, reply.Stored.Single().Received));
        }

        await using RawGuard again = new(_tower.Url, _chain.ChainId, _chain.Contract, channel.Payee);
        Assert.Equal(RawPeer.Bytes(300), Assert.Single(await again.GreetAsync()).Sent);
    }

    [Fact]
    public async Task SettledChannel_IsLetGoOf_AndIsGuardedAgainWhenItIsGivenAgain()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain);
        await using RawGuard guard = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee);
        await guard.AskAsync(channel.Update(guard, 300));
        await channel.CheatAsync();
        await _chain.UntilAsync(channel.Id, pots => pots.SentA == 300);
        await Task.Delay(12_000); // As long as something is in it, it stays.
        Assert.Equal(1, _tower.Tower.Guards.GuardedCount);
        await anvil.PassTimeAsync(RawChannel.WindowSeconds + 1);
        await channel.SettleAsync();

        await _tower.UntilGuardsAsync(0);
        Wire.GuardedUpdate unknown = channel.Update(guard, 400);
        unknown.Terms = null;
        Assert.Equal(Wire.Refusal.UnknownChannel, Assert.Single((await guard.AskAsync(unknown)).Refusals).Reason);
        await _chain.DepositAsync(channel.AsPayer, Side.A, 1_000);
        Assert.Empty((await guard.AskAsync(channel.Update(guard, 400))).Refusals);
        await channel.CheatAsync();
        await _chain.UntilAsync(channel.Id, pots => pots.SentA == 400);
        await _tower.StopAsync();
        await _tower.StartAsync();
        Assert.Equal(1, _tower.Tower.Guards.GuardedCount);
    }

    [Fact]
    public async Task TowerOnAFullDisk_StillTakesWhatIsNewerAndDisputes_ButNoOtherChannel()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain), other = await RawChannel.OpenAsync(_chain);
        await using (RawGuard guard = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee))
            Assert.Empty((await guard.AskAsync(channel.Update(guard, 300))).Refusals);
        await _tower.StopAsync();
        await _tower.StartAsync(options => options with { Node = options.Node with { DiskReserveBytes = ulong.MaxValue } });
        Assert.True(_tower.Tower.Overview.DiskIsLow); // Known before its door opened.
        await using RawGuard known = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee);
        await using RawGuard stranger = await RawGuard.ConnectAsync(_tower, _chain, other.Payee);

        Assert.Empty((await known.AskAsync(channel.Update(known, 400))).Refusals);
        Wire.GuardRefusal refused = Assert.Single((await stranger.AskAsync(other.Update(stranger, 300))).Refusals);
        await channel.CheatAsync();
        await _chain.UntilAsync(channel.Id, pots => pots.SentA == 400);

        Assert.Equal(Wire.Refusal.DiskLow, refused.Reason);
        Assert.Equal(1, _tower.Tower.Guards.GuardedCount);
    }

    [Fact]
    public async Task OldEvents_AreLetGoOf_ByAgeAtTheStart_AndByNumberWhileItRuns()
    {
        static OperatorEvent What(string sentence) => new(EventKind.ChainBack, EventSeverity.Info, sentence);
        string[] Kept() => [.. _tower.Tower.Store.ReadEvents(0, 100).Select(what => what.Sentence)];
        StoreIdentity identity = new(_chain.ChainId, _chain.Contract, _tower.Host.Signer, GuardsOthers: true);
        await _tower.StopAsync();
        using (RocksChannelStore store = RocksChannelStore.Open(_tower.DataDirectory, identity))
        {
            ulong last = store.ReadEventCursor();
            store.Write(batch => batch.PutEvent(What("of 1970") with { Cursor = last + 1, TimeMs = 1 }));
            store.Write(batch => batch.PutEvent(What("new") with { Cursor = last + 2, TimeMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() }));
        }

        await _tower.StartAsync(options => options with { Node = options.Node with { EventsMax = 3 } });
        Assert.Equal(["new"], Kept());
        for (int number = 1; number <= 5; number++) await _tower.Tower.Ledger.TellAsync(What($"{number}"), TestChain.Limit);

        for (int look = 0; look < 600 && Kept().Length > 3; look++) await Task.Delay(50);
        Assert.Equal(["3", "4", "5"], Kept());
    }

    [Fact]
    public async Task TowerThatIsToldTo_SettlesToo()
    {
        await using TestTower settling = await TestTower.StartAsync(_chain, options => options with { Settles = true });
        await using RawChannel channel = await RawChannel.OpenAsync(_chain);
        await using RawGuard guard = await RawGuard.ConnectAsync(settling, _chain, channel.Payee);
        await guard.AskAsync(channel.Update(guard, 300));
        await channel.CheatAsync();
        await _chain.UntilAsync(channel.Id, pots => pots.SentA == 300);

        await anvil.PassTimeAsync(RawChannel.WindowSeconds + 1 + Lifecycle.SettleGraceSeconds);
        await Task.Delay(1_500); // Both sides come before it.
        Assert.True((await _chain.SidesAsync(channel.Id)).IsClosing);
        await anvil.PassTimeAsync(Lifecycle.SettleGraceSeconds);

        await _chain.UntilAsync(channel.Id, pots => pots.IsEmpty);
        Assert.Equal((UInt128)300, await _chain.EtherOfAsync(channel.Terms.B.Owner));
    }

    [Fact]
    public async Task StartOfAClosingThatIsReorganisedAway_IsDisputedWhenItComesAgain()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain);
        await anvil.MineAsync(3);
        await channel.CheatAsync();
        await _tower.Tower.View.WhenFollowedAsync(await anvil.HeadAsync(), TestChain.Limit); // So it can only be asked for.
        await using RawGuard guard = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee);
        await guard.AskAsync(channel.Update(guard, 300));
        await _chain.UntilAsync(channel.Id, pots => pots.SentA == 300);
        Assert.True(IsClosing(channel.Id));

        await anvil.ReorgAsync(3);
        Assert.False((await _chain.SidesAsync(channel.Id)).IsClosing);
        await anvil.MineAsync();
        for (int look = 0; look < 1_200 && IsClosing(channel.Id); look++) await Task.Delay(50);
        Assert.False(IsClosing(channel.Id));
        await channel.CheatAsync();

        await _chain.UntilAsync(channel.Id, pots => pots is { IsClosing: true, SentA: var sent } && sent == 300);
    }

    private bool IsClosing(ChannelId id) => _tower.Tower.Guards.Closing().Any(closing => closing.Channel.Id == id);
}
