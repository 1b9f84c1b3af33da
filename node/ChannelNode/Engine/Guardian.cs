using System.Collections.Concurrent;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Follows the chain into the channels and does for each what is due: disputes an old state, claims before it is too
/// late, settles when the window is over. A duty that fails stays due and is tried again with the next look.
/// </summary>
internal sealed class Guardian(
    ChannelBook book,
    JobBook jobs,
    ChainIntake intake,
    Operations operations,
    IChain chain,
    ChainView view,
    ISignatureScheme scheme,
    WindowAlarms alarms,
    NodeClock clock,
    ILogger<Guardian> log)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryFollowAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<ChannelId, ChannelDuty> _duties = new();
    private volatile bool _hasCaughtUp;

    public async Task RunAsync(CancellationToken stopping)
    {
        Task following = FollowAsync(stopping);
        Task looking = LookAsync(stopping);
        Task first = await Task.WhenAny(following, looking);
        if (first.IsFaulted) log.GuardianFailed(first.Exception.GetBaseException());
        await first;
        await Task.WhenAll(following, looking);
    }

    private async Task FollowAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await foreach (ChainBatch batch in chain.FollowAsync(intake.Known, stopping))
                {
                    await intake.TakeAsync(batch, stopping);
                    jobs.Wake();
                    _hasCaughtUp |= batch.IsCaughtUp;
                    Look(stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (RefusalException refusal)
            {
                log.FollowFailed(refusal);
                await Task.Delay(RetryFollowAfter, clock.Time, CancellationToken.None);
            }
        }
    }

    /// <summary>A quiet chain makes no blocks, yet a window ends: look once a second as well.</summary>
    private async Task LookAsync(CancellationToken stopping)
    {
        using PeriodicTimer timer = new(LookEvery, clock.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping)) Look(stopping);
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    /// <summary>Begins what is due. Before everything that happened while the node was away is known, nothing is.</summary>
    private void Look(CancellationToken stopping)
    {
        if (!_hasCaughtUp) return;
        List<StoredChannel> claims = [];
        foreach (ChannelSlot slot in book.Watched)
        {
            ChannelDuty duty = Lifecycle.Due(slot.Channel, slot.State, clock.ChainSeconds, clock.NowSeconds);
            alarms.Look(slot, duty);
            if (duty == ChannelDuty.None || !_duties.TryAdd(slot.Channel.Id, duty)) continue;
            if (duty == ChannelDuty.Claim) claims.Add(new StoredChannel(slot.Channel, slot.State));
            else Begin([slot.Channel.Id], duty, () => SendInTimeAsync(slot, duty, stopping), stopping);
        }

        foreach (StoredChannel claim in claims.ToArray())
        {
            // Of before a restart, in other company maybe: it is waited for.
            if (jobs.FindActive(JobKind.Claim, claim.Channel.Id) is not { Job.IsProtective: true } underWay) continue;
            claims.Remove(claim);
            Begin([claim.Channel.Id], ChannelDuty.Claim, () => JobBook.WhenDoneAsync(underWay, null, stopping), stopping);
        }

        foreach (StoredChannel[] rows in Operations.ClaimGroups(claims))
        {
            ulong closesAtSeconds = rows.Min(row => row.State.OnChain.ClosesAtSeconds);
            Begin(
                [.. rows.Select(row => row.Channel.Id)],
                ChannelDuty.Claim,
                () => RunAsync(operations.ClaimOrder(rows, closesAtSeconds), stopping),
                stopping);
        }
    }

    private void Begin(
        IReadOnlyList<ChannelId> channels, ChannelDuty duty, Func<Task<TransactionReceipt>> run, CancellationToken stopping) =>
        _ = Task.Run(() => DoAsync(channels, duty, run, stopping), CancellationToken.None);

    private async Task DoAsync(
        IReadOnlyList<ChannelId> channels, ChannelDuty duty, Func<Task<TransactionReceipt>> run, CancellationToken stopping)
    {
        try
        {
            TransactionReceipt receipt = await run();
            foreach (ChannelId id in channels) log.DutyDone(id, duty, receipt.BlockNumber);
            await view.WhenFollowedAsync(receipt.BlockNumber, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Still due after the next start.
        }
        catch (RefusalException refusal)
        {
            // Also the normal end when the other side was first; the next look decides on what the chain says then.
            foreach (ChannelId id in channels) log.DutyRefused(id, duty, refusal.Refusal, refusal.Message);
            await Task.Delay(IsLasting(refusal.Refusal) ? RetryLater : LookEvery, clock.Time, CancellationToken.None);
        }
        catch (Exception error)
        {
            foreach (ChannelId id in channels) log.DutyFailed(id, duty, error);
            await Task.Delay(LookEvery, clock.Time, CancellationToken.None);
        }
        finally
        {
            foreach (ChannelId id in channels) _duties.TryRemove(id, out _);
        }
    }

    /// <summary>What does not pass by itself from one moment to the next.</summary>
    private static bool IsLasting(Refusal refusal) =>
        refusal is Refusal.BudgetReached or Refusal.InsufficientFunds or Refusal.KeyShared;

    /// <summary>Only the contract itself says that it is too late for a dispute; what remains then is to settle.</summary>
    private async Task<TransactionReceipt> SendInTimeAsync(
        ChannelSlot slot, ChannelDuty duty, CancellationToken stopping)
    {
        if (duty == ChannelDuty.Settle) return await RunAsync(operations.SettleOrder(slot), stopping);
        try
        {
            return await RunAsync(DisputeOrder(slot), stopping);
        }
        catch (RefusalException refusal) when (refusal.Refusal == Refusal.WindowClosed)
        {
            alarms.DisputeLost(slot);
            return await RunAsync(operations.SettleOrder(slot), stopping);
        }
    }

    private async Task<TransactionReceipt> RunAsync(JobOrder order, CancellationToken stopping) =>
        await JobBook.WhenDoneAsync(await jobs.SubmitAsync(order, stopping), null, stopping);

    private JobOrder DisputeOrder(ChannelSlot slot)
    {
        ChannelState state = slot.State;
        ChannelId id = slot.Channel.Id;
        log.Disputing(id, state.OnChain.SentOf(slot.Channel.TheirSide), state.TheirSent);
        BalanceUpdate theirs = new(id, state.TheirSent, state.TheirReceived);
        Signature signature = scheme.Presentable(theirs, state.TheirSignature, slot.Channel.Theirs.Signer);
        return new JobOrder(
            JobKind.Dispute, $"dispute/{id}/{state.OnChain.ClosesAtSeconds}/{theirs.Sent}/{theirs.Received}", [id],
            chain.Dispute(slot.Channel, theirs, signature), state.OnChain.ClosesAtSeconds);
    }
}
