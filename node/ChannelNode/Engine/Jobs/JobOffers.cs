using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Signs the jobs' transactions, tells the network of them, and replaces those that are stuck: at once when the next block
/// would not take them, else when they have waited long enough, sooner as a deadline nears. Used by the runner, in rounds.
/// </summary>
/// <param name="isClosing">Whether a channel is, by what was followed of the chain.</param>
internal sealed partial class JobOffers(
    JobBook jobs, IChain chain, StakeWorth worth, Func<ChannelId, bool> isClosing, NodeClock clock, NodeOptions options,
    ILogger<JobOffers> log)
{
    /// <summary>Gas of a transaction that moves nothing, and a little for chains that count more.</summary>
    private const ulong NothingGas = 30_000;

    /// <summary>Nonces whose places are taken in one go.</summary>
    private const ulong UnblockedMax = 64;

    private static readonly TimeSpan TellAgainAfter = TimeSpan.FromSeconds(10);
    /// <summary>Transactions told again or replaced in one round, the first nonces first: those that begin meanwhile wait for its end.</summary>
    private const int TendsMax = 32;

    private static readonly TimeSpan TellDroppedAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan OfferStandsMin = TimeSpan.FromSeconds(1);

    /// <summary>Of several RPC servers behind one address one may know an older state, in which a dispute has nothing to do.</summary>
    private const int LooksBeforePointless = 3;

    private AccountLook _look = new(0, 0, 0, 0, 0, UInt128.Zero);
    private ChainFees? _market;
    private RefusalException? _noMarket;
    private Lent _lent;
    private readonly Dictionary<ulong, (Lent Lent, bool OrdinaryWait)> _lends = [];
    private int _tends;
    private ulong _blockedNonce = ulong.MaxValue;
    private long _blockedSince;

    private ulong NowSeconds => Math.Max(_look.HeadSeconds, clock.ChainSeconds);

    /// <summary>Counts from 1.</summary>
    public ulong Round { get; private set; }

    /// <summary>A round begins, with what was seen of the chain.</summary>
    public void Begin(AccountLook look)
    {
        (_look, _market, _noMarket, _lent, _tends) = (look, null, null, default, 0);
        (_smallsWait, _smallsInFlight) = (null, null);
        _allowances.Clear();
        Round++;
    }

    /// <summary>Asked for once in a round: there may be very many that want to know, also where there is no answer.</summary>
    private async Task<ChainFees> MarketAsync(CancellationToken cancel)
    {
        if (_noMarket is { } why) throw why;
        try
        {
            return _market ??= await chain.FeesAsync(cancel);
        }
        catch (RefusalException refusal)
        {
            _noMarket = refusal;
            throw;
        }
    }

    /// <summary>
    /// First what the nonces of all others wait for. Then what protects money: what is about most before what is about less, by <see cref="StakeWorth.Order"/>. Then what was
    /// asked for first.
    /// </summary>
    public async Task<IReadOnlyList<JobEntry>> InOrderAsync(IReadOnlyList<JobEntry> waiting, CancellationToken cancel)
    {
        JobEntry[] protective = [.. waiting.Where(entry => entry.Job.IsProtective)];
        UInt128 cost = UInt128.Zero;
        try
        {
            if (protective.Length > 0) cost = await UsualCostAsync(cancel);
        }
        catch (RefusalException)
        {
            // Each job is told by its own question.
        }

        return
        [
            .. waiting.Where(entry => entry.Job.Kind == JobKind.Unblock),
            .. worth.Order(protective, entry => entry.Job.Stake, cost),
            .. waiting.Where(entry => !entry.Job.IsProtective && entry.Job.Kind != JobKind.Unblock),
        ];
    }

    /// <summary>Gives a waiting job its nonce and its first transaction.</summary>
    public async Task StartAsync(JobEntry entry, CancellationToken cancel)
    {
        Job job = entry.Job;
        if (job is { Kind: JobKind.Unblock, Nonce: null })
        {
            // Killed before it was known which: where one is still empty, that is seen again.
            await jobs.SaveAsync(entry, job with { Status = JobStatus.Done });
            return;
        }

        // What fills a nonce holds up all that are sent: it is lent what they may offer.
        Lent lent = job.Kind == JobKind.Unblock ? _lent : Lent.Of(job, worth, NowSeconds);
        if (IsMoot(job))
        {
            await FailAsync(entry, Refusal.NothingNew, Moot);
            return;
        }

        if (await IsHeldBackAsync(job, cancel)) return;
        ChainFees market = await MarketAsync(cancel);
        UInt128 feeMax = FeeMax(lent.IsProtective);
        // Before anything else is asked: very many may wait for a better price.
        if (!IsTooLate(job) && market.BaseFee + 1 > feeMax) throw AboveLimit(market, feeMax);
        if (IsAllowanceInUse(job)) return;
        entry.AskedInRound = Round;
        PreparedCall prepared;
        try
        {
            prepared = await PrepareAsync(job, cancel);
        }
        catch (RefusalException refusal) when (refusal.Refusal is not (Refusal.ChainUnavailable or Refusal.SignerUnavailable)
            && !(job.IsProtective && refusal.Refusal == Refusal.InsufficientFunds))
        {
            await FailAsync(entry, refusal.Refusal, refusal.Message);
            return;
        }

        await BeginAsync(entry, job, prepared, lent, market, feeMax, cancel);
    }

    /// <summary>To be said by the chain. Of a claim it never is: it can be mined until the channel is settled.</summary>
    private bool IsTooLate(Job job) => job.Kind == JobKind.Dispute && NowSeconds >= job.DeadlineSeconds;

    /// <summary>The contract passes over the rows of a claim that have nothing to claim, so the chain does not say it.</summary>
    private bool IsMoot(Job job) => job.Kind == JobKind.Claim && job.IsProtective && !job.Channels.Any(isClosing);

    private const string Moot = "none of its channels is closing any more";

    private static RefusalException AboveLimit(ChainFees market, UInt128 feeMax) =>
        new(Refusal.FeeTooHigh, $"the chain asks {market.BaseFee} wei per gas, above {feeMax}");

    private async Task BeginAsync(
        JobEntry entry, Job job, PreparedCall prepared, Lent lent, ChainFees market, UInt128 feeMax, CancellationToken cancel)
    {
        uint urgency = FeePolicy.Urgency(job.CreatedAtSeconds, NowSeconds, lent.DeadlineSeconds);
        bool isGreat = lent.IsProtective && !lent.IsSmall(prepared.Gas * FeePolicy.First(market).MaxFee, worth);
        if (isGreat && PerGas(prepared, toGreat: true) <= market.BaseFee)
        {
            UInt128 usual = prepared.Gas * UInt128.Min(FeePolicy.First(market).MaxFee, feeMax);
            await TakeEtherBackAsync(job, prepared.Call.Value + usual, () => Promised(toGreat: true), market, cancel);
        }

        UInt128 budget = BudgetLeft(job, lent);
        if (lent.IsProtective) feeMax = Affordable(budget, prepared, market, feeMax, isGreat);
        if (FeePolicy.First(market, urgency, feeMax) is not { } fees) throw AboveLimit(market, feeMax);
        if (await IsShortAsync(entry, prepared, fees, budget, isGreat)) return;
        JobEntry? giver = null;
        ulong nonce = job.Nonce ?? Math.Max(_look.PendingNonce, jobs.NextNonce);
        if (isGreat && job.Nonce is null && FirstSmall() is { Job.Offer: { } offer } first
            && FeePolicy.Replace(offer.Fees, market, urgency, feeMax) is { } raised
            && !lent.IsSmall(prepared.Gas * raised.MaxFee, worth)
            && prepared.Gas * raised.MaxFee <= budget)
            (giver, nonce, fees) = (first, offer.Nonce, raised);

        if (job.IsProtective && !isGreat) _smallsInFlight++;
        await OfferAsync(entry, job, prepared, prepared.Completes ? AttemptKind.Completing : AttemptKind.Preparing, nonce, fees, cancel, giver);
    }

    private async Task<PreparedCall> PrepareAsync(Job job, CancellationToken cancel) => job.Kind == JobKind.Unblock
        ? Nothing()
        : await chain.PrepareAsync(job.Call, cancel);

    private PreparedCall Nothing() => new(chain.Nothing(), NothingGas, [], Completes: true);

    private UInt128 FeeMax(bool isProtective) =>
        isProtective ? Math.Max(options.DisputeFeeWeiMax, options.FeeWeiMax) : options.FeeWeiMax;

    private Task FailAsync(JobEntry entry, Refusal refusal, string message) =>
        jobs.SaveAsync(entry, entry.Job with { Status = JobStatus.Failed, Refusal = refusal, Message = message });

    /// <summary>Persist, then speak: what is signed is on disk before anybody is told of it.</summary>
    /// <param name="giver">Whose nonce it is until that is on disk; of a signer that is away it keeps it.</param>
    private async Task OfferAsync(
        JobEntry entry, Job job, PreparedCall prepared, AttemptKind kind, ulong nonce, TransactionFees fees, CancellationToken cancel,
        JobEntry? giver = null)
    {
        SignedTransaction signed = await chain.SignAsync(prepared, nonce, fees, cancel);
        JobAttempt attempt = new(kind, nonce, signed.Hash, fees, prepared.Gas, clock.NowSeconds);
        Job sent = job with { Status = JobStatus.Sent, Nonce = nonce, Attempts = [.. job.Attempts, attempt], Raw = signed.Raw };
        if (giver is null)
        {
            await jobs.SaveAsync(entry, sent);
        }
        else
        {
            Job without = giver.Job with { Status = JobStatus.Waiting, Nonce = null, Raw = default };
            await jobs.SaveTogetherAsync([(giver, without), (entry, sent)], JobEvents.GivesWay(giver.Job, job));
        }

        (entry.Problem, entry.ToldProblem) = (Refusal.None, Refusal.None);
        if (job.Nonce != nonce) entry.LooksWithoutOurs = 0;
        entry.OfferedAt = clock.Time.GetTimestamp();
        await TellAsync(entry, cancel);
    }

    private async Task TellAsync(JobEntry entry, CancellationToken cancel)
    {
        entry.ToldAt = clock.Time.GetTimestamp();
        entry.IsUnderpriced = await chain.BroadcastAsync(entry.Job.Raw, cancel) == BroadcastAnswer.Underpriced;
    }

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
        bool isStuck = entry.IsUnderpriced
            || stoodFor >= FeePolicy.StandsFor(options.ReplaceAfterSeconds, NowSeconds, lent.DeadlineSeconds)
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
    /// the nonce is let go of, and filled if others wait behind it.
    /// </summary>
    private async Task FillAsync(JobEntry entry, JobAttempt offer, Lent lent, CancellationToken cancel)
    {
        _tends++;
        try
        {
            await ReplaceAsync(entry, offer, lent, cancel);
        }
        catch (RefusalException refusal) when (refusal.Refusal is Refusal.BudgetReached or Refusal.FeeTooHigh)
        {
            await jobs.SaveAsync(entry, entry.Job with { Status = JobStatus.Waiting, Nonce = null });
            throw;
        }
    }

    private async Task ReplaceAsync(JobEntry entry, JobAttempt offer, Lent lent, CancellationToken cancel)
    {
        await RequireRoomToRaiseAsync(entry.Job, offer, lent, cancel);
        (Job job, PreparedCall prepared, AttemptKind kind) = await PrepareAgainAsync(entry.Job, cancel);
        bool isPointless = kind == AttemptKind.Cancelling && entry.Job.Refusal == Refusal.None;
        entry.LooksPointless = isPointless ? entry.LooksPointless + 1 : 0;
        if (isPointless && entry.LooksPointless < LooksBeforePointless) return;
        ChainFees market = await MarketAsync(cancel);
        uint urgency = FeePolicy.Urgency(job.CreatedAtSeconds, NowSeconds, lent.DeadlineSeconds);
        ulong nonce = job.Nonce!.Value;
        UInt128 feeMax = FeeMax(lent.IsProtective);
        bool isGreat = job.IsProtective && !Lent.Of(job, worth, NowSeconds).IsSmall(offer.GasCostMax, worth);
        if (isGreat && kind != AttemptKind.Cancelling && CannotWait(offer, market, urgency)
            && FeePolicy.Replace(offer.Fees, market, urgency, feeMax) is { } wanted)
            await TakeEtherBackAsync(job, prepared.Call.Value + prepared.Gas * wanted.MaxFee, () => PromisedBefore(nonce), market, cancel);

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
        if (raised is not { } fees)
        {
            if (HoldsUpMore(job, offer, lent, market, urgency) && await CancelAsync(entry, lent.Greatest, market, cancel)) return;
            throw CannotRaise(job, offer, feeMax);
        }

        if (kind != AttemptKind.Cancelling && prepared.Gas * fees.MaxFee > BudgetLeft(job, lent))
            throw new RefusalException(Refusal.BudgetReached, "what is left of the day's gas does not pay for a replacement");
        await OfferAsync(entry, job, prepared, kind, nonce, fees, cancel);
    }

    /// <summary>Before the chain is asked for it: very many may wait for a better price.</summary>
    private async Task RequireRoomToRaiseAsync(Job job, JobAttempt offer, Lent lent, CancellationToken cancel)
    {
        ChainFees market = await MarketAsync(cancel);
        UInt128 feeMax = FeeMax(lent.IsProtective);
        uint urgency = FeePolicy.Urgency(job.CreatedAtSeconds, NowSeconds, lent.DeadlineSeconds);
        if (FeePolicy.Replace(offer.Fees, market, urgency, feeMax) is null
            && !IsForgotten(offer, job.Call.Value) && !HoldsUpMore(job, offer, lent, market, urgency))
            throw CannotRaise(job, offer, feeMax);
    }

    private static RefusalException CannotRaise(Job job, JobAttempt offer, UInt128 feeMax) => new(
        Refusal.FeeTooHigh, $"{job.Call.Operation} offers {offer.Fees.MaxFee} wei per gas, and may not offer more than {feeMax}");

    /// <summary>No pool has it, nor can take it: the account has less by now. So it replaces nothing, and may be offered for less.</summary>
    private bool IsForgotten(JobAttempt offer, UInt128 value) =>
        _look.PendingNonce <= offer.Nonce && offer.GasCostMax + value + PromisedBefore(offer.Nonce) > _look.Balance;

    /// <summary>What would be refused by now is cancelled: it would only burn gas, and hold up those behind it.</summary>
    private async Task<(Job Job, PreparedCall Call, AttemptKind Kind)> PrepareAgainAsync(Job job, CancellationToken cancel)
    {
        if (job.Refusal != Refusal.None) return (job, Nothing(), AttemptKind.Cancelling);
        if (IsMoot(job)) return (job with { Refusal = Refusal.NothingNew, Message = Moot }, Nothing(), AttemptKind.Cancelling);
        try
        {
            PreparedCall prepared = await PrepareAsync(job, cancel);
            return (job, prepared, prepared.Completes ? AttemptKind.Completing : AttemptKind.Preparing);
        }
        catch (RefusalException refusal) when (refusal.Refusal is not (Refusal.ChainUnavailable or Refusal.SignerUnavailable or Refusal.InsufficientFunds))
        {
            return (job with { Refusal = refusal.Refusal, Message = refusal.Message }, Nothing(), AttemptKind.Cancelling);
        }
    }

    /// <summary>
    /// Nonces before all of ours that are not ours are empty, or a stranger's transactions wait under them: after a while their
    /// places are taken by transfers of nothing.
    /// </summary>
    public async Task UnblockAsync(CancellationToken cancel)
    {
        List<ulong> ours = [.. jobs.Active.Select(entry => entry.Job.Nonce).OfType<ulong>()];
        ulong next = _look.MinedNonce;
        if (ours.Count == 0 || ours.Contains(next) || ours.Min() < next)
        {
            _blockedNonce = ulong.MaxValue;
            return;
        }

        if (_blockedNonce != next) (_blockedNonce, _blockedSince) = (next, clock.Time.GetTimestamp());
        TimeSpan limit = FeePolicy.StandsFor(options.ReplaceAfterSeconds, NowSeconds, _lent.DeadlineSeconds);
        if (clock.Time.GetElapsedTime(_blockedSince) < limit) return;
        _blockedSince = clock.Time.GetTimestamp(); // Where it cannot be filled now, not with each round again.
        log.NonceBlocked(next, ours.Min());

        // All of them together: a deep reorganisation may have taken many of ours, of jobs that are done and let go of.
        for (ulong nonce = next, end = Math.Min(ours.Min(), next + UnblockedMax); nonce < end; nonce++)
        {
            JobEntry entry = await jobs.SubmitAsync(new JobOrder(JobKind.Unblock, $"unblock/{nonce}", [], chain.Nothing()), cancel);
            if (entry.Job is { Status: JobStatus.Waiting, Nonce: null } job) await jobs.SaveAsync(entry, job with { Nonce = nonce });
        }
    }
}
