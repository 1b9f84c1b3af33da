namespace ChannelNode.Core;

/// <summary>
/// The hot door: payments and updates, one function each, allocating nothing. Every function answers
/// <see cref="Refusal.None"/> and the next state, or the first refusal in the order of <see cref="Refusal"/> and the
/// state unchanged.
/// </summary>
public static class Updates
{
    /// <summary>We are paid: takes an update of the peer whose payments add up to <paramref name="paymentsSum"/>.</summary>
    public static Refusal Accept(
        Channel channel,
        in ChannelState state,
        in VerifiedUpdate verified,
        UInt128 paymentsSum,
        out ChannelState next)
    {
        next = state;
        BalanceUpdate update = verified.Update;
        Refusal refusal = CheckTotals(channel, state, update);
        if (refusal != Refusal.None) return refusal;
        if (update.Sent == state.TheirSent && update.Received == state.TheirReceived && state.HasTheirUpdate)
            return Refusal.None; // Said again: harmless, and answered again, even when its deposit is gone.
        if (!state.Covers(channel.TheirSide, update.Sent, update.Received)) return Refusal.InsufficientBalance;
        if (paymentsSum != update.Sent - state.TheirTotal) return Refusal.PaymentsMismatch;
        if (!state.CoversWithCredit(channel.TheirSide, update.Sent, update.Received)) return Refusal.DepositUncredited;

        next = state with
        {
            TheirSent = update.Sent,
            SaidReceived = UInt128.Zero,
            TheirReceived = update.Received,
            TheirSignature = verified.Signature,
            Acknowledged = UInt128.Max(state.Acknowledged, update.Received),
        };
        return Refusal.None;
    }

    /// <summary>What <see cref="Accept"/> would refuse an update for, its signature and its payments aside.</summary>
    public static Refusal Check(Channel channel, in ChannelState state, in BalanceUpdate update)
    {
        Refusal refusal = CheckTotals(channel, state, update);
        if (refusal != Refusal.None) return refusal;
        if (update.Sent == state.TheirSent && update.Received == state.TheirReceived && state.HasTheirUpdate)
            return Refusal.None;
        return CheckCover(state, channel.TheirSide, update.Sent, update.Received);
    }

    private static Refusal CheckCover(in ChannelState state, Side side, UInt128 sent, UInt128 received) =>
        !state.Covers(side, sent, received) ? Refusal.InsufficientBalance
        : !state.CoversWithCredit(side, sent, received) ? Refusal.DepositUncredited
        : Refusal.None;

    private static Refusal CheckTotals(Channel channel, in ChannelState state, in BalanceUpdate update)
    {
        if (update.Sent > Amounts.Max || update.Received > Amounts.Max) return Refusal.AmountTooLarge;
        if (update.Channel != channel.Id) return Refusal.UnknownChannel;
        if (channel.Terms.OneWay && (channel.TheirSide == Side.B || update.Received != UInt128.Zero))
            return Refusal.OneWayChannel;
        if (!state.EverFunded) return Refusal.DepositUnconfirmed;
        if (state.OnChain.IsClosing) return Refusal.ChannelClosing;
        if (state.CloseDeadlineSeconds != 0) return Refusal.CloseAgreed;
        if (update.Sent < state.TheirTotal) return Refusal.StaleSent;
        if (update.Received < state.TheirReceived) return Refusal.StaleReceived;
        return update.Received > state.Sent ? Refusal.ReceivedNotSent : Refusal.None;
    }

    /// <summary>We pay <paramref name="amount"/>: the next state's <see cref="ChannelState.Sent"/> is what to sign.</summary>
    public static Refusal Pay(Channel channel, in ChannelState state, UInt128 amount, out ChannelState next)
    {
        next = state;
        if (amount == UInt128.Zero) return Refusal.ZeroAmount;
        if (amount > Amounts.Max || state.Sent + amount > Amounts.Max) return Refusal.AmountTooLarge;
        if (!channel.CanSend(channel.OurSide)) return Refusal.OneWayChannel;
        if (!state.EverFunded) return Refusal.DepositUnconfirmed;
        if (state.OnChain.IsClosing) return Refusal.ChannelClosing;
        if (state.CloseDeadlineSeconds != 0) return Refusal.CloseAgreed;
        Refusal refusal = CheckCover(state, channel.OurSide, state.Sent + amount, state.TheirSent);
        if (refusal != Refusal.None) return refusal; // Our own credit too: the peer would refuse what we then had signed.

        next = state with { Sent = state.Sent + amount };
        return Refusal.None;
    }

    /// <summary>The peer says that it has durably accepted <paramref name="received"/> of what we sent.</summary>
    public static Refusal Acknowledge(in ChannelState state, UInt128 received, out ChannelState next)
    {
        next = state;
        if (received > state.Sent) return Refusal.ReceivedNotSent;
        if (received > state.Acknowledged) next = state with { Acknowledged = received };
        return Refusal.None;
    }

    /// <summary>
    /// The peer shows <paramref name="own"/>, which this side has signed: where that is more than is known here, the database is an older
    /// copy, and takes over what binds it. False, and nothing changed, where it is known.
    /// </summary>
    public static bool TakeOver(in ChannelState state, in BalanceUpdate own, out ChannelState next)
    {
        next = state;
        if (own.Sent <= state.Sent || own.Sent > Amounts.Max) return false;
        next = state with { Sent = own.Sent, SentUnrecorded = state.SentUnrecorded + (own.Sent - state.Sent) };
        return true;
    }

    /// <summary>The update to sign for the state: all that we sent, all that we accepted (nothing, when one-way).</summary>
    public static BalanceUpdate ToSign(Channel channel, in ChannelState state) =>
        new(channel.Id, state.Sent, channel.Terms.OneWay ? UInt128.Zero : state.TheirTotal);
}
