using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What must happen by a time.</summary>
internal enum DeadlineKind : byte
{
    /// <summary>A dispute window ends.</summary>
    Window = 1,

    /// <summary>A dispute window ends, and what protects this node's money is not mined yet.</summary>
    Protection = 2,

    /// <summary>A transaction is worth nothing any more.</summary>
    Job = 3,
}

/// <summary>The nearest of its kind. Unix time; the channel of a window, the number of a job (0: none).</summary>
internal sealed record Deadline(DeadlineKind Kind, ulong AtSeconds, ChannelId? Channel, ulong Job);

/// <summary>The transactions of one kind that are under way.</summary>
internal sealed record PendingJobs(JobKind Kind, int Count, ulong OldestCreatedAtSeconds);

/// <summary>What operators were told that presses.</summary>
internal sealed record AlarmSummary(int Alarms, int Warnings, IReadOnlyList<OperatorEvent> Newest);

/// <summary>What the store takes of the disk, and what is left there. Bytes.</summary>
internal sealed record DiskUse(ulong StoreBytes, ulong JournalBytes, ulong FreeBytes, ulong TotalBytes);

/// <summary>
/// What there is to see of a running node or watchtower, gathered when somebody asks. Nothing is kept up to date for it, and
/// no figure is older than the question, those of <see cref="ChannelSurvey"/> aside. For any thread.
/// </summary>
/// <param name="closing">The channels that are closing, as for <see cref="Guarding"/>.</param>
internal sealed class Overview(
    Ledger ledger, JobBook jobs, ChainView view, StakeWorth worth, NodeClock clock, NodeOptions options, IChannelStore store,
    Func<IEnumerable<StoredChannel>> closing)
{
    public LedgerCounts Counts => ledger.Counts;

    /// <summary>The signer elsewhere that holds the key; null where the key is in this process. Set once by whoever wires the program.</summary>
    public SignerHealth? Signer { get; set; }

    /// <summary>How old the newest backup is that the node made by itself; null where it makes none, or there is none yet.</summary>
    public Func<TimeSpan?> BackupAge { get; set; } = () => null;

    /// <summary>The doors of the program, once they are open.</summary>
    public DoorList Doors { get; } = new();

    public int LedgerQueueLength => ledger.QueueLength;

    public ChainView View { get; } = view;

    public NodeClock Clock { get; } = clock;

    public NodeOptions Options { get; } = options;

    /// <summary>Unix time in milliseconds.</summary>
    public long StartedAtMs { get; } = clock.NowMs;

    /// <summary>Told of every commit; set before the ledger is started.</summary>
    public CommitWatcher Watcher
    {
        set => ledger.Watcher = value;
    }

    public GasLeft GasLeft() => GasBudget.Left(jobs.All.Select(entry => entry.Job), worth, Options, Clock.NowSeconds);

    /// <summary>What is on the node's own account, which pays for gas; null before it was seen.</summary>
    public UInt128? AccountWei => jobs.NewestLook?.Balance;

    public IReadOnlyList<PendingJobs> PendingJobs() =>
    [
        .. jobs.Active.Select(entry => entry.Job).GroupBy(job => job.Kind).OrderBy(kind => kind.Key)
            .Select(kind => new PendingJobs(kind.Key, kind.Count(), kind.Min(job => job.CreatedAtSeconds))),
    ];

    /// <summary>Jobs that something keeps from going on.</summary>
    public int JobsWithAProblem() => jobs.Active.Count(entry => entry.Problem != Refusal.None);

    /// <summary>At most one of each kind.</summary>
    public IReadOnlyList<Deadline> Deadlines()
    {
        Dictionary<DeadlineKind, Deadline> nearest = [];
        foreach (StoredChannel stored in closing())
        {
            (Channel channel, ChannelState state) = (stored.Channel, stored.State);
            if (!state.OnChain.IsClosing) continue;
            ulong closesAt = state.OnChain.ClosesAtSeconds;
            Keep(new Deadline(DeadlineKind.Window, closesAt, channel.Id, 0));
            ChannelDuty duty = Lifecycle.Due(channel, state, Clock.ChainSeconds, Clock.NowSeconds);
            if (duty is ChannelDuty.Dispute or ChannelDuty.Claim)
                Keep(new Deadline(DeadlineKind.Protection, closesAt, channel.Id, 0));
        }

        foreach (JobEntry entry in jobs.Active)
        {
            if (entry.Job.DeadlineSeconds != 0)
                Keep(new Deadline(DeadlineKind.Job, entry.Job.DeadlineSeconds, null, entry.Job.Number));
        }

        return [.. nearest.Values.OrderBy(deadline => deadline.Kind)];

        void Keep(Deadline deadline)
        {
            if (!nearest.TryGetValue(deadline.Kind, out Deadline? known) || deadline.AtSeconds < known.AtSeconds)
                nearest[deadline.Kind] = deadline;
        }
    }

    /// <summary>What is left until then by the chain's clock, or the machine's where that is ahead; 0 when it is over.</summary>
    public ulong SecondsLeft(Deadline deadline) =>
        deadline.AtSeconds > Clock.NowSeconds ? deadline.AtSeconds - Clock.NowSeconds : 0;

    public DiskUse Disk() => store.ReadDiskUse();

    public bool DiskIsLow => ledger.Disk.IsLow;

    /// <summary>
    /// How many alarms and warnings operators were told within <paramref name="span"/>, and the newest of both, newest first. Of
    /// many events only the newest are looked at.
    /// </summary>
    public AlarmSummary Alarms(TimeSpan span)
    {
        const int looksMax = 10_000, newestMax = 10;
        ulong newest = ledger.EventCursor, from = newest - Math.Min(newest, looksMax);
        long sinceMs = Clock.NowMs - (long)span.TotalMilliseconds;
        int alarms = 0, warnings = 0;
        Queue<OperatorEvent> last = [];
        foreach (OperatorEvent what in store.ReadEvents(Math.Max(from, store.ReadDroppedEventCursor()), looksMax))
        {
            if (what.TimeMs < sinceMs || what.Severity < EventSeverity.Warning) continue;
            if (what.Severity == EventSeverity.Alarm) alarms++;
            else warnings++;
            if (last.Count == newestMax) last.Dequeue();
            last.Enqueue(what);
        }

        return new AlarmSummary(alarms, warnings, [.. last.Reverse()]);
    }
}
