using ChannelNode.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// As <see cref="KilledJobTests"/>, for the jobs that move tokens or move for somebody else: deposits that an approval comes
/// before, deposits into many channels, deposits that a peer signed, and credits.
/// </summary>
[Collection(KillsCollection.Name)]
public sealed class KilledDepositTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;
    private NodeProcess _node = null!;
    private TestNode _peer = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        Address token = await _chain.TokenAsync(), dollar = await _chain.DollarAsync();
        _node = await NodeProcess.StartAsync(
            _chain, "--relay-deposits", "5", "--accept-token", token.ToString(), "--accept-token", dollar.ToString());
        _peer = await TestNode.StartAsync(_chain, options => options with { AcceptedTokens = [token, dollar] });
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        await _peer.DisposeAsync();
        await _chain.DisposeAsync();
    }

    public static TheoryData<string> Steps => KilledJobTests.Steps;

    /// <summary>The node's first nonce approves, its second deposits: killed before, between and after.</summary>
    [Theory]
    [InlineData("asked for")]
    [InlineData("sent with nonce 0")]
    [InlineData("what comes before it is done")]
    [InlineData("sent with nonce 1")]
    [InlineData("mined as")]
    [InlineData("done, block")]
    public async Task DepositOfTokens_WithItsApproval(string step)
    {
        Address token = await _chain.TokenAsync();
        await _chain.MintAsync(await SignerAsync(), 5_000);
        Task killed = _node.WhenKilledAt("open/", step);
        using var call = _node.Api.OpenChannel(
            new Wire.OpenChannelRequest { PeerUrl = _peer.PeerUrl, Amount = "1000", Token = token.ToString() });
        await NodeProcess.UntilItEndsAsync(call);
        await killed;
        string id = (await _peer.Api.ListChannelsAsync(new Wire.ListChannelsRequest())).Channels.Single().ChannelId;

        await _node.StartAsync();

        Wire.Channel channel = await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        Assert.Equal("1000", channel.OurPot);
        await _node.AssertSentAsync(anvil, 2);
        Assert.Equal((UInt128)4_000, await _chain.TokensOfAsync(await SignerAsync()));
    }

    [Theory, MemberData(nameof(Steps))]
    public async Task DepositsIntoManyChannels(string step)
    {
        string[] ids = [await _node.OpenAsync(_peer.PeerUrl, "1", false), await _node.OpenAsync(_peer.PeerUrl, "2", false)];
        Wire.DepositChannelsRequest request = new();
        foreach (string id in ids) request.Deposits.Add(new Wire.ChannelDeposit { ChannelId = id, Amount = "100" });

        Task killed = _node.WhenKilledAt("deposits/", step);
        using var call = _node.Api.DepositChannels(request);
        await NodeProcess.UntilItEndsAsync(call);
        await killed;
        await _node.StartAsync();

        await _node.UntilAsync(ids[0], channel => channel.OurPot == "101");
        await _node.UntilAsync(ids[1], channel => channel.OurPot == "102");
        await _node.AssertSentAsync(anvil, 3);
    }

    /// <summary>The payer has no ether and does not ask again: what it signed is sent once.</summary>
    [Theory, MemberData(nameof(Steps))]
    public async Task DepositThatAPeerSigned(string step)
    {
        Address dollar = await _chain.DollarAsync();
        await using TestNode payer = await TestNode.StartAsync(_chain, funded: false);
        await _chain.MintDollarsAsync(payer.Signer, 1_000);

        Task killed = _node.WhenKilledAt("relay/", step);
        using var call = payer.Api.OpenChannel(new Wire.OpenChannelRequest
        {
            PeerUrl = _node.PeerUrl,
            Amount = "700",
            Token = dollar.ToString(),
            OneWay = true,
            Gasless = true,
        });
        Task opening = NodeProcess.UntilItEndsAsync(call);
        await killed;
        await _node.StartAsync();
        await opening;

        string id = (await payer.Api.ListChannelsAsync(new Wire.ListChannelsRequest())).Channels.Single().ChannelId;
        await _node.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Open, TheirPot: "700" });
        await payer.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Open, OurPot: "700" });
        await _node.AssertSentAsync(anvil, 1);
    }

    [Theory, MemberData(nameof(Steps))]
    public async Task WithdrawalOfACredit(string step)
    {
        string id = await _node.OpenAsync(_peer.PeerUrl, "500", false), signer = (await SignerAsync()).ToString();
        await _peer.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        await anvil.RpcAsync<object?>("anvil_setCode", signer, "0x5f5ffd"); // Takes no ether.
        using (var closing = _peer.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }))
            while (await closing.ResponseStream.MoveNext(TestChain.Limit)) { }
        await anvil.RpcAsync<object?>("anvil_setCode", signer, "0x");
        await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        Assert.Equal("500", Assert.Single((await _node.Api.ListCreditsAsync(new Wire.ListCreditsRequest())).Credits).Amount);

        Task killed = _node.WhenKilledAt("withdrawCredit/", step);
        using var call = _node.Api.WithdrawCredit(new Wire.WithdrawCreditRequest());
        await NodeProcess.UntilItEndsAsync(call);
        await killed;
        await _node.StartAsync();

        await _node.AssertSentAsync(anvil, 2);
        Assert.Empty((await _node.Api.ListCreditsAsync(new Wire.ListCreditsRequest())).Credits);
    }

    private async Task<Address> SignerAsync()
    {
        Address.TryParse((await _node.Api.GetInfoAsync(new Wire.GetInfoRequest())).Signer, out Address signer);
        return signer;
    }
}
