namespace ChannelNode.Core;

/// <summary>
/// A channel as the contract stores it, and the contract's arithmetic to the letter, its order of refusals too: what
/// each side would be paid now (pot), the total that the contract has recorded of it (sent), and when the dispute
/// window ends (<paramref name="ClosesAtSeconds"/>, Unix time; 0 while not closing).
/// Invariant: <c>PotA + PotB &lt;= Amounts.Max</c>, and no total is above <see cref="Amounts.Max"/>.
/// </summary>
public readonly record struct Pots(
    UInt128 PotA, UInt128 SentA, UInt128 PotB, UInt128 SentB, uint ClosesAtSeconds)
{
    public bool IsClosing => ClosesAtSeconds != 0;

    public bool IsEmpty => PotA == UInt128.Zero && PotB == UInt128.Zero;

    /// <summary>Nothing is recorded: to the contract, the channel has never been.</summary>
    public bool IsBlank => this == default;

    public UInt128 PotOf(Side side) => side == Side.A ? PotA : PotB;

    public UInt128 SentOf(Side side) => side == Side.A ? SentA : SentB;

    public Refusal Deposit(bool oneWay, Side side, UInt128 amount, out Pots next)
    {
        next = this;
        if (oneWay && side == Side.B) return Refusal.OneWayChannel;
        if (amount == UInt128.Zero) return Refusal.ZeroAmount;
        if (IsClosing) return Refusal.ChannelClosing;
        if (amount > Amounts.Excess(Amounts.DepositMax, PotOf(side))) return Refusal.AmountTooLarge;

        next = side == Side.A ? this with { PotA = PotA + amount } : this with { PotB = PotB + amount };
        return Refusal.None;
    }

    /// <summary>
    /// What the contract does with an update of side <paramref name="payer"/>: records the larger totals and moves
    /// the difference between the pots. Where a pot cannot cover it, the move and the recorded total stop where the
    /// pot ends, and the rest can be presented again once it is filled. Of the two caps at most one can bind.
    /// </summary>
    public Pots Present(Side payer, UInt128 sent, UInt128 received)
    {
        Side payee = payer.Other();
        UInt128 potPayer = PotOf(payer), potPayee = PotOf(payee);
        UInt128 gives = Amounts.Excess(sent, SentOf(payer));
        UInt128 takes = Amounts.Excess(received, SentOf(payee));

        // Amounts are below 2^113 here, so no sum overflows 128 bits.
        if (gives > potPayer + takes) gives = potPayer + takes;
        else if (takes > potPayee + gives) takes = potPayee + gives;

        potPayer = potPayer + takes - gives;
        potPayee = potPayee + gives - takes;
        UInt128 sentPayer = SentOf(payer) + gives, sentPayee = SentOf(payee) + takes;
        return payer == Side.A
            ? new Pots(potPayer, sentPayer, potPayee, sentPayee, ClosesAtSeconds)
            : new Pots(potPayee, sentPayee, potPayer, sentPayer, ClosesAtSeconds);
    }

    public Refusal StartClose(ulong nowSeconds, uint windowSeconds, out Pots next)
    {
        next = this;
        if (IsBlank) return Refusal.UnknownChannel;
        if (IsClosing) return Refusal.ChannelClosing;
        if (IsEmpty) return Refusal.NothingToClose;

        ulong closesAtSeconds = nowSeconds + windowSeconds;
        if (closesAtSeconds > uint.MaxValue) return Refusal.AmountTooLarge;

        next = this with { ClosesAtSeconds = (uint)closesAtSeconds };
        return Refusal.None;
    }

    public Refusal Dispute(
        bool oneWay, Side payer, UInt128 sent, UInt128 received, ulong nowSeconds, out Pots next)
    {
        next = this;
        if (oneWay) return Refusal.OneWayChannel;
        if (!IsClosing) return Refusal.NotClosing;
        if (nowSeconds >= ClosesAtSeconds) return Refusal.WindowClosed;
        if (sent > Amounts.Max || received > Amounts.Max) return Refusal.AmountTooLarge;

        Pots presented = Present(payer, sent, received);
        if (presented == this) return Refusal.NothingNew;

        next = presented;
        return Refusal.None;
    }

    /// <summary>Both sides are paid their pots; the totals stay for ever.</summary>
    public Refusal Settle(ulong nowSeconds, out Pots next)
    {
        next = this;
        if (!IsClosing) return Refusal.NotClosing;
        if (nowSeconds < ClosesAtSeconds) return Refusal.WindowOpen;

        next = Emptied();
        return Refusal.None;
    }

    /// <summary>What stays of a channel that is paid out and open again.</summary>
    public Pots Emptied() => new(UInt128.Zero, SentA, UInt128.Zero, SentB, 0);

    /// <summary>Pays exactly what the totals say or nothing. Sent of side A must rise, so it can never be replayed.</summary>
    public Refusal Close(
        bool oneWay, UInt128 sentA, UInt128 sentB, out Pots next, out UInt128 paidA, out UInt128 paidB)
    {
        next = this;
        (paidA, paidB) = (UInt128.Zero, UInt128.Zero);
        if (sentA > Amounts.Max || sentB > Amounts.Max) return Refusal.AmountTooLarge;
        if (IsBlank) return Refusal.UnknownChannel;
        if (oneWay && sentB != UInt128.Zero) return Refusal.OneWayChannel;
        if (sentA <= SentA || sentB < SentB) return Refusal.CloseNotAdvancing;

        UInt128 gives = sentA - SentA, takes = sentB - SentB;
        if (PotA + takes < gives || PotB + gives < takes) return Refusal.InsufficientBalance;

        (paidA, paidB) = (PotA + takes - gives, PotB + gives - takes);
        next = new Pots(UInt128.Zero, sentA, UInt128.Zero, sentB, 0);
        return Refusal.None;
    }

    /// <summary>One-way only: what side A's total adds is paid out to side B at once, as far as the pot reaches.</summary>
    public Refusal Claim(UInt128 sent, out Pots next, out UInt128 paid)
    {
        next = this;
        paid = UInt128.Zero;
        if (sent > Amounts.Max) return Refusal.AmountTooLarge;
        if (IsBlank) return Refusal.UnknownChannel;
        if (sent <= SentA) return Refusal.NothingNew;

        UInt128 adds = sent - SentA;
        paid = adds < PotA ? adds : PotA;
        if (paid == UInt128.Zero) return Refusal.InsufficientBalance;

        next = this with { PotA = PotA - paid, SentA = SentA + paid };
        return Refusal.None;
    }
}
