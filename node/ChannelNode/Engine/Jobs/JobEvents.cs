using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What operators are told of jobs: read off a job's state before and after a write, and written with it. Pure.</summary>
internal static class JobEvents
{
    public static IEnumerable<OperatorEvent> Between(Job before, Job after)
    {
        if (after is { Status: JobStatus.Sent, Refusal: Refusal.JobCancelled } && before.Refusal == Refusal.None)
            yield return Of(after, EventKind.TransactionStuck, EventSeverity.Info, after.Message);
        if (after.Attempts.Count > before.Attempts.Count) yield return Offered(before, after, after.Attempts[^1]);
        if (after.Receipt is { } receipt && receipt != before.Receipt)
        {
            yield return Of(
                after, EventKind.TransactionMined, EventSeverity.Info, $"mined as {receipt.Hash} in block {receipt.BlockNumber}",
                receipt);
        }

        if (before.Receipt is { } lost && after is { Receipt: null, Status: JobStatus.Sent })
        {
            yield return Of(
                after, EventKind.TransactionUnmined, EventSeverity.Warning,
                $"{lost.Hash} of block {lost.BlockNumber} is not in the chain any more, and is sent again", lost);
        }

        if (after is { Status: JobStatus.Waiting, Nonce: null, Attempts.Count: 0 } && before.Nonce is not null)
            yield return Of(after, EventKind.TransactionConfirmed, EventSeverity.Info, "what comes before it is done", before.Receipt);

        bool isOther = after.Status != before.Status || after.Receipt != before.Receipt;
        if (isOther && after is { Status: JobStatus.Done, Receipt: { } done })
            yield return Of(after, EventKind.TransactionConfirmed, EventSeverity.Info, $"done, block {done.BlockNumber}", done);
        if (!isOther || after.Status != JobStatus.Failed) yield break;
        if (after.Refusal == Refusal.BudgetReached) yield return BudgetReached(after, after.Message);
        (EventSeverity severity, string what) = after switch
        {
            { IsDoneByAnother: true } => (EventSeverity.Info, "somebody else was quicker, the peer maybe"),
            { IsTooEarly: true } => (EventSeverity.Info, "too early, and tried again by itself"),
            { IsNeedless: true } => (EventSeverity.Info, "not done, and need not be"),
            _ => (EventSeverity.Warning, "failed"),
        };
        yield return Of(after, EventKind.TransactionFailed, severity, $"{what}, {after.Refusal.Name()}: {after.Message}", after.Receipt);
    }

    private static OperatorEvent Offered(Job before, Job after, JobAttempt attempt)
    {
        string kind = attempt.Kind == AttemptKind.Completing ? "" : $"{attempt.Kind} ".ToLowerInvariant();
        string offer = $"{kind}transaction {attempt.Hash} sent with nonce {attempt.Nonce}, offering "
            + $"{AmountWords.PerGas(attempt.Fees.MaxFee)}, tip {AmountWords.Gwei(attempt.Fees.Tip.ToString())}";
        string why = after.Refusal == before.Refusal ? "" : $"has become pointless and is cancelled, {after.Refusal.Name()}: {after.Message}; ";
        OperatorEvent told = before.Offer is { } stuck && stuck.Nonce == attempt.Nonce
            ? Of(
                after, EventKind.TransactionStuck, after.IsNeedless ? EventSeverity.Info : EventSeverity.Warning,
                $"{why}{(IsTakingBack(before, attempt) ? "offered" : "was stuck at")} {AmountWords.PerGas(stuck.Fees.MaxFee)} and is replaced: {offer}")
            : Of(after, EventKind.TransactionSent, EventSeverity.Info, offer);
        return told with { Transaction = attempt.Hash, Nonce = attempt.Nonce, MaxFee = attempt.Fees.MaxFee };
    }

    private static bool IsTakingBack(Job before, JobAttempt attempt) =>
        before.Refusal == Refusal.JobCancelled && attempt.Kind == AttemptKind.Cancelling && before.Offer?.Kind != AttemptKind.Cancelling;

    /// <summary>It cannot go on, and what keeps it does not pass with the next look.</summary>
    public static OperatorEvent Waits(Job job, Refusal why, string message) => why == Refusal.BudgetReached
        ? BudgetReached(job, message)
        : Of(job, EventKind.TransactionStuck, EventSeverity.Warning, $"waits, {why.Name()}: {message}") with { Refusal = why };

    /// <summary>What is about more is to be mined before it.</summary>
    public static OperatorEvent GivesWay(Job small, Job greater) => Of(
        small, EventKind.TransactionStuck, EventSeverity.Info,
        $"gives its nonce to job {greater.Number}, which is about more, and gets a new one");

    /// <summary>Its own transaction may be mined, and no machine says so; or somebody else's is.</summary>
    public static OperatorEvent NonceUsed(Job job, ulong nonce, string why) => Of(
        job, EventKind.TransactionStuck, EventSeverity.Warning,
        $"nonce {nonce} is used, {why}") with
    { Nonce = nonce };

    public static OperatorEvent NonceTaken(Job job, ulong nonce) => Of(
        job, EventKind.KeyShared, EventSeverity.Alarm,
        $"nonce {nonce} was used by a transaction that is not this node's. Two programs use one key; the job gets a new nonce") with
    { Nonce = nonce };

    public static OperatorEvent KeyShared(ulong ours, ulong found) => new(
        EventKind.KeyShared, EventSeverity.Alarm,
        $"this node's account is at nonce {found}, and this node used none above {ours}: two programs use one key")
    {
        Nonce = found,
    };

    private static OperatorEvent BudgetReached(Job job, string message) => Of(
        job, EventKind.BudgetReached, EventSeverity.Alarm, $"the day's gas is spent: {message}") with
    { Refusal = Refusal.BudgetReached };

    private static OperatorEvent Of(
        Job job, EventKind kind, EventSeverity severity, string what, TransactionReceipt? receipt = null) => new(
        kind, severity, $"job {job.Number} ({job.Purpose}): {what}")
        {
            Channels = job.Channels,
            Job = job.Number,
            JobKind = job.Kind,
            Nonce = job.Nonce,
            Transaction = receipt?.Hash ?? job.Offer?.Hash ?? default,
            MaxFee = job.Offer?.Fees.MaxFee ?? UInt128.Zero,
            Block = receipt?.BlockNumber ?? 0,
            Refusal = job.Refusal,
        };
}
