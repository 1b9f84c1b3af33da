using ChannelNode.Core;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// Everything that a peer ever said, said again: at once, after a restart, on another channel, another chain, another contract
/// and after the channel's close. It changes nothing anywhere, and what is new afterwards counts.
/// </summary>
public sealed class ReplayTests(AnvilFixture anvil) : PeerFixture(anvil)
{
    private readonly AnvilFixture _anvil = anvil;

    [Fact]
    public async Task ReplayOfEveryRecordedMessage_AtOnce_ChangesNothing()
    {
        ChannelId id = await RecordAsync();
        Wire.PeerMessage[] said = [.. Peer.Said];

        await ReplayAsync(said);

        await AssertOnlyNewCountsAsync(id, pot: "1000");
        await AssertHandshakeIsOfOneSessionAsync(said, id);
    }

    [Fact]
    public async Task ReplayOfEveryRecordedMessage_AfterARestart_ChangesNothing()
    {
        ChannelId id = await RecordAsync();
        Wire.PeerMessage[] said = [.. Peer.Said];
        PrivateKey key = Peer.Key;
        await Peer.DisposeAsync();
        await Node.StopAsync();
        await Node.StartAsync();
        Peer = NewPeer(key);
        await Peer.ConnectAsync();

        await ReplayAsync(said);

        await AssertOnlyNewCountsAsync(id, pot: "1000");
        await AssertHandshakeIsOfOneSessionAsync(said, id);
    }

    /// <summary>Paid out at the last totals and funded again: the old updates are worth nothing for ever.</summary>
    [Fact]
    public async Task ReplayOfEveryRecordedMessage_AfterTheClose_ChangesNothing()
    {
        ChannelId id = await RecordAsync();
        Channel channel = new(id, TermsOf(id), Side.A);
        Wire.PeerMessage[] said = [.. Peer.Said];
        await using EthereumChain wallet = await Chain.ConnectAsync(Peer.Key);
        await wallet.StartCloseAsync(channel, null, default, null, TestChain.Limit);
        await Node.UntilAsync(id.ToString(), it => it is { Status: Wire.ChannelStatus.Closing, TheirRecordedSent: "50" });
        await _anvil.PassTimeAsync(601 + Lifecycle.SettleGraceSeconds); // The peer, which is paid more, would be first.
        await Node.UntilAsync(id.ToString(), it => it.Status == Wire.ChannelStatus.Closed);

        await ReplayAsync(said);
        await Chain.DepositAsync(channel, Side.A, Deposit);
        await Node.UntilAsync(id.ToString(), it => it.Status == Wire.ChannelStatus.Open);
        await ReplayAsync(said);

        await AssertOnlyNewCountsAsync(id, pot: "1000");
        Pots pots = await Chain.SidesAsync(id);
        Assert.Equal((50, 1_000, 0), ((int)pots.SentA, (int)pots.PotA, (int)pots.PotB));
    }

    [Fact]
    public async Task ReplayOfEveryRecordedUpdate_OnAnotherChannel_IsRefused()
    {
        await RecordAsync();
        ChannelTerms terms = await Peer.ProposeAsync(Terms());
        ChannelId other = Peer.Scheme.IdOf(terms);
        await Chain.DepositAsync(new Channel(other, terms, Side.A), Side.A, Deposit);
        await Node.UntilAsync(other.ToString(), it => it.Status == Wire.ChannelStatus.Open);

        foreach (Wire.Update update in RecordedUpdates())
        {
            update.ChannelId = Bytes(other);
            Assert.Equal(
                Wire.Refusal.WrongSigner, Assert.Single((await Peer.ExchangeAsync(update)).Refusals).Reason);
        }

        Assert.Equal("0", (await Node.ChannelAsync(other.ToString())).Received);
    }

    /// <summary>The same key, the same address of the contract: the chain's id alone tells them apart.</summary>
    [Fact]
    public async Task ReplayOfEveryRecordedMessage_OfAnotherChain_IsRefused()
    {
        ChannelId here = await RecordAsync();
        SignatureScheme there = new(Peer.Key, Chain.ChainId + 1, Chain.Contract);
        ChannelId id = there.IdOf(TermsOf(here));
        Assert.NotEqual(here, id);

        foreach ((ChannelId named, Wire.Refusal reason) in new[]
            { (id, Wire.Refusal.UnknownChannel), (here, Wire.Refusal.WrongSigner) })
        {
            Wire.Update update = Peer.Update(named, 60, 0, 10);
            update.Signature = ByteString.CopyFrom(there.Sign(new BalanceUpdate(named, 60, 0)).ToArray());
            Assert.Equal(reason, Assert.Single((await Peer.ExchangeAsync(update)).Refusals).Reason);
        }

        await using RawPeer stranger = new(Node.PeerUrl, Chain.ChainId + 1, Chain.Contract, Peer.Key);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => stranger.ConnectAsync());
        Assert.Equal("WRONG_CHAIN", Refusals.NameOf(refused));
        await AssertOnlyNewCountsAsync(here, pot: "1000");
    }

    /// <summary>A node with the same key on a second contract: the terms are good there too, and make another channel.</summary>
    [Fact]
    public async Task ReplayOfEveryRecordedMessage_OnAnotherContract_ChangesNothing()
    {
        ChannelId here = await RecordAsync();
        Wire.PeerMessage[] said = [.. Peer.Said];
        Address contract = await _anvil.NewPaymentChannelsAsync();
        await using TestNode other = await TestNode.StartAsync(
            Chain, options => options with { Contract = contract, KeyFile = Node.Host.Node.Options.KeyFile });
        await using RawPeer peer = new(other.PeerUrl, Chain.ChainId, contract, Peer.Key);
        await peer.ConnectAsync();
        Assert.Equal(Peer.Them, peer.Them);

        foreach (Wire.PeerMessage message in Repeatable(said)) await peer.SayAsync(message);
        HashSet<Wire.Refusal> reasons = [];
        ByteString? agreed = null;
        for (int answers = 0; answers < 3;)
        {
            Wire.PeerMessage heard = await peer.HearAsync();
            if (heard.ChannelProposalReply is { } reply) agreed = reply.ChannelId;
            foreach (Wire.UpdateRefusal refusal in heard.Frame?.Refusals ?? [])
            {
                reasons.Add(refusal.Reason);
                answers++;
            }
        }

        Assert.Equal([Wire.Refusal.UnknownChannel], reasons);
        Assert.NotEqual(Bytes(here), agreed);
        Wire.Channel there = Assert.Single((await other.Api.ListChannelsAsync(new Wire.ListChannelsRequest())).Channels);
        Assert.Equal(("0", Wire.ChannelStatus.Proposed), (there.Received, there.Status));

        // Nor does it prove anything there once its channel is said to be the other.
        ChannelId id = peer.Scheme.IdOf(TermsOf(here));
        Assert.Equal(agreed, Bytes(id));
        Wire.Update update = peer.Update(id, 60, 0, 10);
        update.Signature = ByteString.CopyFrom(Peer.Scheme.Sign(new BalanceUpdate(id, 60, 0)).ToArray());
        Assert.Equal(Wire.Refusal.WrongSigner, Assert.Single((await peer.ExchangeAsync(update)).Refusals).Reason);
    }

    /// <summary>A session in which every kind of message is said that a peer says of itself.</summary>
    private async Task<ChannelId> RecordAsync()
    {
        ChannelId id = await OpenAsync();
        await Peer.ExchangeAsync(Peer.Update(id, 30, 0, 10, 20));
        await Peer.ExchangeAsync(Peer.Update(id, 50, 0, 20));
        await Peer.SayAsync(new Wire.PeerMessage
        {
            ChannelReestablish = new Wire.ChannelReestablish
            {
                ChannelId = Bytes(id),
                Sent = RawPeer.Bytes(50),
                Received = RawPeer.Bytes(0),
            },
        });
        while ((await Peer.HearAsync()).ChannelReestablish is null) { }
        return id;
    }

    private IEnumerable<Wire.Update> RecordedUpdates() =>
        [.. Peer.Said.SelectMany(message => message.Frame?.Updates ?? []).Select(update => update.Clone())];

    /// <summary>All but the handshake, which ends a session that has had it.</summary>
    private static IEnumerable<Wire.PeerMessage> Repeatable(IEnumerable<Wire.PeerMessage> said) =>
        said.Where(message => message.Hello is null && message.HelloProof is null);

    private async Task ReplayAsync(IEnumerable<Wire.PeerMessage> said)
    {
        foreach (Wire.PeerMessage message in Repeatable(said)) await Peer.SayAsync(message);
    }

    /// <summary>The session is in order, so what was said before this update is judged with it at the latest.</summary>
    private async Task AssertOnlyNewCountsAsync(ChannelId id, string pot)
    {
        await Peer.SayAsync(new Wire.PeerMessage { Frame = new Wire.Frame { Updates = { Peer.Update(id, 60, 0, 10) } } });
        Wire.Channel channel = await Node.UntilAsync(id.ToString(), it => it.Received != "50");
        Assert.Equal(("60", pot), (channel.Received, channel.TheirPot));
        Assert.Equal(4ul, (await Node.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor);
        Assert.Single((await Node.Api.ListChannelsAsync(new Wire.ListChannelsRequest())).Channels);
    }

    /// <summary>Whoever has heard a handshake cannot repeat it: the node's own nonce is another each time.</summary>
    private async Task AssertHandshakeIsOfOneSessionAsync(IEnumerable<Wire.PeerMessage> said, ChannelId id)
    {
        await using RawPeer thief = NewPeer();
        foreach (Wire.PeerMessage message in said.Where(message => message.Hello is not null || message.HelloProof is not null))
            await thief.SayAsync(message);
        Assert.Equal("WRONG_IDENTITY", Refusals.NameOf(await thief.HearErrorAsync()));
        Assert.True((await Node.ChannelAsync(id.ToString())).PeerConnected);
    }

    private ChannelTerms TermsOf(ChannelId id) => Node.Host.Node.Book.Get(id).Channel.Terms;
}
