using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Core;

public sealed class PotsTests
{
    [Theory]
    [InlineData(false, Side.A, 5, Refusal.None, 105, 50)]
    [InlineData(false, Side.B, 5, Refusal.None, 100, 55)]
    [InlineData(true, Side.A, 5, Refusal.None, 105, 50)]
    [InlineData(true, Side.B, 5, Refusal.OneWayChannel, 100, 50)]
    [InlineData(false, Side.A, 0, Refusal.ZeroAmount, 100, 50)]
    public void Deposit_FillsOnePot(bool oneWay, Side side, int amount, Refusal expected, int potA, int potB)
    {
        var pots = new Pots(100, 1, 50, 2, 0);

        Assert.Equal(expected, pots.Deposit(oneWay, side, (UInt128)amount, out Pots next));
        Assert.Equal(new Pots((UInt128)potA, 1, (UInt128)potB, 2, 0), next);
    }

    [Fact]
    public void Deposit_StopsAtHalfOfWhatAPotCanHold_WhateverTheOtherHolds()
    {
        var pots = new Pots(Amounts.DepositMax, 0, Amounts.DepositMax - 5, 0, 0);

        Assert.Equal(Refusal.None, pots.Deposit(false, Side.B, 5, out Pots full));
        Assert.Equal(pots with { PotB = Amounts.DepositMax }, full);
        Assert.Equal(Refusal.AmountTooLarge, pots.Deposit(false, Side.B, 6, out _));
        Assert.Equal(Refusal.AmountTooLarge, pots.Deposit(false, Side.B, UInt128.MaxValue, out _));
        Assert.Equal(Refusal.AmountTooLarge, pots.Deposit(false, Side.A, 1, out _));

        // All of it can end up in one pot.
        Assert.Equal(new Pots(0, Amounts.DepositMax, Amounts.DepositMax * 2, 0, 0), full.Present(Side.A, Amounts.DepositMax, 0));
        Assert.True(Amounts.DepositMax * 2 <= Amounts.Max);
    }

    [Fact]
    public void Deposit_WhileClosing_IsRefused() =>
        Assert.Equal(Refusal.ChannelClosing, new Pots(1, 0, 0, 0, 9).Deposit(false, Side.A, 1, out _));

    [Theory]
    [InlineData(30, 0, 70, 30, 80, 0)] // A paid 30.
    [InlineData(30, 20, 90, 30, 60, 20)] // And has accepted 20.
    [InlineData(0, 20, 120, 0, 30, 20)]
    [InlineData(100, 0, 0, 100, 150, 0)]
    [InlineData(101, 0, 0, 100, 150, 0)] // Not covered: honoured as far as the pot reaches.
    [InlineData(130, 20, 0, 120, 150, 20)]
    [InlineData(0, 60, 150, 0, 0, 50)] // Nor is what B is said to have sent.
    [InlineData(10, 70, 150, 10, 0, 60)]
    public void Present_MovesWhatIsNew(int sent, int received, int potA, int sentA, int potB, int sentB)
    {
        var pots = new Pots(100, 0, 50, 0, 77);
        var expected = new Pots((UInt128)potA, (UInt128)sentA, (UInt128)potB, (UInt128)sentB, 77);
        var mirrored = new Pots(expected.PotB, expected.SentB, expected.PotA, expected.SentA, 77);

        Assert.Equal(expected, pots.Present(Side.A, (UInt128)sent, (UInt128)received));
        Assert.Equal(mirrored, new Pots(50, 0, 100, 0, 77).Present(Side.B, (UInt128)sent, (UInt128)received));
    }

    [Fact]
    public void Present_OfRecordedTotals_ChangesNothing()
    {
        var pots = new Pots(100, 30, 50, 20, 0);

        Assert.Equal(pots, pots.Present(Side.A, 30, 20));
        Assert.Equal(pots, pots.Present(Side.A, 29, 19));
        Assert.Equal(pots, pots.Present(Side.B, 20, 30));
    }

    [Fact]
    public void Present_TheRestOfAPartialCover_WhenThePotIsFilled()
    {
        Pots pots = new Pots(100, 0, 0, 0, 0).Present(Side.A, 130, 0);
        Assert.Equal(new Pots(0, 100, 100, 0, 0), pots);

        Assert.Equal(Refusal.None, pots.Deposit(false, Side.A, 50, out pots));
        Assert.Equal(new Pots(20, 130, 130, 0, 0), pots.Present(Side.A, 130, 0));
    }

    [Fact]
    public void Present_AtTheLargestAmounts_DoesNotOverflow()
    {
        var pots = new Pots(Amounts.Max, 0, 0, 0, 0);

        Assert.Equal(new Pots(Amounts.Max, Amounts.Max, 0, Amounts.Max, 0), pots.Present(Side.A, Amounts.Max, Amounts.Max));
        Assert.Equal(new Pots(0, Amounts.Max, Amounts.Max, 0, 0), pots.Present(Side.A, Amounts.Max, 0));
    }

    [Fact]
    public void StartClose_SetsTheTimeOnce()
    {
        var pots = new Pots(1, 0, 0, 0, 0);

        Assert.Equal(Refusal.None, pots.StartClose(1_000, 60, out Pots closing));
        Assert.Equal(pots with { ClosesAtSeconds = 1_060 }, closing);
        Assert.Equal(Refusal.ChannelClosing, closing.StartClose(1_001, 60, out Pots again));
        Assert.Equal(closing, again);
        Assert.Equal(Refusal.NothingToClose, new Pots(0, 5, 0, 5, 0).StartClose(1_000, 60, out _));
        Assert.Equal(Refusal.UnknownChannel, default(Pots).StartClose(1_000, 60, out _));
    }

    [Fact]
    public void StartClose_WhereTheWindowsEndNeedsMoreThan32Bits_IsRefused()
    {
        var pots = new Pots(1, 0, 0, 0, 0);

        Assert.Equal(Refusal.None, pots.StartClose(uint.MaxValue - 60, 60, out Pots last));
        Assert.Equal(uint.MaxValue, last.ClosesAtSeconds);
        Assert.Equal(Refusal.AmountTooLarge, pots.StartClose(uint.MaxValue - 59, 60, out _));
    }

    [Theory]
    [InlineData(true, 31, 0, 60, 999, Refusal.OneWayChannel)]
    [InlineData(false, 31, 0, 0, 999, Refusal.NotClosing)]
    [InlineData(false, 31, 0, 1_000, 1_000, Refusal.WindowClosed)]
    [InlineData(false, 30, 20, 1_000, 999, Refusal.NothingNew)]
    [InlineData(false, 31, 20, 1_000, 999, Refusal.None)]
    [InlineData(false, 30, 21, 1_000, 999, Refusal.None)]
    public void Dispute_WithinTheWindow_WithSomethingNew(
        bool oneWay, int sent, int received, uint closesAt, ulong now, Refusal expected)
    {
        var pots = new Pots(100, 30, 50, 20, closesAt);

        Assert.Equal(expected, pots.Dispute(oneWay, Side.A, (UInt128)sent, (UInt128)received, now, out Pots next));
        Assert.Equal(expected == Refusal.None ? pots.Present(Side.A, (UInt128)sent, (UInt128)received) : pots, next);
    }

    [Fact]
    public void Dispute_AboveTheLargestAmount_IsRefused()
    {
        var pots = new Pots(100, 0, 50, 0, 1_000);

        Assert.Equal(Refusal.AmountTooLarge, pots.Dispute(false, Side.A, Amounts.Max + 1, 0, 1, out _));
        Assert.Equal(Refusal.AmountTooLarge, pots.Dispute(false, Side.A, 1, Amounts.Max + 1, 1, out _));
    }

    [Fact]
    public void Dispute_ThatEmptyPotsCannotCoverAtAll_BringsNothing()
    {
        var pots = new Pots(0, 30, 50, 20, 1_000);

        Assert.Equal(Refusal.NothingNew, pots.Dispute(false, Side.A, 31, 20, 1, out Pots next));
        Assert.Equal(pots, next);
        Assert.Equal(Refusal.None, pots.Dispute(false, Side.A, 31, 21, 1, out _));
    }

    [Theory]
    [InlineData(0, 5_000, Refusal.NotClosing)]
    [InlineData(1_000, 999, Refusal.WindowOpen)]
    [InlineData(1_000, 1_000, Refusal.None)]
    public void Settle_AfterTheWindow_KeepsTheTotals(uint closesAt, ulong now, Refusal expected)
    {
        var pots = new Pots(100, 30, 50, 20, closesAt);

        Assert.Equal(expected, pots.Settle(now, out Pots next));
        Assert.Equal(expected == Refusal.None ? new Pots(0, 30, 0, 20, 0) : pots, next);
    }

    [Theory]
    [InlineData(31, 20, Refusal.None, 99, 51)]
    [InlineData(131, 21, Refusal.None, 0, 150)]
    [InlineData(132, 21, Refusal.InsufficientBalance, 0, 0)]
    [InlineData(31, 71, Refusal.None, 150, 0)]
    [InlineData(31, 72, Refusal.InsufficientBalance, 0, 0)]
    [InlineData(30, 21, Refusal.CloseNotAdvancing, 0, 0)]
    [InlineData(31, 19, Refusal.CloseNotAdvancing, 0, 0)]
    public void Close_PaysExactlyOrNothing(int sentA, int sentB, Refusal expected, int paidA, int paidB)
    {
        var pots = new Pots(100, 30, 50, 20, 1_000);

        Refusal refusal = pots.Close(
            false, (UInt128)sentA, (UInt128)sentB, out Pots next, out UInt128 toA, out UInt128 toB);

        Assert.Equal((expected, (UInt128)paidA, (UInt128)paidB), (refusal, toA, toB));
        Assert.Equal(
            expected == Refusal.None ? new Pots(0, (UInt128)sentA, 0, (UInt128)sentB, 0) : pots, next);
    }

    [Theory]
    [InlineData(31, 0, Refusal.None)]
    [InlineData(31, 1, Refusal.OneWayChannel)]
    [InlineData(30, 0, Refusal.CloseNotAdvancing)]
    [InlineData(131, 0, Refusal.InsufficientBalance)]
    public void Close_OneWay_HasNoTotalOfSideB(int sentA, int sentB, Refusal expected) =>
        Assert.Equal(
            expected, new Pots(100, 30, 0, 0, 0).Close(true, (UInt128)sentA, (UInt128)sentB, out _, out _, out _));

    [Fact]
    public void Close_AboveTheLargestAmount_IsRefused()
    {
        var pots = new Pots(100, 0, 50, 0, 0);

        Assert.Equal(Refusal.AmountTooLarge, pots.Close(false, Amounts.Max + 1, 0, out _, out _, out _));
        Assert.Equal(Refusal.AmountTooLarge, pots.Close(false, 1, Amounts.Max + 1, out _, out _, out _));
        Assert.Equal(Refusal.AmountTooLarge, default(Pots).Close(false, 1, Amounts.Max + 1, out _, out _, out _));
        Assert.Equal(Refusal.UnknownChannel, default(Pots).Close(false, 1, 1, out _, out _, out _));
    }

    [Theory]
    [InlineData(40, Refusal.None, 10)]
    [InlineData(130, Refusal.None, 100)]
    [InlineData(131, Refusal.None, 100)] // As far as the pot reaches; the rest stays claimable.
    [InlineData(30, Refusal.NothingNew, 0)]
    [InlineData(29, Refusal.NothingNew, 0)]
    public void Claim_PaysWhatIsNew(int sent, Refusal expected, int paid)
    {
        var pots = new Pots(100, 30, 0, 0, 0);

        Assert.Equal(expected, pots.Claim((UInt128)sent, out Pots next, out UInt128 toB));
        Assert.Equal((UInt128)paid, toB);
        Assert.Equal(pots with { PotA = 100 - toB, SentA = 30 + toB }, next);
    }

    [Fact]
    public void Claim_OfNothingOrTooMuch_IsRefused()
    {
        Assert.Equal(Refusal.InsufficientBalance, new Pots(0, 30, 0, 0, 0).Claim(31, out _, out _));
        Assert.Equal(Refusal.AmountTooLarge, new Pots(9, 30, 0, 0, 0).Claim(Amounts.Max + 1, out _, out _));
        Assert.Equal(Refusal.AmountTooLarge, default(Pots).Claim(Amounts.Max + 1, out _, out _));
        Assert.Equal(Refusal.UnknownChannel, default(Pots).Claim(1, out _, out _));
    }
}
