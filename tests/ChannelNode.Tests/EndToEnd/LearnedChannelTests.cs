using ChannelNode.Core;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Channels of which the contract told before this node knew their terms: it asks, once.</summary>
public sealed class LearnedChannelTests : IAsyncLifetime
{
    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;
    private TestNode _node = null!;
    private RawPeer _peer = null!;

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
        _node = await TestNode.StartAsync(_chain);
        _peer = new RawPeer(_node.PeerUrl, _chain.ChainId, _chain.Contract, PrivateKey.Generate());
        await _peer.ConnectAsync();
    }

    public async Task DisposeAsync()
    {
        await _peer.DisposeAsync();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
    }

    private Channel NewChannel()
    {
        ChannelTerms terms = new(_peer.Us, _peer.Them, Address.Zero, 600, false, new Bytes32(1, 2, 3, 4));
        return new Channel(_peer.Scheme.IdOf(terms), terms, Side.A);
    }

    /// <summary>When the node has followed to the head already, so that no event will tell.</summary>
    private async Task ProposeLateAsync(ChannelTerms terms)
    {
        ulong head = await _anvil.HeadAsync();
        await _node.Host.Node.View.WhenFollowedAsync(head, TestChain.Limit);
        await _peer.ProposeAsync(terms);
    }

    [Fact]
    public async Task DepositMinedBeforeItsTermsWereAgreed_Counts_AndGoesWithItsBlock()
    {
        Channel channel = NewChannel();
        string id = channel.Id.ToString();
        await _anvil.MineAsync(12);
        await _chain.DepositAsync(channel, Side.A, 1_000);
        await _anvil.MineAsync(3);

        await ProposeLateAsync(channel.Terms);
        await _node.UntilAsync(id, it => it is { Status: Wire.ChannelStatus.Open, TheirPot: "1000" });
        await _peer.ExchangeAsync(_peer.Update(channel.Id, 300, 0, 300));
        Assert.Equal("300", (await _node.ChannelAsync(id)).Received);

        // Blocks go of which it was learned, then that of the deposit itself.
        await _anvil.ReorgAsync(2);
        await _anvil.MineAsync();
        await _node.UntilAsync(id, it => it is { Status: Wire.ChannelStatus.Open, TheirPot: "1000" });
        await _anvil.ReorgAsync(6);
        await _node.UntilAsync(id, it => it is { Status: Wire.ChannelStatus.Proposed, TheirPot: "0", Received: "300" });
        await _chain.DepositAsync(channel, Side.A, 500);
        await _node.UntilAsync(id, it => it is { Status: Wire.ChannelStatus.Open, TheirPot: "500", Received: "300" });
    }

    /// <summary>Nobody says in which block it was: so it is as young as the one of which it was learned.</summary>
    [Fact]
    public async Task LargeDepositThatIsLearned_CountsInPartUntilItIsDeep()
    {
        Channel channel = NewChannel();
        UInt128 small = _node.Host.Node.Options.CreditSmallMax;
        await _chain.DepositAsync(channel, Side.A, 10 * small);
        await ProposeLateAsync(channel.Terms);
        await _node.UntilAsync(channel.Id.ToString(), it => it.Status == Wire.ChannelStatus.Open);

        Wire.Frame early = await _peer.ExchangeAsync(_peer.Update(channel.Id, small + 1, 0, small + 1));
        Assert.Equal(Wire.Refusal.DepositUncredited, Assert.Single(early.Refusals).Reason);
        await _anvil.MineAsync(6);
        await _node.UntilAsync(channel.Id.ToString(), _ => _node.Host.Node.Book.Get(channel.Id).State.UncreditedA == UInt128.Zero);

        Assert.Empty((await _peer.ExchangeAsync(_peer.Update(channel.Id, 2 * small, 0, 2 * small))).Refusals);
    }

    /// <summary>Its totals are taken over, and nothing is paid before the peer has said what it can prove.</summary>
    [Fact]
    public async Task ClosingChannelWhoseTotalsWereForgotten_IsLearnedWithThem_AndIsAnAlarm()
    {
        Channel channel = NewChannel();
        await _chain.DepositAsync(channel, Side.A, 1_000);
        await _chain.DepositAsync(channel, Side.B, 400);
        SignatureScheme ours = new(
            KeyFile.Read(_node.Host.Node.Options.KeyFile), _chain.ChainId, _chain.Contract); // Signed by a database that is lost.
        BalanceUpdate signed = new(channel.Id, 250, 0);
        await using EthereumChain wallet = await _chain.ConnectAsync(_peer.Key);
        await wallet.StartCloseAsync(channel, signed, ours.Sign(signed), null, TestChain.Limit);

        await ProposeLateAsync(channel.Terms);

        Wire.Channel learned = await _node.UntilAsync(channel.Id.ToString(), it => it.Status == Wire.ChannelStatus.Closing);
        Assert.Equal(("250", "250", "150", "1250"), (learned.Sent, learned.OurRecordedSent, learned.OurPot, learned.TheirPot));
        Assert.Contains(
            _node.Host.Node.Store.ReadEvents(0, 100), told => told.Kind == ChannelNode.Engine.EventKind.StateLost);
    }
}
