using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What the account and the day's gas have for a transaction, and who gives way where that is not enough for all: disputes about less
/// than they cost to those about more, and what protects nothing to these.
/// </summary>
internal sealed partial class JobOffers
{
    /// <summary>Gas of a dispute, or of a claim of one row, and a little more.</summary>
    private const ulong UsualGas = 100_000;

    /// <summary>No transaction takes less.</summary>
    private const ulong LeastGas = 21_000;

    /// <summary>Transactions at a time that are about less than they cost: a tenth of a block of 36 million gas.</summary>
    private const int SmallInFlightMax = 32;

    /// <summary>What they leave in the account, as a multiple of what one of them offers: enough when fees rise tenfold.</summary>
    private const uint SmallLeaves = 16;

    private readonly Dictionary<Address, ulong> _allowances = [];
    private RefusalException? _smallsWait;
    private int? _smallsInFlight;

    private async Task<UInt128> UsualCostAsync(CancellationToken cancel) =>
        UsualGas * FeePolicy.First(await MarketAsync(cancel)).MaxFee;

    /// <summary>
    /// Whether it is about less than it costs, and waits for others like it. Without asking the chain: there may be very many.
    /// </summary>
    private async Task<bool> IsHeldBackAsync(Job job, CancellationToken cancel)
    {
        if (!job.IsProtective || IsTooLate(job)) return false;
        if (!worth.IsSmall(job.Stake, await UsualCostAsync(cancel))) return false;
        if (_smallsWait is { } why) throw why;
        _smallsInFlight ??= Smalls().Count();
        return _smallsInFlight >= SmallInFlightMax;
    }

    /// <summary>Under way, about less than they offer, and not mined yet.</summary>
    private IEnumerable<JobEntry> Smalls() => jobs.Active.Where(entry =>
        entry.Job is { Status: JobStatus.Sent, IsProtective: true, Receipt: null, Offer: { Kind: AttemptKind.Completing } offer } job
        && offer.Nonce >= _look.MinedNonce && worth.IsSmall(job.Stake, offer.GasCostMax));

    /// <summary>The one whose nonce a job that is about more takes: it is not to be mined after any of them.</summary>
    private JobEntry? FirstSmall() => Smalls().MinBy(entry => entry.Job.Nonce);

    /// <summary>
    /// What the account, and what is left of the day's gas, can offer for each unit of gas, where the next block takes that. An
    /// offer covers several times what is burnt: who has enough for one block must not give a dispute up for not having enough for six.
    /// </summary>
    private UInt128 Affordable(UInt128 budget, PreparedCall prepared, ChainFees market, UInt128 feeMax, bool isGreat)
    {
        UInt128 perGas = UInt128.Min(PerGas(prepared, isGreat), budget / prepared.Gas);
        return perGas > market.BaseFee ? UInt128.Min(feeMax, perGas) : feeMax;
    }

    /// <summary>What the account alone has for each unit of gas.</summary>
    private UInt128 PerGas(PreparedCall prepared, bool toGreat) =>
        Amounts.Excess(_look.Balance, prepared.Call.Value + Promised(toGreat)) / prepared.Gas;

    /// <summary>What is to be mined after it cannot be mined before, and may be made for less.</summary>
    private UInt128 PromisedBeside(Job job, bool toGreat) => job.Nonce is { } nonce ? PromisedBefore(nonce) : Promised(toGreat);

    /// <summary>
    /// Without asking the chain: many that have nothing left of the day's gas keep no other from its turn.
    /// </summary>
    private void RequireSomeGas(Job job, Lent lent, ChainFees market)
    {
        UInt128 left = BudgetLeft(job, lent), least = LeastGas * (market.BaseFee + 1);
        if (left < least)
        {
            throw new RefusalException(
                Refusal.BudgetReached, $"{job.Call.Operation} costs more than {AmountWords.Ether(least.ToString())} of gas, and "
                    + $"{AmountWords.Ether(left.ToString())} is left of the day's for it");
        }
    }

    private UInt128 BudgetLeft(Job job, Lent lent) => GasBudget.LeftFor(job, lent, jobs.Each, worth, options, clock.NowSeconds);

    /// <summary>To what is under way. Those that are about less than they cost come after a great one, and leave enough for it.</summary>
    private UInt128 Promised(bool toGreat)
    {
        UInt128 promised = UInt128.Zero;
        foreach (JobEntry other in jobs.Active) promised += other.Job.Promised;
        if (!toGreat) return promised;
        foreach (JobEntry small in Smalls()) promised -= small.Job.Promised;
        return promised;
    }

    /// <summary>To those that must be mined before it.</summary>
    private UInt128 PromisedBefore(ulong nonce)
    {
        UInt128 promised = UInt128.Zero;
        foreach (JobEntry other in jobs.Active)
            if (other.Job.Nonce < nonce) promised += other.Job.Promised;
        return promised;
    }

    /// <summary>
    /// The ether promised to what protects nothing and is not mined yet is taken back where a dispute needs it, a deposit's own or for
    /// gas alone: all that can be done again, a window that is over never comes again.
    /// </summary>
    /// <param name="least">Wei. Where not even these would be there then, nothing is taken.</param>
    /// <param name="needed">Wei.</param>
    /// <param name="promised">What of the account's is not the dispute's, while all others are as they are.</param>
    private async Task TakeEtherBackAsync(
        Job dispute, UInt128 least, UInt128 needed, Func<UInt128> promised, ChainFees market, CancellationToken cancel)
    {
        if (promised() + needed <= _look.Balance) return;
        UInt128 itself = NothingGas * FeePolicy.First(market).MaxFee;
        JobEntry[] others =
        [
            .. jobs.Active.Where(other => other.Job is { Status: JobStatus.Sent, Offer: { } offer } job && MayGiveWay(job, offer)
                && job.Promised > itself && job.Nonce >= _look.MinedNonce && !(job.Nonce > dispute.Nonce))
                .OrderByDescending(other => other.Job.Promised),
        ];
        UInt128 stays = promised();
        foreach (JobEntry other in others) stays = Amounts.Excess(stays, Amounts.Excess(other.Job.Promised, itself));
        if (stays + least > _look.Balance) return;
        foreach (JobEntry other in others)
        {
            await CancelAsync(other, dispute, Refusal.InsufficientFunds, market, cancel);
            if (promised() + needed <= _look.Balance) return;
        }
    }

    /// <summary>It protects nothing, and is not cancelled yet. What fills a nonce is a transfer of nothing already.</summary>
    private static bool MayGiveWay(Job job, JobAttempt offer) =>
        !job.IsProtective && job.Kind != JobKind.Unblock && offer.Kind != AttemptKind.Cancelling;

    /// <summary>False where nothing that a block takes can take its place.</summary>
    /// <param name="why">What does not reach for both: ether, or the day's gas.</param>
    private Task<bool> CancelAsync(JobEntry entry, Job? dispute, Refusal why, ChainFees market, CancellationToken cancel)
    {
        uint urgency = dispute is null ? 0 : FeePolicy.Urgency(dispute.CreatedAtSeconds, NowSeconds, dispute.DeadlineSeconds);
        Job job = entry.Job;
        bool hasEther = job.Call.Value != UInt128.Zero;
        string what = hasEther ? $"its {In(job.Call.Value)} are taken back for" : $"{job.Call.Operation} gives way to";
        string whom = dispute is null ? "what protects money" : $"job {dispute.Number}, which protects money";
        string lack = why == Refusal.BudgetReached ? "what is left of the day's gas does" : $"the account's {In(_look.Balance)} do";
        string again = !hasEther && (job.MayBeTakenBack || job.Kind == JobKind.Close) ? "; it has to be asked for again" : "";
        return CancelAsync(entry, job with { Refusal = why, Message = $"{what} {whom}: {lack} not reach for both{again}" }, market, urgency, cancel);
    }

    private async Task<bool> CancelAsync(JobEntry entry, Job job, ChainFees market, uint urgency, CancellationToken cancel)
    {
        PreparedCall nothing = Nothing();
        UInt128 feeMax = UInt128.Min(FeeMax(isProtective: true), _look.Balance / nothing.Gas);
        if (job.Offer is not { } offer || FeePolicy.Replace(offer.Fees, market, urgency, feeMax) is not { } fees) return false;
        if (FeePolicy.IsBelowMarket(fees, market)) return false;
        await OfferAsync(entry, job, nothing, AttemptKind.Cancelling, offer.Nonce, fees, cancel);
        return true;
    }

    /// <summary>
    /// Whether it is a dispute about less than it costs that no block takes as it is, and that nothing worth its gas waits behind. It can
    /// offer no more: what is sent behind it, and could be mined now, is not to wait for the end of its window.
    /// </summary>
    private async Task<bool> IsInTheWayAsync(Job job, JobAttempt offer, Lent lent, CancellationToken cancel)
    {
        if (!job.IsProtective || offer.Kind == AttemptKind.Cancelling || !lent.IsSmall(offer.GasCostMax, worth)) return false;
        ChainFees market = await MarketAsync(cancel);
        return FeePolicy.IsBelowMarket(offer.Fees, market) && market.BaseFee < FeeMax(isProtective: false);
    }

    /// <summary>Its nonce is freed by a transfer of nothing, which costs less; it fails, and may be asked for again.</summary>
    private async Task<bool> GiveUpAsync(JobEntry entry, RefusalException why, CancellationToken cancel)
    {
        Job job = entry.Job with { Refusal = why.Refusal, Message = $"{why.Message}, and others wait behind it" };
        return await CancelAsync(entry, job, await MarketAsync(cancel), urgency: 0, cancel);
    }

    private static string In(UInt128 wei) => AmountWords.Of(wei, Address.Zero);

    /// <summary>
    /// Ends the job when neither the budget nor the account has what it needs. What protects money waits instead, told once: it is due until
    /// its window is over, and there may be very many. So does what fills a nonce that others wait for.
    /// </summary>
    private async Task<bool> IsShortAsync(JobEntry entry, PreparedCall prepared, TransactionFees fees, UInt128 budget, bool isGreat)
    {
        Job job = entry.Job;
        UInt128 cost = prepared.Gas * fees.MaxFee, needed = prepared.Call.Value + cost, promised = PromisedBeside(job, isGreat);
        bool isSmall = job.IsProtective && !isGreat;
        Refusal refusal;
        string message;
        if (cost > budget)
        {
            refusal = Refusal.BudgetReached;
            message = $"{job.Call.Operation} may cost {In(cost)} of gas, more than is left of the day's "
                + (isSmall ? "for what is about less than it costs" : In(options.GasBudgetWeiPerDay));
        }
        else if ((isSmall ? cost * SmallLeaves : needed) + promised > _look.Balance)
        {
            refusal = Refusal.InsufficientFunds;
            // Not how much: a job's words are told to tokens that may not hear of other channels.
            string others = promised == UInt128.Zero ? "" : ", a part of which is promised to other transactions";
            message = $"{job.Call.Operation} needs {In(needed)} with its gas"
                + (isSmall ? $", is about less than that, and has to leave {SmallLeaves} times as much for others" : "")
                + $", and the node's account has {In(_look.Balance)}{others}";
        }
        else
        {
            return false;
        }

        if (isSmall) throw _smallsWait = new RefusalException(refusal, message);
        if (job.IsProtective || job.Kind == JobKind.Unblock) throw new RefusalException(refusal, message);
        await FailAsync(entry, refusal, message);
        return true;
    }

    /// <summary>
    /// Whether it protects nothing, no block takes it as it is, and a dispute worth its gas cannot be mined before it. That gas is a
    /// usual transaction's: what is in the way may have very many rows.
    /// </summary>
    private bool HoldsUpMore(Job job, JobAttempt offer, Lent lent, ChainFees market, uint urgency) =>
        lent.IsProtective && MayGiveWay(job, offer)
        && !lent.IsSmall(UInt128.Min(offer.GasCostMax, UsualGas * offer.Fees.MaxFee), worth) && CannotWait(offer, market, urgency);

    /// <summary>No block takes it as it is, or half of its time is over.</summary>
    private static bool CannotWait(JobAttempt offer, ChainFees market, uint urgency) =>
        FeePolicy.IsBelowMarket(offer.Fees, market) || urgency >= FeePolicy.UrgencyMax / 2;

    /// <summary>
    /// An allowance belongs to one deposit: two at once would overwrite each other's. Who has it in a round is looked for once, however
    /// many wait.
    /// </summary>
    private bool IsAllowanceInUse(Job job)
    {
        if (job.Call.Spends == UInt128.Zero) return false;
        Address token = job.Call.Token;
        if (_allowances.TryGetValue(token, out ulong owner)) return owner != job.Number;
        owner = jobs.Active.Select(other => other.Job)
            .Where(other => other.Call.Spends != UInt128.Zero && other.Call.Token == token
                && (other.Status is JobStatus.Sent or JobStatus.Mined || other.SpentWei != UInt128.Zero))
            .OrderByDescending(other => other.Status is JobStatus.Sent or JobStatus.Mined).ThenBy(other => other.Number)
            .FirstOrDefault()?.Number ?? 0;
        if (owner == 0) return false;
        _allowances[token] = owner;
        return owner != job.Number;
    }
}
