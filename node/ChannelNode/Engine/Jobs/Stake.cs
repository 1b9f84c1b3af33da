using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What is lost where a dispute, or a claim on a closing channel, is not mined in time: smallest units of a token, at most
/// 2^112 - 1; the zero address is ether.
/// </summary>
/// <param name="Amount">What is lost at most. It may have been paid back since, which the peer shows, or not, at the last second.</param>
/// <param name="Won">What of that is earned whatever the peer shows: only this pays for gas.</param>
internal readonly record struct Stake(Address Token, UInt128 Amount, UInt128 Won)
{
    /// <summary>All of it is won.</summary>
    public Stake(Address token, UInt128 amount)
        : this(token, amount, amount)
    {
    }

    public static Stake In(StoredChannel closing) => new(
        closing.Channel.Terms.Token,
        Lifecycle.AtStake(closing.Channel, closing.State),
        Lifecycle.WonAtLeast(closing.Channel, closing.State));

    /// <summary>Of channels with one token.</summary>
    public static Stake In(IReadOnlyList<StoredChannel> closing)
    {
        UInt128 sum = UInt128.Zero, won = UInt128.Zero;
        foreach (StoredChannel stored in closing)
        {
            Stake one = In(stored);
            sum += one.Amount;
            won += one.Won;
        }

        return new Stake(closing[0].Channel.Terms.Token, UInt128.Min(sum, Amounts.Max), UInt128.Min(won, Amounts.Max));
    }
}

/// <summary>What an operator says of a token: so many of its smallest units, 1 to 2^112 - 1, are worth one ether.</summary>
internal readonly record struct TokenRate(Address Token, UInt128 UnitsPerEther);

/// <summary>
/// What stakes are worth beside the gas that they cost. Ether is ether; of a token that is known only where the operator has said
/// it. Immutable.
/// </summary>
/// <param name="areOurs">
/// Whether those who pay the gas, or whom they chose to guard, have what is at stake. Else nothing that is at stake pays for gas, and a
/// token that nobody has vouched for is worth nothing: anybody can make one.
/// </param>
internal sealed class StakeWorth(IReadOnlyList<TokenRate> rates, bool areOurs)
{
    /// <summary>The part of a stake that may go into gas without being counted: 1/4.</summary>
    private const uint OwnPart = 4;

    private const ulong WeiPerEther = 1_000_000_000_000_000_000;

    private readonly Dictionary<Address, UInt128> _unitsPerEther = rates.ToDictionary(rate => rate.Token, rate => rate.UnitsPerEther);

    /// <summary>Null where nobody knows: a token without a rate, or a job of an older program.</summary>
    public UInt128? InWei(Stake? stake) => stake is { } known ? InWei(known.Token, known.Amount) : null;

    private UInt128? InWei(Address token, UInt128 amount)
    {
        if (token.IsZero) return amount;
        if (!_unitsPerEther.TryGetValue(token, out UInt128 units)) return areOurs ? null : UInt128.Zero;
        (UInt128 whole, UInt128 rest) = UInt128.DivRem(amount, units);
        if (whole >= Amounts.Max / WeiPerEther) return Amounts.Max;
        // A rest that would not fit is of a rate so large that its last digits are worth less than a wei.
        UInt128 scaled = rest <= UInt128.MaxValue / WeiPerEther ? rest * WeiPerEther / units : rest / (units / WeiPerEther);
        return whole * WeiPerEther + scaled;
    }

    /// <summary>
    /// Wei of gas that what is won pays for by itself. Within that a dispute is never a loss, so no budget needs to
    /// count it, however many there are.
    /// </summary>
    public UInt128 PaysFor(Stake? stake) =>
        areOurs && stake is { } known ? (InWei(known.Token, known.Won) ?? UInt128.Zero) / OwnPart : UInt128.Zero;

    /// <summary>Whether it is known to be about less than what it costs.</summary>
    /// <param name="cost">Wei.</param>
    public bool IsSmall(Stake? stake, UInt128 cost) => InWei(stake) is { } worth && worth < cost;

    /// <summary>
    /// In the order in which they are to be begun: those known to be worth their gas, the largest first; then those of which nobody
    /// knows what they are worth, the largest of each token, then each token's next; then those worth less than their gas, the largest
    /// first. What is equal stays as it was.
    /// </summary>
    /// <param name="cost">Wei of gas that one costs.</param>
    public IReadOnlyList<T> Order<T>(IEnumerable<T> some, Func<T, Stake?> stakeOf, UInt128 cost)
    {
        List<(T It, Stake? Stake, UInt128? Worth)> all = [.. some.Select(it => (it, stakeOf(it))).Select(it => (it.it, it.Item2, InWei(it.Item2)))];
        IEnumerable<T> known = all.Where(it => it.Worth >= cost).OrderByDescending(it => it.Worth).Select(it => it.It);
        IEnumerable<T> unknown = all.Where(it => it.Worth is null).GroupBy(it => it.Stake?.Token)
            .SelectMany(token => token.OrderByDescending(it => it.Stake?.Amount).Select((it, place) => (it.It, Place: place)))
            .OrderBy(it => it.Place).Select(it => it.It);
        IEnumerable<T> small = all.Where(it => it.Worth < cost).OrderByDescending(it => it.Worth).Select(it => it.It);
        return [.. known, .. unknown, .. small];
    }

    /// <summary>
    /// In the same order, without those that wait: so many are under way that are about as much of the same token, or more. So one about much
    /// never waits for those about little.
    /// </summary>
    public IEnumerable<T> ThatMayBegin<T>(IEnumerable<T> due, Func<T, Stake> stakeOf, List<Stake> underWay, int max)
    {
        HashSet<Address> full = [];
        foreach (T one in Order(due, it => stakeOf(it), UInt128.Zero))
        {
            Stake stake = stakeOf(one);
            if (full.Contains(stake.Token)) continue;
            if (underWay.Count(other => other.Token == stake.Token && other.Amount >= stake.Amount) >= max)
            {
                full.Add(stake.Token); // What follows of it is about less.
                continue;
            }

            underWay.Add(stake);
            yield return one;
        }
    }
}
