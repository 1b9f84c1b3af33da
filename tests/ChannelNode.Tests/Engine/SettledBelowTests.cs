using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A channel that is settled before what this node could prove was recorded has cost it money: its operator hears of it, however it came about.</summary>
public sealed class SettledBelowTests
{
    private static readonly Channel Ours = Sample.Channel(Side.B);

    [Theory]
    [InlineData(100, 30, 70)] // The peer had sent 100, and 30 were recorded.
    [InlineData(100, 0, 100)]
    [InlineData(5_000, 30, 970)] // No more than what the peer was paid out.
    public void SettledWithLessThanThePeerHasPaid_IsAnAlarm(uint sent, uint recorded, uint lost)
    {
        OperatorEvent told = Told(sent, recorded);

        Assert.Equal((EventKind.ChannelSettled, EventSeverity.Alarm), (told.Kind, told.Severity));
        Assert.Contains($"Lost: {lost} wei", told.Sentence);
    }

    [Theory]
    [InlineData(100, 100, true)]
    [InlineData(0, 0, true)]
    [InlineData(100, 30, false)] // What a watchtower's channels hold is not told by their state.
    public void SettledWithAllThatWasPaid_IsNone(uint sent, uint recorded, bool isOurs)
    {
        OperatorEvent told = Told(sent, recorded, isOurs);

        Assert.Equal((EventKind.ChannelSettled, EventSeverity.Info), (told.Kind, told.Severity));
        Assert.DoesNotContain("Lost", told.Sentence);
    }

    [Theory]
    [InlineData(100, 60, 40)]
    [InlineData(100, 100, 0)]
    [InlineData(100, 150, 0)]
    public void WhatThisNodeHadPaidAndNobodyPresented_IsTakenOff(uint sent, uint paid, uint lost)
    {
        OperatorEvent told = Told(sent, 0, paid: paid);

        Assert.Equal(lost > 0 ? EventSeverity.Alarm : EventSeverity.Info, told.Severity);
        Assert.Equal(lost > 0, told.Sentence.Contains($"Lost: {lost} wei"));
    }

    [Theory]
    [InlineData(150, 40, true, "40")]
    [InlineData(110, 40, true, "10")]
    [InlineData(150, 40, false, "")]
    [InlineData(100, 40, true, "")]
    public void WhatNobodyPresentedOfThisNodesPayments_IsTold(uint paid, uint ourPot, bool isOurs, string spared)
    {
        OperatorEvent told = Told(100, 0, isOurs, paid, ourPot);

        Assert.Equal(EventSeverity.Info, told.Severity);
        Assert.Equal(spared.Length > 0, told.Sentence.Contains($"Of what its owner was paid, {spared} wei this node had paid"));
        Assert.Equal(spared.Length > 0, told.Sentence.Contains("a new deposit by this node pays that first"));
    }

    private static OperatorEvent Told(uint sent, uint recorded, bool isOurs = true, uint paid = 0, uint ourPot = 0)
    {
        ChannelState before = Sample.Funded(1_000, ourPot) with
        {
            OnChain = new Pots(1_000, recorded, ourPot, 0, 2_000),
            TheirSent = sent,
            Sent = paid,
            Acknowledged = paid,
        };
        ChainEvent.Settled what = new(Ours.Id, new Pots(1_000 - recorded, recorded, recorded + ourPot, 0, 0));
        return ChannelEvents.Seen(Ours, before, Lifecycle.Observe(Ours, before, what), what, 7, 3_000, isOurs).First();
    }
}
