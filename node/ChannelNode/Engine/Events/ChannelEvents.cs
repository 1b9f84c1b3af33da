using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What operators are told of channels, in events and so in the log. Pure.</summary>
internal static class ChannelEvents
{
    /// <summary>A window is ending when this part of it is left: time for somebody to act.</summary>
    private const ulong EndingPart = 4;

    /// <summary>Blocks after <paramref name="back"/> are no longer part of the chain.</summary>
    public static OperatorEvent Reorganized(ChainBlock was, ChainBlock back, int channels) => new(
        EventKind.ChainReorganized, EventSeverity.Warning,
        $"the chain was reorganised by {Plural.Of(was.Number - back.Number, "block")}: block {was.Number} {was.Hash} is gone, back to "
        + $"{back.Number}; {Plural.Of(channels, "channel stands where it", "channels stand where they")} stood then")
    {
        Block = back.Number,
        Depth = was.Number - back.Number,
    };

    public static OperatorEvent RolledBack(Channel channel, ulong block) => new(
        EventKind.ChannelRolledBack, EventSeverity.Warning,
        $"channel {channel.Id}: what the chain said of it after block {block} is taken back")
    {
        Channels = [channel.Id],
        Block = block,
    };

    /// <param name="before">The channel without the event.</param>
    /// <param name="after">And with it.</param>
    /// <param name="isOurs">Whether the state says what the two sides have signed; a watchtower's does not.</param>
    public static IEnumerable<OperatorEvent> Seen(
        Channel channel, ChannelState before, ChannelState after, ChainEvent what, ulong block, ulong nowSeconds,
        bool isOurs = true)
    {
        yield return Told(channel, before, after, what, nowSeconds, new Whose(channel, isOurs)) with { Channels = [channel.Id], Block = block };
        if (!isOurs || !Lifecycle.ChainKnowsMore(channel, before, what)) yield break;
        yield return new OperatorEvent(
            EventKind.StateLost, EventSeverity.Alarm,
            $"channel {channel.Id}: the chain knows more than this database, which has signed {In(channel, before.Sent)} and "
            + $"accepted {In(channel, before.TheirSent)}: {what}. It is older than the truth; the chain's totals are taken over"
            + (after.SentUnrecorded == before.SentUnrecorded ? "" : ". " + NotInTheBooks(channel, after.SentUnrecorded - before.SentUnrecorded)))
        {
            Channels = [channel.Id],
            Block = block,
            Amount = after.SentUnrecorded - before.SentUnrecorded,
        };
    }

    private static OperatorEvent Told(
        Channel channel, in ChannelState before, in ChannelState after, ChainEvent what, ulong nowSeconds, Whose whose)
    {
        ChannelId id = channel.Id;
        switch (what)
        {
            case ChainEvent.Deposited deposited:
                UInt128 amount = Amounts.Excess(deposited.Pot, before.OnChain.PotOf(deposited.Side));
                string who = whose.Side(deposited.Side);
                return before.EverFunded
                    ? Info(EventKind.Deposited, $"channel {id}: a deposit of {In(channel, amount)} into {who}", amount)
                    : Info(EventKind.ChannelOpened, $"channel {id} is open: a first deposit of {In(channel, amount)} into {who}", amount);
            case ChainEvent.CloseStarted or ChainEvent.Disputed:
                return Closing(channel, after, what is ChainEvent.Disputed, nowSeconds, whose);
            case ChainEvent.Claimed claimed:
                UInt128 taken = Amounts.Excess(before.OnChain.PotA, claimed.After.PotA);
                return Info(EventKind.ChannelClaimed, $"channel {id}: {In(channel, taken)} claimed, {In(channel, claimed.After.PotA)} left in it", taken);
            case ChainEvent.Settled { Paid: var paid }:
                return Settled(channel, before, after, paid, whose);
            case ChainEvent.Closed { Paid: var paid }:
                return PaidOut(channel, after, EventKind.ChannelClosed, "closed with the consent of both", paid, whose);
            default:
                throw new ArgumentOutOfRangeException(nameof(what), what, "not an event of a channel");
        }
    }

    private static OperatorEvent Closing(
        Channel channel, in ChannelState after, bool isDispute, ulong nowSeconds, Whose whose)
    {
        Pots pots = after.OnChain;
        ulong left = Left(pots.ClosesAtSeconds, nowSeconds);
        string window = $"the window ends at {ChainWords.Time(pots.ClosesAtSeconds)}, in {left} s";
        string sentence = isDispute
            ? $"channel {channel.Id} is disputed: recorded {In(channel, pots.SentOf(channel.OurSide))} of {whose.Ours}, "
                + $"{In(channel, pots.SentOf(channel.TheirSide))} of {whose.Theirs}; {window}"
            : $"channel {channel.Id} is closing: {window}";
        if (Lifecycle.Due(channel, after, nowSeconds, nowSeconds) is ChannelDuty.Dispute or ChannelDuty.Claim)
        {
            sentence += $"; that is an old state (of the peer's, recorded {In(channel, pots.SentOf(channel.TheirSide))}, this node can "
                + $"prove {In(channel, after.TheirSent)}), and this node answers";
        }

        return new OperatorEvent(isDispute ? EventKind.ChannelDisputed : EventKind.ChannelClosing, EventSeverity.Warning, sentence)
        {
            ClosesAtSeconds = pots.ClosesAtSeconds,
            SecondsLeft = left,
        };
    }

    /// <summary>
    /// An alarm where nobody presented in time what this node could prove, and that was more than what it had paid and nobody
    /// presented either; where that was less, the same is told of the peer. Totals go on: it counts again with the next deposit.
    /// </summary>
    private static OperatorEvent Settled(
        Channel channel, in ChannelState before, in ChannelState after, in Pots paid, Whose whose)
    {
        OperatorEvent settled = PaidOut(channel, after, EventKind.ChannelSettled, "settled after its window", paid, whose);
        UInt128 theirs = Amounts.Excess(before.TheirSent, paid.SentOf(channel.TheirSide));
        UInt128 ours = Amounts.Excess(before.Acknowledged, paid.SentOf(channel.OurSide));
        UInt128 lost = UInt128.Min(Amounts.Excess(theirs, ours), paid.PotOf(channel.TheirSide));
        UInt128 spared = UInt128.Min(Amounts.Excess(ours, theirs), paid.PotOf(channel.OurSide));
        if (whose.IsOurs && spared > UInt128.Zero)
        {
            return settled with
            {
                Sentence = $"{settled.Sentence}. Of what its owner was paid, {In(channel, spared)} this node had paid to the peer, and nothing on chain had "
                    + "recorded it by then: a new deposit by this node pays that first",
            };
        }

        if (!whose.IsOurs || lost == UInt128.Zero) return settled;
        return settled with
        {
            Severity = EventSeverity.Alarm,
            Sentence = $"{settled.Sentence}. Lost: {In(channel, lost)} that the peer had paid, and nothing on chain had recorded by then",
        };
    }

    private static OperatorEvent PaidOut(
        Channel channel, in ChannelState after, EventKind kind, string how, in Pots paid, Whose whose)
    {
        string sentence = $"channel {channel.Id} is {how}: {In(channel, paid.PotOf(channel.OurSide))} to {whose.Ours} owner, "
            + $"{In(channel, paid.PotOf(channel.TheirSide))} to {whose.Theirs}";
        if (whose.IsOurs && after.Sent > after.Acknowledged)
            sentence += $". {In(channel, after.Sent - after.Acknowledged)} that this node has signed the peer has not taken: nothing was paid for that";
        return Info(kind, sentence, paid.PotOf(channel.OurSide));
    }

    private static string In(Channel channel, UInt128 amount) => AmountWords.Of(amount, channel.Terms.Token);

    private static OperatorEvent Info(EventKind kind, string sentence, UInt128 amount) =>
        new(kind, EventSeverity.Info, sentence) { Amount = amount };

    /// <summary>For each side of which more counts than before.</summary>
    public static IEnumerable<OperatorEvent> Credited(Channel channel, ChannelState before, ChannelState after, ulong block)
    {
        foreach (Side side in (Side[])[Side.A, Side.B])
        {
            UInt128 more = Amounts.Excess(Counted(after, side), Counted(before, side)), rest = after.UncreditedOf(side);
            if (more == UInt128.Zero) continue;
            string who = side == channel.OurSide ? "this node's side" : "the peer's side";
            string waits = rest == UInt128.Zero ? "all of it" : $"{In(channel, rest)} wait for more confirmations";
            yield return Info(
                EventKind.DepositCredited,
                $"channel {channel.Id}: {In(channel, more)} more of the deposits into {who} counts, {waits}",
                more) with
            { Channels = [channel.Id], Block = block };
        }
    }

    private static UInt128 Counted(in ChannelState state, Side side) =>
        Amounts.Excess(state.OnChain.PotOf(side), state.UncreditedOf(side));

    /// <summary>What the peer paid was covered by a deposit that is gone: it is worth something again when that comes back.</summary>
    public static OperatorEvent? Uncovered(Channel channel, in ChannelState before, in ChannelState after, ulong block)
    {
        bool was = before.Covers(channel.TheirSide, before.TheirSent, before.TheirReceived);
        if (!was || after.Covers(channel.TheirSide, after.TheirSent, after.TheirReceived)) return null;
        UInt128 has = after.OnChain.PotOf(channel.TheirSide)
            + Amounts.Excess(after.TheirReceived, after.OnChain.SentOf(channel.OurSide));
        UInt128 uncovered = Amounts.Excess(Amounts.Excess(after.TheirSent, after.OnChain.SentOf(channel.TheirSide)), has);
        return new OperatorEvent(
            EventKind.CreditLost, EventSeverity.Alarm,
            $"channel {channel.Id}: a deposit was reorganised away; of the {In(channel, after.TheirSent)} that the peer has sent in "
            + $"total, {In(channel, uncovered)} are not covered now. Nothing more is accepted until the deposit is back")
        {
            Channels = [channel.Id],
            Block = block,
            Amount = uncovered,
        };
    }

    /// <summary>By what the peer says it has accepted of this node's.</summary>
    public static OperatorEvent PeerKnowsMore(Channel channel, UInt128 theirsKnown, UInt128 oursKnown) => new(
        EventKind.StateLost, EventSeverity.Alarm,
        $"channel {channel.Id}: the peer has accepted {In(channel, theirsKnown)} of ours, but this database has signed only "
        + $"{In(channel, oursKnown)}: it is older than the truth, and nothing more is paid in this channel")
    {
        Channels = [channel.Id],
        Amount = theirsKnown,
    };

    private static string NotInTheBooks(Channel channel, UInt128 unrecorded) =>
        $"The payments of {In(channel, unrecorded)} of it are not in the books, nor are their idempotency keys: asked for again they would be paid "
        + "again, so nothing is paid here until 'channel resume' says so";

    /// <summary>Of a database that was restored: the peer has shown what its lost self had signed last.</summary>
    /// <param name="isFirst">Others of the channel are no alarm again: how often something is shown is the peer's to choose.</param>
    public static OperatorEvent OwnUpdateShown(Channel channel, UInt128 sent, UInt128 known, bool isFirst) => new(
        EventKind.StateLost, isFirst ? EventSeverity.Alarm : EventSeverity.Warning,
        $"channel {channel.Id}: the peer has shown this node's own signature under {In(channel, sent)} sent, and the restored database knew "
        + $"{In(channel, known)}: the total is taken over. {NotInTheBooks(channel, sent - known)}")
    {
        Channels = [channel.Id],
        Amount = sent - known,
    };

    public static OperatorEvent Resumed(Channel channel, UInt128 unrecorded, string by) => new(
        EventKind.StateLost, EventSeverity.Info,
        $"channel {channel.Id}: is paid in again, as {by} asked; {In(channel, unrecorded)} that the lost database had sent stay without payments in the books")
    {
        Channels = [channel.Id],
        Amount = unrecorded,
    };

    /// <summary>What was signed stays signed: the peer can take it later, or present it to the chain.</summary>
    public static OperatorEvent PaymentStuck(Channel channel, UInt128 amount, Refusal reason) => new(
        EventKind.PaymentStuck, EventSeverity.Warning,
        $"channel {channel.Id}: the peer refuses {In(channel, amount)} that this node has signed, by {reason.Name()}; they are offered again until "
        + "it takes them, and nothing else is paid here before. 'channel start-close' closes without the peer")
    {
        Channels = [channel.Id],
        Amount = amount,
        Refusal = reason,
    };

    public static OperatorEvent ValueAtRisk(IReadOnlyList<ChannelId> channels, Address token, UInt128 value) => new(
        EventKind.ValueAtRisk, EventSeverity.Warning,
        $"{channels.Count} one-way channels owe {AmountWords.Of(value, token)}, above the limit: claiming")
    {
        Channels = channels,
        Amount = value,
    };

    /// <summary>Null while there is time, and when the window is over.</summary>
    public static OperatorEvent? Ending(Channel channel, in ChannelState state, ulong nowSeconds, bool isOurs = true)
    {
        ulong closesAt = state.OnChain.ClosesAtSeconds, left = Left(closesAt, nowSeconds);
        if (left == 0 || left > channel.Terms.DisputeWindowSeconds / EndingPart) return null;
        return new OperatorEvent(
            EventKind.WindowEnding, EventSeverity.Alarm,
            $"channel {channel.Id}: {left} s are left of its window, and what {Provers(channel, isOurs)} can prove above the recorded state "
            + "is not mined yet")
        {
            Channels = [channel.Id],
            ClosesAtSeconds = closesAt,
            SecondsLeft = left,
            Amount = Amounts.Excess(state.TheirSent, state.OnChain.SentOf(channel.TheirSide)),
        };
    }

    public static OperatorEvent DisputeLost(Channel channel, in ChannelState state, bool isOurs = true) => new(
        EventKind.DisputeLost, EventSeverity.Alarm,
        $"channel {channel.Id}: the dispute for {Provers(channel, isOurs)} was not mined before the window ended at {ChainWords.Time(state.OnChain.ClosesAtSeconds)}")
    {
        Channels = [channel.Id],
        ClosesAtSeconds = state.OnChain.ClosesAtSeconds,
        Amount = Amounts.Excess(state.TheirSent, state.OnChain.SentOf(channel.TheirSide)),
    };

    private static string Provers(Channel channel, bool isOurs) => isOurs ? "this node" : $"signer {channel.Ours.Signer}";

    /// <summary>How the two sides are called: by a node as it sees them, by a watchtower, which is neither, by their signers.</summary>
    private readonly record struct Whose(Channel Channel, bool IsOurs)
    {
        public string Ours => IsOurs ? "this node's" : $"signer {Channel.Ours.Signer}'s";

        public string Theirs => IsOurs ? "the peer's" : $"signer {Channel.Theirs.Signer}'s";

        public string Side(Side side) => $"{(side == Channel.OurSide ? Ours : Theirs)} side";
    }

    private static ulong Left(ulong closesAtSeconds, ulong nowSeconds) =>
        closesAtSeconds > nowSeconds ? closesAtSeconds - nowSeconds : 0;
}
