using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Signs the jobs' transactions, tells the network of them, and replaces those that are stuck: at once when the next block
/// would not take them, else when they have waited long enough, sooner as a deadline nears. Used by the runner, in rounds.
/// </summary>
internal sealed partial class JobOffers(
    JobBook jobs, IChain chain, StakeWorth worth, JobGrounds grounds, NodeClock clock, NodeOptions options,
    ILogger<JobOffers> log)
{
    /// <summary>Gas of a transaction that moves nothing, and a little for chains that count more.</summary>
    private const ulong NothingGas = 30_000;

    /// <summary>Nonces whose places are taken in one go.</summary>
    private const ulong UnblockedMax = 64;

    /// <summary>How far the chain's events may lag behind its newest block where money is put into a channel.</summary>
    private const ulong BehindSecondsMax = 60;

    private static readonly TimeSpan TellAgainAfter = TimeSpan.FromSeconds(10);
    /// <summary>Transactions told again or replaced in one round, the first nonces first: those that begin meanwhile wait for its end.</summary>
    private const int TendsMax = 32;

    private static readonly TimeSpan TellDroppedAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RacingOfferStands = TimeSpan.FromSeconds(5);
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
        (Refusal Refusal, string Message)? why = LostSelfs(job);
        if (why is null && IsDeposit(job) && !IsChannelSeen(entry)) return;
        why ??= Moot(job);
        if (why is not null)
        {
            await FailAsync(entry, why.Value.Refusal, why.Value.Message);
            return;
        }

        if (await IsHeldBackAsync(job, cancel)) return;
        ChainFees market = await MarketAsync(cancel);
        UInt128 feeMax = FeeMax(lent.IsProtective);
        // Before anything else is asked: very many may wait for a better price.
        if (!IsTooLate(job) && market.BaseFee + 1 > feeMax) throw AboveLimit(market, feeMax);
        if (IsAllowanceInUse(job)) return;
        if (job.IsProtective && !IsTooLate(job)) RequireSomeGas(job, lent, market);
        entry.AskedInRound = Round;
        PreparedCall prepared;
        try
        {
            prepared = await PrepareAsync(job, cancel);
        }
        catch (RefusalException refusal) when (refusal.Refusal is not (Refusal.ChainUnavailable or Refusal.SignerUnavailable)
            && !(job.IsProtective && !IsTooLate(job) && refusal.Refusal == Refusal.InsufficientFunds))
        {
            await FailAsync(entry, refusal.Refusal, refusal.Message);
            return;
        }

        await BeginAsync(entry, job, prepared, lent, market, feeMax, cancel);
    }

    /// <summary>To be said by the chain. Of a claim it never is: it can be mined until the channel is settled.</summary>
    private bool IsTooLate(Job job) => job.Kind == JobKind.Dispute && NowSeconds >= job.DeadlineSeconds;

    /// <summary>
    /// Asked for before the backup that this database was restored from, and perhaps done after it. What costs money twice, or closes a
    /// channel that was opened again, is not done a second time by itself.
    /// </summary>
    private (Refusal Refusal, string Message)? LostSelfs(Job job) =>
        (job.PutsMoneyIn || job.Kind == JobKind.StartClose) && job.CreatedAtSeconds <= jobs.RestoredAtSeconds
            ? (Refusal.RestoredUnconfirmed,
                "it was asked for before the backup that the database was restored from, and may be done since: look before asking again")
            : null;

    /// <summary>
    /// Why it need not be done, where the chain does not say it: the contract passes over the rows of a claim that have nothing to
    /// claim, and takes an older update too.
    /// </summary>
    private (Refusal Refusal, string Message)? Moot(Job job) => job.Kind switch
    {
        JobKind.Claim when job.IsProtective && !job.Channels.Any(grounds.IsClosing) =>
            (Refusal.NothingNew, "none of its channels is closing any more"),
        JobKind.Claim when !job.IsProtective && job.Attempts.Count == 0 && job.Channels.Any(grounds.IsCloseAgreed) => CloseComesFirst(job),
        _ when IsDeposit(job) => EndOfItsChannel(job),
        JobKind.Dispute when job.Attempts.Count == 0 && !grounds.IsNewest(job) => (Refusal.NothingNew, "a newer update takes its place"),
        _ => null,
    };

    /// <summary>A deposit that has waited, for a lower price perhaps, while its channel began to close: it would open the channel again.</summary>
    private (Refusal, string)? EndOfItsChannel(Job job)
    {
        foreach (ChannelId channel in job.Channels)
        {
            if (grounds.IsClosing(channel)) return (Refusal.ChannelClosing, $"channel {channel} has begun to close while the deposit waited");
            if (grounds.IsCloseAgreed(channel)) return (Refusal.CloseAgreed, $"a close of channel {channel} was agreed while the deposit waited");
            if (grounds.IsClosed(channel) && !job.Reopens.Contains(channel))
                return (Refusal.ChannelClosing, $"channel {channel} was closed while the deposit waited, and would be opened again by it");
        }

        return null;
    }

    private static bool IsDeposit(Job job) => job is { Kind: JobKind.Deposit or JobKind.RelayDeposit, Attempts.Count: 0 };

    /// <summary>
    /// What became of its channel while this node or the chain's RPC was away is not known before the events up to now are followed. A
    /// follower is a block behind whoever looks at the account, so how far it has to come is fixed with the first look.
    /// </summary>
    private bool IsChannelSeen(JobEntry entry)
    {
        if (grounds.Followed() is not { } followed) return true;
        if (entry.FirstHead == 0) entry.FirstHead = _look.Head;
        ulong behindSeconds = _look.HeadSeconds - Math.Min(followed.TimestampSeconds, _look.HeadSeconds);
        if (behindSeconds <= BehindSecondsMax) return followed.Number >= entry.FirstHead;
        throw new RefusalException(
            Refusal.ChainUnavailable, $"the events of the chain's last {behindSeconds} s are not followed yet: its channel may have been closed in them");
    }

    /// <summary>The other channels of such a claim are claimed anew, by who has asked for it.</summary>
    private (Refusal, string) CloseComesFirst(Job job)
    {
        string closing = job.Channels.FirstOrDefault(grounds.IsCloseAgreed) is var agreed && agreed != default ? $"channel {agreed}" : "one of its channels";
        string others = job.Channels.Count == 1 ? "" : $"; the other {job.Channels.Count - 1} are to be claimed without it";
        return (Refusal.CloseAgreed, $"a close of {closing} that pays as much is agreed, or asked for{others}");
    }

    private static RefusalException AboveLimit(ChainFees market, UInt128 feeMax) =>
        new(Refusal.FeeTooHigh, $"the chain asks {AmountWords.PerGas(market.BaseFee)}, above {AmountWords.Gwei(feeMax.ToString())}");

    private async Task BeginAsync(
        JobEntry entry, Job job, PreparedCall prepared, Lent lent, ChainFees market, UInt128 feeMax, CancellationToken cancel)
    {
        UInt128 usualCost = prepared.Gas * FeePolicy.First(market).MaxFee, least = prepared.Gas * (market.BaseFee + 1);
        uint urgency = Urgency(job, lent, usualCost);
        bool isGreat = lent.IsProtective && !lent.IsSmall(usualCost, worth);
        UInt128 budget = BudgetLeft(job, lent);
        if (isGreat && budget >= least && PerGas(prepared, toGreat: true) <= market.BaseFee)
        {
            UInt128 usual = UInt128.Min(usualCost, prepared.Gas * feeMax);
            await TakeEtherBackAsync(
                job, prepared.Call.Value + least, prepared.Call.Value + usual, () => Promised(toGreat: true), market, cancel);
        }

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
        if (giver is null && job.Attempts.Count == 0)
        {
            if (!await jobs.TryBeginAsync(entry, sent))
            {
                (Refusal refusal, string message) = CloseComesFirst(job);
                await FailAsync(entry, refusal, message);
                return;
            }
        }
        else if (giver is null)
        {
            await jobs.SaveAsync(entry, sent);
        }
        else
        {
            Job without = giver.Job with { Status = JobStatus.Waiting, Nonce = null, Raw = default };
            await jobs.SaveTogetherAsync([(giver, without), (entry, sent)], JobEvents.GivesWay(giver.Job, job));
        }

        entry.ForgetProblem();
        if (job.Nonce != nonce) entry.LooksWithoutOurs = 0;
        entry.OfferedAt = clock.Time.GetTimestamp();
        await TellAsync(entry, cancel);
    }

    private async Task TellAsync(JobEntry entry, CancellationToken cancel)
    {
        entry.ToldAt = clock.Time.GetTimestamp();
        entry.IsUnderpriced = await chain.BroadcastAsync(entry.Job.Raw, cancel) == BroadcastAnswer.Underpriced;
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
        TimeSpan limit = StandsFor(_lent, UInt128.Zero);
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
