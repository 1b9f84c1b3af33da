using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Core;

public sealed class LifecycleTests
{
    private static readonly Channel Ours = Sample.Channel();

    private static readonly Channel OneWayPayee = Sample.Channel(Side.B, oneWay: true);

    [Fact]
    public void ALife_GoesFromProposedToOpenToClosedAndOpenAgain()
    {
        ChannelState state = default;
        Assert.Equal(ChannelStatus.Proposed, state.Status);
        Assert.Equal(Refusal.DepositUnconfirmed, Updates.Pay(Ours, state, 1, out _));

        state = Lifecycle.Observe(Ours, state, new ChainEvent.Deposited(Sample.Id, Side.A, 100));
        Assert.Equal((ChannelStatus.Open, new Pots(100, 0, 0, 0, 0)), (state.Status, state.OnChain));
        state = Lifecycle.Observe(Ours, state, new ChainEvent.Deposited(Sample.Id, Side.B, 40));
        Assert.Equal(new Pots(100, 0, 40, 0, 0), state.OnChain);

        state = Lifecycle.Observe(Ours, state, new ChainEvent.CloseStarted(Sample.Id, new Pots(90, 10, 50, 0, 900)));
        Assert.Equal((ChannelStatus.Closing, 10), (state.Status, (int)state.Sent));
        state = Lifecycle.Observe(Ours, state, new ChainEvent.Disputed(Sample.Id, new Pots(95, 10, 45, 5, 900)));
        Assert.Equal((ChannelStatus.Closing, new Pots(95, 10, 45, 5, 900)), (state.Status, state.OnChain));
        state = Lifecycle.Observe(Ours, state, new ChainEvent.Settled(Sample.Id, new Pots(95, 10, 45, 5, 900)));
        Assert.Equal((ChannelStatus.Closed, new Pots(0, 10, 0, 5, 0)), (state.Status, state.OnChain));
        Assert.Equal(Refusal.InsufficientBalance, Updates.Pay(Ours, state, 1, out _));

        state = Lifecycle.Observe(Ours, state, new ChainEvent.Deposited(Sample.Id, Side.A, 7));
        Assert.Equal((ChannelStatus.Open, 7), (state.Status, (int)state.OurBalance(Ours)));
        Assert.Equal(17, (int)Sample.MustPay(Ours, state, 7).Sent);
    }

    /// <summary>It counts what it has acknowledged as received with its next update; until then nothing that it signed says so.</summary>
    [Fact]
    public void WhatThePeerHasAcknowledged_IsTheirsToSend()
    {
        ChannelState state = Sample.MustPay(Ours, Sample.Funded(100, 20), 60);
        Assert.Equal((40, 20), ((int)state.OurBalance(Ours), (int)state.TheirBalance(Ours)));

        Assert.Equal(Refusal.None, Updates.Acknowledge(state, 60, out state));

        Assert.Equal((40, 80), ((int)state.OurBalance(Ours), (int)state.TheirBalance(Ours)));
    }

    [Fact]
    public void Claimed_MovesTheRecordOnly()
    {
        ChannelState state = Sample.MustAccept(OneWayPayee, Sample.Funded(100, 0), Sample.Verified(Side.A, 60, 0));

        ChannelState next = Lifecycle.Observe(OneWayPayee, state, new ChainEvent.Claimed(Sample.Id, new Pots(60, 40, 0, 0, 0)));

        Assert.Equal(state with { OnChain = new Pots(60, 40, 0, 0, 0) }, next);
        Assert.Equal((40, 40), ((int)state.TheirBalance(OneWayPayee), (int)next.TheirBalance(OneWayPayee)));
    }

    [Fact]
    public void ChainAheadOfUs_RaisesTotals_AndDropsASignatureThatSaysLess()
    {
        ChannelState state = Sample.MustAccept(
            Ours, Sample.MustPay(Ours, Sample.Funded(100, 100), 20), Sample.Verified(Side.B, 30, 10));

        ChannelState same = Lifecycle.Observe(Ours, state, new ChainEvent.Settled(Sample.Id, new Pots(110, 20, 90, 30, 50)));
        Assert.Equal((20, 30, true), ((int)same.Acknowledged, (int)same.TheirSent, same.HasTheirUpdate));
        ChannelState ahead = Lifecycle.Observe(Ours, state, new ChainEvent.Closed(Sample.Id, new Pots(110, 21, 90, 31, 0)));
        Assert.Equal((21, 21, 31), ((int)ahead.Sent, (int)ahead.Acknowledged, (int)ahead.TheirSent));
        Assert.Equal((10, false), ((int)ahead.TheirReceived, ahead.HasTheirUpdate));
    }

    [Fact]
    public void ChainBehindUs_LowersNothing()
    {
        ChannelState state = Sample.MustAccept(Ours, Sample.Funded(100, 100), Sample.Verified(Side.B, 30, 0));

        ChannelState next = Lifecycle.Observe(
            Ours, state, new ChainEvent.CloseStarted(Sample.Id, new Pots(100, 0, 100, 0, 50)));

        Assert.Equal(state with { OnChain = new Pots(100, 0, 100, 0, 50) }, next);
    }

    [Theory]
    [InlineData(false, 21, 31, 109, 91)]
    [InlineData(true, 20, 0, 80, 20)]
    public void CloseTotals_AreExactAndOutdateEveryUpdate(bool oneWay, int sentA, int sentB, int paidA, int paidB)
    {
        Channel channel = Sample.Channel(Side.A, oneWay);
        UInt128 potB = oneWay ? 0 : (UInt128)100;
        ChannelState state = Sample.MustPay(channel, Sample.Funded(100, potB), 20) with { Acknowledged = 20 };
        if (!oneWay) state = Sample.MustAccept(channel, state, Sample.Verified(Side.B, 30, 20));

        Assert.Equal(Refusal.None, Lifecycle.CloseTotals(channel, state, out UInt128 a, out UInt128 b));
        Assert.Equal(((UInt128)sentA, (UInt128)sentB), (a, b));
        Assert.Equal(Refusal.None, state.OnChain.Close(oneWay, a, b, out Pots after, out UInt128 toA, out UInt128 toB));
        Assert.Equal((oneWay ? paidA : 110, oneWay ? paidB : 90), ((int)toA, (int)toB));

        Pots funded = after with { PotA = 50, PotB = 50 };
        Assert.Equal(Refusal.CloseNotAdvancing, funded.Close(oneWay, a, b, out _, out _, out _));
        Assert.Equal(funded, funded.Present(Side.A, state.Sent, state.TheirSent));
        Assert.Equal(funded, funded.Present(Side.B, state.TheirSent, state.Sent));
    }

    [Fact]
    public void CloseTotals_OneWayAndAllClaimed_CostTheLeastUnit()
    {
        Channel channel = Sample.Channel(Side.A, oneWay: true);
        ChannelState state = new() { OnChain = new Pots(80, 20, 0, 0, 0), EverFunded = true, Sent = 20, Acknowledged = 20 };

        Assert.Equal(Refusal.None, Lifecycle.CloseTotals(channel, state, out UInt128 a, out UInt128 b));
        Assert.Equal((21, 0), ((int)a, (int)b));
    }

    [Fact]
    public void CloseTotals_AreAboveWhatWasSaidToBeReceived()
    {
        ChannelState state = Sample.Funded(100, 100) with { TheirSent = 30, SaidReceived = 31 };

        Assert.Equal(Refusal.None, Lifecycle.CloseTotals(Ours, state, out UInt128 a, out UInt128 b));
        Assert.Equal((1, 32), ((int)a, (int)b));
    }

    [Fact]
    public void CloseTotals_AreRefusedInOrder()
    {
        ChannelState open = Sample.Funded(100, 100);
        ChannelState spoilt = default(ChannelState) with { Sent = 1, CloseDeadlineSeconds = 9 };

        Assert.Equal(Refusal.DepositUnconfirmed, Totals(spoilt));
        Assert.Equal(Refusal.NothingToClose, Totals(spoilt with { EverFunded = true, CloseDeadlineSeconds = 0 }));
        Assert.Equal(Refusal.PaymentsInFlight, Totals(open with { Sent = 1 }));
        Assert.Equal(Refusal.AmountTooLarge, Totals(open with { Sent = Amounts.Max, Acknowledged = Amounts.Max }));
        Assert.Equal(Refusal.InsufficientBalance, Totals(open with { Sent = 101, Acknowledged = 101 }));
        Assert.Equal(Refusal.None, Totals(open));
    }

    [Theory]
    [InlineData(1, 1, 51, Refusal.None)]
    [InlineData(1, 1, 50, Refusal.CloseExpired)]
    [InlineData(0, 1, 51, Refusal.PaymentsInFlight)]
    [InlineData(1, 0, 51, Refusal.PaymentsInFlight)]
    [InlineData(2, 1, 51, Refusal.PaymentsInFlight)]
    public void AgreeClose_OnlyAtOurOwnTotals(int sentA, int sentB, ulong deadline, Refusal expected)
    {
        ChannelState state = Sample.Funded(100, 100);
        var close = new CooperativeClose(Sample.Id, (UInt128)sentA, (UInt128)sentB, deadline);

        Assert.Equal(expected, Lifecycle.AgreeClose(Ours, state, close, 50, out ChannelState next));
        Assert.Equal(
            expected != Refusal.None ? state
                : state with { CloseSentA = 1, CloseSentB = 1, CloseDeadlineSeconds = deadline },
            next);
    }

    /// <summary>It can be mined no more: signed again, it would keep the channel from going on for ever.</summary>
    [Fact]
    public void AgreedClose_WhoseTotalWasClaimedMeanwhile_IsNotSignedForLonger()
    {
        ChannelState state = Sample.MustAccept(OneWayPayee, Sample.Funded(100, 0), Sample.Verified(Side.A, 60, 0));
        Assert.Equal(
            Refusal.None, Lifecycle.AgreeClose(OneWayPayee, state, new CooperativeClose(Sample.Id, 60, 0, 90), 50, out ChannelState agreed));
        Assert.Equal(
            Refusal.None, Lifecycle.AgreeClose(OneWayPayee, agreed, new CooperativeClose(Sample.Id, 60, 0, 95), 60, out ChannelState later));
        Assert.Equal(95ul, later.CloseDeadlineSeconds);

        ChannelState claimed = Lifecycle.Observe(OneWayPayee, later, new ChainEvent.Claimed(Sample.Id, new Pots(100, 60, 0, 0, 0)));
        Assert.Equal(
            Refusal.CloseNotAdvancing,
            Lifecycle.AgreeClose(OneWayPayee, claimed, new CooperativeClose(Sample.Id, 60, 0, 120), 70, out ChannelState next));

        Assert.Equal(95ul, next.CloseDeadlineSeconds);
        ChannelState free = Lifecycle.ExpireClose(next, 96);
        Assert.Equal(
            Refusal.None, Lifecycle.AgreeClose(OneWayPayee, free, new CooperativeClose(Sample.Id, 61, 0, 150), 97, out _));
    }

    [Fact]
    public void AgreedClose_StopsPaymentsUntilItIsMinedOrExpired()
    {
        ChannelState state = Agreed(deadline: 60);
        Assert.Equal(ChannelStatus.CloseAgreed, state.Status);
        Assert.Equal(Refusal.CloseAgreed, Updates.Pay(Ours, state, 1, out _));
        Assert.Equal(Refusal.CloseAgreed, Accept(state));

        Assert.Equal(state, Lifecycle.ExpireClose(state, 60));
        ChannelState expired = Lifecycle.ExpireClose(state, 61);
        Assert.Equal(Sample.Funded(100, 100), expired);
        ChannelState mined = Lifecycle.Observe(Ours, state, new ChainEvent.Closed(Sample.Id, new Pots(100, 1, 100, 1, 0)));
        Assert.Equal((ChannelStatus.Closed, 0ul), (mined.Status, mined.CloseDeadlineSeconds));
        Assert.Equal((0, 0), ((int)mined.CloseSentA, (int)mined.CloseSentB));
    }

    [Fact]
    public void SettledInstead_TheAgreedCloseStaysUntilItsDeadline()
    {
        ChannelState settled = Lifecycle.Observe(
            Ours, Agreed(deadline: 60), new ChainEvent.Settled(Sample.Id, new Pots(100, 0, 100, 0, 50)));
        Assert.Equal(ChannelStatus.CloseAgreed, settled.Status);
        Assert.Equal(ChannelStatus.Closed, Lifecycle.ExpireClose(settled, 61).Status);
    }

    [Fact]
    public void ExpireClose_WithoutOne_ChangesNothing() =>
        Assert.Equal(Sample.Funded(1, 1), Lifecycle.ExpireClose(Sample.Funded(1, 1), ulong.MaxValue));

    [Theory]
    [InlineData(0, 0, 30, 899, ChannelDuty.None)] // Not closing.
    [InlineData(900, 0, 30, 899, ChannelDuty.Dispute)]
    [InlineData(900, 29, 30, 899, ChannelDuty.Dispute)]
    [InlineData(900, 30, 30, 899, ChannelDuty.None)]
    [InlineData(900, 0, 0, 899, ChannelDuty.None)]
    [InlineData(900, 0, 30, 900, ChannelDuty.Settle)]
    [InlineData(900, 30, 30, 900, ChannelDuty.Settle)]
    public void Due_DuplexDisputesThenSettles(uint closesAt, int recorded, int sent, ulong now, ChannelDuty expected)
    {
        ChannelState state = Sample.Funded(100, 100);
        if (sent > 0) state = Sample.MustAccept(Ours, state, Sample.Verified(Side.B, (UInt128)sent, 0));
        UInt128 moved = (UInt128)recorded;
        state = state with { OnChain = new Pots(100 + moved, 0, 100 - moved, moved, closesAt) };

        Assert.Equal(expected, Lifecycle.Due(Ours, state, now, now));
    }

    [Fact]
    public void Due_AnUpdateThatThePotCannotPay_IsNotDisputedForEver()
    {
        // The peer's deposit was lost in a reorg after it had spent 30 of it: 10 could be taken, more brings nothing.
        ChannelState state = Sample.MustAccept(Ours, Sample.Funded(100, 100), Sample.Verified(Side.B, 30, 0));

        Assert.Equal(
            ChannelDuty.Dispute, Lifecycle.Due(Ours, state with { OnChain = new Pots(100, 0, 10, 0, 900) }, 899, 899));
        Assert.Equal(
            ChannelDuty.None, Lifecycle.Due(Ours, state with { OnChain = new Pots(110, 0, 0, 10, 900) }, 899, 899));
    }

    [Theory]
    [InlineData(0, 60, 899, ChannelDuty.None)]
    [InlineData(900, 60, 899, ChannelDuty.Claim)]
    [InlineData(900, 60, 901, ChannelDuty.Claim)]
    [InlineData(900, 20, 899, ChannelDuty.None)]
    [InlineData(900, 20, 900, ChannelDuty.Settle)]
    public void Due_OneWayPayeeClaimsThenSettles(uint closesAt, int sent, ulong now, ChannelDuty expected)
    {
        ChannelState state = Sample.MustAccept(
            OneWayPayee, Sample.Funded(100, 0), Sample.Verified(Side.A, (UInt128)sent, 0));

        Assert.Equal(
            expected, Lifecycle.Due(OneWayPayee, state with { OnChain = new Pots(80, 20, 0, 0, closesAt) }, now, now));
    }

    [Fact]
    public void Due_OneWayPayeeOfAnEmptyPot_Settles()
    {
        ChannelState state = Sample.MustAccept(OneWayPayee, Sample.Funded(100, 0), Sample.Verified(Side.A, 60, 0));

        Assert.Equal(
            ChannelDuty.Settle, Lifecycle.Due(OneWayPayee, state with { OnChain = new Pots(0, 20, 0, 0, 900) }, 900, 900));
    }

    [Theory]
    [InlineData(70, 30, 900, 960)]
    [InlineData(30, 70, 960, 900)]
    [InlineData(50, 50, 900, 960)]
    [InlineData(0, 0, 900, 960)]
    public void SettlesFrom_WhoIsPaidMoreIsFirst_AndOthersComeAfterBoth(int potA, int potB, ulong fromA, ulong fromB)
    {
        Pots pots = new((UInt128)potA, 1, (UInt128)potB, 2, 900);

        Assert.Equal(
            (fromA, fromB, 1_020UL),
            (Lifecycle.SettlesFromSeconds(pots, Side.A), Lifecycle.SettlesFromSeconds(pots, Side.B), Lifecycle.OthersSettleFromSeconds(pots)));
    }

    [Fact]
    public void Due_AMachineThatRunsAhead_DisputesAsLongAsTheChainsOwnTimeAllows()
    {
        ChannelState state = Sample.MustAccept(Ours, Sample.Funded(100, 100), Sample.Verified(Side.B, 30, 0));
        state = state with { OnChain = state.OnChain with { ClosesAtSeconds = 900 } };
        ChannelState recorded = state with { OnChain = new Pots(130, 0, 70, 30, 900) };

        Assert.Equal(ChannelDuty.Dispute, Lifecycle.Due(Ours, state, chainSeconds: 899, nowSeconds: 5_000));
        Assert.Equal(ChannelDuty.Settle, Lifecycle.Due(Ours, state, chainSeconds: 900, nowSeconds: 900));
        Assert.Equal(ChannelDuty.Settle, Lifecycle.Due(Ours, recorded, chainSeconds: 899, nowSeconds: 900));
        Assert.Equal(ChannelDuty.None, Lifecycle.Due(Ours, recorded, chainSeconds: 899, nowSeconds: 899));
    }

    [Theory]
    [InlineData(70, 70)]
    [InlineData(55, 60)]
    public void AgreedClose_CanBeSignedAgain_AtTheSameTotals_AndTheLaterDeadlineCounts(ulong again, ulong expected)
    {
        ChannelState state = Agreed(deadline: 60);
        Assert.Equal(Refusal.None, Lifecycle.CloseTotals(Ours, state, out UInt128 sentA, out UInt128 sentB));
        Assert.Equal((1, 1), ((int)sentA, (int)sentB));

        var close = new CooperativeClose(Sample.Id, 1, 1, again);
        Assert.Equal(Refusal.None, Lifecycle.AgreeClose(Ours, state, close, 50, out ChannelState next));
        Assert.Equal(state with { CloseDeadlineSeconds = expected }, next);
        Assert.Equal(
            Refusal.PaymentsInFlight, Lifecycle.AgreeClose(Ours, state, close with { SentA = 2 }, 50, out _));
    }

    private static Refusal Accept(ChannelState state) =>
        Updates.Accept(Ours, state, Sample.Verified(Side.B, 1, 0), 1, out _);

    private static ChannelState Agreed(ulong deadline)
    {
        var close = new CooperativeClose(Sample.Id, 1, 1, deadline);
        Assert.Equal(Refusal.None, Lifecycle.AgreeClose(Ours, Sample.Funded(100, 100), close, 50, out ChannelState next));
        return next;
    }

    private static Refusal Totals(ChannelState state) => Lifecycle.CloseTotals(Ours, state, out _, out _);

    /// <summary>A payee that has claimed shows nothing any more: what the chain has recorded is as unknown to the books.</summary>
    [Theory]
    [InlineData(40, 0, 60)]
    [InlineData(100, 0, 0)]
    [InlineData(40, 41, 59)]
    public void WhatTheChainHasRecordedOfALostSelf_IsNotInTheBooks(int sent, int agreed, int unrecorded)
    {
        ChannelState before = Sample.Funded(1_000, 1_000) with { Sent = (UInt128)sent, CloseSentA = (UInt128)agreed };
        ChainEvent seen = new ChainEvent.Disputed(Sample.Id, new Pots(900, 100, 1_100, 0, 5));

        ChannelState after = Lifecycle.Observe(Sample.Channel(), before, seen);
        ChannelState noted = Lifecycle.NoteUnrecorded(Sample.Channel(), before, after, seen);

        Assert.Equal((UInt128)100, noted.Sent);
        Assert.Equal((UInt128)unrecorded, noted.SentUnrecorded);
        Assert.Equal(noted, Lifecycle.NoteUnrecorded(Sample.Channel(), noted, Lifecycle.Observe(Sample.Channel(), noted, seen), seen)); // Seen again.
    }
}
