using ChannelNode.Engine;
using ChannelNode.Tests.Signing;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Whoever pays a node can fill its disk: it takes nothing more then, and can still do all that protects what it has.</summary>
[Collection(AnvilCollection.Name)]
public sealed class DiskLowTests(AnvilFixture anvil)
{
    /// <summary>More than any disk has.</summary>
    private static NodeOptions Full(NodeOptions options) => options with { DiskReserveBytes = ulong.MaxValue };

    private static NodeOptions Roomy(NodeOptions options) => options with { DiskReserveBytes = 1 };

    [Fact]
    public async Task NodeOnAFullDisk_TakesNothing_AndClosesDisputesAndIsPaidOut_AndGoesOnWhenItHasRoom()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode alice = await TestNode.StartAsync(chain);
        int port = Ports.Free();
        await using TestNode bob = await TestNode.StartAsync(chain, options => options with { PeerListen = $"127.0.0.1:{port}" });
        string closed = await alice.OpenAsync(bob, "1000"), disputed = await alice.OpenAsync(bob, "1000"), kept = await alice.OpenAsync(bob, "1000");
        foreach (string channel in (string[])[closed, disputed, kept]) await alice.PayAsync(channel, "100");
        await bob.StopAsync();
        await bob.StartAsync(Full);
        Assert.True((await bob.Api.GetStatusAsync(new Wire.GetStatusRequest())).Disk.Low); // Known before its doors opened.
        foreach (string channel in (string[])[closed, disputed, kept]) await alice.UntilAsync(channel, it => it.PeerConnected);

        // All that protects money still goes on: a close by consent, and the answer to a close with an old state.
        using (var closing = bob.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = closed }))
            while (await closing.ResponseStream.MoveNext(TestChain.Limit)) { }
        using (var starting = bob.Api.StartClose(new Wire.StartCloseRequest { ChannelId = disputed }))
            while (await starting.ResponseStream.MoveNext(TestChain.Limit)) { }
        Wire.Channel recorded = await bob.UntilAsync(disputed, it => it.Status == Wire.ChannelStatus.Closing);
        Assert.Equal("100", recorded.TheirRecordedSent);

        // Nothing new is taken, in either direction.
        Task<Wire.PayResponse> waits = alice.PayAsync(kept, "10", "waits");
        await alice.UntilAsync(kept, it => it.PeerRefusal == Wire.Refusal.DiskLow);
        RpcException consent = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            using var call = bob.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = kept });
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
        });
        Refusals.AssertIs(consent, StatusCode.FailedPrecondition, "PAYMENTS_IN_FLIGHT");
        Assert.Contains("this node's disk is low", consent.Status.Detail);
        RpcException opening = await Assert.ThrowsAsync<RpcException>(() => alice.OpenAsync(bob.PeerUrl, "1000"));
        Refusals.AssertIs(opening, StatusCode.Unavailable, "DISK_LOW");
        RpcException own = await Assert.ThrowsAsync<RpcException>(() => bob.OpenAsync(alice.PeerUrl, "1000"));
        Refusals.AssertIs(own, StatusCode.Unavailable, "DISK_LOW");
        RpcException back = await Assert.ThrowsAsync<RpcException>(() => bob.PayAsync(kept, "10"));
        Refusals.AssertIs(back, StatusCode.Unavailable, "DISK_LOW", "channel_id");
        Assert.Contains("--disk-reserve", back.Status.Detail);
        Assert.Contains(bob.Host.Node.Store.ReadEvents(0, 1_000), what => what is { Kind: EventKind.DiskLow, Severity: EventSeverity.Alarm });

        await bob.StopAsync();
        await bob.StartAsync(Roomy);
        Assert.Equal("110", (await waits).TotalSent);
        Assert.Equal("110", (await bob.ChannelAsync(kept)).Received);
    }

    /// <summary>A consent that is signed could be used once there is room again, by a peer that was told no.</summary>
    [Fact]
    public async Task TermsProposedToAFullDisk_AreRefusedBeforeAnythingIsSigned_AndAFullNodeProposesNone()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestSigner signer = await TestSigner.StartAsync();
        await chain.FundAsync(signer.Address);
        await using TestNode alice = await TestNode.StartAsync(chain);
        await using TestNode bob = await TestNode.StartAsync(
            chain, options => Full(options) with { KeyFile = "none", SignerUrl = signer.Url, SignerTimeoutMs = 20_000 });
        async Task RefuseAsync(TestNode from, TestNode to) =>
            Refusals.AssertIs(await Assert.ThrowsAsync<RpcException>(() => from.OpenAsync(to.PeerUrl, "1000")), StatusCode.Unavailable, "DISK_LOW");
        await RefuseAsync(alice, bob); // The session is signed with the first.
        int signed = signer.Asked.Count;

        await RefuseAsync(alice, bob);

        Assert.Equal(signed, signer.Asked.Count);
        await RefuseAsync(bob, alice);
        foreach (TestNode node in (TestNode[])[alice, bob])
            Assert.Empty((await node.Api.ListChannelsAsync(new Wire.ListChannelsRequest())).Channels);
    }
}
