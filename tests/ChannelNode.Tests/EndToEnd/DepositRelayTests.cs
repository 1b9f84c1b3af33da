using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Tests.Settlement;
using Google.Protobuf;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a peer may ask a node to relay, and what it may not: its gas is not for the asking.</summary>
[Collection(ChainCollection.Name)]
public sealed class DepositRelayTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const int Relays = 3;

    private TestChain _chain = null!;
    private TestNode _node = null!;
    private RawPeer _peer = null!;
    private EthereumChain _wallet = null!;
    private Channel _channel = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        Address dollar = await _chain.DollarAsync();
        _node = await TestNode.StartAsync(
            _chain, options => options with { AcceptedTokens = [dollar], RelayDepositsPerHour = Relays });
        PrivateKey key = PrivateKey.Generate();
        await _chain.MintDollarsAsync(key.Address, 1_000);
        _wallet = await ChainBench.ConnectAsync(anvil.HttpUrl, _chain.Contract, key);
        _peer = new RawPeer(_node.PeerUrl, _chain.ChainId, _chain.Contract, key);
        await _peer.ConnectAsync();
        _channel = await ProposeAsync(dollar, 1);
    }

    public async Task DisposeAsync()
    {
        await _wallet.DisposeAsync();
        await _peer.DisposeAsync();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [Fact]
    public async Task GoodAuthorizations_AreRelayedUpToTheLimit_AndBadOnesCountAsWell()
    {
        DepositAuthorization signed = await AuthorizeAsync(_channel, 100);
        Assert.Equal(Wire.Refusal.Unspecified, await AskAsync(_channel, 100, signed));
        await _node.UntilAsync(_channel.Id.ToString(), channel => channel.TheirPot == "100");

        Assert.Equal(Wire.Refusal.Unspecified, await AskAsync(_channel, 100, signed)); // It is there: no second one.
        Assert.Equal(Wire.Refusal.TransferFailed, await AskAsync(_channel, 101, await AuthorizeAsync(_channel, 100)));

        Assert.Equal(Wire.Refusal.RelayRefused, await AskAsync(_channel, 1, await AuthorizeAsync(_channel, 1)));
        Assert.Equal("100", (await _node.ChannelAsync(_channel.Id.ToString())).TheirPot);
    }

    [Fact]
    public async Task WhatIsNotToBeRelayed_IsRefusedByName_AndCountsNothing()
    {
        Channel ether = await ProposeAsync(Address.Zero, 2);
        Channel unknown = _channel with { Id = new ChannelId(new Bytes32(1, 2, 3, 4)) };
        DepositAuthorization signed = await AuthorizeAsync(_channel, 100);
        ulong now = await anvil.NowSecondsAsync();

        Assert.Equal(Wire.Refusal.UnknownChannel, await AskAsync(unknown, 100, signed));
        Assert.Equal(Wire.Refusal.TokenWithoutAuthorization, await AskAsync(ether, 100, signed));
        Assert.Equal(Wire.Refusal.ZeroAmount, await AskAsync(_channel, 0, signed));
        Assert.Equal(Wire.Refusal.AmountTooLarge, await AskAsync(_channel, Amounts.DepositMax + 1, signed));
        Assert.Equal(Wire.Refusal.InvalidArgument, await AskAsync(_channel, 100, signed with { ValidBeforeSeconds = now }));
        Assert.Equal(
            Wire.Refusal.InvalidArgument, await AskAsync(_channel, 100, signed with { ValidAfterSeconds = now + 1_000 }));

        Assert.Equal(Wire.Refusal.Unspecified, await AskAsync(_channel, 100, signed));
    }

    /// <summary>No answer is no refusal: the chain tells what became of what was signed.</summary>
    [Fact]
    public async Task PeerThatRelaysAndVanishesWithoutAnAnswer_HasRelayed()
    {
        await _chain.MintDollarsAsync(_node.Signer, 70);
        ChannelTerms terms = await _peer.ProposeAsync(_channel.Terms with { OneWay = false });
        Channel duplex = new(_peer.Scheme.IdOf(terms), terms, Side.A);
        await _chain.FundAsync(_peer.Us.Signer);
        using var depositing = _node.Api.DepositChannel(
            new Wire.DepositChannelRequest { ChannelId = duplex.Id.ToString(), Amount = "70", Gasless = true });

        Wire.PeerMessage heard = await _peer.HearAsync();
        while (heard.DepositAuthorization is null) heard = await _peer.HearAsync();
        Wire.DepositAuthorization asked = heard.DepositAuthorization;
        await _peer.DisposeAsync();
        await _wallet.RelayDepositAsync(
            duplex, Side.B, 70,
            new DepositAuthorization(
                Address.Read(asked.From.Span), asked.ValidAfterSeconds, asked.ValidBeforeSeconds,
                Bytes32.Read(asked.Salt.Span), Signature.Read(asked.Signature.Span)),
            null, TestChain.Limit);

        while (await depositing.ResponseStream.MoveNext(TestChain.Limit)) { }
        Assert.Equal("70", (await _node.ChannelAsync(duplex.Id.ToString())).OurPot);
    }

    private async Task<Channel> ProposeAsync(Address token, ulong salt)
    {
        ChannelTerms terms = await _peer.ProposeAsync(
            new ChannelTerms(_peer.Us, _peer.Them, token, 600, true, new Bytes32(0, 0, 0, salt)));
        return new Channel(_peer.Scheme.IdOf(terms), terms, Side.A);
    }

    private async Task<DepositAuthorization> AuthorizeAsync(Channel channel, UInt128 amount) =>
        await _wallet.AuthorizeDepositAsync(
            channel, Side.A, amount, Math.Max(await anvil.NowSecondsAsync(), Now()) + 300, TestChain.Limit);

    private static ulong Now() => (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private async Task<Wire.Refusal> AskAsync(Channel channel, UInt128 amount, DepositAuthorization signed)
    {
        await _peer.SayAsync(new Wire.PeerMessage
        {
            DepositAuthorization = new Wire.DepositAuthorization
            {
                ChannelId = ByteString.CopyFrom(channel.Id.Value.ToArray()),
                Amount = RawPeer.Bytes(amount),
                From = ByteString.CopyFrom(signed.From.ToArray()),
                ValidAfterSeconds = signed.ValidAfterSeconds,
                ValidBeforeSeconds = signed.ValidBeforeSeconds,
                Salt = ByteString.CopyFrom(signed.Salt.ToArray()),
                Signature = ByteString.CopyFrom(signed.Signature.ToArray()),
            },
        });
        Wire.PeerMessage heard = await _peer.HearAsync();
        while (heard.DepositAuthorizationReply is null) heard = await _peer.HearAsync();
        Assert.Equal(signed.ValidBeforeSeconds, heard.DepositAuthorizationReply.ValidBeforeSeconds);
        return heard.DepositAuthorizationReply.Refusal;
    }
}
