using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class NodeStartTests
{
    /// <summary>Of a million it would take seconds, in which nobody is served.</summary>
    [Fact]
    public async Task ChannelsAreNotLookedThrough_BeforeTheNodeServes()
    {
        await using UnaskedNode node = new();

        node.Node.Start();
        node.Time.Advance(4_999);
        Assert.Equal(0, node.Store.Looks);

        node.Time.Advance(1);
        Assert.Equal(1, node.Store.Looks); // For the tokens in which payouts may wait.
    }
}
