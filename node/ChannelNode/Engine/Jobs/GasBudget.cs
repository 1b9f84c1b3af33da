using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Wei that a day's transactions may still burn: any of them, and protective ones.</summary>
internal readonly record struct GasLeft(UInt128 Ordinary, UInt128 Protective);

/// <summary>
/// Wei of gas that a day may cost. Protective jobs (disputes, and claims on closing channels) have a reserve of their own on
/// top of what the others leave, so nothing else can ever eat up what a dispute needs. Pure.
/// </summary>
internal static class GasBudget
{
    private const ulong DaySeconds = 86_400;

    /// <summary>
    /// Whether a job may offer to burn <paramref name="cost"/> more wei, what it offers now aside. What is under way counts
    /// with all that it may burn until it has its confirmations, then with what it did. <paramref name="isProtective"/>: the job is, or holds up one
    /// that is.
    /// </summary>
    public static bool Allows(
        Job job, bool isProtective, UInt128 cost, IEnumerable<Job> all, NodeOptions options, ulong nowSeconds) =>
        cost <= LeftFor(job, isProtective, all, options, nowSeconds);

    /// <summary>The most that a job may offer to burn for <see cref="Allows"/>, what it offers now aside.</summary>
    public static UInt128 LeftFor(Job job, bool isProtective, IEnumerable<Job> all, NodeOptions options, ulong nowSeconds)
    {
        (UInt128 ordinary, UInt128 protective) = Used(all, job.Number, nowSeconds);
        GasLeft left = Left(ordinary, protective, options);
        return isProtective ? left.Protective : left.Ordinary;
    }

    /// <summary>The most that a new job may offer to burn now.</summary>
    public static GasLeft Left(IEnumerable<Job> all, NodeOptions options, ulong nowSeconds)
    {
        (UInt128 ordinary, UInt128 protective) = Used(all, besides: 0, nowSeconds);
        return Left(ordinary, protective, options);
    }

    private static GasLeft Left(UInt128 ordinary, UInt128 protective, NodeOptions options)
    {
        UInt128 budget = options.GasBudgetWeiPerDay, reserve = options.DisputeReserveWeiPerDay;
        return new GasLeft(
            Amounts.Excess(budget, ordinary + Amounts.Excess(protective, reserve)),
            Amounts.Excess(budget + reserve, ordinary + protective));
    }

    private static (UInt128 Ordinary, UInt128 Protective) Used(IEnumerable<Job> all, ulong besides, ulong nowSeconds)
    {
        UInt128 ordinary = UInt128.Zero, protective = UInt128.Zero;
        foreach (Job other in all)
        {
            UInt128 burnt = BurntToday(other, nowSeconds);
            // Mined, what it burnt is added up only with all its confirmations.
            if (other.Number != besides && other.Status is (JobStatus.Sent or JobStatus.Mined))
                burnt += other.Offer?.GasCostMax ?? UInt128.Zero;
            if (other.IsProtective) protective += burnt;
            else ordinary += burnt;
        }

        return (ordinary, protective);
    }

    private static UInt128 BurntToday(Job job, ulong nowSeconds) =>
        job.IsActive || job.EndedAtSeconds + DaySeconds > nowSeconds ? job.SpentWei : UInt128.Zero;
}
