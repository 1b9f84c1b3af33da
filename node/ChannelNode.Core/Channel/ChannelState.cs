namespace ChannelNode.Core;

/// <summary>Where a channel stands. It never dies: an emptied one opens again with the next deposit.</summary>
public enum ChannelStatus : byte
{
    /// <summary>Terms agreed, no deposit confirmed yet.</summary>
    Proposed = 0,
    Open = 1,

    /// <summary>We signed a cooperative close: nothing is sent or accepted until it is mined or its deadline is past.</summary>
    CloseAgreed = 2,

    /// <summary>On chain, the dispute window runs or waits to be settled.</summary>
    Closing = 3,

    /// <summary>Paid out and empty.</summary>
    Closed = 4,
}

/// <summary>A channel's terms as one of its two nodes sees them.</summary>
public sealed record Channel(ChannelId Id, ChannelTerms Terms, Side OurSide)
{
    public Side TheirSide => OurSide.Other();

    public Party Ours => Terms.Of(OurSide);

    public Party Theirs => Terms.Of(TheirSide);

    /// <summary>Whether this side may pay at all: side B of a one-way channel may not.</summary>
    public bool CanSend(Side side) => !(Terms.OneWay && side == Side.B);
}

/// <summary>
/// Everything that changes in a channel's life, as one node knows it. Totals are lifetime totals in the token's
/// smallest units and never fall.
/// </summary>
public readonly record struct ChannelState
{
    /// <summary>The contract's storage after the newest block that was followed.</summary>
    public Pots OnChain { get; init; }

    /// <summary>
    /// Of the sides' pots, what does not count yet because its deposit could still be reorganised away. May be more than
    /// the pot, which then counts as empty.
    /// </summary>
    public UInt128 UncreditedA { get; init; }

    public UInt128 UncreditedB { get; init; }

    /// <summary>The largest total that we have signed.</summary>
    public UInt128 Sent { get; init; }

    /// <summary>
    /// Of <see cref="Sent"/>, what a lost database had signed after the backup: the peer or the chain has shown it, and the payments are not
    /// known here. Until an operator has looked, nothing is paid. Else zero.
    /// </summary>
    public UInt128 SentUnrecorded { get; init; }

    /// <summary>Of <see cref="Sent"/>, what the peer has accepted durably, as it told us.</summary>
    public UInt128 Acknowledged { get; init; }

    /// <summary>The peer's newest accepted update: what it has sent.</summary>
    public UInt128 TheirSent { get; init; }

    /// <summary>
    /// What we have signed as received where that is more: a close had raised the peer's total, and the chain took it back.
    /// Else zero.
    /// </summary>
    public UInt128 SaidReceived { get; init; }

    /// <summary>We say this as our <c>received</c>, and the peer's next update is above it.</summary>
    public UInt128 TheirTotal => UInt128.Max(TheirSent, SaidReceived);

    /// <summary>The peer's newest accepted update: what it has accepted of ours.</summary>
    public UInt128 TheirReceived { get; init; }

    /// <summary>Over <see cref="TheirSent"/> and <see cref="TheirReceived"/>; default while only the chain proves them.</summary>
    public Signature TheirSignature { get; init; }

    /// <summary>The cooperative close that we signed, while it may still be mined. Deadline 0: none.</summary>
    public UInt128 CloseSentA { get; init; }

    public UInt128 CloseSentB { get; init; }

    public ulong CloseDeadlineSeconds { get; init; }

    public bool EverFunded { get; init; }

    public ChannelStatus Status =>
        !EverFunded ? ChannelStatus.Proposed
        : OnChain.IsClosing ? ChannelStatus.Closing
        : CloseDeadlineSeconds != 0 ? ChannelStatus.CloseAgreed
        : OnChain.IsEmpty ? ChannelStatus.Closed
        : ChannelStatus.Open;

    /// <summary>Paid out and empty.</summary>
    public bool IsClosed => Status == ChannelStatus.Closed;

    /// <summary>True while we hold a signed update of the peer that says what <see cref="TheirSent"/> says.</summary>
    public bool HasTheirUpdate => TheirSignature != default;

    public UInt128 UncreditedOf(Side side) => side == Side.A ? UncreditedA : UncreditedB;

    /// <summary>What we may still send: our pot, less what we signed, plus what we received, since the chain's record.</summary>
    public UInt128 OurBalance(Channel channel) => Balance(channel.OurSide, Sent, TheirSent);

    /// <summary>What the peer may still send, with all that it has acknowledged: its next update counts that as received.</summary>
    public UInt128 TheirBalance(Channel channel) => Balance(channel.TheirSide, TheirSent, UInt128.Max(TheirReceived, Acknowledged));

    /// <summary>
    /// Rule of cover: pot - (sent - recorded sent) + (received - recorded received), or zero where an update was signed
    /// against a deposit that is no longer there.
    /// </summary>
    public UInt128 Balance(Side side, UInt128 sent, UInt128 received)
    {
        UInt128 has = OnChain.PotOf(side) + Amounts.Excess(received, OnChain.SentOf(side.Other()));
        return Amounts.Excess(has, Amounts.Excess(sent, OnChain.SentOf(side)));
    }

    /// <summary>Whether an update with these totals is covered by what its side has, all deposits counted.</summary>
    public bool Covers(Side side, UInt128 sent, UInt128 received) => Covers(side, sent, received, OnChain.PotOf(side));

    /// <summary>The same, with only those deposits that count already: never true where <see cref="Covers"/> is not.</summary>
    public bool CoversWithCredit(Side side, UInt128 sent, UInt128 received) =>
        Covers(side, sent, received, Amounts.Excess(OnChain.PotOf(side), UncreditedOf(side)));

    private bool Covers(Side side, UInt128 sent, UInt128 received, UInt128 pot)
    {
        UInt128 has = pot + Amounts.Excess(received, OnChain.SentOf(side.Other()));
        return has >= Amounts.Excess(sent, OnChain.SentOf(side));
    }
}
