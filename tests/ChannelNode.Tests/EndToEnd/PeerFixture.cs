using ChannelNode.Core;
using ChannelNode.Signing;
using Google.Protobuf;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A node, and a peer that can say anything to it.</summary>
[Collection(AnvilCollection.Name)]
public abstract class PeerFixture(AnvilFixture anvil) : IAsyncLifetime
{
    internal const ulong Deposit = 1_000;

    internal TestChain Chain { get; private set; } = null!;

    internal TestNode Node { get; private set; } = null!;

    internal RawPeer Peer { get; set; } = null!;

    public async Task InitializeAsync()
    {
        Chain = await TestChain.OpenAsync(anvil);
        Node = await TestNode.StartAsync(Chain);
        Peer = NewPeer();
    }

    public async Task DisposeAsync()
    {
        await Peer.DisposeAsync();
        await Node.DisposeAsync();
        await Chain.DisposeAsync();
    }

    internal RawPeer NewPeer(PrivateKey? key = null) =>
        new(Node.PeerUrl, Chain.ChainId, Chain.Contract, key ?? PrivateKey.Generate());

    internal async Task<ChannelId> OpenAsync(bool oneWay = false, bool fund = true)
    {
        await Peer.ConnectAsync();
        ChannelTerms terms = await Peer.ProposeAsync(Terms(oneWay));
        ChannelId id = Peer.Scheme.IdOf(terms);
        if (!fund) return id;
        await Chain.DepositAsync(new Channel(id, terms, Side.A), Side.A, Deposit);
        await Node.UntilAsync(id.ToString(), channel => channel.Status == Wire.ChannelStatus.Open);
        return id;
    }

    internal ChannelTerms Terms(bool oneWay = false) =>
        new(Peer.Us, Peer.Them, Address.Zero, 600, oneWay, new Bytes32(1, 2, 3, (ulong)Random.Shared.NextInt64()));

    internal static ByteString Bytes(ChannelId id) => ByteString.CopyFrom(id.Value.ToArray());
}
