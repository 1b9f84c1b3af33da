using System.Collections.Concurrent;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// The jobs: all that are under way, and for a time those that have ended. A job is on disk before anybody knows of it, and
/// goes on when its caller has gone or the node was killed. Asking again for the same purpose joins the job.
/// </summary>
internal sealed class JobBook
{
    /// <summary>Jobs under way at most: a node with more has no chain.</summary>
    private const int ActiveMax = 4_096;

    /// <summary>How long a stranger's use of our key is held against new jobs.</summary>
    private const ulong KeySharedSeconds = 600;

    private readonly Ledger _ledger;
    private readonly NodeClock _clock;
    private readonly NodeOptions _options;
    private readonly ILogger<JobBook> _log;
    private readonly ConcurrentDictionary<string, JobEntry> _byPurpose = new();
    private readonly ConcurrentDictionary<ulong, JobEntry> _all = new();
    private readonly ConcurrentDictionary<ulong, JobEntry> _active = new();
    private readonly ConcurrentDictionary<ulong, JobEntry> _shallow = new();
    private readonly Signal _woken = new();
    private volatile bool _isWoken = true;
    private volatile AccountLook? _newestLook;
    private ulong _lastNumber;
    private ulong _keySharedUntilSeconds;

    public JobBook(IChannelStore store, Ledger ledger, NodeClock clock, NodeOptions options, ILogger<JobBook> log)
    {
        (_ledger, _clock, _options, _log) = (ledger, clock, options, log);
        RestoredAtSeconds = store.Restorations.Count == 0 ? 0 : (ulong)store.Restorations[^1].RestoredAtMs / 1_000;
        foreach (Job job in store.ReadJobs())
        {
            JobEntry entry = _byPurpose[job.Purpose] = _all[job.Number] = new JobEntry(job);
            _lastNumber = job.Number;
            foreach (JobAttempt attempt in job.Attempts) NextNonce = Math.Max(NextNonce, attempt.Nonce + 1);
            if (job.IsShallow) _shallow[job.Number] = entry;
            if (!job.IsActive) continue;
            _active[job.Number] = entry;
            log.JobGoesOn(job.Number, job.Purpose, job.Status);
        }
    }

    /// <summary>The account as it was seen last; null before that. Of a node with nothing to send it may be a minute old, and older while the chain gives no answer.</summary>
    public AccountLook? NewestLook
    {
        get => _newestLook;
        set => _newestLook = value;
    }

    /// <summary>Above every nonce that this node remembers to have used.</summary>
    public ulong NextNonce { get; private set; }

    /// <summary>Unix time at which the database was restored last; of what its lost self sent it knows a part. 0: never.</summary>
    public ulong RestoredAtSeconds { get; }

    /// <summary>In order of their numbers.</summary>
    public IReadOnlyList<JobEntry> Active => InOrder(_active);

    public bool HasActive => !_active.IsEmpty;

    /// <summary>Those that have ended, by blocks that a reorganisation may still take away.</summary>
    public IReadOnlyList<JobEntry> Shallow => InOrder(_shallow);

    /// <summary>The jobs under way and those remembered, newest first.</summary>
    public IReadOnlyList<JobEntry> All => [.. InOrder(_all).Reverse()];

    /// <summary>The same without copies, in no order; one that is begun meanwhile may be among them or not.</summary>
    public IEnumerable<Job> Each => _all.Select(pair => pair.Value.Job);

    /// <summary>Copied by the dictionary itself: to sort it directly fails where another thread adds to it meanwhile.</summary>
    private static JobEntry[] InOrder(ConcurrentDictionary<ulong, JobEntry> jobs)
    {
        KeyValuePair<ulong, JobEntry>[] pairs = jobs.ToArray();
        Array.Sort(pairs, (one, other) => one.Key.CompareTo(other.Key));
        return Array.ConvertAll(pairs, pair => pair.Value);
    }

    /// <summary>Whether there is a job of this purpose that asking again would join.</summary>
    public bool IsKnown(string purpose) =>
        _byPurpose.TryGetValue(purpose, out JobEntry? entry) && entry.Job.Status != JobStatus.Failed;

    /// <summary>The newest job under way that is about the channel; null where there is none.</summary>
    public JobEntry? FindActive(JobKind kind, ChannelId channel) => _active.Values
        .Where(entry => entry.Job.Kind == kind && entry.Job.Channels.Contains(channel))
        .MaxBy(entry => entry.Job.Number);

    /// <summary>The same, or one that is done by a block which the node has not followed yet: the channel does not show it.</summary>
    public JobEntry? FindUnderWay(JobKind kind, ChannelId channel, ulong followedUpTo) =>
        FindActive(kind, channel) ?? _shallow.Values.FirstOrDefault(entry =>
            entry.Job is { Receipt.BlockNumber: var block } job && job.Kind == kind && block > followedUpTo && job.Channels.Contains(channel));

    /// <summary>
    /// Whether both sides of a channel have signed a close, or this one has asked for it: to be asked in the writer's turn. What would be
    /// claimed then, the close pays out; and the claim would be its end.
    /// </summary>
    public Func<ChannelId, bool> IsCloseUnderWay { private get; set; } = _ => false;

    /// <summary>
    /// Joins the job of the same purpose, or begins it; it is on disk when this returns. Refuses with KeyShared after a
    /// stranger used the node's key, unless money hangs on it.
    /// </summary>
    /// <param name="because">Told with the write that begins the job; not where it is known.</param>
    public async Task<JobEntry> SubmitAsync(JobOrder order, CancellationToken cancel, OperatorEvent? because = null)
    {
        ulong last = _lastNumber;
        JobEntry entry = await _ledger.RunAsync(turn => Submit(turn, order, because), cancel);
        if (entry.Job.Number > last) entry.Trace();
        _log.JobAskedFor(entry.Job.Number, entry.Job.Purpose, entry.Job.Status);
        Wake();
        return entry;
    }

    private JobEntry Submit(LedgerTurn turn, JobOrder order, OperatorEvent? because)
    {
        if (order is { Kind: JobKind.Claim, DeadlineSeconds: 0 } && order.Channels.FirstOrDefault(IsCloseUnderWay) is var closing && closing != default)
            throw new RefusalException(Refusal.CloseAgreed, $"channel {closing} is about to be closed by consent, which pays what it owes");
        JobEntry? known = _byPurpose.GetValueOrDefault(order.Purpose);
        // Where a young block was taken back, the transaction that the job has is the one to be mined again.
        if (known is not null
            && (known.Job.IsActive || (known.Job.IsShallow && !IsOver(known.Job, turn)) || (order.Once && known.Job.Status == JobStatus.Done)))
        {
            if (known.Job.Call.Value == order.Call.Value && known.Job.Call.Spends == order.Call.Spends) return known;
            throw new RefusalException(Refusal.IdempotencyKeyReused, $"{order.Purpose} is known with another amount");
        }

        Job job = new()
        {
            Number = _lastNumber + 1,
            Kind = order.Kind,
            Purpose = order.Purpose,
            Channels = order.Channels,
            Call = order.Call,
            CreatedAtSeconds = _clock.NowSeconds,
            DeadlineSeconds = order.DeadlineSeconds,
            Stake = order.Stake,
            Reopens = order.Reopens ?? [],
        };
        RequireRoom(job);
        if (order.Charge?.Invoke(turn) is { } breach) throw breach.ToException();
        // What it told the network may be mined, even where no machine has shown that yet.
        if (known?.Job is { Attempts.Count: 0 } nothing && nothing.SpentWei == UInt128.Zero) Forget(turn, nothing);
        turn.Batch.PutJob(job);
        turn.RequireDurable();
        if (because is not null) turn.Tell(because with { Job = job.Number, JobKind = job.Kind });
        _lastNumber = job.Number;
        return _byPurpose[job.Purpose] = _all[job.Number] = _active[job.Number] = new JobEntry(job);
    }

    /// <summary>
    /// What it did is shown as done: what there is now is another claim, another credit, or a channel that was opened again, though the
    /// call be the same.
    /// </summary>
    private static bool IsOver(Job job, LedgerTurn turn) =>
        job is { Kind: JobKind.Claim or JobKind.WithdrawCredit or JobKind.StartClose, Status: JobStatus.Done, Receipt.BlockNumber: var block } && block <= turn.FollowedUpTo;

    private void Forget(LedgerTurn turn, Job job)
    {
        turn.Batch.DeleteJob(job.Number);
        _all.TryRemove(job.Number, out JobEntry? entry);
        if (_byPurpose.TryGetValue(job.Purpose, out JobEntry? newest) && newest == entry)
            _byPurpose.TryRemove(job.Purpose, out _);
    }

    private void RequireRoom(Job job)
    {
        if (job.IsProtective || job.Kind == JobKind.Unblock) return;
        if (_active.Count >= ActiveMax)
            throw new RefusalException(Refusal.NotReady, $"{ActiveMax} transactions are under way: no more for now");
        if (IsKeyShared)
        {
            throw new RefusalException(
                Refusal.KeyShared,
                "another program sends transactions with this node's key; nothing new is sent before it has stopped for "
                + $"{KeySharedSeconds} s");
        }
    }

    public bool IsKeyShared => _clock.NowSeconds < Interlocked.Read(ref _keySharedUntilSeconds);

    public void NoticeStranger() =>
        Interlocked.Exchange(ref _keySharedUntilSeconds, _clock.NowSeconds + KeySharedSeconds);

    /// <summary>The account's nonce is one that this node did not use.</summary>
    public Task NoticeStrangerAsync(ulong ours, ulong found) => NoticeStrangerAsync(JobEvents.KeyShared(ours, found));

    public Task NoticeStrangerAsync(OperatorEvent alarm)
    {
        NoticeStranger();
        return _ledger.TellAsync(alarm, CancellationToken.None);
    }

    /// <summary>
    /// What keeps the job from going on. Told once as long as it is the same, and shown from then on; of a chain that gives no answer,
    /// which may be now and then, logged.
    /// </summary>
    public async Task NoticeProblemAsync(JobEntry entry, RefusalException refusal)
    {
        if (entry.Problem == refusal.Refusal) return;
        if (refusal.Refusal == Refusal.ChainUnavailable)
            _log.JobWaits(entry.Job.Number, entry.Job.Purpose, refusal.Refusal.Name(), refusal.Message);
        else if (entry.ToldProblems.Add(refusal.Refusal))
            await _ledger.TellAsync(JobEvents.Waits(entry.Job, refusal.Refusal, refusal.Message), CancellationToken.None);
        entry.Problem = refusal.Refusal;
    }

    /// <summary>
    /// Tells the steps and answers when the job is done: mined, with all confirmations. Throws why it failed. To stop
    /// waiting does not stop the job.
    /// </summary>
    public static async Task<TransactionReceipt> WhenDoneAsync(
        JobEntry entry, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        Bytes32? sent = null, mined = null;
        while (true)
        {
            Job job = entry.Job;
            if ((job.Receipt?.Hash ?? job.Offer?.Hash) is { } hash && hash != sent)
            {
                sent = hash;
                progress?.Report(new TransactionStep(hash, null));
            }

            if (job.Status == JobStatus.Failed) throw new RefusalException(job.Refusal, job.Message);
            if (job.Receipt is { } receipt && receipt.Hash != mined && job.Refusal == Refusal.None)
            {
                mined = receipt.Hash;
                progress?.Report(new TransactionStep(receipt.Hash, receipt));
            }

            if (job.Status == JobStatus.Done) return job.Receipt!;
            await entry.Changed.WhenAsync(() => !ReferenceEquals(entry.Job, job), cancel);
        }
    }

    /// <summary>
    /// Takes a job back that an operator wants no more; what it is then is on disk when this returns. Where a transaction of it is out, one
    /// that does nothing takes its place, and which of them is mined decides.
    /// </summary>
    /// <param name="by">Who asks, for people.</param>
    public async Task<JobEntry> TakeBackAsync(ulong number, string by, CancellationToken cancel)
    {
        if (!_all.TryGetValue(number, out JobEntry? entry))
            throw new RefusalException(Refusal.UnknownJob, $"number {number} is no job that this node remembers") { Field = "number", Value = $"{number}" };
        Job job = entry.Job;
        if (job.Refusal == Refusal.JobCancelled) return entry;
        if (WhyKept(job) is { } why)
            throw Kept(job, why);
        entry.TakenBackBy = by;
        Wake();
        await entry.Changed.WhenAsync(() => entry.Job.Refusal != Refusal.None || entry.Job.Status > JobStatus.Sent, cancel);
        job = entry.Job;
        if (job.Refusal != Refusal.None) return entry;
        throw Kept(job, WhyKept(job));
    }

    private static RefusalException Kept(Job job, string? why) => new(Refusal.JobNotCancellable, $"number {job.Number} ({job.Purpose}) {why}")
    {
        Field = "number",
        Value = $"{job.Number}",
        Details = job.Status >= JobStatus.Mined ? new Dictionary<string, string> { ["status"] = Named(job.Status) } : null,
    };

    private static string Named(JobStatus status) => status.ToString().ToLowerInvariant();

    private static string? WhyKept(Job job) => job switch
    {
        { IsActive: false } => $"has ended: {Named(job.Status)}",
        { Status: JobStatus.Mined, Receipt: var receipt } => $"is mined, in block {receipt?.BlockNumber}",
        { Kind: JobKind.Close } => "is a close that both sides have signed: the other can have it mined too, until its deadline",
        { MayBeTakenBack: false } => "is what this node does by itself, and would begin again",
        _ => null,
    };

    /// <summary>Something may have changed: the runner is to look at once.</summary>
    public void Wake()
    {
        _isWoken = true;
        _woken.Raise();
    }

    /// <summary>Returns when woken, or after a time.</summary>
    public async Task WhenWokenAsync(TimeSpan limit, CancellationToken cancel)
    {
        await using ITimer timer = _clock.Time.CreateTimer(_ => Wake(), null, limit, Timeout.InfiniteTimeSpan);
        await _woken.WhenAsync(() => _isWoken, cancel);
        _isWoken = false;
    }

    // Below: the runner alone.

    /// <summary>Of a job that was taken back.</summary>
    public Task LetGoAsync(JobEntry entry)
    {
        string by = entry.TakenBackBy ?? string.Empty;
        entry.TakenBackBy = null;
        if (entry.Job is not { Status: JobStatus.Waiting or JobStatus.Sent, Refusal: Refusal.None } job) return Task.CompletedTask;
        bool isOut = job.Status == JobStatus.Sent;
        string message = isOut ? $"taken back by {by}: a transaction that does nothing takes its place"
            : job.Attempts.Count == 0 ? $"taken back by {by} before anything was sent"
            : $"taken back by {by} while it waited; a transaction of it that lost its place may still turn up after a reorganisation";
        return SaveAsync(
            entry,
            job with { Status = isOut ? JobStatus.Sent : JobStatus.Failed, Refusal = Refusal.JobCancelled, Message = message });
    }

    /// <summary>
    /// Returns when the job's next state is on disk. One that has ended needs its data no more, unless its block is so young
    /// (<paramref name="isShallow"/>) that it may have to be sent again.
    /// </summary>
    /// <param name="because">Told with the write, before what the write itself tells.</param>
    public Task SaveAsync(JobEntry entry, Job next, bool isShallow = false, OperatorEvent? because = null)
    {
        next = next with
        {
            EndedAtSeconds = next.IsActive ? 0 : entry.Job.IsActive ? _clock.NowSeconds : entry.Job.EndedAtSeconds,
        };
        if (!next.IsActive && !isShallow) next = next with { Call = next.Call with { Data = default }, Raw = default };
        return SaveTogetherAsync([(entry, next)], because);
    }

    /// <summary>
    /// The first transaction of a job, as <see cref="SaveAsync"/>. False, with nothing saved, where a close has come before it that
    /// pays what would be claimed. From here on none does.
    /// </summary>
    public async Task<bool> TryBeginAsync(JobEntry entry, Job next)
    {
        bool isBegun = await _ledger.RunAsync(
            turn =>
            {
                if (next is { Kind: JobKind.Claim, IsProtective: false } && next.Channels.Any(IsCloseUnderWay)) return false;
                Save(turn, [(entry, next)], because: null);
                entry.Problem = Refusal.None;
                return true;
            },
            CancellationToken.None);
        if (isBegun) Set(entry, next);
        return isBegun;
    }

    /// <summary>Of jobs that go on, in one write: after a crash all of them have changed, or none.</summary>
    public async Task SaveTogetherAsync(IReadOnlyList<(JobEntry Entry, Job Next)> changes, OperatorEvent? because)
    {
        await _ledger.RunAsync(
            turn =>
            {
                Save(turn, changes, because);
                return true;
            },
            CancellationToken.None);
        foreach ((JobEntry entry, Job next) in changes) Set(entry, next);
    }

    private static void Save(LedgerTurn turn, IReadOnlyList<(JobEntry Entry, Job Next)> changes, OperatorEvent? because)
    {
        foreach ((_, Job next) in changes) turn.Batch.PutJob(next);
        turn.RequireDurable();
        if (because is not null) turn.Tell(because);
        foreach ((JobEntry entry, Job next) in changes)
            foreach (OperatorEvent what in JobEvents.Between(entry.Job, next)) turn.Tell(what);
    }

    private void Set(JobEntry entry, Job next)
    {
        if (next.Nonce is { } nonce) NextNonce = Math.Max(NextNonce, nonce + 1);
        if (next.IsActive) _active[next.Number] = entry;
        else _active.TryRemove(next.Number, out _);
        if (next.IsShallow) _shallow[next.Number] = entry;
        else _shallow.TryRemove(next.Number, out _);
        entry.Set(next);
    }

    /// <summary>Forgets jobs that ended long ago. No shorter than the budget's day.</summary>
    public async Task PruneAsync()
    {
        ulong keptFor = _options.JobsKeptHours * 3_600UL, now = _clock.NowSeconds;
        List<Job> old = [.. _all.Values.Select(entry => entry.Job)
            .Where(job => !job.IsActive && !job.IsShallow && job.EndedAtSeconds + keptFor < now)];
        if (old.Count == 0) return;
        await _ledger.RunAsync(
            turn =>
            {
                foreach (Job job in old) Forget(turn, job);
                return true;
            },
            CancellationToken.None);
    }
}
