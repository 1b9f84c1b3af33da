using ChannelNode.Core;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Where channels stand is told when it matters, not for all of them with every connection.</summary>
public sealed class PeerReestablishTests(AnvilFixture anvil) : PeerFixture(anvil)
{
    private async Task<ChannelId> OpenAndReconnectAsync()
    {
        ChannelId id = await OpenAsync();
        await Peer.ExchangeAsync(Peer.Update(id, 50, 0, 50));
        await Peer.DisposeAsync();
        await Node.UntilAsync(id.ToString(), channel => !channel.PeerConnected);
        Peer = NewPeer(Peer.Key);
        await Peer.ConnectAsync();
        await Node.UntilAsync(id.ToString(), channel => channel.PeerConnected);
        return id;
    }

    private Task TellAsync(ChannelId id, UInt128 received) => Peer.SayAsync(new Wire.PeerMessage
    {
        ChannelReestablish = new Wire.ChannelReestablish
        {
            ChannelId = Bytes(id),
            Sent = RawPeer.Bytes(50),
            Received = RawPeer.Bytes(received),
        },
    });

    [Fact]
    public async Task PeerThatTells_IsToldTheSame_OncePerQuestion()
    {
        ChannelId id = await OpenAndReconnectAsync();
        for (int question = 0; question < 2; question++)
        {
            await TellAsync(id, 0);
            Wire.ChannelReestablish said = (await Peer.HearAsync()).ChannelReestablish;
            Assert.Equal((Bytes(id), RawPeer.Bytes(0), RawPeer.Bytes(50)), (said.ChannelId, said.Sent, said.Received));
        }
    }

    [Fact]
    public async Task UnknownChannel_IsRefused()
    {
        await OpenAndReconnectAsync();
        await TellAsync(new ChannelId(new Bytes32(1, 1, 1, 1)), 0);

        Assert.Equal(
            Wire.Refusal.UnknownChannel, Assert.Single((await Peer.HearAsync()).Frame.Refusals).Reason);
    }

    [Fact]
    public async Task FirstPaymentOfASession_IsSentWhenThePeerHasToldWhereTheChannelStands()
    {
        ChannelId id = await OpenAndReconnectAsync();
        Task<Wire.PayResponse> paying = Node.PayAsync(id.ToString(), "20");
        Assert.Equal(Bytes(id), (await Peer.HearAsync()).ChannelReestablish.ChannelId);
        Assert.Equal("0", (await Node.ChannelAsync(id.ToString())).Sent);

        await TellAsync(id, 0);

        Assert.Equal(RawPeer.Bytes(20), Assert.Single((await Peer.HearAsync()).Frame.Updates).Sent);
        await Peer.ExchangeAsync(Peer.Update(id, 51, 20, 1));
        Assert.Equal("20", (await paying).TotalSent);
    }

    [Fact]
    public async Task PaymentThatWaitsForAPeerThatGoes_IsRefused()
    {
        ChannelId id = await OpenAndReconnectAsync();
        Task<Wire.PayResponse> paying = Node.PayAsync(id.ToString(), "20");
        await Peer.HearAsync();
        await Peer.DisposeAsync();

        await Refusals.AssertRefusedAsync(() => paying, StatusCode.Unavailable, "PEER_OFFLINE");
        Assert.Equal("0", (await Node.ChannelAsync(id.ToString())).Sent);
    }

    [Fact]
    public async Task PeerThatDoesNotKnowTheChannel_CostsNoPaymentItsAnswer()
    {
        ChannelId id = await OpenAndReconnectAsync();
        Task<Wire.PayResponse> paying = Node.PayAsync(id.ToString(), "20");
        await Peer.HearAsync();
        Wire.UpdateRefusal unknown = new()
        {
            ChannelId = Bytes(id),
            Sent = RawPeer.Bytes(0),
            Reason = Wire.Refusal.UnknownChannel,
        };
        await Peer.SayAsync(new Wire.PeerMessage { Frame = new Wire.Frame { Refusals = { unknown } } });

        await Refusals.AssertRefusedAsync(() => paying, StatusCode.FailedPrecondition, "PEER_REFUSING");
    }

    [Fact]
    public async Task List_GoesThroughAllChannelsInPages()
    {
        await Peer.ConnectAsync();
        List<string> ids = [];
        for (int count = 0; count < 7; count++)
            ids.Add(Peer.Scheme.IdOf(await Peer.ProposeAsync(Terms())).ToString());
        ids.Sort(StringComparer.Ordinal);

        List<string> listed = [];
        Wire.ListChannelsRequest request = new() { PageSize = 3, Status = Wire.ChannelStatus.Proposed };
        do
        {
            Wire.ListChannelsResponse page = await Node.Api.ListChannelsAsync(request);
            Assert.InRange(page.Channels.Count, 1, 3);
            listed.AddRange(page.Channels.Select(channel => channel.ChannelId));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);

        Assert.Equal(ids, listed);
        Assert.Equal(7u, (await Node.Api.GetInfoAsync(new Wire.GetInfoRequest())).Channels);
        Assert.Empty((await Node.Api.ListChannelsAsync(new() { Status = Wire.ChannelStatus.Open })).Channels);
        Wire.ListChannelsResponse one = await Node.Api.ListChannelsAsync(new() { ChannelIdPrefix = ids[3][..20].ToUpperInvariant() });
        Assert.Equal(ids[3], Assert.Single(one.Channels).ChannelId);
        await Refusals.AssertRefusedAsync(
            async () => await Node.Api.ListChannelsAsync(new() { PageToken = "what" }),
            StatusCode.InvalidArgument, "INVALID_ARGUMENT", "page_token");
        await Refusals.AssertRefusedAsync(
            async () => await Node.Api.ListChannelsAsync(new() { ChannelIdPrefix = "0xZZ" }),
            StatusCode.InvalidArgument, "INVALID_ARGUMENT", "channel_id_prefix");
    }
}
