using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What is sent: told again where it was forgotten, and replaced where it is stuck.</summary>
internal sealed partial class JobOffers
{
    /// <summary>Each lends its urgency, and what it may spend, to those that must be mined before it.</summary>
    /// <param name="sent">By nonce.</param>
    public void Lend(IReadOnlyList<JobEntry> sent)
    {
        _lends.Clear();
        bool ordinaryWait = false;
        foreach (Job job in sent.Reverse().Select(entry => entry.Job))
        {
            _lent = _lent.With(job, worth, NowSeconds);
            _lends[job.Number] = (_lent, ordinaryWait);
            ordinaryWait |= !job.IsProtective && job.Kind != JobKind.Unblock;
        }
    }

    /// <summary>Tells the network again of what it has forgotten, and replaces what is stuck.</summary>
    public async Task TendAsync(JobEntry entry, CancellationToken cancel)
    {
        Job job = entry.Job;
        (Lent lent, bool ordinaryWait) = _lends[job.Number];
        if (job.Offer is not { } offer || job.Nonce < _look.MinedNonce || _tends >= TendsMax) return;
        if (job.Raw.IsEmpty)
        {
            await FillAsync(entry, offer, lent, cancel);
            return;
        }

        if (entry.OfferedAt == 0) entry.OfferedAt = clock.Time.GetTimestamp();
        TimeSpan toldFor = clock.Time.GetElapsedTime(entry.ToldAt), stoodFor = clock.Time.GetElapsedTime(entry.OfferedAt);
        bool isDropped = _look.PendingNonce <= job.Nonce;
        if (entry.ToldAt == 0 || toldFor > (isDropped ? TellDroppedAfter : TellAgainAfter))
        {
            _tends++;
            await TellAsync(entry, cancel);
        }

        if (stoodFor < OfferStandsMin) return;
        bool isStuck = entry.IsUnderpriced || IsTooLate(job) || (job.Refusal == Refusal.JobCancelled && offer.Kind != AttemptKind.Cancelling)
            || stoodFor >= StandsFor(lent, offer.GasCostMax)
            || FeePolicy.IsBelowMarket(offer.Fees, await MarketAsync(cancel));
        if (!isStuck) return;
        _tends++;
        try
        {
            await ReplaceAsync(entry, offer, lent, cancel);
        }
        catch (RefusalException refusal) when (ordinaryWait && refusal.Refusal is (Refusal.BudgetReached or Refusal.FeeTooHigh))
        {
            if (!await IsInTheWayAsync(entry.Job, offer, lent, cancel) || !await GiveUpAsync(entry, refusal, cancel)) throw;
        }
    }

    /// <summary>
    /// Its nonce was given to another, and came back by a reorganisation: there is no transaction to tell of. Where none can be made now,
    /// the nonce is let go of, and filled if others wait behind it; but not that of a deposit, which could then be made twice.
    /// </summary>
    private async Task FillAsync(JobEntry entry, JobAttempt offer, Lent lent, CancellationToken cancel)
    {
        _tends++;
        try
        {
            await ReplaceAsync(entry, offer, lent, cancel);
        }
        catch (RefusalException refusal) when (refusal.Refusal is Refusal.BudgetReached or Refusal.FeeTooHigh && !entry.Job.PutsMoneyIn)
        {
            await jobs.SaveAsync(entry, entry.Job with { Status = JobStatus.Waiting, Nonce = null });
            throw;
        }
    }

    private uint Urgency(Job job, Lent lent, UInt128 cost) => IsRacing(lent, cost) ? FeePolicy.UrgencyMax
        : FeePolicy.Urgency(job.CreatedAtSeconds, NowSeconds, lent.DeadlineSeconds);

    private TimeSpan StandsFor(Lent lent, UInt128 cost)
    {
        TimeSpan usual = FeePolicy.StandsFor(options.ReplaceAfterSeconds, NowSeconds, lent.DeadlineSeconds);
        return IsRacing(lent, cost) && usual > RacingOfferStands ? RacingOfferStands : usual;
    }

    private bool IsRacing(Lent lent, UInt128 cost) => lent.IsRacing && !lent.IsSmall(cost, worth);

    private async Task ReplaceAsync(JobEntry entry, JobAttempt offer, Lent lent, CancellationToken cancel)
    {
        await RequireRoomToRaiseAsync(entry.Job, offer, lent, cancel);
        ChainFees market = await MarketAsync(cancel);
        uint urgency = Urgency(entry.Job, lent, offer.GasCostMax);
        bool holdsUpMore = HoldsUpMore(entry.Job, offer, lent, market, urgency);
        (Job job, PreparedCall prepared, AttemptKind kind) = await PrepareAgainAsync(entry.Job, holdsUpMore, cancel);
        bool isPointless = kind == AttemptKind.Cancelling && entry.Job.Refusal == Refusal.None;
        entry.LooksPointless = isPointless ? entry.LooksPointless + 1 : 0;
        if (isPointless && entry.LooksPointless < LooksBeforePointless) return;
        ulong nonce = job.Nonce!.Value;
        UInt128 feeMax = FeeMax(lent.IsProtective);
        bool isGreat = job.IsProtective && !Lent.Of(job, worth, NowSeconds).IsSmall(offer.GasCostMax, worth);
        if (isGreat && kind != AttemptKind.Cancelling && CannotWait(offer, market, urgency)
            && FeePolicy.Replace(offer.Fees, market, urgency, feeMax) is { } wanted)
        {
            UInt128 needed = prepared.Call.Value + prepared.Gas * wanted.MaxFee;
            await TakeEtherBackAsync(job, needed, needed, () => PromisedBefore(nonce), market, cancel);
        }

        // No pool takes an offer that the account cannot pay, and the one before it would not be told again.
        feeMax = UInt128.Min(
            feeMax, Amounts.Excess(_look.Balance, prepared.Call.Value + PromisedBefore(nonce)) / prepared.Gas);
        // What is left of the day's gas limits a dispute's offer before it stops it.
        UInt128 withinBudget = lent.IsProtective && kind != AttemptKind.Cancelling
            ? UInt128.Min(feeMax, BudgetLeft(job, lent) / prepared.Gas)
            : feeMax;
        TransactionFees? raised = FeePolicy.Replace(offer.Fees, market, urgency, withinBudget)
            ?? FeePolicy.Replace(offer.Fees, market, urgency, feeMax)
            ?? (IsForgotten(offer, prepared.Call.Value) ? FeePolicy.First(market, urgency, withinBudget) : null);
        bool isPaidFor = kind == AttemptKind.Cancelling || raised is null || prepared.Gas * raised.Value.MaxFee <= BudgetLeft(job, lent);
        // An offer that no block takes would only be promised what those behind it need.
        bool isInVain = raised is null || !isPaidFor || FeePolicy.IsBelowMarket(raised.Value, market);
        bool givesWay = isInVain && holdsUpMore && kind != AttemptKind.Cancelling;
        Refusal lack = withinBudget < feeMax ? Refusal.BudgetReached : Refusal.InsufficientFunds;
        if (givesWay && await CancelAsync(entry, lent.Greatest, lack, market, cancel)) return;
        if (!isPaidFor) throw new RefusalException(Refusal.BudgetReached, "what is left of the day's gas does not pay for a replacement");
        if (raised is not { } fees || givesWay) throw CannotRaise(job, offer, feeMax);
        await OfferAsync(entry, job, prepared, kind, nonce, fees, cancel);
    }

    /// <summary>Before the chain is asked for it: very many may wait for a better price.</summary>
    private async Task RequireRoomToRaiseAsync(Job job, JobAttempt offer, Lent lent, CancellationToken cancel)
    {
        ChainFees market = await MarketAsync(cancel);
        UInt128 feeMax = FeeMax(lent.IsProtective);
        uint urgency = Urgency(job, lent, offer.GasCostMax);
        if (FeePolicy.Replace(offer.Fees, market, urgency, feeMax) is null
            && !IsForgotten(offer, job.Call.Value) && !HoldsUpMore(job, offer, lent, market, urgency))
            throw CannotRaise(job, offer, feeMax);
    }

    private static RefusalException CannotRaise(Job job, JobAttempt offer, UInt128 feeMax) => new(
        Refusal.FeeTooHigh, $"{job.Call.Operation} offers {AmountWords.PerGas(offer.Fees.MaxFee)}, and may not offer more than {AmountWords.Gwei(feeMax.ToString())}");

    /// <summary>No pool has it, nor can take it: the account has less by now. So it replaces nothing, and may be offered for less.</summary>
    private bool IsForgotten(JobAttempt offer, UInt128 value) =>
        _look.PendingNonce <= offer.Nonce && offer.GasCostMax + value + PromisedBefore(offer.Nonce) > _look.Balance;

    /// <summary>What would be refused by now is cancelled: it would only burn gas, and hold up those behind it.</summary>
    /// <param name="holdsUpMore">Whether a dispute waits behind it: else it waits for what the account is short of.</param>
    private async Task<(Job Job, PreparedCall Call, AttemptKind Kind)> PrepareAgainAsync(Job job, bool holdsUpMore, CancellationToken cancel)
    {
        if (job.Refusal != Refusal.None) return (job, Nothing(), AttemptKind.Cancelling);
        if (Moot(job) is { } why) return (job with { Refusal = why.Refusal, Message = why.Message }, Nothing(), AttemptKind.Cancelling);
        try
        {
            PreparedCall prepared = await PrepareAsync(job, cancel);
            return (job, prepared, prepared.Completes ? AttemptKind.Completing : AttemptKind.Preparing);
        }
        catch (RefusalException refusal) when (refusal.Refusal is not (Refusal.ChainUnavailable or Refusal.SignerUnavailable)
            && (holdsUpMore || refusal.Refusal != Refusal.InsufficientFunds))
        {
            return (job with { Refusal = refusal.Refusal, Message = refusal.Message }, Nothing(), AttemptKind.Cancelling);
        }
    }
}
