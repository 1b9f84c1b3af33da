using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Core;

public sealed class UpdatesTests
{
    private static readonly Channel Ours = Sample.Channel();

    private static readonly Channel PaidOneWay = Sample.Channel(Side.B, oneWay: true);

    [Fact]
    public void Accept_TakesOverTotalsAndSignatureAndAcknowledges()
    {
        ChannelState state = Sample.MustPay(Ours, Sample.Funded(100, 100), 40);
        VerifiedUpdate update = Sample.Verified(Side.B, 30, 25);

        ChannelState next = Sample.MustAccept(Ours, state, update);

        Assert.Equal(
            state with { TheirSent = 30, TheirReceived = 25, TheirSignature = update.Signature, Acknowledged = 25 },
            next);
    }

    [Fact]
    public void Accept_NeverLowersWhatWasAcknowledged()
    {
        ChannelState state = Sample.MustPay(Ours, Sample.Funded(100, 100), 40) with { Acknowledged = 40 };

        Assert.Equal(40, (int)Sample.MustAccept(Ours, state, Sample.Verified(Side.B, 1, 25)).Acknowledged);
    }

    [Fact]
    public void Accept_OfTheSameUpdateAgain_ChangesNothingWhateverItsPayments()
    {
        VerifiedUpdate update = Sample.Verified(Side.B, 30, 0);
        ChannelState state = Sample.MustAccept(Ours, Sample.Funded(100, 100), update);

        Assert.Equal(Refusal.None, Updates.Accept(Ours, state, update, 30, out ChannelState next));
        Assert.Equal(state, next);
    }

    [Fact]
    public void Accept_OfARecordedTotalWithoutSignature_TakesTheSignature()
    {
        ChannelState state = Sample.Funded(100, 100) with { TheirSent = 30 };
        VerifiedUpdate update = Sample.Verified(Side.B, 30, 0);

        Assert.Equal(update.Signature, Sample.MustAccept(Ours, state, update).TheirSignature);
    }

    [Fact]
    public void Accept_OfReceivedAlone_NeedsNoPayments()
    {
        ChannelState state = Sample.MustPay(Ours, Sample.Funded(100, 100), 40);

        Assert.Equal(40, (int)Sample.MustAccept(Ours, state, Sample.Verified(Side.B, 0, 40)).TheirReceived);
    }

    [Theory]
    [InlineData(100, Refusal.None)]
    [InlineData(101, Refusal.InsufficientBalance)]
    public void Accept_IsCoveredByThePeersPot(int sent, Refusal expected) =>
        Assert.Equal(expected, Accept(Ours, Sample.Funded(0, 100), sent, 0));

    [Theory]
    [InlineData(140, 40, Refusal.None)]
    [InlineData(141, 40, Refusal.InsufficientBalance)]
    [InlineData(140, 39, Refusal.InsufficientBalance)]
    public void Accept_IsCoveredToo_ByWhatThePeerHasReceived(int sent, int received, Refusal expected) =>
        Assert.Equal(
            expected, Accept(Ours, Sample.MustPay(Ours, Sample.Funded(100, 100), 40), sent, received));

    [Theory]
    [InlineData(120, Refusal.None)]
    [InlineData(121, Refusal.InsufficientBalance)]
    public void Accept_CountsOnlyWhatTheChainHasNotRecorded(int sent, Refusal expected)
    {
        ChannelState state = new() { OnChain = new Pots(0, 30, 100, 20, 0), EverFunded = true, Sent = 30 };

        Assert.Equal(expected, Accept(Ours, state, sent, 30));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(uint.MaxValue)]
    public void Accept_InAnyRunningWindow_IsRefused(uint closesAt) =>
        Assert.Equal(
            Refusal.ChannelClosing,
            Accept(Ours, Sample.Funded(100, 100) with { OnChain = new Pots(100, 0, 100, 0, closesAt) }, 10, 0));

    [Fact]
    public void Accept_OneWay_OnlyFromSideAAndWithoutReceived()
    {
        Assert.Equal(Refusal.None, Accept(PaidOneWay, Sample.Funded(100, 0), 100, 0));
        Assert.Equal(Refusal.OneWayChannel, Accept(PaidOneWay, Sample.Funded(100, 0), 100, 1));
        Assert.Equal(Refusal.OneWayChannel, Accept(Sample.Channel(Side.A, oneWay: true), Sample.Funded(100, 0), 0, 0));
    }

    [Fact]
    public void Accept_AtTheLargestAmount()
    {
        Assert.Equal(Refusal.None, Accept(PaidOneWay, Sample.Funded(Amounts.Max, 0), Amounts.Max, 0));
        Assert.Equal(Refusal.AmountTooLarge, Accept(PaidOneWay, Sample.Funded(Amounts.Max, 0), UInt128.MaxValue, 0));
    }

    [Theory]
    [InlineData(Side.A, false, 100, Refusal.None)]
    [InlineData(Side.A, false, 101, Refusal.InsufficientBalance)]
    [InlineData(Side.B, false, 50, Refusal.None)]
    [InlineData(Side.B, false, 51, Refusal.InsufficientBalance)]
    [InlineData(Side.A, true, 100, Refusal.None)]
    [InlineData(Side.B, true, 1, Refusal.OneWayChannel)]
    public void Pay_IsCoveredByOurPot(Side ourSide, bool oneWay, int amount, Refusal expected) =>
        Assert.Equal(
            expected, Updates.Pay(Sample.Channel(ourSide, oneWay), Sample.Funded(100, 50), (UInt128)amount, out _));

    [Theory]
    [InlineData(120, Refusal.None)]
    [InlineData(121, Refusal.InsufficientBalance)]
    public void Pay_SpendsWhatWasReceived(int amount, Refusal expected)
    {
        ChannelState state = Sample.MustAccept(Ours, Sample.Funded(100, 50), Sample.Verified(Side.B, 20, 0));

        Assert.Equal(expected, Updates.Pay(Ours, state, (UInt128)amount, out _));
    }

    [Fact]
    public void Pay_AddsToTheTotal_AndToNothingElse()
    {
        ChannelState state = Sample.Funded(100, 50);

        Assert.Equal(state with { Sent = 30 }, Sample.MustPay(Ours, Sample.MustPay(Ours, state, 10), 20));
    }

    [Fact]
    public void Pay_IntoAnyRunningWindow_IsRefused()
    {
        ChannelState state = Sample.Funded(100, 50) with { OnChain = new Pots(100, 0, 50, 0, uint.MaxValue) };

        Assert.Equal(Refusal.ChannelClosing, Updates.Pay(Ours, state, 1, out _));
    }

    [Theory]
    [InlineData(0, 10, Refusal.None)]
    [InlineData(15, 15, Refusal.None)]
    [InlineData(20, 20, Refusal.None)]
    [InlineData(21, 10, Refusal.ReceivedNotSent)]
    public void Acknowledge_RisesToWhatWasSent(int received, int acknowledged, Refusal expected)
    {
        ChannelState state = Sample.Funded(100, 50) with { Sent = 20, Acknowledged = 10 };

        Assert.Equal(expected, Updates.Acknowledge(state, (UInt128)received, out ChannelState next));
        Assert.Equal(state with { Acknowledged = (UInt128)acknowledged }, next);
    }

    [Fact]
    public void ToSign_SaysBothTotals_ButNoReceivedWhenOneWay()
    {
        ChannelState state = Sample.Funded(100, 50) with { Sent = 20, TheirSent = 7 };

        Assert.Equal(new BalanceUpdate(Sample.Id, 20, 7), Updates.ToSign(Ours, state));
        Assert.Equal(new BalanceUpdate(Sample.Id, 20, 0), Updates.ToSign(Sample.Channel(oneWay: true), state));
    }

    [Fact]
    public void VerifiedUpdate_IsMadeByTheRightSignatureOnly()
    {
        var scheme = new TestScheme(Sample.PartyB.Signer);
        var update = new BalanceUpdate(Sample.Id, 5, 3);
        Signature signature = scheme.Sign(update);

        Assert.True(VerifiedUpdate.TryVerify(scheme, update, signature, Sample.PartyB.Signer, out VerifiedUpdate right));
        Assert.Equal((update, signature), (right.Update, right.Signature));
        Assert.False(VerifiedUpdate.TryVerify(scheme, update, signature, Sample.PartyA.Signer, out VerifiedUpdate wrong));
        Assert.Equal((default, default), (wrong.Update, wrong.Signature));
        Assert.False(VerifiedUpdate.TryVerify(scheme, update with { Sent = 6 }, signature, Sample.PartyB.Signer, out _));
    }

    [Fact]
    public void VerifiedUpdate_HasNoOtherWayIn() =>
        Assert.Empty(typeof(VerifiedUpdate).GetConstructors());

    private static Refusal Accept(Channel channel, ChannelState state, UInt128 sent, UInt128 received) =>
        Updates.Accept(
            channel, state, Sample.Verified(channel.TheirSide, sent, received), sent - state.TheirSent, out _);

    private static Refusal Accept(Channel channel, ChannelState state, int sent, int received) =>
        Accept(channel, state, (UInt128)sent, (UInt128)received);
}
