using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

public sealed class FeePolicyTests
{
    private static readonly ChainFees Market = new(100, 10);

    [Fact]
    public void FirstOffer_CoversTwiceTheBaseFee_AndMoreTheNearerTheDeadline()
    {
        Assert.Equal(new TransactionFees(211, 11), FeePolicy.First(Market, 0, 10_000));
        Assert.Equal(new TransactionFees(341, 41), FeePolicy.First(Market, FeePolicy.UrgencyMax, 10_000));
    }

    [Fact]
    public void Offer_IsNeverAboveTheLimit_AndIsNotMadeWhereTheBlockBurnsMore()
    {
        Assert.Equal(new TransactionFees(150, 11), FeePolicy.First(Market, 0, 150));
        Assert.Null(FeePolicy.First(Market, 0, 100));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(9, 7)]
    [InlineData(211, 11)]
    [InlineData(5_000, 4_999)]
    public void Replacement_RaisesBothFeesByATenthAtLeast(int maxFee, int tip)
    {
        TransactionFees offered = new((UInt128)maxFee, (UInt128)tip);
        TransactionFees next = FeePolicy.Replace(offered, Market, 0, 1_000_000)!.Value;
        Assert.True(next.MaxFee * 10 >= offered.MaxFee * 11 && next.Tip * 10 >= offered.Tip * 11);
        Assert.True(next.Tip <= next.MaxFee);
    }

    [Fact]
    public void Replacement_ThatTheLimitMakesTooSmall_IsNotMade()
    {
        Assert.Null(FeePolicy.Replace(new TransactionFees(211, 11), Market, 0, 220));
        Assert.Equal((UInt128)235, FeePolicy.Replace(new TransactionFees(211, 11), Market, 0, 235)!.Value.MaxFee);
    }

    [Fact]
    public void Urgency_GrowsToTheDeadline_AndOffersStandForLess()
    {
        Assert.Equal(
            (0U, 0U, 500U, 1_000U),
            (FeePolicy.Urgency(100, 150, 0), FeePolicy.Urgency(100, 100, 300), FeePolicy.Urgency(100, 200, 300),
                FeePolicy.Urgency(100, 400, 300)));
        Assert.Equal(
            (30, 10, 1),
            ((int)FeePolicy.StandsFor(30, 100, 0).TotalSeconds, (int)FeePolicy.StandsFor(30, 100, 200).TotalSeconds,
                (int)FeePolicy.StandsFor(30, 400, 200).TotalSeconds));
    }
}
