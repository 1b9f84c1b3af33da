using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Brings the jobs to their end, and is the only one that uses the account's nonces. Each round looks at the chain, then
/// goes on with what is mined, what waits and what is stuck. A job that cannot go on keeps no other from it.
/// </summary>
internal sealed class JobRunner(
    JobBook jobs, JobObserver observer, JobOffers offers, IChain chain, NodeClock clock, NodeOptions options, ILogger<JobRunner> log)
{
    private static readonly TimeSpan PauseMin = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan PauseIdle = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan PruneEvery = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Jobs of which the chain is asked in one round, whether they begin or not, and as many out of turn: then those that came meanwhile
    /// are put in their places.
    /// </summary>
    private const int StartsMax = 8;

    /// <summary>Jobs that have ended and are looked at in a round.</summary>
    private const int ReviewsMax = 32;

    private long _prunedAt = clock.Time.GetTimestamp();

    /// <summary>Runs until cancelled. A bug or a failed disk ends it with an exception: the node must stop then.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        TimeSpan pause = PauseMin, pauseMax = TimeSpan.FromMilliseconds(options.PollMs);
        bool isWaiting = false;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await jobs.WhenWokenAsync(jobs.HasActive ? pause : PauseIdle, stopping);
                bool moved = await RoundAsync(stopping);
                isWaiting = false;
                pause = moved ? PauseMin : TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, pauseMax.Ticks));
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (RefusalException refusal)
            {
                // The chain gives no answer, or the ledger is stopping: the jobs stay what they are.
                if (!isWaiting) log.JobsWait(jobs.Active.Count, refusal.Message);
                isWaiting = true;
                pause = pauseMax;
            }
        }
    }

    /// <summary>True when a job has changed.</summary>
    private async Task<bool> RoundAsync(CancellationToken cancel)
    {
        IReadOnlyList<JobEntry> shallow = jobs.Shallow;
        IReadOnlyList<JobDoubt> doubts = observer.Doubts;
        if (!jobs.HasActive && shallow.Count == 0 && doubts.Count == 0)
        {
            await jobs.PruneAsync();
            _prunedAt = clock.Time.GetTimestamp();
            return false;
        }

        // A node may have something under way for ever.
        if (clock.Time.GetElapsedTime(_prunedAt) >= PruneEvery)
        {
            _prunedAt = clock.Time.GetTimestamp();
            await jobs.PruneAsync();
        }

        // Before the chain is asked for anything: it may be just why the operator has waited long enough.
        foreach (JobEntry entry in jobs.Active.Where(entry => entry.TakenBackBy is not null)) await jobs.LetGoAsync(entry);
        AccountLook look = await LookAsync(cancel);
        await ReviewAsync(shallow, look, cancel);
        IReadOnlyList<JobEntry> active = jobs.Active;
        List<Job> before = [.. active.Select(entry => entry.Job)];
        foreach (JobEntry entry in active) await TryAsync(entry, () => observer.ObserveAsync(entry, look, cancel));
        foreach (JobDoubt doubt in doubts) await TryAsync(doubt.Entry, () => observer.ResolveAsync(doubt, look, cancel));
        await observer.LookForStrangersAsync(look);
        // What was mined since that look has paid for itself out of a balance that the look does not know of.
        if (active.Where((entry, index) => !ReferenceEquals(entry.Job, before[index])).Any())
            look = await LookAsync(cancel);
        offers.Begin(look);

        // By nonce: what must be mined first, first.
        JobEntry[] sent = [.. active.Where(entry => entry.Job.Status == JobStatus.Sent).OrderBy(entry => entry.Job.Nonce)];
        offers.Lend(sent);
        foreach (JobEntry entry in sent) await TryAsync(entry, () => offers.TendAsync(entry, cancel));

        await StartAsync(cancel);
        await offers.UnblockAsync(cancel);
        return active.Where((entry, index) => !ReferenceEquals(entry.Job, before[index])).Any();
    }

    /// <summary>Looks at the account, also with nothing to send: for the operator's eyes.</summary>
    public async Task<AccountLook> LookAsync(CancellationToken cancel) =>
        jobs.NewestLook = await chain.LookAsync(Math.Max(options.Confirmations, options.ConfirmationsLarger), cancel);

    /// <summary>
    /// First of all, for what a reorganisation took back is under way again in this round. Each is a question to the chain: of very many
    /// those that waited longest.
    /// </summary>
    private async Task ReviewAsync(IReadOnlyList<JobEntry> shallow, AccountLook look, CancellationToken cancel)
    {
        foreach (JobEntry entry in shallow.Count <= ReviewsMax ? shallow : shallow.OrderBy(entry => entry.ReviewedInRound).Take(ReviewsMax))
        {
            entry.ReviewedInRound = offers.Round;
            await TryAsync(entry, () => observer.ReviewAsync(entry, look, cancel));
        }
    }

    private async Task StartAsync(CancellationToken cancel)
    {
        IReadOnlyList<JobEntry> waiting =
            await offers.InOrderAsync([.. jobs.Active.Where(entry => entry.Job.Status == JobStatus.Waiting)], cancel);
        int tried = await StartSomeAsync(waiting, cancel);
        // Those of which the chain was asked least lately: a few in front that fail again and again keep no others from it.
        JobEntry[] others =
            [.. waiting.Skip(tried).OrderBy(entry => entry.AskedInRound).ThenByDescending(entry => entry.Job.IsProtective)];
        await StartSomeAsync(others, cancel);
    }

    /// <summary>How many it came to.</summary>
    private async Task<int> StartSomeAsync(IReadOnlyList<JobEntry> waiting, CancellationToken cancel)
    {
        int asked = 0, tried = 0;
        while (tried < waiting.Count && asked < StartsMax)
        {
            JobEntry entry = waiting[tried++];
            await TryAsync(entry, () => offers.StartAsync(entry, cancel));
            if (entry.AskedInRound == offers.Round) asked++;
        }

        return tried;
    }

    private async Task TryAsync(JobEntry entry, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (RefusalException refusal)
        {
            await jobs.NoticeProblemAsync(entry, refusal);
        }
    }
}
