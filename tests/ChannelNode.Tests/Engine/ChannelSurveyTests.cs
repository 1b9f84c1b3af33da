using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class ChannelSurveyTests
{
    [Fact]
    public void WhatOnlyThePeersSignatureProves_IsAtRisk_AndNothingOfADebt()
    {
        ChannelState paid = Sample.Funded(1_000, 700) with { Sent = 10, Acknowledged = 10, TheirSent = 45, TheirReceived = 10 };
        ChannelState owing = Sample.Funded(1_000, 700) with { Sent = 70, Acknowledged = 70 };
        TokenTotals totals = new(Address.Zero, ChannelStatus.Open);

        totals.Add(new StoredChannel(Sample.Channel(), paid));
        totals.Add(new StoredChannel(Sample.Channel(), owing));

        Assert.Equal(2UL, totals.Channels);
        Assert.Equal((UInt128)35, totals.AtRisk);
        Assert.Equal((UInt128)(1_035 + 930), totals.OurBalance);
    }

    [Fact]
    public void YoungDepositOfBothSides_IsUncredited_AsFarAsThePotReaches()
    {
        TokenTotals totals = new(Address.Zero, ChannelStatus.Open);
        totals.Add(new StoredChannel(Sample.Channel(), Sample.Funded(1_000, 500) with { UncreditedA = 300, UncreditedB = 900 }));
        Assert.Equal((UInt128)800, totals.Uncredited);
    }

    [Fact]
    public void ChannelThatWaitsForItsOperator_IsCounted_WithWhatIsInNoBook()
    {
        TokenTotals totals = new(Address.Zero, ChannelStatus.Open);
        totals.Add(new StoredChannel(Sample.Channel(), Sample.Funded(1_000, 500) with { SentUnrecorded = 7 }));
        totals.Add(new StoredChannel(Sample.Channel(), Sample.Funded(1_000, 500)));
        totals.Add(new StoredChannel(Sample.Channel(), Sample.Funded(1_000, 500) with { SentUnrecorded = 30 }));

        Assert.Equal((3ul, 2ul, (UInt128)37), (totals.Channels, totals.NotResumed, totals.SentUnrecorded));
    }

    [Fact]
    public async Task Totals_AreThoseOfTheMoment_UnlessToAddThemUpTookTooLong()
    {
        await using LedgerRig rig = new();
        CountedTime time = new();
        ChannelSurvey survey = new(new ChannelBook(rig.Store, new PeerLinks(), 1_024), time);
        Assert.Empty(survey.Totals());
        await rig.Ledger.RunAsync(
            turn =>
            {
                turn.Batch.PutChannel(rig.Slot.Channel);
                turn.Batch.PutState(rig.Slot.Channel.Id, rig.Slot.State);
                return true;
            },
            CancellationToken.None);

        time.PerLook = 10 * TimeSpan.TicksPerSecond; // A timestamp is a tick here.
        TokenTotals open = Assert.Single(survey.Totals());
        Assert.Equal((ChannelStatus.Open, 1UL), (open.Status, open.Channels));

        // That took 10 s: for 190 s more it stays as it is.
        IReadOnlyList<TokenTotals> first = survey.Totals();
        time.Now += 150 * TimeSpan.TicksPerSecond;
        Assert.Same(first, survey.Totals());
        time.Now += 50 * TimeSpan.TicksPerSecond;
        Assert.NotSame(first, survey.Totals());
    }

    private sealed class CountedTime : TimeProvider
    {
        public long Now { get; set; }

        public long PerLook { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now += PerLook;
    }
}
