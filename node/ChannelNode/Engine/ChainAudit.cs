using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What a node's database says of the chain and a rescan does not; no channel: of the cursor itself.</summary>
internal sealed record ChainDifference(ChannelId? Channel, string Database, string Chain);

/// <summary>What a rescan came to: the block up to which it read, channels compared, and what differs.</summary>
internal sealed record ChainAuditReport(ulong Block, ulong Channels, IReadOnlyList<ChainDifference> Differences);

/// <summary>Reads all of the contract's events again and compares them with, or writes them into, a database that no node uses.</summary>
/// <param name="read">As <see cref="IChain.ReadAsync"/>.</param>
/// <param name="depthMax">Blocks that can be undone.</param>
internal sealed class ChainAudit(
    IChannelStore store, Func<IReadOnlyList<ChainBlock>, ulong, CancellationToken, IAsyncEnumerable<ChainBatch>> read, uint depthMax)
{
    /// <summary>Up to the block that the database has followed.</summary>
    public async Task<ChainAuditReport> VerifyAsync(CancellationToken cancel)
    {
        if (store.ReadBlocks().LastOrDefault() is not { } cursor) return new ChainAuditReport(0, 0, []);
        ChainReading reading = new(store, read, depthMax);
        await reading.ReadAsync(cursor, cancel);
        ChainComparison found = reading.Compare(cancel);
        return new ChainAuditReport(cursor.Number, found.Channels, found.Differences);
    }

    /// <summary>
    /// Replaces the chain's part of every channel by what it was up to a block, from which a node then follows on. What
    /// was signed and accepted stays. One write; the differences are those between before and after.
    /// </summary>
    /// <param name="block">Deep enough to stay: nothing up to it can be undone afterwards.</param>
    public async Task<ChainAuditReport> RescanAsync(ulong block, CancellationToken cancel)
    {
        (ChainBlock? end, Dictionary<ChannelId, List<ChainEvent>> events) = await ReadAsync(block, cancel);
        List<ChainDifference> differences = [];
        IStoreBatch batch = store.NewBatch();
        batch.DropBlocks(0, ulong.MaxValue - 1);
        foreach ((ChannelId id, RecentDeposit deposit) in store.ReadRecentDeposits()) batch.DropRecentDeposit(id, deposit);
        foreach (StoredChannel stored in ChainReading.ChannelsOf(store))
        {
            ChannelState blank = stored.State with { OnChain = default, EverFunded = false, UncreditedA = 0, UncreditedB = 0 };
            ChannelState next = Replay(stored.Channel, blank, events);
            if (next == stored.State) continue;
            batch.PutState(stored.Channel.Id, next);
            batch.PutPending(stored.Channel.Id, PendingOf.State(next));
            differences.Add(new ChainDifference(stored.Channel.Id, $"{stored.State.OnChain}", $"{next.OnChain}"));
        }

        if (end is not null) batch.PutBlock(end);
        store.Commit(batch, durable: true);
        return new ChainAuditReport(end?.Number ?? 0, store.ChannelCount, differences);
    }

    /// <summary>Only the events of channels that are in the database.</summary>
    private async Task<(ChainBlock? End, Dictionary<ChannelId, List<ChainEvent>> Events)> ReadAsync(
        ulong lastBlock, CancellationToken cancel)
    {
        Dictionary<ChannelId, List<ChainEvent>> events = [];
        foreach (StoredChannel stored in ChainReading.ChannelsOf(store)) events.Add(stored.Channel.Id, []);
        ChainBlock? end = null;
        await foreach (ChainBatch batch in read([], lastBlock, cancel))
        {
            foreach (ChainEvent seen in batch.Events)
                if (events.TryGetValue(seen.Channel, out List<ChainEvent>? known)) known.Add(seen);
            end = batch.Cursor;
            if (batch.Move == ChainMove.Back)
                throw new RefusalException(Refusal.ChainUnavailable, "the chain was reorganised meanwhile: ask again");
        }

        return (end, events);
    }

    private static ChannelState Replay(Channel channel, ChannelState state, Dictionary<ChannelId, List<ChainEvent>> events)
    {
        foreach (ChainEvent seen in events[channel.Id]) state = Lifecycle.Observe(channel, state, seen);
        return state;
    }
}
