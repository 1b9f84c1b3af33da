using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What a node takes in one token: no payment below one limit, and no more than the other in one update.</summary>
internal readonly record struct TokenTold(UInt128 PaymentMin, UInt128 SumMax);

/// <summary>
/// What a node tells a peer of its limits, so that nothing is signed that would be refused for good. What is signed stays
/// signed, and what was refused is offered again as one update: so all that is under way must fit the limits of one.
/// </summary>
/// <param name="RefusesAll">Nothing of this peer is taken.</param>
/// <param name="CountMax">Payments in one update.</param>
internal sealed record PeerTold(bool RefusesAll, uint CountMax, IReadOnlyDictionary<Address, TokenTold> Tokens)
{
    /// <summary>Where nothing needs to be told.</summary>
    public static readonly PeerTold Nothing = new(false, uint.MaxValue, new Dictionary<Address, TokenTold>());

    public bool IsNothing => !RefusesAll && CountMax == uint.MaxValue && Tokens.Count == 0;

    /// <summary>Whether the payment fits an update of its own, but not with what is under way already.</summary>
    public bool MustWait(ChannelSlot slot, UInt128 amount)
    {
        if (Refuse(slot, amount) is not null) return false;
        if (CountMax != uint.MaxValue && slot.InFlight.CountAbove(slot.Working.Acknowledged) + 1L > CountMax) return true;
        UInt128 underWay = slot.Working.Sent - slot.Working.Acknowledged;
        return Tokens.TryGetValue(slot.Channel.Terms.Token, out TokenTold told) && underWay + amount > told.SumMax;
    }

    /// <summary>Why the peer would never take the payment; null when it would.</summary>
    public PolicyNo? Refuse(ChannelSlot slot, UInt128 amount)
    {
        Address peer = slot.Channel.Theirs.Signer;
        if (RefusesAll || CountMax == 0) return new PolicyNo(PolicyDecision.No(PolicyRule.Denied), peer, string.Empty);
        if (!Tokens.TryGetValue(slot.Channel.Terms.Token, out TokenTold told)) return null;
        if (amount < told.PaymentMin)
            return new PolicyNo(new PolicyDecision(PolicyRule.SmallestPayment, amount, told.PaymentMin), peer, string.Empty);
        return amount > told.SumMax
            ? new PolicyNo(new PolicyDecision(PolicyRule.SumPerMinute, amount, told.SumMax), peer, string.Empty)
            : null;
    }
}
