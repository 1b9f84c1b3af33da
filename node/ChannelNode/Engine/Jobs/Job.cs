using System.Diagnostics;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What a job is for. Stored, and NodeService's names: append, never renumber.</summary>
internal enum JobKind : byte
{
    Deposit = 1,
    Close = 2,
    StartClose = 3,
    Dispute = 4,
    Settle = 5,
    Claim = 6,

    /// <summary>Takes the place of a nonce that a stranger's transaction left blocked or empty.</summary>
    Unblock = 7,

    /// <summary>A deposit that a peer has signed.</summary>
    RelayDeposit = 8,
    WithdrawCredit = 9,
}

/// <summary>How far a job is. Stored: append, never renumber.</summary>
internal enum JobStatus : byte
{
    /// <summary>No transaction of it can be mined.</summary>
    Waiting = 1,

    /// <summary>Signed under a nonce, and told to the network as soon as that was on disk.</summary>
    Sent = 2,

    /// <summary>Mined, with fewer confirmations than count.</summary>
    Mined = 3,

    /// <summary>With the confirmations that count. For a few blocks more it is looked at, and sent again where they vanish.</summary>
    Done = 4,
    Failed = 5,
}

internal enum AttemptKind : byte
{
    /// <summary>Does what the job is for.</summary>
    Completing = 1,

    /// <summary>Comes before that.</summary>
    Preparing = 2,

    /// <summary>Takes the nonce's place, for the job has become pointless.</summary>
    Cancelling = 3,
}

/// <summary>One transaction of a job. Of those with one nonce one at most is ever mined.</summary>
internal sealed record JobAttempt(
    AttemptKind Kind, ulong Nonce, Bytes32 Hash, TransactionFees Fees, ulong Gas, ulong SentAtSeconds)
{
    /// <summary>What it burns at most, in wei.</summary>
    public UInt128 GasCostMax => Gas * Fees.MaxFee;
}

/// <summary>
/// What is to be done on chain, once: asked for by its purpose, for which there is one job at a time. With
/// <paramref name="Once"/> not even one after it, as long as it is remembered. <paramref name="DeadlineSeconds"/>: Unix time
/// after which it is worth nothing; 0 for none. <paramref name="Stake"/>: of one that protects, what it is about.
/// <paramref name="Reopens"/>: of a deposit, the channels that were closed already when it was asked for. <paramref name="Charge"/>: in the
/// write that begins the job, what keeps account of who asked for it; what it answers keeps the job from beginning.
/// </summary>
internal sealed record JobOrder(
    JobKind Kind, string Purpose, IReadOnlyList<ChannelId> Channels, ChainCall Call, ulong DeadlineSeconds = 0, bool Once = false,
    Stake? Stake = null, IReadOnlyList<ChannelId>? Reopens = null, Func<LedgerTurn, BudgetBreach?>? Charge = null);

/// <summary>A job as stored. Every change is on disk before anything is done because of it.</summary>
internal sealed record Job
{
    /// <summary>In the order in which they were asked for, from 1.</summary>
    public required ulong Number { get; init; }

    public required JobKind Kind { get; init; }

    /// <summary>At most 255 bytes of UTF-8.</summary>
    public required string Purpose { get; init; }

    public required IReadOnlyList<ChannelId> Channels { get; init; }

    /// <summary>Without its data once the job has ended for good.</summary>
    public required ChainCall Call { get; init; }

    public required ulong CreatedAtSeconds { get; init; }

    public ulong DeadlineSeconds { get; init; }

    /// <summary>What is lost without it, when it was asked for; null of jobs that protect nothing, and of older programs' jobs.</summary>
    public Stake? Stake { get; init; }

    /// <summary>Of a deposit, the channels that were closed when it was asked for: it is to open them again, and no others.</summary>
    public IReadOnlyList<ChannelId> Reopens { get; init; } = [];

    public JobStatus Status { get; init; } = JobStatus.Waiting;

    /// <summary>Null while it has none.</summary>
    public ulong? Nonce { get; init; }

    /// <summary>All that may still be mined, oldest first: of the nonce, and of those that strangers took.</summary>
    public IReadOnlyList<JobAttempt> Attempts { get; init; } = [];

    /// <summary>The newest attempt, signed.</summary>
    public ReadOnlyMemory<byte> Raw { get; init; }

    /// <summary>Of the attempt that is mined.</summary>
    public TransactionReceipt? Receipt { get; init; }

    /// <summary>Gas paid for so far, in wei.</summary>
    public UInt128 SpentWei { get; init; }

    /// <summary>What of it is for <see cref="Receipt"/>: taken off again where a reorganisation takes that back. 0 until it counts.</summary>
    public UInt128 ReceiptWei { get; init; }

    public ulong EndedAtSeconds { get; init; }

    /// <summary>Why it failed, or is being cancelled.</summary>
    public Refusal Refusal { get; init; }

    public string Message { get; init; } = string.Empty;

    public bool IsActive => Status < JobStatus.Done;

    /// <summary>
    /// Ended, but so few blocks ago that a reorganisation may undo it: what was done is sent again then, and a deposit that
    /// reverted may be mined after all.
    /// </summary>
    public bool IsShallow => !IsActive && !Raw.IsEmpty;

    /// <summary>Done twice, it costs twice; the contract refuses everything else the second time.</summary>
    public bool PutsMoneyIn => Call.Value != UInt128.Zero || Call.Spends != UInt128.Zero;

    /// <summary>What the peer's money hangs on: such jobs have their own reserve, and the higher limit of fees.</summary>
    public bool IsProtective => Kind == JobKind.Dispute || (Kind == JobKind.Claim && DeadlineSeconds != 0);

    /// <summary>Somebody else was quicker with a settle, which pays both sides alike whoever sends it: nothing failed.</summary>
    public bool IsDoneByAnother => Kind == JobKind.Settle && Refusal == Refusal.NotClosing;

    /// <summary>
    /// Nothing of it is left to be done, and nothing was lost: another has done it, or what came since does as much or more; or an operator
    /// wanted it no more. A deposit that its channel's end has overtaken is none such: who asked for it wanted it.
    /// </summary>
    public bool IsNeedless => IsDoneByAnother || Refusal == Refusal.JobCancelled
        || (Kind is JobKind.Dispute or JobKind.Claim && Refusal == Refusal.NothingNew)
        || (Kind == JobKind.Claim && Refusal == Refusal.CloseAgreed);

    /// <summary>A settle that came before a block's time had ended the window. The guardian tries again by itself.</summary>
    public bool IsTooEarly => Kind == JobKind.Settle && Refusal == Refusal.WindowOpen;

    /// <summary>Wei that it still may take from the account.</summary>
    public UInt128 Promised => Status != JobStatus.Sent ? UInt128.Zero
        : (Offer?.GasCostMax ?? UInt128.Zero) + (Offer?.Kind == AttemptKind.Cancelling ? UInt128.Zero : Call.Value);

    /// <summary>Asked for by an operator or a peer, and by nobody again: what the node does by itself it would only begin anew.</summary>
    public bool MayBeTakenBack => Kind is JobKind.Deposit or JobKind.RelayDeposit or JobKind.StartClose or JobKind.WithdrawCredit;

    /// <summary>The newest attempt, while one of the present nonce is under way.</summary>
    public JobAttempt? Offer => Nonce is not null && Attempts.Count > 0 && Attempts[^1].Nonce == Nonce ? Attempts[^1] : null;
}

/// <summary>A job in memory, with what need not outlive the process. The runner owns it; anybody may look at the job.</summary>
internal sealed class JobEntry(Job job)
{
    private volatile Job _job = job;
    private volatile string? _takenBackBy;

    public Job Job => _job;

    public Signal Changed { get; } = new();

    /// <summary>Who wants it no more, for people: the runner is to let go of it. Null while nobody does.</summary>
    public string? TakenBackBy
    {
        get => _takenBackBy;
        set => _takenBackBy = value;
    }

    /// <summary>What keeps it from going on, for the operator; None while nothing does.</summary>
    public Refusal Problem { get; set; }

    /// <summary>The problems that operators were told of since it last went on.</summary>
    public HashSet<Refusal> ToldProblems { get; } = [];

    /// <summary>It goes on.</summary>
    public void ForgetProblem()
    {
        Problem = Refusal.None;
        ToldProblems.Clear();
    }

    public bool IsUnderpriced { get; set; }

    public long ToldAt { get; set; }

    public long OfferedAt { get; set; }

    /// <summary>Looks in a row in which its nonce was used and none of its own transactions was the one.</summary>
    public int LooksWithoutOurs { get; set; }

    /// <summary>The chain's newest block when it was first to be sent; 0 before.</summary>
    public ulong FirstHead { get; set; }

    /// <summary>Looks in a row in which the chain refused what its transaction is to do.</summary>
    public int LooksPointless { get; set; }

    /// <summary>The round in which the chain was last asked what it thinks of beginning it; 0 for never.</summary>
    public ulong AskedInRound { get; set; }

    /// <summary>The round in which it was last looked at whether it stays done; 0 for never.</summary>
    public ulong ReviewedInRound { get; set; }

    /// <summary>Below what has asked for it; null where nobody listens, or it goes on from before a restart.</summary>
    private Activity? _span;
    private int _isTraced;

    /// <summary>To be called by who began the job, or thinks so: the first counts.</summary>
    public void Trace()
    {
        if (Interlocked.Exchange(ref _isTraced, 1) != 0) return;
        _span = Tracing.BeginBeside($"Job {_job.Kind}", ActivityKind.Internal, Activity.Current?.Context ?? default);
        _span?.SetTag("channelnode.job", _job.Number).SetTag("channelnode.purpose", _job.Purpose);
    }

    private void Trace(Job next)
    {
        if (_span is null) return;
        if (next.Offer is { } offer && offer.Hash != _job.Offer?.Hash)
            _span.AddEvent(new ActivityEvent("Transaction", tags: new() { ["channelnode.transaction"] = offer.Hash.ToString() }));
        if (next.Status != _job.Status) _span.AddEvent(new ActivityEvent(next.Status.ToString()));
        if (next.IsActive) return;
        if (next.Status == JobStatus.Failed) _span.SetStatus(ActivityStatusCode.Error, next.Refusal.Name());
        else _span.SetStatus(ActivityStatusCode.Ok);
        Tracing.End(_span);
        _span = null;
    }

    public void Set(Job job)
    {
        Trace(job);
        _job = job;
        Changed.Raise();
    }
}
