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
    ChainIntake intake,
    Operations operations,
    IChain chain,
    ChainView view,
    ISignatureScheme scheme,
    NodeClock clock,
    ILogger<Guardian> log)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryFollowAfter = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<ChannelId, ChannelDuty> _duties = new();

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

    private void Look(CancellationToken stopping)
    {
        foreach (ChannelSlot slot in book.Watched)
        {
            ChannelDuty duty = Lifecycle.Due(slot.Channel, slot.State, clock.ChainSeconds, clock.NowSeconds);
            if (duty == ChannelDuty.None || !_duties.TryAdd(slot.Channel.Id, duty)) continue;
            _ = Task.Run(() => DoAsync(slot, duty, stopping), CancellationToken.None);
        }
    }

    private async Task DoAsync(ChannelSlot slot, ChannelDuty duty, CancellationToken stopping)
    {
        ChannelId id = slot.Channel.Id;
        try
        {
            TransactionReceipt receipt = await SendInTimeAsync(slot, duty, stopping);
            log.DutyDone(id, duty, receipt.BlockNumber);
            await view.WhenFollowedAsync(receipt.BlockNumber, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Still due after the next start.
        }
        catch (RefusalException refusal)
        {
            // Also the normal end when the other side was first; the next look decides on what the chain says then.
            log.DutyRefused(id, duty, refusal.Refusal, refusal.Message);
            await Task.Delay(LookEvery, clock.Time, CancellationToken.None);
        }
        catch (Exception error)
        {
            log.DutyFailed(id, duty, error);
            await Task.Delay(LookEvery, clock.Time, CancellationToken.None);
        }
        finally
        {
            _duties.TryRemove(id, out _);
        }
    }

    /// <summary>Only the contract itself says that it is too late for a dispute; what remains then is to settle.</summary>
    private async Task<TransactionReceipt> SendInTimeAsync(
        ChannelSlot slot, ChannelDuty duty, CancellationToken stopping)
    {
        try
        {
            return await SendAsync(slot, duty, stopping);
        }
        catch (RefusalException refusal) when (
            duty == ChannelDuty.Dispute && refusal.Refusal == Refusal.WindowClosed)
        {
            log.DutyRefused(slot.Channel.Id, duty, refusal.Refusal, refusal.Message);
            return await SendAsync(slot, ChannelDuty.Settle, stopping);
        }
    }

    private Task<TransactionReceipt> SendAsync(ChannelSlot slot, ChannelDuty duty, CancellationToken stopping)
    {
        ChannelState state = slot.State;
        BalanceUpdate theirs = new(slot.Channel.Id, state.TheirSent, state.TheirReceived);
        switch (duty)
        {
            case ChannelDuty.Dispute:
                log.Disputing(slot.Channel.Id, state.OnChain.SentOf(slot.Channel.TheirSide), state.TheirSent);
                Signature signature = scheme.Presentable(theirs, state.TheirSignature, slot.Channel.Theirs.Signer);
                return chain.DisputeAsync(slot.Channel, theirs, signature, null, stopping);
            case ChannelDuty.Claim:
                return chain.ClaimAsync([operations.Row(slot.Channel, slot.State)], null, stopping);
            case ChannelDuty.Settle:
                return chain.SettleAsync(slot.Channel, null, stopping);
            default:
                throw new ArgumentOutOfRangeException(nameof(duty), duty, "not a duty");
        }
    }
}
