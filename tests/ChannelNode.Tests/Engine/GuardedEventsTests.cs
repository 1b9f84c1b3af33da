using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A watchtower is no side of the channels it guards: its words say whose the sums are.</summary>
public sealed class GuardedEventsTests
{
    private static readonly Pots Closing = new(700, 300, 50, 0, 2_000);

    [Fact]
    public void EventsOfAWatchtower_NameTheSidesBySigner_AndANodesDoNot()
    {
        ChainEvent[] events =
        [
            new ChainEvent.Deposited(Sample.Id, Side.A, 1_100), new ChainEvent.Disputed(Sample.Id, Closing),
            new ChainEvent.Settled(Sample.Id, Closing with { ClosesAtSeconds = 0 }),
            new ChainEvent.Closed(Sample.Id, Closing with { ClosesAtSeconds = 0 }),
        ];
        foreach (ChainEvent what in events)
        {
            string tower = SentenceOf(what, isOurs: false), node = SentenceOf(what, isOurs: true);
            Assert.Contains($"signer {Sample.PartyA.Signer}'s", tower);
            Assert.DoesNotContain("this node", tower);
            Assert.DoesNotContain("the peer", tower);
            Assert.Contains("this node's", node);
            Assert.DoesNotContain("signer 0x", node);
        }
    }

    [Fact]
    public void AlarmsOfAWatchtower_NameTheGuardedSide()
    {
        ChannelState state = Sample.Funded(700, 50) with { OnChain = Closing, TheirSent = 40 };
        string[] tower =
        [
            ChannelEvents.Ending(Sample.Channel(Side.B), state, 1_900, isOurs: false)!.Sentence,
            ChannelEvents.DisputeLost(Sample.Channel(Side.B), state, isOurs: false).Sentence,
        ];
        Assert.All(tower, sentence => Assert.Contains($"signer {Sample.PartyB.Signer}", sentence));
        Assert.All(tower, sentence => Assert.DoesNotContain("this node", sentence));
    }

    [Fact]
    public void ChannelThatIsPaidOutWithoutWhatThePeerHasNotTaken_SaysThatThatIsNotPaid()
    {
        ChannelState before = Sample.Funded(1_000, 50) with { Sent = 300, Acknowledged = 100 };
        ChainEvent what = new ChainEvent.Settled(Sample.Id, new Pots(900, 100, 150, 0, 0));
        ChannelState after = Lifecycle.Observe(Sample.Channel(), before, what);

        OperatorEvent settled = ChannelEvents.Seen(Sample.Channel(), before, after, what, 7, 1_500).First();

        Assert.EndsWith(
            "900 wei to this node's owner, 150 wei to the peer's. 200 wei that this node has signed the peer has not taken: nothing was paid for that",
            settled.Sentence);
    }

    private static string SentenceOf(ChainEvent what, bool isOurs)
    {
        ChannelState before = Sample.Funded(1_000, 50), after = Lifecycle.Observe(Sample.Channel(), before, what);
        return ChannelEvents.Seen(Sample.Channel(), before, after, what, 7, 1_500, isOurs).First().Sentence;
    }
}
