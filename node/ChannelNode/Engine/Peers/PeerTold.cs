using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What a node takes of a peer in one token.</summary>
/// <param name="Sum">How much more, with all that is under way.</param>
/// <param name="Count">How many payments more.</param>
internal readonly record struct TokenTold(UInt128 PaymentMin, UInt128 DepositMax, PolicyRoom Sum, PolicyRoom Count, bool IsRefused)
{
    public static readonly TokenTold Nothing = new(UInt128.Zero, UInt128.MaxValue, PolicyRoom.Endless, PolicyRoom.Endless, false);
}

/// <summary>
/// What a node tells a peer of its limits, so that nothing is signed or deposited that would be refused for good: what is signed
/// stays signed.
/// </summary>
/// <param name="RefusesAll">Nothing of this peer is taken.</param>
/// <param name="Tokens">Those with limits.</param>
internal sealed record PeerTold(bool RefusesAll, IReadOnlyDictionary<Address, TokenTold> Tokens)
{
    public const int TokensMax = 32;

    /// <summary>Where nothing needs to be told.</summary>
    public static readonly PeerTold Nothing = new(false, new Dictionary<Address, TokenTold>());

    public bool IsNothing => !RefusesAll && Tokens.Count == 0;

    public bool Equals(PeerTold? other) =>
        other is not null && RefusesAll == other.RefusesAll && Tokens.Count == other.Tokens.Count
        && Tokens.All(it => other.Tokens.TryGetValue(it.Key, out TokenTold told) && told == it.Value);

    public override int GetHashCode() => HashCode.Combine(RefusesAll, Tokens.Count);

    /// <summary>
    /// Why the peer would take no such payment in a channel in which this node holds <paramref name="pot"/> on chain, whatever it
    /// has taken before; null when it would.
    /// </summary>
    public PolicyNo? Refuse(Address peer, Address token, UInt128 pot, UInt128 amount)
    {
        PolicyNo? no = RefuseDeposit(peer, token, pot);
        if (no is not null || !Tokens.TryGetValue(token, out TokenTold told) || amount >= told.PaymentMin) return no;
        return Of(peer, token, new PolicyDecision(PolicyRule.SmallestPayment, amount, told.PaymentMin));
    }

    /// <summary>Why the peer would take no payment in a channel in which this node held so much on chain; null when it would.</summary>
    public PolicyNo? RefuseDeposit(Address peer, Address token, UInt128 pot)
    {
        if (RefusesAll) return Of(peer, token, PolicyDecision.No(PolicyRule.Denied));
        if (!Tokens.TryGetValue(token, out TokenTold told)) return null;
        if (told.IsRefused) return Of(peer, token, PolicyDecision.No(PolicyRule.Token));
        return pot > told.DepositMax ? Of(peer, token, new PolicyDecision(PolicyRule.Deposit, pot, told.DepositMax)) : null;
    }

    /// <summary>A rule of the peer's, which this node knows no tier of.</summary>
    public static PolicyNo Of(Address peer, Address token, in PolicyDecision decision) => new(decision, peer, token, string.Empty);
}
