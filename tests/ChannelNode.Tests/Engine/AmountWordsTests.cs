using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class AmountWordsTests
{
    private static readonly Address Dollar = new(0, 0, 0xd6);

    [Theory]
    [InlineData(0, "0 wei")]
    [InlineData(999_999_999, "999999999 wei")]
    [InlineData(1_000_000_000, "0.000000001 ETH")]
    [InlineData(1_500_000_000_000_000_001, "1.500000000000000001 ETH")]
    [InlineData(2_000_000_000_000_000_000, "2 ETH")]
    public void Ether_IsExact(long wei, string expected) => Assert.Equal(expected, AmountWords.Of((UInt128)wei, Address.Zero));

    [Fact]
    public void Largest_LosesNothing() =>
        Assert.Equal("5192296858534827.628530496329220095 ETH", AmountWords.Of(Amounts.Max, Address.Zero));

    [Fact]
    public void Token_IsNamedByItsAddress_AndShownAsWhoeverKnowsItSays()
    {
        string sentence = $"a deposit of {AmountWords.Of(1_250_000, Dollar)} into this node's side";

        Assert.Equal($"a deposit of 1250000 units of {Dollar} into this node's side", sentence);
        Assert.Equal([Dollar], AmountWords.TokensIn(sentence));
        Assert.Equal("a deposit of 1.25 DUSD into this node's side", AmountWords.Shown(sentence, (_, units) => AmountWords.Divided(units, 6) + " DUSD"));
        Assert.Equal("3 units of them", AmountWords.Shown("3 units of them", (_, _) => "wrong"));
    }

    /// <summary>Every sentence with an amount has a unit: none of its numbers stands alone.</summary>
    [Fact]
    public void EventsOfATokensChannel_AreInItsUnits()
    {
        Channel channel = Sample.Channel() with { Terms = Sample.Channel().Terms with { Token = Dollar } };
        ChannelState empty = default;
        string unit = $"units of {Dollar}";

        Assert.Contains($"owe 9 {unit}", ChannelEvents.ValueAtRisk([channel.Id], Dollar, 9).Sentence);
        Assert.Contains($"accepted 8 {unit} of ours", ChannelEvents.PeerKnowsMore(channel, 8, 7).Sentence);
        ChainEvent deposited = new ChainEvent.Deposited(channel.Id, Side.A, 5);
        Assert.Contains($"a first deposit of 5 {unit}", ChannelEvents.Seen(channel, empty, empty, deposited, 1, 1).First().Sentence);
    }
}
