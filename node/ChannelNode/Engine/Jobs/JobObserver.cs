using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Sees what became of the jobs' transactions. A job is done only by a receipt of its own, with the confirmations that
/// count; a nonce that is used says nothing about whose transaction used it.
/// </summary>
internal sealed class JobObserver(
    JobBook jobs, IChain chain, NodeOptions options)
{
    /// <summary>Several RPC servers behind one address do not know the same at the same time.</summary>
    private const int LooksBeforeAStranger = 3;

    private readonly List<JobDoubt> _doubts = [];
    private ulong _knownNonce;
    private bool _hasLooked;

    /// <summary>Nonces of which it is not known yet whose transaction used them.</summary>
    public IReadOnlyList<JobDoubt> Doubts => [.. _doubts];

    public async Task ObserveAsync(JobEntry entry, AccountLook look, CancellationToken cancel)
    {
        Job job = entry.Job;
        bool isUsed = job.Nonce is { } nonce && nonce < look.MinedNonce;
        if (job.Attempts.Count == 0)
        {
            if (isUsed && job.Kind == JobKind.Unblock) await jobs.SaveAsync(entry, job with { Status = JobStatus.Done });
            return;
        }

        if (!isUsed && job.Receipt is null && job.Nonce is not null) return;

        if (await FindMinedAsync(job, cancel) is { } found)
        {
            entry.LooksWithoutOurs = 0;
            await TakeMinedAsync(entry, found.Attempt, found.Mined, look, cancel);
            return;
        }

        if (job.Receipt is { } lost)
        {
            if (look.Head >= lost.BlockNumber) await TakeUnminedAsync(entry, lost);
            return;
        }

        if (job.Nonce is null)
        {
            await LetGoOfAttemptsAsync(entry, look);
            return;
        }

        // It may have been given the nonce of another job, whose transaction was quicker.
        if (job.Nonce is { } given && isUsed && await IsAnothersOfOursAsync(job, given, cancel))
        {
            entry.LooksWithoutOurs = 0;
            // What only was to fill the nonce has nothing to do any more.
            await jobs.SaveAsync(
                entry,
                job.Kind == JobKind.Unblock ? job with { Status = JobStatus.Done }
                    : job with { Status = JobStatus.Waiting, Nonce = null, Raw = default });
            return;
        }

        // What machines that lag do not know yet may be ours, and a deposit under a new nonce would then be a second one: so
        // the nonce must be used deeper than they lag. A dispute cannot wait for that, and made twice it is refused.
        ulong usedBelow = job.IsProtective ? look.MinedNonce : look.DeepNonce;
        if (job.Nonce is { } taken && taken < usedBelow && ++entry.LooksWithoutOurs >= LooksBeforeAStranger)
            await TakeStrangersAsync(entry, taken, isSure: taken < look.DeepNonce);
    }

    /// <summary>
    /// Of a dispute that waits for a new nonce: its old ones are used by others, so deep that every machine would show if it was by its
    /// own. Nobody asks for these again. Of what costs money twice all are looked for as long as it waits.
    /// </summary>
    private async Task LetGoOfAttemptsAsync(JobEntry entry, AccountLook look)
    {
        Job job = entry.Job;
        JobAttempt[] kept = [.. job.Attempts.Where(attempt => attempt.Nonce >= look.DeepNonce)];
        if (!job.IsProtective || kept.Length == job.Attempts.Count || _doubts.Any(doubt => doubt.Entry == entry)) return;
        if (++entry.LooksWithoutOurs < LooksBeforeAStranger) return;
        entry.LooksWithoutOurs = 0;
        await jobs.SaveAsync(entry, job with { Attempts = kept });
    }

    /// <summary>Newest first, and among all of them: one under an earlier nonce counts too.</summary>
    private async Task<(JobAttempt Attempt, MinedTransaction Mined)?> FindMinedAsync(Job job, CancellationToken cancel)
    {
        for (int index = job.Attempts.Count - 1; index >= 0; index--)
        {
            if (await chain.MinedAsync(job.Attempts[index].Hash, cancel) is { } mined) return (job.Attempts[index], mined);
        }

        return null;
    }

    private async Task<bool> IsAnothersOfOursAsync(Job job, ulong nonce, CancellationToken cancel)
    {
        foreach (JobEntry other in jobs.All)
        {
            if (other.Job.Number == job.Number) continue;
            foreach (JobAttempt attempt in other.Job.Attempts)
                if (attempt.Nonce == nonce && await chain.MinedAsync(attempt.Hash, cancel) is not null) return true;
        }

        return false;
    }

    /// <summary>Of a job that has ended: whether it still has. Once its block is deep enough nobody asks any more.</summary>
    public async Task ReviewAsync(JobEntry entry, AccountLook look, CancellationToken cancel)
    {
        if (entry.Job is not { IsShallow: true, Receipt: { } known } job || look.Head < known.BlockNumber) return;
        if (await FindMinedAsync(job, cancel) is not { } found)
        {
            await TakeUnminedAsync(entry, known);
            return;
        }

        bool isSuccess = job.Status == JobStatus.Done || found.Attempt.Kind == AttemptKind.Cancelling || job.Refusal == Refusal.JobCancelled;
        if (found.Mined.Receipt != known || found.Mined.Succeeded != isSuccess)
            await TakeMinedAsync(entry, found.Attempt, found.Mined, look, cancel);
        else if (IsDeep(known, look, options.ConfirmationsLarger))
            await jobs.SaveAsync(entry, job);
    }

    private static bool IsDeep(TransactionReceipt receipt, AccountLook look, uint confirmations) =>
        look.Head + 1 >= receipt.BlockNumber + confirmations;

    private async Task TakeMinedAsync(
        JobEntry entry, JobAttempt attempt, MinedTransaction mined, AccountLook look, CancellationToken cancel)
    {
        Job job = entry.Job;
        if (job.Receipt != mined.Receipt || job.Status != JobStatus.Mined)
        {
            job = job with { Status = JobStatus.Mined, Receipt = mined.Receipt, Nonce = attempt.Nonce };
            // What only comes before does not do what was taken back.
            bool isWanted = attempt.Kind == AttemptKind.Completing
                || (attempt.Kind == AttemptKind.Preparing && job.Refusal != Refusal.JobCancelled);
            if (mined.Succeeded && isWanted) job = job with { Refusal = Refusal.None, Message = "" };
        }

        entry.ForgetProblem();
        if (IsDeep(mined.Receipt, look, options.Confirmations)) job = await EndAsync(job, attempt, mined, cancel);
        if (ReferenceEquals(job, entry.Job)) return;
        bool mayReturn = job.Status == JobStatus.Done || (job.Status == JobStatus.Failed && job.PutsMoneyIn);
        bool isShallow = mayReturn && !IsDeep(mined.Receipt, look, options.ConfirmationsLarger);
        await jobs.SaveAsync(entry, job, isShallow);
    }

    private async Task<Job> EndAsync(Job job, JobAttempt attempt, MinedTransaction mined, CancellationToken cancel)
    {
        UInt128 cost = mined.Receipt.GasUsed * mined.FeePerGas;
        job = job with { SpentWei = job.SpentWei - job.ReceiptWei + cost, ReceiptWei = cost };
        if (!mined.Succeeded)
        {
            (Refusal refusal, string why) = await chain.ExplainAsync(job.Call, mined.Receipt, cancel);
            Job failed = job with { Status = JobStatus.Failed, Refusal = refusal, Message = why };
            return failed.IsDoneByAnother ? failed : failed with { Refusal = Refusal.TransactionReverted };
        }

        return attempt.Kind switch
        {
            AttemptKind.Preparing when job.Refusal == Refusal.JobCancelled => job with { Status = JobStatus.Failed },
            AttemptKind.Preparing => job with { Status = JobStatus.Waiting, Nonce = null, Attempts = [], Receipt = null, ReceiptWei = UInt128.Zero },
            AttemptKind.Cancelling => job with { Status = JobStatus.Failed },
            _ => job with { Status = JobStatus.Done },
        };
    }

    private async Task TakeUnminedAsync(JobEntry entry, TransactionReceipt lost)
    {
        Job job = entry.Job;
        await jobs.SaveAsync(
            entry,
            job with
            {
                Status = JobStatus.Sent,
                Receipt = null,
                Nonce = job.Attempts[^1].Nonce,
                SpentWei = job.SpentWei - job.ReceiptWei,
                ReceiptWei = UInt128.Zero,
            });
        entry.ToldAt = 0;
    }

    /// <summary>
    /// The nonce is used, and not by any transaction of the job: it gets a new one. The old attempts
    /// are still looked for, in case the chain is reorganized after all.
    /// </summary>
    private async Task TakeStrangersAsync(JobEntry entry, ulong nonce, bool isSure)
    {
        Job job = entry.Job;
        entry.LooksWithoutOurs = 0;
        if (job.Kind == JobKind.Unblock)
        {
            await jobs.SaveAsync(entry, job with { Status = JobStatus.Done });
            return;
        }

        if (job.Attempts.Any(attempt => attempt.Nonce == nonce && attempt.SentAtSeconds <= jobs.RestoredAtSeconds))
        {
            await TakeLostSelfsAsync(entry, nonce);
            return;
        }

        Job again = job with { Status = JobStatus.Waiting, Nonce = null, Raw = default };
        if (isSure)
        {
            jobs.NoticeStranger();
            await jobs.SaveAsync(entry, again, because: JobEvents.NonceTaken(again, nonce));
            return;
        }

        const string why = "and no machine that was asked has a receipt of the job's transaction";
        await jobs.SaveAsync(entry, again, because: JobEvents.NonceUsed(again, nonce, why));
        _doubts.Add(new JobDoubt(entry, nonce));
    }

    /// <summary>
    /// The database is a restored backup, and knows of the job's transactions only those before it: the nonce may be used by
    /// one that replaced them. What costs money twice is not done again then.
    /// </summary>
    private async Task TakeLostSelfsAsync(JobEntry entry, ulong nonce)
    {
        const string why = "maybe by what replaced its transaction after the backup that this database was restored from";
        Job job = entry.Job;
        await jobs.SaveAsync(
            entry,
            job.PutsMoneyIn
                ? job with
                {
                    Status = JobStatus.Failed,
                    Refusal = Refusal.RestoredUnconfirmed,
                    Message = $"nonce {nonce} is used, {why}: look whether it was done before asking again",
                }
                : job with { Status = JobStatus.Waiting, Nonce = null, Raw = default },
            because: JobEvents.NonceUsed(job, nonce, why));
    }

    /// <summary>
    /// The job went on under another nonce before its receipt could be expected everywhere. Where it turns up after all the
    /// job was done by it; where it does not, somebody else has the key.
    /// </summary>
    public async Task ResolveAsync(JobDoubt doubt, AccountLook look, CancellationToken cancel)
    {
        JobEntry entry = doubt.Entry;
        Job own = entry.Job with { Attempts = [.. entry.Job.Attempts.Where(attempt => attempt.Nonce == doubt.Nonce)] };
        if (await FindMinedAsync(own, cancel) is { } found)
        {
            // Of a job that has ended the data is gone: what a reorganisation takes back could not be sent again.
            if (!IsDeep(found.Mined.Receipt, look, options.ConfirmationsLarger)) return;
            _doubts.Remove(doubt);
            if (found.Mined.Succeeded && entry.Job is { Status: JobStatus.Failed, Receipt: null })
                await TakeMinedAsync(entry, found.Attempt, found.Mined, look, cancel);
        }
        else if (doubt.Nonce < look.DeepNonce && ++doubt.Looks >= LooksBeforeAStranger)
        {
            _doubts.Remove(doubt);
            if (await IsAnothersOfOursAsync(entry.Job, doubt.Nonce, cancel)) return;
            await jobs.NoticeStrangerAsync(JobEvents.NonceTaken(entry.Job, doubt.Nonce));
        }
    }

    /// <summary>The account's nonce went on and it was not this node: two programs use one key.</summary>
    public async Task LookForStrangersAsync(AccountLook look)
    {
        ulong ours = Math.Max(_knownNonce, jobs.NextNonce);
        if (_hasLooked && look.MinedNonce > ours) await jobs.NoticeStrangerAsync(ours, look.MinedNonce);
        // What waits in the pool when it begins was sent before, maybe by what a restored database has forgotten.
        _knownNonce = Math.Max(_knownNonce, _hasLooked ? look.MinedNonce : look.PendingNonce);
        _hasLooked = true;
    }
}

/// <summary>A nonce that was used while no machine had a receipt of the job's transactions.</summary>
internal sealed class JobDoubt(JobEntry entry, ulong nonce)
{
    public JobEntry Entry => entry;

    public ulong Nonce => nonce;

    /// <summary>Looks without a receipt since it is so deep that every machine should have it.</summary>
    public int Looks { get; set; }
}
