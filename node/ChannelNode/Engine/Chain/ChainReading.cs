using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What a database holds beside what the contract's events say.
/// <paramref name="Channels"/>: how many were compared. <paramref name="Late"/>: those that came to be known after the
/// reading began, of which it may have passed over events; not among these. <paramref name="IsFundedUnseen"/>: one differs
/// that the database has as never funded.
/// </summary>
internal sealed record ChainComparison(
    ulong Channels, List<ChainDifference> Differences, List<StoredChannel> Late, bool IsFundedUnseen);

/// <summary>
/// The contract's events read anew from its deployment, for the channels of a database: of each only what the newest event
/// left is kept, and for a reorganisation what it was before each of the newest blocks. Not for several threads.
/// </summary>
/// <param name="read">As <see cref="IChain.ReadAsync"/>.</param>
/// <param name="depthMax">Blocks that can be undone.</param>
internal sealed class ChainReading(
    IChannelStore store, Func<IReadOnlyList<ChainBlock>, ulong, CancellationToken, IAsyncEnumerable<ChainBatch>> read, uint depthMax)
{
    private const int ChannelsPerPage = 4_096;

    private readonly ChainTail _tail = new(depthMax, []);

    /// <summary>By the channels that were known when the reading began; null before the first event.</summary>
    private readonly Dictionary<ChannelId, Pots?> _told = BlankOf(store);

    /// <summary>By block: what its events have replaced, in their order.</summary>
    private readonly Dictionary<ulong, List<(ChannelId Channel, Pots? Before)>> _replaced = [];

    /// <summary>Up to where it was read.</summary>
    public ChainBlock? Newest => _tail.Newest;

    /// <summary>
    /// Reads on, or goes back, until <paramref name="goal"/> is the newest block. It is not afterwards where the chain has
    /// another block there, or none yet. ChainUnavailable where it was reorganised deeper than can be undone.
    /// </summary>
    public async Task ReadAsync(ChainBlock goal, CancellationToken cancel)
    {
        if (Newest is { } newest && goal.Number <= newest.Number)
        {
            // A chain that is shorter than before looks to its reader like a machine that lags.
            ChainBlock? kept = _tail.Find(goal.Number) == goal ? goal : goal.Number > 0 ? _tail.Find(goal.Number - 1) : null;
            BackTo(kept ?? throw TooDeep(null));
        }

        try
        {
            await foreach (ChainBatch batch in read(_tail.Blocks, goal.Number, cancel)) Take(batch);
        }
        catch (ChainReorganizedException left)
        {
            throw TooDeep(left);
        }
    }

    /// <summary>With what is committed now.</summary>
    public ChainComparison Compare(CancellationToken cancel)
    {
        ChainComparison found = new((ulong)_told.Count, [], [], false);
        ChainBlock? cursor = store.ReadBlocks().LastOrDefault();
        if (cursor != Newest) found.Differences.Add(new ChainDifference(null, ChainWords.Of(cursor), ChainWords.Of(Newest)));
        foreach (StoredChannel stored in ChannelsOf(store))
        {
            cancel.ThrowIfCancellationRequested();
            (ChannelId id, ChannelState state) = (stored.Channel.Id, stored.State);
            if (!_told.TryGetValue(id, out Pots? told))
            {
                found.Late.Add(stored);
                continue;
            }

            // One that was emptied before anything was paid in it looks to whoever asked later as if it had never been.
            bool isSame = state.EverFunded == told.HasValue || state.OnChain.IsBlank;
            if (state.OnChain == told.GetValueOrDefault() && isSame) continue;
            found.Differences.Add(new ChainDifference(
                id, ChainWords.Of(stored.Channel, state.OnChain, state.EverFunded),
                ChainWords.Of(stored.Channel, told.GetValueOrDefault(), told.HasValue)));
            if (!state.EverFunded) found = found with { IsFundedUnseen = true };
        }

        return found;
    }

    /// <summary>All of them, a page at a time.</summary>
    public static IEnumerable<StoredChannel> ChannelsOf(IChannelStore store)
    {
        for (ChannelId? after = null; ;)
        {
            IReadOnlyList<StoredChannel> page = store.ReadChannels(after, ChannelsPerPage);
            foreach (StoredChannel stored in page) yield return stored;
            if (page.Count < ChannelsPerPage) yield break;
            after = page[^1].Channel.Id;
        }
    }

    private static Dictionary<ChannelId, Pots?> BlankOf(IChannelStore store)
    {
        Dictionary<ChannelId, Pots?> blank = new((int)store.ChannelCount);
        foreach (StoredChannel stored in ChannelsOf(store)) blank.Add(stored.Channel.Id, null);
        return blank;
    }

    private void Take(ChainBatch batch)
    {
        switch (batch.Move)
        {
            case ChainMove.Next:
                List<(ChannelId, Pots?)> replaced = [];
                Observe(batch.Events, replaced);
                if (replaced.Count > 0) _replaced.Add(batch.Cursor!.Number, replaced);
                if (_tail.Add(batch.Cursor!) is not var (first, last)) break;
                for (ulong old = first; old <= last; old++) _replaced.Remove(old);
                break;
            case ChainMove.Jump:
                Observe(batch.Events, []);
                _tail.JumpTo(batch.Cursor!);
                _replaced.Clear();
                break;
            case ChainMove.Back:
                BackTo(batch.Cursor!);
                break;
        }
    }

    private void Observe(IReadOnlyList<ChainEvent> events, List<(ChannelId, Pots?)> replaced)
    {
        foreach (ChainEvent seen in events)
        {
            if (!_told.TryGetValue(seen.Channel, out Pots? before)) continue;
            replaced.Add((seen.Channel, before));
            _told[seen.Channel] = Lifecycle.PotsAfter(before.GetValueOrDefault(), seen);
        }
    }

    private void BackTo(ChainBlock block)
    {
        for (ulong number = Newest!.Number; number > block.Number; number--)
        {
            if (!_replaced.Remove(number, out List<(ChannelId Channel, Pots? Before)>? replaced)) continue;
            for (int index = replaced.Count - 1; index >= 0; index--) _told[replaced[index].Channel] = replaced[index].Before;
        }

        _tail.BackTo(block);
    }

    private static RefusalException TooDeep(Exception? cause) => new(
        Refusal.ChainUnavailable, "the chain was reorganised meanwhile, deeper than can be undone: ask again", cause);
}
