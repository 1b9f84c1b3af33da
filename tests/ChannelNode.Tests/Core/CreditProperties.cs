using ChannelNode.Core;
using CsCheck;
using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Core;

/// <summary>What counts of deposits that may still vanish, for any deposits in any blocks.</summary>
public sealed class CreditProperties(ITestOutputHelper output)
{
    private const ulong Final = 20;
    private const ulong Head = 60;

    private static readonly CreditPolicy Policy = new(2, 50, 6, 400);

    private static readonly Gen<List<RecentDeposit>> Deposits =
        Gen.Select(Gen.ULong[1, Head], Gen.Bool, Gen.ULong[1, 300], (block, isA, amount) =>
            new RecentDeposit(block, isA ? Side.A : Side.B, amount)).List[0, 8];

    private static UInt128 Sum(IEnumerable<RecentDeposit> deposits, Func<RecentDeposit, bool> counts) =>
        deposits.Where(it => it.Side == Side.A && counts(it)).Aggregate(UInt128.Zero, (sum, it) => sum + it.Amount);

    [Fact]
    public void AReorganisation_CostsNoMoreThanItsDepthIsTrusted() => Property.Holds(output, Deposits, deposits =>
    {
        UInt128 counted = Sum(deposits, _ => true) - Policy.Uncredited(deposits, Side.A, Head, Final);
        Assert.True(counted <= Sum(deposits, it => Head - it.Block + 1 >= 2));
        Assert.True(counted <= 50 + Sum(deposits, it => Head - it.Block + 1 >= 6));
        Assert.True(counted <= 400 + Sum(deposits, it => it.Block <= Final));
    });

    [Fact]
    public void EachBlockAndEachFinalBlock_CountsTheSameOrMore() => Property.Holds(output, Deposits, deposits =>
    {
        UInt128 now = Policy.Uncredited(deposits, Side.A, Head, Final);
        Assert.True(Policy.Uncredited(deposits, Side.A, Head + 1, Final) <= now);
        Assert.True(Policy.Uncredited(deposits, Side.A, Head, Final + 5) <= now);
        Assert.Equal(0, (int)Policy.Uncredited(deposits, Side.A, Head + 6, Head));
    });

    [Fact]
    public void ADepositInManyParts_CountsNoSooner() => Property.Holds(output, Deposits, deposits =>
    {
        List<RecentDeposit> parts = [.. deposits.SelectMany(it => (RecentDeposit[])
            [it with { Amount = it.Amount / 2 }, it with { Amount = it.Amount - it.Amount / 2 }])];
        Assert.Equal(
            Policy.Uncredited(deposits, Side.A, Head, Final), Policy.Uncredited(parts, Side.A, Head, Final));
    });

    [Fact]
    public void WhatDoesNotCount_IsNeverAcceptedNorPaid() => Property.Holds(
        output,
        Gen.Select(Gen.ULong[0, 100], Gen.ULong[0, 100], Gen.ULong[0, 100], Gen.ULong[1, 150]),
        it =>
        {
            (ulong pot, ulong uncreditedA, ulong uncreditedB, ulong sent) = it;
            Channel channel = Sample.Channel(Side.B);
            ChannelState state = Sample.Funded(pot, pot) with { UncreditedA = uncreditedA, UncreditedB = uncreditedB };
            Refusal accepted = Updates.Accept(channel, state, Sample.Verified(Side.A, sent, 0), sent, out ChannelState next);
            Assert.Equal(Expected(pot, uncreditedA, sent), accepted);
            Assert.Equal(accepted == Refusal.None ? sent : 0, (ulong)next.TheirSent);
            Assert.Equal(Expected(pot, uncreditedB, sent), Updates.Pay(channel, state, sent, out _));
        });

    private static Refusal Expected(ulong pot, ulong uncredited, ulong sent) =>
        sent > pot ? Refusal.InsufficientBalance
        : sent + uncredited > pot ? Refusal.DepositUncredited
        : Refusal.None;

    [Fact]
    public void UpdateThatIsAcceptedAlready_IsAnsweredWhenItsDepositIsGone()
    {
        Channel channel = Sample.Channel(Side.B);
        ChannelState state = Sample.MustAccept(channel, Sample.Funded(100, 0), Sample.Verified(Side.A, 80, 0));
        ChannelState gone = Lifecycle.RollBack(channel, state, Sample.Funded(10, 0));

        Assert.Equal((80, 10), ((int)gone.TheirSent, (int)gone.OnChain.PotA));
        Assert.Equal(Refusal.None, Updates.Accept(channel, gone, Sample.Verified(Side.A, 80, 0), 0, out _));
        Assert.Equal(Refusal.InsufficientBalance, Updates.Accept(channel, gone, Sample.Verified(Side.A, 81, 0), 1, out _));
    }

    [Fact]
    public void CloseThatIsTakenBack_LeavesThePeersUpdate_AndWhatWasSaidSince()
    {
        Channel channel = Sample.Channel(Side.B);
        ChannelState before = Sample.MustAccept(channel, Sample.Funded(100, 50), Sample.Verified(Side.A, 80, 0));
        ChannelState closed = Lifecycle.Observe(channel, before, new ChainEvent.Closed(Sample.Id, new Pots(20, 81, 130, 1, 0)));
        Assert.False(closed.HasTheirUpdate);
        ChannelState back = Lifecycle.RollBack(channel, closed, before);
        Assert.Equal((80, true, 1), ((int)back.TheirSent, back.HasTheirUpdate, (int)back.Sent));

        ChannelState spent = Lifecycle.RollBack(channel, closed with { Sent = 5 }, before);
        Assert.Equal((80, true, 5), ((int)spent.TheirSent, spent.HasTheirUpdate, (int)spent.Sent));
        Assert.Equal((5, 81), ((int)Updates.ToSign(channel, spent).Sent, (int)Updates.ToSign(channel, spent).Received));

        // The peer has signed the close too, and goes on from there.
        VerifiedUpdate next = Sample.Verified(Side.A, 91, 0);
        Assert.Equal(Refusal.StaleSent, Updates.Accept(channel, spent, Sample.Verified(Side.A, 80, 0), 0, out _));
        Assert.Equal(Refusal.None, Updates.Accept(channel, spent, next, 10, out ChannelState paid));
        Assert.Equal((91, 91, true), ((int)paid.TheirSent, (int)Updates.ToSign(channel, paid).Received, paid.HasTheirUpdate));
    }

    [Fact]
    public void ChainThatKnowsMoreThanWasSigned_IsNoticed()
    {
        Channel channel = Sample.Channel(Side.B);
        ChannelState state = Sample.Funded(100, 50) with { Sent = 10, TheirSent = 20 };
        Assert.False(Lifecycle.ChainKnowsMore(channel, state, new ChainEvent.Disputed(Sample.Id, new Pots(0, 20, 0, 10, 5))));
        Assert.True(Lifecycle.ChainKnowsMore(channel, state, new ChainEvent.Disputed(Sample.Id, new Pots(0, 20, 0, 11, 5))));
        Assert.True(Lifecycle.ChainKnowsMore(channel, state, new ChainEvent.CloseStarted(Sample.Id, new Pots(0, 21, 0, 10, 5))));
        ChannelState agreed = state with { CloseSentA = 21, CloseSentB = 11, CloseDeadlineSeconds = 9 };
        Assert.False(Lifecycle.ChainKnowsMore(channel, agreed, new ChainEvent.Closed(Sample.Id, new Pots(0, 21, 0, 11, 0))));
    }
}
