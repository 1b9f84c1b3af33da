namespace ChannelNode.Core;

/// <summary>What was put into one side by one block, while it may still vanish with its block.</summary>
public readonly record struct RecentDeposit(ulong Block, Side Side, UInt128 Amount);

/// <summary>
/// How much of deposits that a reorganisation could still take away counts. The amount that counts is bounded, not the
/// deposit: of all that a side put in with fewer than <paramref name="LargerConfirmations"/> confirmations at most
/// <paramref name="SmallMax"/> counts, of all that is not final at most <paramref name="LargerMax"/>, and of what has
/// fewer than <paramref name="Confirmations"/> nothing. So many small deposits count no sooner than a large one, and a
/// large one counts in part at once. Amounts are in the token's smallest units; a block itself is its first confirmation.
/// </summary>
public sealed record CreditPolicy(
    uint Confirmations, UInt128 SmallMax, uint LargerConfirmations, UInt128 LargerMax)
{
    /// <summary>The same two over all channels of the token, for what others put in; the largest number for no limit.</summary>
    public UInt128 SmallTotal { get; init; } = UInt128.MaxValue;

    public UInt128 LargerTotal { get; init; } = UInt128.MaxValue;

    /// <summary>
    /// What of a side's pot does not count yet. <paramref name="head"/> is the newest block, <paramref name="final"/> the
    /// newest that can never vanish.
    /// </summary>
    public UInt128 Uncredited(IEnumerable<RecentDeposit> deposits, Side side, ulong head, ulong final)
    {
        UInt128 unconfirmed = UInt128.Zero;
        foreach (RecentDeposit deposit in deposits)
            if (deposit.Side == side && !Has(Confirmations, deposit.Block, head)) unconfirmed += deposit.Amount;
        YoungDeposits young = YoungOf(deposits, side, head, final);
        return UInt128.Max(
            unconfirmed, UInt128.Max(Amounts.Excess(young.Young, SmallMax), Amounts.Excess(young.NotFinal, LargerMax)));
    }

    /// <summary>What of a side's pot a reorganisation could still take away.</summary>
    public YoungDeposits YoungOf(IEnumerable<RecentDeposit> deposits, Side side, ulong head, ulong final)
    {
        UInt128 young = UInt128.Zero, notFinal = UInt128.Zero;
        foreach (RecentDeposit deposit in deposits)
        {
            if (deposit.Side != side) continue;
            if (!Has(LargerConfirmations, deposit.Block, head)) young += deposit.Amount;
            if (!IsSettled(deposit, head, final)) notFinal += deposit.Amount;
        }

        return new YoungDeposits(young, notFinal);
    }

    /// <summary>Nothing is held back for this deposit any more, whatever else is put in.</summary>
    public bool IsSettled(in RecentDeposit deposit, ulong head, ulong final) =>
        deposit.Block <= final
        && Has(Confirmations, deposit.Block, head)
        && Has(LargerConfirmations, deposit.Block, head);

    private static bool Has(uint confirmations, ulong block, ulong head) =>
        block <= head && head - block + 1 >= confirmations;
}
