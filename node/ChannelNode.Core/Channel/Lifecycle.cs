namespace ChannelNode.Core;

/// <summary>What the contract said of one channel, with what it had stored then.</summary>
public abstract record ChainEvent(ChannelId Channel)
{
    /// <summary><paramref name="Pot"/>: the side's, with the deposit in it.</summary>
    public sealed record Deposited(ChannelId Channel, Side Side, UInt128 Pot) : ChainEvent(Channel);

    /// <summary>The window started: <see cref="Pots.ClosesAtSeconds"/> of <paramref name="After"/> says until when.</summary>
    public sealed record CloseStarted(ChannelId Channel, Pots After) : ChainEvent(Channel);

    public sealed record Disputed(ChannelId Channel, Pots After) : ChainEvent(Channel);

    /// <summary>Both sides were paid <paramref name="Paid"/>'s pots, and its totals stay.</summary>
    public sealed record Closed(ChannelId Channel, Pots Paid) : ChainEvent(Channel);

    /// <summary>As with <see cref="Closed"/>.</summary>
    public sealed record Settled(ChannelId Channel, Pots Paid) : ChainEvent(Channel);

    /// <summary>Of a one-way channel, so side B's part of <paramref name="After"/> is zero.</summary>
    public sealed record Claimed(ChannelId Channel, Pots After) : ChainEvent(Channel);
}

/// <summary>What a node must do on chain for a channel now.</summary>
public enum ChannelDuty : byte
{
    None = 0,

    /// <summary>The window runs and we hold an update that is better for us than what is recorded.</summary>
    Dispute = 1,

    /// <summary>The window is over: anyone may have both sides paid.</summary>
    Settle = 2,

    /// <summary>One-way and closing: take what was paid to us before it is too late.</summary>
    Claim = 3,
}

/// <summary>The life-cycle door: what the chain says and what closing needs. Pure, like the hot door.</summary>
public static class Lifecycle
{
    /// <summary>For how long after a window's end its settling is one side's alone; then it is the other's too.</summary>
    public const uint SettleGraceSeconds = 60;

    public static ChannelState Observe(Channel channel, in ChannelState state, ChainEvent seen)
    {
        Pots after = PotsAfter(state.OnChain, seen);
        return seen switch
        {
            ChainEvent.Deposited => state with { OnChain = after, EverFunded = true },
            ChainEvent.Closed => WithoutUselessClose(Record(channel, state, after)),
            _ => Record(channel, state, after),
        };
    }

    /// <summary>What the contract stored of the channel after the event.</summary>
    /// <param name="before">What it stored before.</param>
    public static Pots PotsAfter(in Pots before, ChainEvent seen) => seen switch
    {
        ChainEvent.Deposited deposited => Fund(before, deposited),
        ChainEvent.CloseStarted started => started.After,
        ChainEvent.Disputed disputed => disputed.After,
        ChainEvent.Claimed claimed => claimed.After,
        ChainEvent.Settled settled => settled.Paid.Emptied(),
        ChainEvent.Closed closed => closed.Paid.Emptied(),
        _ => throw new ArgumentOutOfRangeException(nameof(seen), seen, "not an event of a channel"),
    };

    /// <summary>
    /// Events that leave what the contract stores of a channel, for whoever has missed those that did: the totals of what was
    /// paid out, if any, then the pots, then the window.
    /// </summary>
    public static IEnumerable<ChainEvent> ToldOf(ChannelId channel, Pots stored)
    {
        if ((stored.SentA | stored.SentB) != UInt128.Zero) yield return new ChainEvent.Settled(channel, stored.Emptied());
        if (stored.PotA != UInt128.Zero) yield return new ChainEvent.Deposited(channel, Side.A, stored.PotA);
        if (stored.PotB != UInt128.Zero) yield return new ChainEvent.Deposited(channel, Side.B, stored.PotB);
        if (stored.ClosesAtSeconds != 0) yield return new ChainEvent.CloseStarted(channel, stored);
    }

    private static Pots Fund(in Pots pots, ChainEvent.Deposited deposited) => deposited.Side == Side.A
        ? pots with { PotA = deposited.Pot }
        : pots with { PotB = deposited.Pot };

    /// <summary>
    /// Takes over the chain's record. Where it is above what we knew (a cooperative close counts one further), our
    /// totals follow it: nothing below a recorded total is worth anything again. The peer's signature is kept as long
    /// as it still says what <see cref="ChannelState.TheirSent"/> says.
    /// </summary>
    private static ChannelState Record(Channel channel, in ChannelState state, in Pots pots)
    {
        UInt128 ours = pots.SentOf(channel.OurSide), theirs = pots.SentOf(channel.TheirSide);
        return state with
        {
            OnChain = pots,
            EverFunded = true,
            Sent = UInt128.Max(state.Sent, ours),
            Acknowledged = UInt128.Max(state.Acknowledged, ours),
            TheirSent = UInt128.Max(state.TheirSent, theirs),
            SaidReceived = theirs >= state.SaidReceived ? UInt128.Zero : state.SaidReceived,
            TheirSignature = theirs > state.TheirSent ? default : state.TheirSignature,
        };
    }

    /// <summary>
    /// The chain takes back what it said after a block: its part becomes what it was in <paramref name="before"/>, the
    /// state after that block. What this node or its peer has signed since then stays; and where the chain alone had
    /// raised a total, the peer's newest update and the agreed close, which are worth something again, come back.
    /// </summary>
    public static ChannelState RollBack(Channel channel, in ChannelState state, in ChannelState before)
    {
        ChannelState back = state with { OnChain = before.OnChain, EverFunded = before.EverFunded };
        if (state.CloseDeadlineSeconds == 0)
        {
            back = back with
            {
                CloseSentA = before.CloseSentA,
                CloseSentB = before.CloseSentB,
                CloseDeadlineSeconds = before.CloseDeadlineSeconds,
            };
        }

        bool isRaisedByChain = !state.HasTheirUpdate && state.TheirSent == state.OnChain.SentOf(channel.TheirSide);
        if (!isRaisedByChain || !before.HasTheirUpdate) return back;

        bool nothingSaidSince = state.Sent == UInt128.Max(before.Sent, state.OnChain.SentOf(channel.OurSide));
        return back with
        {
            TheirSent = before.TheirSent,
            TheirReceived = before.TheirReceived,
            TheirSignature = before.TheirSignature,
            SaidReceived = nothingSaidSince ? before.SaidReceived : state.TheirTotal,
        };
    }

    /// <summary>
    /// Whether the chain says more of a channel than this node has ever signed or accepted: then its database is older
    /// than the truth. A close that was agreed counts as signed. A one-way payer's total is no sign: it may present that
    /// itself.
    /// </summary>
    public static bool ChainKnowsMore(Channel channel, in ChannelState state, ChainEvent seen)
    {
        if (RecordOf(seen) is not { } record || !channel.CanSend(channel.OurSide)) return false;
        return record.SentA > UInt128.Max(SentOf(channel, state, Side.A), state.CloseSentA)
            || record.SentB > UInt128.Max(SentOf(channel, state, Side.B), state.CloseSentB);
    }

    /// <summary>
    /// Of what the chain has raised this side's total by, what this database knows no payments of: <paramref name="after"/> with that, where
    /// the chain knows more.
    /// </summary>
    public static ChannelState NoteUnrecorded(Channel channel, in ChannelState before, in ChannelState after, ChainEvent seen)
    {
        if (!ChainKnowsMore(channel, before, seen)) return after;
        UInt128 known = UInt128.Max(before.Sent, channel.OurSide == Side.A ? before.CloseSentA : before.CloseSentB);
        return after with { SentUnrecorded = after.SentUnrecorded + Amounts.Excess(after.Sent, known) };
    }

    private static UInt128 SentOf(Channel channel, in ChannelState state, Side side) =>
        channel.OurSide == side ? state.Sent : state.TheirSent;

    private static Pots? RecordOf(ChainEvent seen) => seen switch
    {
        ChainEvent.CloseStarted started => started.After,
        ChainEvent.Disputed disputed => disputed.After,
        ChainEvent.Claimed claimed => claimed.After,
        ChainEvent.Settled settled => settled.Paid,
        ChainEvent.Closed closed => closed.Paid,
        _ => null,
    };

    /// <summary>A close must raise side A's total. An earlier one that is seen again ends no agreement of later totals.</summary>
    private static ChannelState WithoutUselessClose(in ChannelState state) =>
        state.OnChain.SentA >= state.CloseSentA ? WithoutAgreedClose(state) : state;

    private static ChannelState WithoutAgreedClose(in ChannelState state) => state with
    {
        CloseSentA = UInt128.Zero,
        CloseSentB = UInt128.Zero,
        CloseDeadlineSeconds = 0,
    };

    /// <summary>
    /// The totals for a cooperative close: both last totals plus one when duplex (net zero, and above every update);
    /// when one-way the last total, or one unit more where the chain has recorded it already. Once agreed, they stay what
    /// they are until the close is mined or expired.
    /// </summary>
    public static Refusal CloseTotals(
        Channel channel, in ChannelState state, out UInt128 sentA, out UInt128 sentB)
    {
        (sentA, sentB) = (UInt128.Zero, UInt128.Zero);
        if (!state.EverFunded) return Refusal.DepositUnconfirmed;
        if (state.OnChain.IsEmpty) return Refusal.NothingToClose;
        if (state.CloseDeadlineSeconds != 0)
        {
            // Not signed anew, and so not for longer, where the chain has recorded as much meanwhile.
            (sentA, sentB) = (state.CloseSentA, state.CloseSentB);
            return state.OnChain.Close(channel.Terms.OneWay, sentA, sentB, out _, out _, out _);
        }

        if (state.Sent != state.Acknowledged) return Refusal.PaymentsInFlight;

        (UInt128 lastA, UInt128 lastB) = channel.OurSide == Side.A
            ? (state.Sent, state.TheirTotal)
            : (state.TheirTotal, state.Sent);
        (sentA, sentB) = channel.Terms.OneWay
            ? (UInt128.Max(lastA, state.OnChain.SentA + 1), UInt128.Zero)
            : (lastA + 1, lastB + 1);
        return state.OnChain.Close(channel.Terms.OneWay, sentA, sentB, out _, out _, out _);
    }

    /// <summary>
    /// Signing a close begins here: from the next state on nothing is sent or accepted. The same close may be signed
    /// again with another deadline; the latest is remembered.
    /// </summary>
    public static Refusal AgreeClose(
        Channel channel, in ChannelState state, in CooperativeClose close, ulong nowSeconds, out ChannelState next)
    {
        next = state;
        Refusal refusal = CloseTotals(channel, state, out UInt128 sentA, out UInt128 sentB);
        if (refusal != Refusal.None) return refusal;
        if (close.DeadlineSeconds <= nowSeconds) return Refusal.CloseExpired;
        if (close.SentA != sentA || close.SentB != sentB) return Refusal.PaymentsInFlight;

        next = state with
        {
            CloseSentA = sentA,
            CloseSentB = sentB,
            CloseDeadlineSeconds = Math.Max(state.CloseDeadlineSeconds, close.DeadlineSeconds),
        };
        return Refusal.None;
    }

    /// <summary>Gives up an agreed close once no block can hold it any more: <paramref name="chainSeconds"/> is the time of a block
    /// that is deep enough to stay.</summary>
    public static ChannelState ExpireClose(in ChannelState state, ulong chainSeconds) =>
        state.CloseDeadlineSeconds != 0 && chainSeconds > state.CloseDeadlineSeconds
            ? WithoutAgreedClose(state)
            : state;

    /// <summary>
    /// What the guardian owes this channel. Only the chain's own time, a confirmed block's, ends the window for a
    /// dispute: a machine's clock that runs ahead must never give one up. To settle, the later of both will do: too
    /// early, it reverts and is tried again.
    /// </summary>
    public static ChannelDuty Due(Channel channel, in ChannelState state, ulong chainSeconds, ulong nowSeconds)
    {
        if (!state.OnChain.IsClosing) return ChannelDuty.None;

        if (state.HasTheirUpdate && WouldRecordMore(channel, state))
        {
            if (channel.Terms.OneWay && channel.OurSide == Side.B) return ChannelDuty.Claim;
            if (!channel.Terms.OneWay && chainSeconds < state.OnChain.ClosesAtSeconds) return ChannelDuty.Dispute;
        }

        return nowSeconds >= state.OnChain.ClosesAtSeconds ? ChannelDuty.Settle : ChannelDuty.None;
    }

    /// <summary>
    /// From when a side settles by itself, Unix time: the one that is paid more as soon as the window is over, A where both are
    /// paid alike; the other, where it is not done by then, after the grace. Two that settle at once both pay gas. They go by
    /// what the contract has recorded, which is the same for both.
    /// </summary>
    public static ulong SettlesFromSeconds(in Pots pots, Side side)
    {
        Side first = pots.PotB > pots.PotA ? Side.B : Side.A;
        return pots.ClosesAtSeconds + (side == first ? 0UL : SettleGraceSeconds);
    }

    /// <summary>The same for who is neither side: after both.</summary>
    public static ulong OthersSettleFromSeconds(in Pots pots) => pots.ClosesAtSeconds + 2UL * SettleGraceSeconds;

    /// <summary>
    /// What is lost at most, in smallest units, where the peer's newest update is not presented before a closing channel is
    /// settled: what the peer has sent and the contract has not recorded, whatever of our totals is presented meanwhile, and
    /// never more than we would be paid then. So nobody makes it large without as much of the channel's money being ours.
    /// </summary>
    public static UInt128 AtStake(Channel channel, in ChannelState state)
    {
        Pots now = state.OnChain;
        if (channel.Terms.OneWay) return now.Claim(state.TheirSent, out _, out UInt128 paid) == Refusal.None ? paid : UInt128.Zero;
        Pots presented = now.Present(channel.TheirSide, state.TheirSent, state.TheirReceived);
        return UInt128.Min(
            presented.SentOf(channel.TheirSide) - now.SentOf(channel.TheirSide), presented.PotOf(channel.OurSide));
    }

    /// <summary>
    /// What of <see cref="AtStake"/> presenting the peer's newest update earns, even where the peer then presents our newest one: of what
    /// was paid back to it nothing is earned, though it hides that until the last second.
    /// </summary>
    public static UInt128 WonAtLeast(Channel channel, in ChannelState state)
    {
        UInt128 stake = AtStake(channel, state);
        if (channel.Terms.OneWay) return stake;
        Pots end = state.OnChain.Present(channel.TheirSide, state.TheirSent, state.TheirReceived)
            .Present(channel.OurSide, state.Sent, state.TheirSent);
        return UInt128.Min(stake, end.PotOf(channel.OurSide));
    }

    /// <summary>
    /// Whether presenting the peer's newest update would raise the peer's recorded total. Not so when it is recorded,
    /// nor when the pot can pay no more of it (a deposit was reorged away): doing it again and again would only cost gas.
    /// </summary>
    private static bool WouldRecordMore(Channel channel, in ChannelState state) =>
        state.OnChain.Present(channel.TheirSide, state.TheirSent, state.TheirReceived).SentOf(channel.TheirSide)
            > state.OnChain.SentOf(channel.TheirSide);
}
