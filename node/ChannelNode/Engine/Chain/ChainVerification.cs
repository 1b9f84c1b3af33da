using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Reads all of the contract's events again and compares them with the database of this running node. Payments go on; the
/// intake of blocks waits only while channels are compared. One at a time.
/// </summary>
internal sealed class ChainVerification(
    IChannelStore store, IChain chain, ChainIntake intake, ChainView view, NodeClock clock, NodeOptions options,
    CancellationToken stopping)
{
    private const int TriesMax = 10;

    /// <summary>Channels of which the contract is asked at a time.</summary>
    private const int AtATime = 16;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>For so long the intake waits for what is new since the reading, at most.</summary>
    private static readonly TimeSpan CatchUpMax = TimeSpan.FromSeconds(2);

    /// <summary>A chain that gives no answer for so long is not waited for.</summary>
    private static readonly TimeSpan NoAnswerMax = TimeSpan.FromSeconds(10);

    private int _isRunning;

    /// <summary>
    /// Up to the block that this node has followed by then. NotReady while another caller's is under way, and where the view
    /// and the reading do not come to the same block; ChainUnavailable.
    /// </summary>
    public async Task<ChainAuditReport> VerifyAsync(CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _isRunning, 1) != 0)
            throw new RefusalException(Refusal.NotReady, "the chain is being verified for another caller: one at a time");
        try
        {
            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancel, stopping);
            return await VerifyAloneAsync(either.Token);
        }
        catch (OperationCanceledException error) when (stopping.IsCancellationRequested)
        {
            throw new RefusalException(Refusal.NotReady, "the node is stopping", error);
        }
        finally
        {
            Volatile.Write(ref _isRunning, 0);
        }
    }

    private async Task<ChainAuditReport> VerifyAloneAsync(CancellationToken cancel)
    {
        ChainReading reading = new(store, chain.ReadAsync, options.ReorgDepthMax);
        ChainAuditReport? report = null;
        for (int tries = 0; tries < TriesMax; tries++)
        {
            if (tries > 0) await Task.Delay(Pause, clock.Time, cancel);
            if (view.NoAnswer is var (why, past) && past > NoAnswerMax) throw new RefusalException(Refusal.ChainUnavailable, why);
            if (view.Cursor is not { } cursor) return new ChainAuditReport(0, 0, []); // The chain has not begun.
            await reading.ReadAsync(cursor, cancel);
            if (await CompareAsync(reading, cancel) is not var (block, found)) continue;
            if (await LookAtLateAsync(found, block, cancel) is not { } whole) continue;
            report = new ChainAuditReport(block.Number, whole.Channels, whole.Differences);
            if (!whole.IsFundedUnseen) return report; // Else the node may yet be about to ask for a deposit: FirstLooks.
        }

        return report ?? throw new RefusalException(
            Refusal.NotReady, $"in {TriesMax} tries the chain and this node's view of it did not come to the same block: ask again");
    }

    /// <summary>Null where the view is elsewhere than the chain.</summary>
    private async Task<(ChainBlock Block, ChainComparison Found)?> CompareAsync(ChainReading reading, CancellationToken cancel)
    {
        ChainComparison? found = null;
        await intake.BetweenBatchesAsync(
            async block =>
            {
                if (block is not null && await IsAtAsync(reading, block, cancel)) found = reading.Compare(cancel);
            },
            cancel);
        return found is null ? null : (reading.Newest!, found);
    }

    private async Task<bool> IsAtAsync(ChainReading reading, ChainBlock block, CancellationToken cancel)
    {
        if (reading.Newest == block) return true;
        using CancellationTokenSource time = new(CatchUpMax, clock.Time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancel, time.Token);
        try
        {
            await reading.ReadAsync(block, either.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            // Too slow to let the intake wait for it; what was read is kept for the next try.
        }

        return reading.Newest == block;
    }

    /// <summary>
    /// Compares the channels that the reading does not know with what the contract stores of them after the very block,
    /// which the intake need not wait for. Null where the block has gone.
    /// </summary>
    private async Task<ChainComparison?> LookAtLateAsync(ChainComparison found, ChainBlock block, CancellationToken cancel)
    {
        foreach (StoredChannel[] some in found.Late.Chunk(AtATime))
        {
            Pots[] told;
            try
            {
                told = await Task.WhenAll(some.Select(late => chain.SidesAsync(late.Channel.Id, block.Hash, cancel)));
            }
            catch (RefusalException gone) when (gone.Refusal == Refusal.ChainUnavailable)
            {
                return null;
            }

            foreach ((StoredChannel late, Pots pots) in some.Zip(told))
            {
                if (late.State.OnChain == pots) continue;
                found.Differences.Add(new ChainDifference(
                    late.Channel.Id, ChainWords.Of(late.Channel, late.State.OnChain, late.State.EverFunded),
                    ChainWords.Of(late.Channel, pots, !pots.IsBlank)));
                if (!late.State.EverFunded) found = found with { IsFundedUnseen = true };
            }
        }

        return found with { Channels = found.Channels + (ulong)found.Late.Count };
    }
}
