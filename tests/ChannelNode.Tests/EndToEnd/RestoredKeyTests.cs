using ChannelNode.Backups;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A payer that loses its database: what it is asked for again, with the same key, it may have paid.</summary>
public sealed class RestoredKeyTests
{
    /// <summary>A payee that has claimed has nothing to show any more, and the chain is followed before it could.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task KeyThatTheLostDatabaseHadPaid_IsNotPaidAgain_BeforeTheOperatorHasLooked(bool isClaimed)
    {
        await using AnvilFixture anvil = await AnvilFixture.StartAsync();
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        int port = Ports.Free();
        await using TestNode bob = await TestNode.StartAsync(chain, options => options with { PeerListen = $"127.0.0.1:{port}" });
        await using TestNode alice = await TestNode.StartAsync(chain);
        string id = await alice.OpenAsync(bob, "1000", oneWay: true);
        await alice.PayAsync(id, "100", key: "k1");
        using MemoryStream backup = new();
        using AgeIdentity identity = AgeIdentity.Generate();
        await RestoredPayeeTests.BackUpAsync(alice, identity, backup);
        await alice.PayAsync(id, "200", key: "k2");
        if (isClaimed)
        {
            using var call = bob.Api.ClaimChannels(new Wire.ClaimChannelsRequest { ChannelIds = { id } });
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
        }

        await alice.StopAsync();
        await RestoredPayeeTests.RestoreAsync(alice, identity, backup);
        await alice.StartAsync();

        await alice.UntilAsync(id, channel => channel.SentUnrecorded == "200" && !channel.RestoredUnconfirmed);
        RpcException again = await Assert.ThrowsAsync<RpcException>(() => alice.PayAsync(id, "200", key: "k2"));
        Assert.Equal("STATE_LOST", again.GetRpcStatus()!.GetDetail<Google.Rpc.ErrorInfo>()!.Reason);
        Assert.True((await alice.PayAsync(id, "100", key: "k1")).Repeated);
        RpcException less = await Assert.ThrowsAsync<RpcException>(() => alice.Api.ResumeChannelAsync(
            new Wire.ResumeChannelRequest { ChannelId = id, SentUnrecorded = "199" }).ResponseAsync);
        Refusals.AssertIs(less, StatusCode.InvalidArgument, "INVALID_ARGUMENT", "sent_unrecorded");
        await alice.StopAsync();
        await alice.StartAsync();
        await alice.UntilAsync(id, channel => channel.SentUnrecorded == "200" && channel.PeerConnected);
        await alice.Api.ResumeChannelAsync(new Wire.ResumeChannelRequest { ChannelId = id, SentUnrecorded = "200" });
        await alice.PayAsync(id, "5", key: "k3");

        Assert.Equal("305", (await bob.ChannelAsync(id)).Received);
    }
}
