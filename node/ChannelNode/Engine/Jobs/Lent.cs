using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// For whom a transaction is sent: its own job, and those with later nonces, which cannot be mined before it. It is lent what
/// they may spend, and their urgency.
/// </summary>
/// <param name="DeadlineSeconds">The nearest that is not over: what is too late, or has no end any more, makes nothing dearer. 0 for none.</param>
/// <param name="Greatest">The one that is known to be about most; null where no such is.</param>
/// <param name="HasUnknown">Whether one is about something of which nobody knows what it is worth.</param>
/// <param name="IsRacing">Whether one is a claim whose window is over: it is won or lost with the next block in which the peer settles.</param>
internal readonly record struct Lent(bool IsProtective, ulong DeadlineSeconds, Job? Greatest, bool HasUnknown, bool IsRacing)
{
    public static Lent Of(Job job, StakeWorth worth, ulong nowSeconds) => default(Lent).With(job, worth, nowSeconds);

    public Lent With(Job job, StakeWorth worth, ulong nowSeconds)
    {
        bool isOver = job.DeadlineSeconds != 0 && nowSeconds >= job.DeadlineSeconds;
        ulong its = isOver ? 0 : job.DeadlineSeconds;
        ulong deadline = DeadlineSeconds == 0 || its == 0 ? Math.Max(DeadlineSeconds, its) : Math.Min(DeadlineSeconds, its);
        if (!job.IsProtective) return this with { DeadlineSeconds = deadline };
        UInt128? itsWorth = worth.InWei(job.Stake);
        bool isGreater = itsWorth is not null && (Greatest is null || itsWorth > worth.InWei(Greatest.Stake));
        return new Lent(true, deadline, isGreater ? job : Greatest, HasUnknown || itsWorth is null, IsRacing || (isOver && job.Kind == JobKind.Claim));
    }

    /// <summary>Whether all that it is sent for is known to be about less than what it costs, in wei.</summary>
    public bool IsSmall(UInt128 cost, StakeWorth worth) =>
        IsProtective && !HasUnknown && worth.IsSmall(Greatest?.Stake, cost);
}
