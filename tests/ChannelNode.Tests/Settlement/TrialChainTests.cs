using ChannelNode.Cli;
using ChannelNode.Settlement;
using Xunit;

namespace ChannelNode.Tests.Settlement;

public sealed class TrialChainTests
{
    /// <summary>The preset follows the contract's code: whoever changes the one has to write the other.</summary>
    [Fact]
    public void PresetContract_IsWhereThisVersionIsCreated() =>
        Assert.Equal(Network.TrialContract, TrialChain.Contract.ToString());
}
