using System.Runtime.CompilerServices;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// The block that was taken over last is no longer part of the chain. Rolling back is not built yet: confirmations
/// must be chosen so that this does not happen, and when it does the node stops here rather than believe both.
/// </summary>
internal sealed class ChainReorganizedException(ChainCursor cursor, string found)
    : Exception($"block {cursor.Number} was {cursor.Hash} and is {found}: more was reorganized than has confirmations");

/// <summary>
/// Reads the contract's events from a cursor on, in ranges of blocks, up to the head less the confirmations. Woken by
/// announced heads where the connection can, else by the clock.
/// </summary>
internal sealed class ChainFollower(
    EthereumRpc rpc, Address contract, ulong fromBlock, uint confirmations, TimeSpan poll, TimeProvider time, ILogger log)
{
    private const ulong BlocksPerRangeMax = 2_000;

    /// <summary>Announcements can be lost without the connection: this is how late one is then noticed.</summary>
    private static readonly TimeSpan SubscribedPoll = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan RetryMax = TimeSpan.FromSeconds(10);

    private ulong _blocksPerRange = BlocksPerRangeMax;
    private ulong _timestampSeconds;
    private bool _isBehind;

    /// <summary>
    /// As <see cref="IChain.FollowAsync"/>. One at a time. Ends with <see cref="ChainReorganizedException"/>, or with a
    /// FormatException where a log is not of the contract that this program was built with.
    /// </summary>
    public async IAsyncEnumerable<ChainBatch> FollowAsync(
        ChainCursor? after, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var wake = new SemaphoreSlim(0);
        rpc.Client.HeadSeen = () => Wake(wake);
        ChainCursor? cursor = after;
        TimeSpan retry = poll;
        while (true)
        {
            Step step = await TryNextAsync(cursor, cancel);
            if (step.Batch is { } batch)
            {
                retry = poll;
                cursor = batch.Cursor;
                yield return batch;
                continue;
            }

            if (step.Failure is { } failure)
            {
                Log.FollowingFailed(log, (long)retry.TotalMilliseconds, failure);
                await Task.Delay(retry, time, cancel);
                retry = TimeSpan.FromTicks(Math.Min(retry.Ticks * 2, RetryMax.Ticks));
                continue;
            }

            if (!_isBehind) yield return new ChainBatch(cursor, _timestampSeconds, [], IsCaughtUp: true);
            await wake.WaitAsync(step.IsSubscribed ? SubscribedPoll : poll, cancel);
        }
    }

    private static void Wake(SemaphoreSlim wake)
    {
        try
        {
            if (wake.CurrentCount == 0) wake.Release();
        }
        catch (ObjectDisposedException)
        {
            // The last announcement may come after the follower has gone.
        }
    }

    private async Task<Step> TryNextAsync(ChainCursor? cursor, CancellationToken cancel)
    {
        try
        {
            bool isSubscribed = await rpc.Client.SubscribeHeadsAsync(cancel);
            return new Step(await NextAsync(cursor, cancel), isSubscribed, null);
        }
        catch (Exception failure) when (failure is RpcErrorException or RefusalException)
        {
            return new Step(null, false, failure.Message);
        }
    }

    /// <summary>Null when there is nothing new.</summary>
    private async Task<ChainBatch?> NextAsync(ChainCursor? cursor, CancellationToken cancel)
    {
        ulong head = await rpc.BlockNumberAsync(cancel);
        if (cursor is not null && head >= cursor.Number) await RequireUnchangedAsync(cursor, cancel);

        ulong first = cursor is null ? fromBlock : cursor.Number + 1;
        ulong depth = Math.Max(confirmations, 1) - 1;
        // An RPC that is behind what was seen already is no sign of the chain.
        _isBehind = cursor is not null && head < cursor.Number + depth;
        if (head < depth || head - depth < first) return null;

        ulong newest = head - depth;
        ulong last = Math.Min(newest, first + _blocksPerRange - 1);
        ChainBatch batch = await ReadAsync(first, last, cancel);
        _timestampSeconds = batch.TimestampSeconds;
        return batch with { IsCaughtUp = batch.Cursor!.Number == newest };
    }

    private async Task RequireUnchangedAsync(ChainCursor cursor, CancellationToken cancel)
    {
        BlockHeader? block = await rpc.BlockAsync(cursor.Number, cancel);
        if (block?.Hash == cursor.Hash)
        {
            _timestampSeconds = block.TimestampSeconds;
            return;
        }

        string found = block?.Hash.ToString() ?? "unknown";
        Log.Reorganized(log, cursor.Number, cursor.Hash, found);
        throw new ChainReorganizedException(cursor, found);
    }

    private async Task<ChainBatch> ReadAsync(ulong first, ulong last, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                List<ContractLog> logs = await rpc.LogsAsync(contract, first, last, cancel);
                _blocksPerRange = Math.Min(_blocksPerRange + _blocksPerRange / 4 + 1, BlocksPerRangeMax);
                return await ToBatchAsync(last, logs, cancel);
            }
            catch (RpcErrorException tooMuch) when (last > first)
            {
                // Providers limit blocks or results per question, each in other words.
                Log.RangeHalved(log, first, last, tooMuch.Reason);
                _blocksPerRange = (last - first + 1) / 2;
                last = first + _blocksPerRange - 1;
            }
        }
    }

    private async Task<ChainBatch> ToBatchAsync(ulong last, List<ContractLog> logs, CancellationToken cancel)
    {
        BlockHeader block = await rpc.BlockAsync(last, cancel) ?? throw Changing(last);
        var events = new List<ChainEvent>(logs.Count);
        foreach (ContractLog entry in logs)
        {
            if (entry.BlockNumber == last && entry.BlockHash != block.Hash) throw Changing(last);
            if (PaymentChannelsEvents.Decode(entry.Topics, entry.Data.Span) is { } seen) events.Add(seen);
            else Notice(entry);
        }

        return new ChainBatch(new ChainCursor(block.Number, block.Hash), block.TimestampSeconds, events, IsCaughtUp: false);
    }

    private void Notice(ContractLog entry)
    {
        switch (PaymentChannelsEvents.DecodeNotice(entry.Topics, entry.Data.Span))
        {
            case ContractNotice.ClaimSkipped skipped:
                Log.ClaimSkipped(log, skipped.Channel, skipped.Reason);
                break;
            case ContractNotice.Credited credited:
                Log.Credited(log, credited.Amount, credited.Token, credited.Owner);
                break;
        }
    }

    private static RefusalException Changing(ulong block) =>
        new(Refusal.ChainUnavailable, $"block {block} changed while it was read");

    private readonly record struct Step(ChainBatch? Batch, bool IsSubscribed, string? Failure);
}
