using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// A node process killed with SIGKILL at each step of each job on chain, seen by what it logs, and started again: the job is
/// done, and done once, though nobody asks for it again.
/// </summary>
[Collection(KilledJobsCollection.Name)]
public sealed class KilledJobTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const string Asked = "asked for", Sent = "sent with nonce", Mined = "mined as", Done = "done, block";

    private TestChain _chain = null!;
    private NodeProcess _node = null!;
    private TestNode _peer = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _node = await NodeProcess.StartAsync(_chain);
        _peer = await TestNode.StartAsync(_chain);
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        await _peer.DisposeAsync();
        await _chain.DisposeAsync();
    }

    public static TheoryData<string> Steps { get; } = [Asked, Sent, Mined, Done];

    [Theory, MemberData(nameof(Steps))]
    public async Task Opening(string step)
    {
        Task killed = _node.WhenKilledAt("open/", step);
        await NodeProcess.UntilItEndsAsync(_node.OpenAsync(_peer.PeerUrl, "1000", oneWay: false));
        await killed;
        string id = (await _peer.Api.ListChannelsAsync(new Wire.ListChannelsRequest())).Channels.Single().ChannelId;

        await RestartAsync();

        Wire.Channel channel = await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        Assert.Equal("1000", channel.OurPot);
        await _node.AssertSentAsync(anvil, 1);
    }

    [Theory, MemberData(nameof(Steps))]
    public async Task StartOfAClose_AndItsSettlement(string step)
    {
        string id = await _node.OpenAsync(_peer.PeerUrl, "1000", oneWay: false);
        Task killed = _node.WhenKilledAt("startClose/", step);
        using var call = _node.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id });
        await NodeProcess.UntilItEndsAsync(call);
        await killed;
        await RestartAsync();
        await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closing);
        await _node.AssertSentAsync(anvil, 2);

        await _peer.StopAsync(); // It would settle too.
        killed = _node.WhenKilledAt("settle/", step);
        await anvil.PassTimeAsync(601);
        await killed;
        await RestartAsync();

        await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await _node.AssertSentAsync(anvil, 3);
        await _peer.StartAsync();
    }

    [Theory, MemberData(nameof(Steps))]
    public async Task Dispute(string step)
    {
        string id = await _peer.OpenAsync(_node.PeerUrl, "1000");
        await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        await _peer.PayAsync(id, "300");

        Task killed = _node.WhenKilledAt("dispute/", step);
        using var call = _peer.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id });
        await killed;
        await RestartAsync();

        await _node.UntilAsync(id, channel => channel.TheirRecordedSent == "300");
        await _node.AssertSentAsync(anvil, 1);
    }

    [Theory, MemberData(nameof(Steps))]
    public async Task Claim(string step)
    {
        string id = await _peer.OpenAsync(_node.PeerUrl, "1000", oneWay: true);
        await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        await _peer.PayAsync(id, "300");

        Task killed = _node.WhenKilledAt("claim/", step);
        using var call = _node.Api.ClaimChannels(new Wire.ClaimChannelsRequest());
        await NodeProcess.UntilItEndsAsync(call);
        await killed;
        await RestartAsync();

        await _node.UntilAsync(id, channel => channel.TheirRecordedSent == "300");
        await _node.AssertSentAsync(anvil, 1);
    }

    [Theory, MemberData(nameof(Steps))]
    public async Task CooperativeClose(string step)
    {
        string id = await _node.OpenAsync(_peer.PeerUrl, "1000", oneWay: false);
        await _peer.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        Task killed = _node.WhenKilledAt("close/", step);
        using var call = _node.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id });
        await NodeProcess.UntilItEndsAsync(call);
        await killed;
        await RestartAsync();

        await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await _node.AssertSentAsync(anvil, 2);
    }

    private Task RestartAsync() => _node.StartAsync();
}
