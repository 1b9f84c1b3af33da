using ChannelNode.Engine;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Peers over TLS: any certificate will do, for the session itself proves whose it is.</summary>
[Collection(DoorsCollection.Name)]
public sealed class PeerTlsTests(AnvilFixture anvil)
{
    [Fact]
    public async Task PeersOverTls_Pay_AndWhoStandsBetweenThemIsFoundOut()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode alice = await TestNode.StartAsync(chain);
        await using TestNode bob = await TestNode.StartAsync(chain, options => options with { PeerTls = true });
        Assert.StartsWith("https://", bob.PeerUrl);

        await using (RelayingStranger stranger = new(bob.PeerUrl))
        {
            RpcException error = await Assert.ThrowsAsync<RpcException>(() => alice.OpenAsync(stranger.Url, "1000"));
            Refusals.AssertIs(error, StatusCode.Unauthenticated, "WRONG_IDENTITY");
            Assert.Contains("tls_certificate", error.Status.Detail);
            Assert.Equal(1, stranger.Relayed);
        }

        string id = await alice.OpenAsync(bob, "1000");
        await alice.PayAsync(id, "10");
        Assert.Equal("10", (await bob.ChannelAsync(id)).Received);
    }

    [Theory]
    [InlineData(false, "no TLS session: ", "; the URL of a node that speaks none begins with http://")]
    [InlineData(true, "", "; the URL of a node that speaks TLS begins with https://")]
    public async Task UrlWithTheOtherScheme_IsNotSpokenWith_AndTheRightOneIsNamed(bool tls, string what, string hint)
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode alice = await TestNode.StartAsync(chain);
        await using TestNode bob = await TestNode.StartAsync(chain, options => options with { PeerTls = tls });
        string wrong = (tls ? "http" : "https") + bob.PeerUrl[bob.PeerUrl.IndexOf(':')..];
        using var call = alice.Api.OpenChannel(new Wire.OpenChannelRequest { PeerUrl = wrong, Amount = "1000" });

        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => call.ResponseStream.ReadAllAsync(TestChain.Limit).ToListAsync().AsTask());

        Refusals.AssertIs(error, StatusCode.Unavailable, "PEER_OFFLINE");
        Assert.StartsWith($"peer at {wrong}: {what}", error.Status.Detail, StringComparison.Ordinal);
        Assert.EndsWith(hint, error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WatchtowerOverTls_IsSpokenWith()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestTower tower = await TestTower.StartAsync(chain, options => options with { Tls = true });
        Assert.StartsWith("https://", tower.Url);
        await using TestNode node = await TestNode.StartAsync(
            chain, options => options with { Watchtowers = [tower.Url], WatchtowerEveryMs = 50 });
        for (int look = 0; look < 300; look++)
        {
            Wire.GetInfoResponse info = await node.Api.GetInfoAsync(new Wire.GetInfoRequest());
            if (info.Watchtowers[0].Connected) return;
            await Task.Delay(50);
        }

        Assert.Fail("never connected");
    }

    [Fact]
    public async Task PeersBeyondTheLimits_AreToldSo()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode node = await TestNode.StartAsync(
            chain, options => options with { PeerSessionsMax = 2, PeerHandshakesPerSecondMax = 4 });
        List<RawPeer> peers = [];
        RawPeer New()
        {
            RawPeer peer = new(node.PeerUrl, chain.ChainId, chain.Contract, ChannelNode.Signing.PrivateKey.Generate());
            peers.Add(peer);
            return peer;
        }

        await New().ConnectAsync();
        await New().ConnectAsync();
        RpcException full = await Assert.ThrowsAsync<RpcException>(() => New().ConnectAsync());
        Refusals.AssertIs(full, StatusCode.ResourceExhausted, "TOO_MANY_SESSIONS", "sessions");
        Assert.Equal("2", Refusals.MetadataOf(full)["limit"]);

        await peers[0].DisposeAsync();
        string last = "";
        for (int tries = 0; tries < 200 && last != "RATE_LIMITED"; tries++)
        {
            await using RawPeer knocking = new(node.PeerUrl, chain.ChainId, chain.Contract, ChannelNode.Signing.PrivateKey.Generate());
            Wire.Hello bad = knocking.Hello();
            bad.ChainId++;
            await Record.ExceptionAsync(() => knocking.SayAsync(new Wire.PeerMessage { Hello = bad })); // Or refused before that.
            last = Refusals.NameOf(await knocking.HearErrorAsync());
        }

        Assert.Equal("RATE_LIMITED", last);
        foreach (RawPeer peer in peers.Skip(1)) await peer.DisposeAsync();
    }
}
