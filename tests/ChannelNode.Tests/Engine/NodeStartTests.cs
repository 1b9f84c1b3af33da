using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class NodeStartTests
{
    /// <summary>A million take seconds of a core, while those that waited for the node come back.</summary>
    [Fact]
    public async Task Start_LooksThroughNoChannels_ForFiveSeconds()
    {
        await using UnaskedNode node = new();

        node.Node.Start();
        node.Time.Advance(4_999);
        Assert.Equal(0, node.Store.Looks);

        node.Time.Advance(1);
        Assert.Equal(1, node.Store.Looks); // For the tokens in which payouts may wait.
    }
}
