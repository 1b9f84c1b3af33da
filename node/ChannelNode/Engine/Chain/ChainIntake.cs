using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Takes what the chain says into the channels, and back out of them when the chain takes it back. Channels are looked
/// up, and deposits counted, on the follower's own thread: the ledger's writer only decides and writes. Events, cursor,
/// and what undoes them are one write. Not for several threads.
/// </summary>
internal sealed class ChainIntake
{
    /// <summary>Events that one turn of the ledger takes, so that payments never wait for a long catching up.</summary>
    private const int EventsPerTurnMax = 4_096;

    private readonly ChannelBook _book;
    private readonly Ledger _ledger;
    private readonly IChannelStore _store;
    private readonly Func<CancellationToken, Task<ulong?>> _finalBlock;
    private readonly ChainView _view;
    private readonly NodeClock _clock;
    private readonly ChainTail _tail;
    private readonly RecentDeposits _deposits;
    private readonly StoredSides _sides;
    private readonly FirstEvents _first;
    private readonly uint _confirmations;
    private readonly bool _guardsOthers;
    private readonly OneAtATime _taking = new();
    private ulong _final;

    /// <param name="finalBlock">As <see cref="IChain.FinalBlockAsync"/>.</param>
    /// <param name="sidesOf">As <see cref="IChain.SidesAsync"/>.</param>
    /// <param name="guardsOthers">
    /// A watchtower's: it takes no credit, and does not know what the two sides have signed, so nothing there can alarm it.
    /// </param>
    public ChainIntake(
        ChannelBook book, Ledger ledger, IChannelStore store, Func<CancellationToken, Task<ulong?>> finalBlock,
        Func<ChannelId, Bytes32, CancellationToken, Task<Pots>> sidesOf, ChainView view, NodeClock clock, NodeOptions options,
        bool guardsOthers = false)
    {
        (_book, _ledger, _store, _finalBlock, _view, _clock) = (book, ledger, store, finalBlock, view, clock);
        _guardsOthers = guardsOthers;
        _tail = new ChainTail(options.ReorgDepthMax, store.ReadBlocks());
        _deposits = new RecentDeposits(options.CreditOf);
        _sides = new StoredSides(sidesOf, clock);
        _first = new FirstEvents(book.Unfunded, _sides);
        _confirmations = options.CreditOf(Address.Zero).LargerConfirmations;
        foreach ((ChannelId id, RecentDeposit deposit) in store.ReadRecentDeposits())
            if (book.Find(id) is { } slot) _deposits.Load(slot.Channel, slot.State, deposit);
    }

    /// <summary>Where to follow on from.</summary>
    public IReadOnlyList<ChainBlock> Known => _tail.Blocks;

    /// <summary>Returns when the batch is in the channels' committed states.</summary>
    public Task TakeAsync(ChainBatch batch, CancellationToken cancel) =>
        BetweenBatchesAsync(_ => TakeNowAsync(batch, cancel), cancel);

    /// <summary>
    /// Runs while nothing is taken over; it is given the newest block taken (null before the first). Every event of later
    /// blocks finds the channels that are known by then.
    /// </summary>
    public async Task BetweenBatchesAsync(Func<ChainBlock?, Task> run, CancellationToken cancel)
    {
        await _taking.EnterAsync(cancel);
        try
        {
            await run(_tail.Newest);
        }
        finally
        {
            _taking.Leave();
        }
    }

    /// <summary>
    /// Asks what the contract stores, after the newest block taken, of channels that nobody here knew when it told of them,
    /// and takes it over. It is undone with that block like its events. Of a deposit the block counts as its own, the most
    /// careful one: no event says any more which it was. ChainUnavailable.
    /// </summary>
    public Task LookAsync(IReadOnlyList<ChannelId> channels, CancellationToken cancel) => BetweenBatchesAsync(
        async block =>
        {
            // A batch that was waited for may have told, or have asked, of some.
            ChannelId[] unasked = [.. channels.Where(_book.Unfunded.IsUnasked)];
            if (block is null || unasked.Length == 0) return;
            Pots[] found = await _sides.AskAsync(unasked, block, cancel);
            List<SeenEvent> stored = [];
            for (int index = 0; index < found.Length; index++)
            {
                if (found[index].IsBlank) _book.Unfunded.Asked(unasked[index], block.Number);
                else if (_book.Find(unasked[index]) is { } slot) stored.AddRange(FirstEvents.Of(slot, found[index]));
            }

            if (stored.Count > 0) await TakeStoredAsync(stored, block, cancel);
        },
        cancel);

    private Task TakeStoredAsync(List<SeenEvent> stored, ChainBlock block, CancellationToken cancel)
    {
        HashSet<ChannelId> concerned = [.. stored.Select(it => it.What.Channel)];
        return _ledger.RunAsync(
            turn =>
            {
                ObserveUndoable(turn, stored, block);
                CreditAll(turn, concerned, [], block.Number);
                return true;
            },
            cancel);
    }

    private async Task TakeNowAsync(ChainBatch batch, CancellationToken cancel)
    {
        switch (batch.Move)
        {
            case ChainMove.Next:
                await NextAsync(batch.Cursor!, batch.Events, cancel);
                break;
            case ChainMove.Jump:
                await JumpAsync(batch.Cursor!, batch.Events, cancel);
                break;
            case ChainMove.Back:
                await BackAsync(batch.Cursor!, cancel);
                break;
        }

        if (batch.Cursor is { } cursor) _clock.FollowChain(cursor.TimestampSeconds);
        if (batch is { IsCaughtUp: true, Cursor: { } newest } && !_guardsOthers && _book.Hold.WaitsForTheChain)
            await _ledger.RunAsync(turn => BeginHold(turn, newest), cancel);
        _view.Advance(batch);
    }

    /// <summary>Before anything is accepted: that needs the view to be current.</summary>
    private bool BeginHold(LedgerTurn turn, ChainBlock newest)
    {
        _book.Hold.Begin(turn, newest.TimestampSeconds);
        return true;
    }

    private async Task NextAsync(ChainBlock block, IReadOnlyList<ChainEvent> events, CancellationToken cancel)
    {
        List<SeenEvent> seen = await _first.CompleteAsync(Find(events), block, cancel);
        await LookForFinalAsync(block.Number, seen, cancel);
        HashSet<ChannelId> concerned = [.. seen.Select(it => it.What.Channel)];
        List<(ChannelSlot, RecentDeposits.Change)> others = ReviewOthers(concerned, block.Number);
        (ulong First, ulong Last)? old = _tail.Add(block);
        await _ledger.RunAsync(
            turn =>
            {
                ObserveUndoable(turn, seen, block);

                // In the write that shows it: a small deposit counts at once.
                CreditAll(turn, concerned, others, block.Number);
                ExpireCloses(turn, _tail.WithConfirmations(_confirmations));
                turn.Batch.PutBlock(block);
                if (old is var (first, last)) turn.Batch.DropBlocks(first, last);
                return true;
            },
            cancel);
    }

    private void ObserveUndoable(LedgerTurn turn, List<SeenEvent> seen, ChainBlock block)
    {
        HashSet<ChannelId> undoable = [];
        foreach (SeenEvent it in seen)
        {
            if (undoable.Add(it.What.Channel)) turn.Batch.PutUndo(block.Number, it.What.Channel, it.Slot.Working);
            foreach (OperatorEvent told in Observe(turn, it, block.Number)) turn.Tell(told);
        }
    }

    /// <summary>
    /// These blocks will not be undone, so events may be written before their cursor: after a crash they come again and
    /// change nothing, for each carries the state that it left. Their own numbers do not matter: the last block's is
    /// the most careful one for a deposit. Operators are told with the cursor, so once; what they are told after a crash
    /// between two parts compares with a channel that has the first part already.
    /// </summary>
    private async Task JumpAsync(ChainBlock block, IReadOnlyList<ChainEvent> events, CancellationToken cancel)
    {
        List<SeenEvent> seen = await _first.CompleteAsync(Find(events), block, cancel);
        await LookForFinalAsync(block.Number, seen, cancel);
        HashSet<ChannelId> concerned = [.. seen.Select(it => it.What.Channel)];
        List<(ChannelSlot, RecentDeposits.Change)> others = ReviewOthers(concerned, block.Number);
        List<OperatorEvent> told = [];
        Queue<SeenEvent[]> parts = new(seen.Chunk(EventsPerTurnMax));
        for (; parts.Count > 1; parts.Dequeue()) await _ledger.RunAsync(turn => ObservePart(turn, parts.Peek()), cancel);

        _tail.JumpTo(block);
        await _ledger.RunAsync(
            turn =>
            {
                if (parts.TryDequeue(out SeenEvent[]? last)) ObservePart(turn, last);
                foreach (OperatorEvent what in told) turn.Tell(what);
                CreditAll(turn, concerned, others, block.Number);
                ExpireCloses(turn, block);
                turn.Batch.DropBlocks(0, block.Number);
                turn.Batch.PutBlock(block);
                return true;
            },
            cancel);

        bool ObservePart(LedgerTurn turn, SeenEvent[] part)
        {
            foreach (SeenEvent it in part) told.AddRange(Observe(turn, it, block.Number));
            return true;
        }
    }

    private async Task BackAsync(ChainBlock block, CancellationToken cancel)
    {
        // Block by block, the newest first: what was said between two of them is only in the later one's row.
        List<(ChannelSlot Slot, ChannelState Before)> undone = [];
        foreach ((ChannelId id, ChannelState state) in _store.ReadUndo(block.Number).Reverse())
            if (_book.Find(id) is { } slot) undone.Add((slot, state)); // A watchtower may have let go of it.

        OperatorEvent reorganized = ChannelEvents.Reorganized(_tail.Newest!, block, undone.DistinctBy(it => it.Slot).Count());
        _tail.BackTo(block);
        _book.Unfunded.BackTo(block.Number);
        (ChannelId, RecentDeposit)[] gone = [.. _deposits.DropAfter(block.Number)];
        List<(ChannelSlot, RecentDeposits.Change)> credit = ReviewOthers([], block.Number);
        await _ledger.RunAsync(turn => Back(turn, block, undone, gone, credit, reorganized), cancel);
    }

    private bool Back(
        LedgerTurn turn, ChainBlock block, List<(ChannelSlot, ChannelState)> undone, (ChannelId, RecentDeposit)[] gone,
        List<(ChannelSlot, RecentDeposits.Change)> credit, OperatorEvent reorganized)
    {
        turn.Tell(reorganized);
        Dictionary<ChannelSlot, ChannelState> were = [];
        foreach ((ChannelSlot slot, ChannelState before) in undone)
        {
            were.TryAdd(slot, slot.Working);
            Change(turn, slot, Lifecycle.RollBack(slot.Channel, slot.Working, before));
        }

        foreach ((ChannelSlot slot, ChannelState was) in were)
        {
            turn.Tell(ChannelEvents.RolledBack(slot.Channel, block.Number));
            if (ChannelEvents.Uncovered(slot.Channel, was, slot.Working, block.Number) is { } uncovered) turn.Tell(uncovered);
        }

        foreach ((ChannelId id, RecentDeposit deposit) in gone) turn.Batch.DropRecentDeposit(id, deposit);
        turn.Batch.DropBlocks(block.Number + 1, ulong.MaxValue - 1);

        // In the same write: after a crash in between, what did not count of a deposit that is gone would be held back for ever.
        foreach ((ChannelSlot slot, RecentDeposits.Change change) in credit) Put(turn, slot, change);
        return true;
    }

    private IEnumerable<OperatorEvent> Observe(LedgerTurn turn, SeenEvent seen, ulong block)
    {
        (ChannelSlot slot, ChainEvent what, bool isStored) = seen;
        if (isStored) slot.EstablishedOn = null; // An old channel, whose totals a lost database may have forgotten.
        if (isStored && !_guardsOthers) turn.HoldBack(slot);
        ChannelState was = slot.Working;
        ChannelState next = Lifecycle.Observe(slot.Channel, was, what);
        if (!_guardsOthers) next = Lifecycle.NoteUnrecorded(slot.Channel, was, CountLater(turn, slot, next, what, was, block), what);
        Change(turn, slot, next);
        if (what is ChainEvent.Closed { Paid: var closed }) slot.PaidOut = closed;
        if (what is ChainEvent.Settled { Paid: var settled }) slot.PaidOut = settled;
        if (isStored && _guardsOthers) return [];
        return ChannelEvents.Seen(slot.Channel, was, next, what, block, _clock.NowSeconds, isOurs: !_guardsOthers);
    }

    /// <summary>A deposit counts only from the review on that follows: never for a moment before its time.</summary>
    private ChannelState CountLater(
        LedgerTurn turn, ChannelSlot slot, in ChannelState next, ChainEvent what, in ChannelState was, ulong block)
    {
        if (what is ChainEvent.Deposited deposited) return CountLater(turn, slot, next, deposited.Side, was, block);
        if (was.EverFunded) return next;
        // The first that is heard of the channel: when its deposits were made nobody knows here.
        return CountLater(turn, slot, CountLater(turn, slot, next, Side.A, was, block), Side.B, was, block);
    }

    private ChannelState CountLater(
        LedgerTurn turn, ChannelSlot slot, in ChannelState next, Side side, in ChannelState was, ulong block)
    {
        UInt128 amount = Amounts.Excess(next.OnChain.PotOf(side), was.OnChain.PotOf(side));
        if (amount == UInt128.Zero) return next; // Seen again.
        RecentDeposit deposit = _deposits.Add(slot.Channel, was, new RecentDeposit(block, side, amount));
        turn.Batch.PutRecentDeposit(slot.Channel.Id, deposit);
        return side == Side.A
            ? next with { UncreditedA = next.UncreditedA + amount }
            : next with { UncreditedB = next.UncreditedB + amount };
    }

    private void Change(LedgerTurn turn, ChannelSlot slot, in ChannelState next)
    {
        if (next == slot.Working) return;
        slot.Working = next;
        _book.Watch(slot, next);
        turn.Touch(slot, durable: false);
    }

    /// <summary>A close is given up only by a block that stays: one whose time is later but vanishes could be mined before it.</summary>
    private void ExpireCloses(LedgerTurn turn, ChainBlock? staying)
    {
        if (staying is null) return;
        foreach (ChannelSlot slot in _book.Watched)
        {
            ChannelState next = Lifecycle.ExpireClose(slot.Working, staying.TimestampSeconds);
            if (next == slot.Working) continue;
            slot.EstablishedOn = null; // Where it was mined and taken back, the two do not know the same totals any more.
            Change(turn, slot, next);
        }

        if (!_guardsOthers) _book.Hold.Look(turn, staying);
    }

    /// <summary>What changes with the block in channels that it does not concern.</summary>
    private List<(ChannelSlot, RecentDeposits.Change)> ReviewOthers(HashSet<ChannelId> concerned, ulong head) =>
        [.. _deposits.ReviewOthers(concerned, head, _final).Select(change => (_book.Get(change.Channel), change))];

    private void CreditAll(
        LedgerTurn turn, HashSet<ChannelId> concerned, List<(ChannelSlot, RecentDeposits.Change)> others, ulong head)
    {
        foreach (RecentDeposits.Change change in _deposits.Review(concerned, head, _final))
            Credit(turn, _book.Get(change.Channel), change, head);
        foreach ((ChannelSlot slot, RecentDeposits.Change change) in others) Credit(turn, slot, change, head);
    }

    private void Credit(LedgerTurn turn, ChannelSlot slot, RecentDeposits.Change change, ulong block)
    {
        ChannelState was = slot.Working;
        Put(turn, slot, change);
        foreach (OperatorEvent told in ChannelEvents.Credited(slot.Channel, was, slot.Working, block)) turn.Tell(told);
    }

    private void Put(LedgerTurn turn, ChannelSlot slot, RecentDeposits.Change change)
    {
        Change(turn, slot, slot.Working with { UncreditedA = change.UncreditedA, UncreditedB = change.UncreditedB });
        foreach (RecentDeposit deposit in change.Settled) turn.Batch.DropRecentDeposit(change.Channel, deposit);
    }

    /// <summary>Asked only while a deposit waits for it. Where the chain has no such notion, what cannot be undone is final.</summary>
    private async Task LookForFinalAsync(ulong head, List<SeenEvent> seen, CancellationToken cancel)
    {
        bool waits = seen.Exists(it => it.What is ChainEvent.Deposited || !it.Slot.Working.EverFunded) || (!_deposits.IsEmpty && _deposits.NewestBlock > _final);
        if (!waits) return;
        try
        {
            ulong final = await _finalBlock(cancel) ?? _tail.Oldest?.Number ?? 0;
            _final = Math.Min(Math.Max(_final, final), head);
        }
        catch (RefusalException)
        {
            // Told when the next block cannot be read either; until then the deposits wait.
        }
    }

    private List<SeenEvent> Find(IReadOnlyList<ChainEvent> events)
    {
        List<SeenEvent> seen = new(events.Count);
        foreach (ChainEvent what in events)
            if (_book.Find(what.Channel) is { } slot) seen.Add(new SeenEvent(slot, what));
        return seen;
    }
}
