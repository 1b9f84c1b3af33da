namespace ChannelNode.Engine;

/// <summary>
/// What to offer for a transaction (EIP-1559). Pure. Fees are wei per gas; urgency is in thousandths, from 0 to 1,000 at the
/// deadline.
/// </summary>
internal static class FeePolicy
{
    public const uint UrgencyMax = 1_000;

    /// <summary>The first offer covers six full blocks in a row; at the deadline, nine.</summary>
    private const uint BaseFeeFactor = 2;

    /// <summary>An offer stands for a tenth of what is left.</summary>
    private const uint OffersBeforeDeadline = 10;

    public static TransactionFees First(ChainFees market) => Offer(market, 0);

    /// <summary>Null where even what the next block burns is above the limit: then it is better to wait.</summary>
    public static TransactionFees? First(ChainFees market, uint urgency, UInt128 feeMax)
    {
        if (market.BaseFee + 1 > feeMax) return null;
        return Limit(Offer(market, urgency), feeMax);
    }

    /// <summary>
    /// At least an eighth more than what was offered, in both parts, or pools keep the old one (they ask for a tenth); and
    /// no less than a first offer would be. Null where the limit leaves no room for that.
    /// </summary>
    public static TransactionFees? Replace(TransactionFees offered, ChainFees market, uint urgency, UInt128 feeMax)
    {
        TransactionFees fresh = Offer(market, urgency);
        TransactionFees raised = new(
            UInt128.Max(Raise(offered.MaxFee), fresh.MaxFee), UInt128.Max(Raise(offered.Tip), fresh.Tip));
        TransactionFees limited = Limit(raised, feeMax);
        bool replaces = limited.MaxFee >= Needed(offered.MaxFee) && limited.Tip >= Needed(offered.Tip);
        return replaces ? limited : null;
    }

    /// <summary>Whether the next block would not take it at all.</summary>
    public static bool IsBelowMarket(TransactionFees offered, ChainFees market) => offered.MaxFee < market.BaseFee;

    /// <summary>How much of the time from <paramref name="fromSeconds"/> to a deadline is over; without one, nothing.</summary>
    public static uint Urgency(ulong fromSeconds, ulong nowSeconds, ulong deadlineSeconds)
    {
        if (deadlineSeconds == 0 || nowSeconds <= fromSeconds) return 0;
        if (nowSeconds >= deadlineSeconds) return UrgencyMax;
        return (uint)((nowSeconds - fromSeconds) * UrgencyMax / (deadlineSeconds - fromSeconds));
    }

    /// <summary>How long an offer may stand before it is replaced; shorter as a deadline nears, never below a second.</summary>
    public static TimeSpan StandsFor(uint replaceAfterSeconds, ulong nowSeconds, ulong deadlineSeconds)
    {
        ulong seconds = replaceAfterSeconds;
        if (deadlineSeconds != 0)
        {
            ulong left = deadlineSeconds > nowSeconds ? deadlineSeconds - nowSeconds : 0;
            seconds = Math.Min(seconds, left / OffersBeforeDeadline);
        }

        return TimeSpan.FromSeconds(Math.Max(seconds, 1));
    }

    private static TransactionFees Offer(ChainFees market, uint urgency)
    {
        UInt128 tip = market.Tip + market.Tip * 3 * urgency / UrgencyMax + 1;
        return new(market.BaseFee * BaseFeeFactor + market.BaseFee * urgency / UrgencyMax + tip, tip);
    }

    private static TransactionFees Limit(TransactionFees fees, UInt128 feeMax)
    {
        UInt128 maxFee = UInt128.Min(fees.MaxFee, feeMax);
        return new(maxFee, UInt128.Min(fees.Tip, maxFee));
    }

    private static UInt128 Raise(UInt128 fee) => fee + fee / 8 + 1;

    private static UInt128 Needed(UInt128 fee) => fee + (fee + 9) / 10;
}
