using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Takes what one-way channels owe before so much is at risk that it would hurt: from an absolute limit on, or from a
/// multiple of what the claim costs. Channels of one payee, token and window share a transaction. A closing channel is the
/// guardian's, whatever it owes.
/// </summary>
internal sealed class Claims(
    JobBook jobs, Operations operations, ChainOrders orders, ChainView view, IChain chain, NodeOptions options, NodeClock clock)
{
    /// <summary>What one row more costs, and its part of the transaction.</summary>
    private const ulong GasPerRow = 60_000;

    private readonly ConcurrentDictionary<ChannelId, bool> _underWay = new();

    public async Task RunAsync(CancellationToken stopping)
    {
        using PeriodicTimer timer = new(TimeSpan.FromSeconds(options.ClaimLookSeconds), clock.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping)) await LookAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    /// <summary>One look through all channels; begins what is due and does not wait for it.</summary>
    private async Task LookAsync(CancellationToken stopping)
    {
        if (await EtherLimitAsync(stopping) is not { } etherLimit || !view.IsCurrent) return;
        foreach (List<StoredChannel> owing in operations.LookThrough())
        {
            foreach (StoredChannel[] rows in ChainOrders.ClaimGroups(owing.Where(stored => IsDue(stored, etherLimit))))
            {
                foreach (StoredChannel row in rows) _underWay[row.Channel.Id] = true;
                _ = ClaimAsync(rows, stopping);
            }
        }
    }

    /// <summary>From how many wei on ether is claimed; null where nothing is to be claimed now.</summary>
    private async Task<UInt128?> EtherLimitAsync(CancellationToken cancel)
    {
        UInt128 limit = options.ClaimFrom == UInt128.Zero ? UInt128.MaxValue : options.ClaimFrom;
        if (options.ClaimFromGasTimes == 0) return limit == UInt128.MaxValue ? null : limit;
        try
        {
            ChainFees fees = await chain.FeesAsync(cancel);
            UInt128 worthIt = (fees.BaseFee + fees.Tip) * GasPerRow * options.ClaimFromGasTimes;
            return UInt128.Min(limit, UInt128.Max(worthIt, UInt128.One)); // Where gas costs nothing, everything is worth it.
        }
        catch (RefusalException)
        {
            return null; // The chain gives no answer; so much the less to a claim.
        }
    }

    private bool IsDue(StoredChannel stored, UInt128 etherLimit)
    {
        if (stored.State.OnChain.IsClosing || _underWay.ContainsKey(stored.Channel.Id)) return false;
        UInt128 limit = stored.Channel.Terms.Token.IsZero ? etherLimit : options.ClaimFrom;
        return limit != UInt128.Zero && AtRisk(stored.State) >= limit
            && jobs.FindActive(JobKind.Claim, stored.Channel.Id) is null;
    }

    private static UInt128 AtRisk(in ChannelState state) =>
        state.OnChain.Claim(state.TheirSent, out _, out UInt128 paid) == Refusal.None ? paid : UInt128.Zero;

    private async Task ClaimAsync(StoredChannel[] rows, CancellationToken stopping)
    {
        try
        {
            UInt128 value = UInt128.Zero;
            foreach (StoredChannel row in rows) value += AtRisk(row.State);
            JobEntry job = await jobs.SubmitAsync(
                orders.Claim(rows, 0), stopping, ChannelEvents.ValueAtRisk([.. rows.Select(row => row.Channel.Id)], rows[0].Channel.Terms.Token, value));
            TransactionReceipt receipt = await JobBook.WhenDoneAsync(job, null, stopping);
            await view.WhenFollowedAsync(receipt.BlockNumber, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The job goes on with the next start.
        }
        catch (RefusalException)
        {
            // Told by the job; the next look sees what is due then.
        }
        finally
        {
            foreach (StoredChannel row in rows) _underWay.TryRemove(row.Channel.Id, out _);
        }
    }
}
