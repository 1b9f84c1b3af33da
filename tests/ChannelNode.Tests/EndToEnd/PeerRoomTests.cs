using ChannelNode.Signing;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A node whose places for peers strangers take, as many as there are.</summary>
[Collection(DoorsCollection.Name)]
public sealed class PeerRoomTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const int SessionsMax = 3;
    private const int HandshakesMax = 8;

    private readonly List<RawPeer> _strangers = [];
    private TestChain _chain = null!;
    private TestNode _node = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        string listen = $"127.0.0.1:{Ports.Free()}"; // The same after a restart.
        _node = await TestNode.StartAsync(
            _chain, options => options with { PeerListen = listen, PeerSessionsMax = SessionsMax, PeerHandshakesMax = HandshakesMax });
    }

    public async Task DisposeAsync()
    {
        foreach (RawPeer stranger in _strangers) await stranger.DisposeAsync();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private RawPeer NewStranger()
    {
        RawPeer stranger = new(_node.PeerUrl, _chain.ChainId, _chain.Contract, PrivateKey.Generate());
        _strangers.Add(stranger);
        return stranger;
    }

    /// <summary>Who has just shown who it is joins a moment later.</summary>
    private async Task UntilConnectedAsync(uint count)
    {
        uint connected = 0;
        for (int look = 0; look < 1_200; look++)
        {
            connected = (await _node.Api.GetStatusAsync(new Wire.GetStatusRequest { Brief = true })).PeersConnected;
            if (connected == count) return;
            await Task.Delay(50);
        }

        Assert.Equal(count, connected);
    }

    /// <summary>The node is started again meanwhile, so that it learns from its database who is no stranger.</summary>
    [Fact]
    public async Task PeerWithAFundedChannel_GetsInAndPays_WhereStrangersHaveTakenEveryPlace_AndTheOldestIsToldSo()
    {
        await using TestNode payer = await TestNode.StartAsync(_chain);
        string id = await payer.OpenAsync(_node, "1000");
        await payer.PayAsync(id, "10");
        await payer.StopAsync();
        await _node.StopAsync();
        await _node.StartAsync();
        for (int place = 0; place < SessionsMax; place++) await NewStranger().ConnectAsync();
        RpcException full = await Assert.ThrowsAsync<RpcException>(() => NewStranger().ConnectAsync());
        Refusals.AssertIs(full, StatusCode.ResourceExhausted, "TOO_MANY_SESSIONS", "sessions");

        await payer.StartAsync(); // It knows the node's URL, and dials.

        Refusals.AssertIs(await _strangers[0].HearErrorAsync(), StatusCode.ResourceExhausted, "TOO_MANY_SESSIONS", "sessions");
        await payer.UntilAsync(id, channel => channel.PeerConnected);
        Assert.Equal("20", (await payer.PayAsync(id, "10")).TotalSent);
        await UntilConnectedAsync(SessionsMax);

        await Assert.ThrowsAsync<RpcException>(() => NewStranger().ConnectAsync()); // Nobody makes room for those.
        Assert.Equal("30", (await payer.PayAsync(id, "10")).TotalSent);
    }

    [Fact]
    public async Task PeerThatProvesItself_GetsIn_WhereOthersHaveBegunEveryHandshakeThereMayBe_AndTheOldestIsToldSo()
    {
        for (int begun = 0; begun < HandshakesMax; begun++)
        {
            RawPeer half = NewStranger();
            await half.SayAsync(new Wire.PeerMessage { Hello = half.Hello() });
            await half.HearAsync();
        }

        await NewStranger().ConnectAsync();

        Refusals.AssertIs(await _strangers[0].HearErrorAsync(), StatusCode.ResourceExhausted, "TOO_MANY_SESSIONS", "handshakes");
        await UntilConnectedAsync(1);
        await _strangers[1].ProveAsync(); // It was not its turn.
        Assert.NotNull((await _strangers[1].HearAsync()).HelloProof);
    }
}
