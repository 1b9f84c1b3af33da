using System.Runtime.InteropServices;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Wei that a day's transactions may still burn: any of them, and protective ones.</summary>
internal readonly record struct GasLeft(UInt128 Ordinary, UInt128 Protective);

/// <summary>
/// Wei of gas that a day may cost. Protective jobs (disputes, and claims on closing channels) have a reserve of their own on
/// top of what the others leave, so nothing else can ever eat up what a dispute needs. Nor can disputes about little eat up what one
/// about much needs: what is within a quarter of a stake is not counted, and of the rest those about less than they cost
/// have half of the reserve. Pure.
/// </summary>
internal static class GasBudget
{
    private const ulong DaySeconds = 86_400;

    /// <summary>One closing of a channel, by the channel (a claim's first) and the end of its window.</summary>
    private readonly record struct Closing(ChannelId Channel, ulong ClosesAtSeconds)
    {
        public static Closing Of(Job job) => new(job.Channels.Count > 0 ? job.Channels[0] : default, job.DeadlineSeconds);
    }

    /// <summary>What a day's jobs have burnt, or may burn yet. By closing, for one may take several jobs.</summary>
    private sealed class Use
    {
        public UInt128 Ordinary { get; set; }

        public Dictionary<Closing, (UInt128 Wei, Stake? Stake)> Protective { get; } = [];
    }

    /// <summary>
    /// The most that a job may offer to burn, what it offers now aside. What is under way counts with all that it may burn until it has
    /// its confirmations, then with what it did.
    /// </summary>
    /// <param name="lent">For whom it is sent.</param>
    public static UInt128 LeftFor(
        Job job, Lent lent, IEnumerable<Job> all, StakeWorth worth, NodeOptions options, ulong nowSeconds)
    {
        Use use = Used(all, job.Number, nowSeconds);
        GasLeft left = Left(use, worth, options);
        if (!lent.IsProtective) return left.Ordinary;
        UInt128 borrowed = LeftForGreatest(lent, use, left, worth, options);
        return job.IsProtective ? borrowed : UInt128.Max(borrowed, left.Ordinary); // What it is lent takes nothing from it.
    }

    private static UInt128 LeftForGreatest(Lent lent, Use use, GasLeft left, StakeWorth worth, NodeOptions options)
    {
        if (lent.Greatest is not { } greatest) return left.Protective;
        (UInt128 spent, _) = use.Protective.GetValueOrDefault(Closing.Of(greatest));
        UInt128 own = Amounts.Excess(worth.PaysFor(greatest.Stake), spent);
        if (lent.HasUnknown) return own + left.Protective;
        UInt128 whole = UInt128.Min(worth.InWei(greatest.Stake) ?? UInt128.Zero, own + left.Protective);
        return UInt128.Max(whole, own + UInt128.Min(left.Protective, LeftForSmall(use, worth, options)));
    }

    /// <summary>The most that a new job may offer to burn now; a protective one, if what it is about is worth it.</summary>
    public static GasLeft Left(IEnumerable<Job> all, StakeWorth worth, NodeOptions options, ulong nowSeconds) =>
        Left(Used(all, besides: 0, nowSeconds), worth, options);

    private static GasLeft Left(Use use, StakeWorth worth, NodeOptions options)
    {
        UInt128 budget = options.GasBudgetWeiPerDay, reserve = options.DisputeReserveWeiPerDay, protective = UInt128.Zero;
        foreach ((UInt128 wei, Stake? stake) in use.Protective.Values) protective += Amounts.Excess(wei, worth.PaysFor(stake));
        return new GasLeft(
            Amounts.Excess(budget, use.Ordinary + Amounts.Excess(protective, reserve)),
            Amounts.Excess(budget + reserve, use.Ordinary + protective));
    }

    private static UInt128 LeftForSmall(Use use, StakeWorth worth, NodeOptions options)
    {
        UInt128 small = UInt128.Zero;
        foreach ((UInt128 wei, Stake? stake) in use.Protective.Values)
            if (worth.IsSmall(stake, wei)) small += Amounts.Excess(wei, worth.PaysFor(stake));
        return Amounts.Excess(options.DisputeReserveWeiPerDay / 2, small);
    }

    private static Use Used(IEnumerable<Job> all, ulong besides, ulong nowSeconds)
    {
        Use use = new();
        foreach (Job other in all)
        {
            UInt128 wei = BurntToday(other, nowSeconds);
            // Mined, what it burnt is added up only with all its confirmations. What gave its nonce away may still be mined.
            if (other.Number != besides && other.IsActive && other.Attempts.Count > 0) wei += other.Attempts[^1].GasCostMax;
            if (!other.IsProtective)
            {
                use.Ordinary += wei;
            }
            else if (wei != UInt128.Zero)
            {
                ref (UInt128 Wei, Stake? Stake) closing =
                    ref CollectionsMarshal.GetValueRefOrAddDefault(use.Protective, Closing.Of(other), out _);
                closing = (closing.Wei + wei, Greater(closing.Stake, other.Stake));
            }
        }

        return use;
    }

    private static Stake? Greater(Stake? one, Stake? other) => one is null || other?.Amount > one.Value.Amount ? other : one;

    private static UInt128 BurntToday(Job job, ulong nowSeconds) =>
        job.IsActive || job.EndedAtSeconds + DaySeconds > nowSeconds ? job.SpentWei : UInt128.Zero;
}
