using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What a node's database says of the chain and a rescan does not; no channel: of the cursor itself.</summary>
internal sealed record ChainDifference(ChannelId? Channel, string Database, string Chain);

/// <summary>What a rescan came to: the block up to which it read, channels compared, and what differs.</summary>
internal sealed record ChainAuditReport(ulong Block, ulong Channels, IReadOnlyList<ChainDifference> Differences)
{
    /// <summary>Channels in which a rescan took back, to be followed again, what the chain says after its block.</summary>
    public IReadOnlyList<ChannelId> SetBack { get; init; } = [];
}

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
    /// was signed and accepted stays. One write. The differences are what was wrong: between the database and the chain at the block
    /// that it had followed. What is only taken back, because blocks after the given one can still be undone, is told apart.
    /// </summary>
    /// <param name="block">Deep enough to stay: nothing up to it can be undone afterwards.</param>
    public async Task<ChainAuditReport> RescanAsync(ulong block, CancellationToken cancel)
    {
        ulong followed = store.ReadBlocks().LastOrDefault()?.Number ?? 0;
        Dictionary<ChannelId, List<ChainEvent>> events = NoEvents(), rest = NoEvents();
        ChainBlock? end = await ReadAsync([], block, events, cancel);
        if (end is not null && followed > end.Number) await ReadAsync([end], followed, rest, cancel);
        List<ChainDifference> differences = [];
        List<ChannelId> setBack = [];
        IStoreBatch batch = store.NewBatch();
        batch.DropBlocks(0, ulong.MaxValue - 1);
        foreach ((ChannelId id, RecentDeposit deposit) in store.ReadRecentDeposits()) batch.DropRecentDeposit(id, deposit);
        foreach (StoredChannel stored in ChainReading.ChannelsOf(store))
        {
            ChannelState blank = stored.State with { OnChain = default, EverFunded = false, UncreditedA = 0, UncreditedB = 0 };
            ChannelState next = Replay(stored.Channel, blank, events), told = Replay(stored.Channel, next, rest);
            Pots was = stored.State.OnChain;
            if (was != told.OnChain || stored.State.EverFunded != told.EverFunded)
            {
                differences.Add(new ChainDifference(
                    stored.Channel.Id, ChainWords.Of(stored.Channel, was, stored.State.EverFunded),
                    ChainWords.Of(stored.Channel, told.OnChain, told.EverFunded)));
            }

            if (told.OnChain != next.OnChain || told.EverFunded != next.EverFunded) setBack.Add(stored.Channel.Id);
            if (next == stored.State) continue;
            batch.PutState(stored.Channel.Id, next);
            batch.PutPending(stored.Channel.Id, PendingOf.State(next));
        }

        if (end is not null) batch.PutBlock(end);
        store.Commit(batch, durable: true);
        return new ChainAuditReport(end?.Number ?? 0, store.ChannelCount, differences) { SetBack = setBack };
    }

    private Dictionary<ChannelId, List<ChainEvent>> NoEvents() =>
        ChainReading.ChannelsOf(store).ToDictionary(stored => stored.Channel.Id, _ => new List<ChainEvent>());

    /// <summary>Only the events of channels that are in the database; answers the last block read.</summary>
    private async Task<ChainBlock?> ReadAsync(
        IReadOnlyList<ChainBlock> before, ulong lastBlock, Dictionary<ChannelId, List<ChainEvent>> events, CancellationToken cancel)
    {
        ChainBlock? end = null;
        await foreach (ChainBatch batch in read(before, lastBlock, cancel))
        {
            foreach (ChainEvent seen in batch.Events)
                if (events.TryGetValue(seen.Channel, out List<ChainEvent>? known)) known.Add(seen);
            end = batch.Cursor;
            if (batch.Move == ChainMove.Back)
                throw new RefusalException(Refusal.ChainUnavailable, "the chain was reorganised meanwhile: ask again");
        }

        return end;
    }

    private static ChannelState Replay(Channel channel, ChannelState state, Dictionary<ChannelId, List<ChainEvent>> events)
    {
        foreach (ChainEvent seen in events[channel.Id]) state = Lifecycle.Observe(channel, state, seen);
        return state;
    }
}
