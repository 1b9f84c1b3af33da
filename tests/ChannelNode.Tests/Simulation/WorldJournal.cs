using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// What a node's operators are to be told of the chain, by the moves that its follower was given: each event of a channel and
/// each way back once, in order, whatever its disk forgets. Outlives the node.
/// </summary>
internal sealed class WorldJournal(string name)
{
    private readonly List<(ChannelId? Channel, string What)> _expected = [];
    private readonly List<(ulong Block, ChannelId Channel)> _undoable = [];

    /// <summary>
    /// They were not known yet, or the contract could not be asked for them in time: their first events are told with the answer.
    /// </summary>
    private readonly HashSet<ChannelId> _late = [];
    private List<ChainBatch> _taken = [];
    private ChainBatch? _given;
    private (List<ChainBatch> Taken, ChainBatch? Given) _backedUp = ([], null);
    private int _compared;
    private ulong _cursor;

    public void Gives(ChainBatch batch, ChannelBook book)
    {
        _given = batch;

        // Where the contract cannot be asked, their deposits are left out, for the other event tells all.
        foreach (var events in batch.Events.GroupBy(what => what.Channel))
        {
            if (book.Unfunded.IsUnasked(events.Key) && events.First() is ChainEvent.Deposited && events.Any(what => what is not ChainEvent.Deposited))
                _late.Add(events.Key);
        }
    }

    /// <summary>The move that was given is in the node's memory.</summary>
    public void Takes(ChannelBook book)
    {
        ChainBatch batch = _given!;
        _given = null;
        foreach (ChainEvent what in batch.Events)
            if (book.Find(what.Channel) is null || book.Unfunded.IsUnasked(what.Channel)) _late.Add(what.Channel);
        _taken.Add(batch);
        Expect(batch);
    }

    private void Expect(ChainBatch batch)
    {
        ulong block = batch.Cursor!.Number;
        if (batch.Move == ChainMove.Back)
        {
            _expected.Add((null, $"back to {block}"));
            foreach (ChannelId id in _undoable.Where(it => it.Block > block).Select(it => it.Channel).Distinct().Order())
                _expected.Add((id, $"{ContractCall.Name(id)} is back at {block}"));
            _undoable.RemoveAll(it => it.Block > block);
            return;
        }

        if (batch.Move == ChainMove.Jump) _undoable.Clear();
        else _undoable.AddRange(batch.Events.Select(what => (block, what.Channel)));
        foreach (ChainEvent what in batch.Events)
            _expected.Add((what.Channel, $"{ContractCall.Name(what.Channel)} {NameOf(what)} by {block}"));
    }

    private static string NameOf(ChainEvent what) => what switch
    {
        ChainEvent.Deposited => "funded",
        ChainEvent.CloseStarted => "closing",
        ChainEvent.Disputed => "disputed",
        ChainEvent.Settled => "settled",
        ChainEvent.Closed => "closed",
        _ => "claimed",
    };

    private static string? NameOf(EventKind kind) => kind switch
    {
        EventKind.ChannelOpened or EventKind.Deposited => "funded",
        EventKind.ChannelClosing => "closing",
        EventKind.ChannelDisputed => "disputed",
        EventKind.ChannelSettled => "settled",
        EventKind.ChannelClosed => "closed",
        EventKind.ChannelClaimed => "claimed",
        _ => null,
    };

    private string? Shown(OperatorEvent told)
    {
        if (told.Kind == EventKind.ChainReorganized) return $"back to {told.Block}";
        if (told.Channels is not [var id] || _late.Contains(id)) return null;
        if (told.Kind == EventKind.ChannelRolledBack) return $"{ContractCall.Name(id)} is back at {told.Block}";
        return NameOf(told.Kind) is { } happened ? $"{ContractCall.Name(id)} {happened} by {told.Block}" : null;
    }

    /// <summary>Between two moves: what is new in the journal is what the moves since the last look brought.</summary>
    public void Check(SimulatedStore store)
    {
        if (_given is null && Compare(store) is { } difference) Assert.Fail($"the operators of {name}: {difference}");
    }

    private string? Compare(SimulatedStore store)
    {
        List<string> told = [];
        foreach (OperatorEvent what in store.ReadEvents(_cursor, int.MaxValue))
        {
            if (store.Restorations.Any(it => it.Events.Bridges(_cursor, what.Cursor))) _cursor = what.Cursor;
            else if (what.Cursor != ++_cursor) return $"event {what.Cursor} follows {_cursor - 1}";
            if (Shown(what) is { } shown) told.Add(shown);
        }

        List<string> expected =
            [.. _expected.Skip(_compared).Where(it => it.Channel is not { } id || !_late.Contains(id)).Select(it => it.What)];
        _compared = _expected.Count;
        bool isSame = told.Order().SequenceEqual(expected.Order()) && InOrder(told).SequenceEqual(InOrder(expected));
        return isSame ? null : $"were told [{string.Join(", ", told)}] instead of [{string.Join(", ", expected)}]";
    }

    /// <summary>Of one way back, the channels may be told in any order.</summary>
    private static IEnumerable<string> InOrder(List<string> told) => told.Where(it => !it.Contains("is back at"));

    /// <summary>
    /// The node is back from its disk: its cursor may be an earlier one, but then nobody was told anything after it. Of the
    /// move that it was given last, nobody knows whether it was on disk.
    /// </summary>
    public void Returns(SimulatedStore store)
    {
        (List<ChainBatch> before, ChainBatch? given) = (_taken, _given);
        _given = null;
        string? difference = given is null ? "" : Restore([.. before, given], store);
        if (difference is not null) difference = Restore(before, store);
        if (difference is not null) Assert.Fail($"the operators of {name} after a power cut: {difference}");
    }

    /// <summary>A copy is made of the node's disk as it is now.</summary>
    public void BackUp() => _backedUp = ([.. _taken], _given);

    /// <summary>The node will be back from that copy: what it was given since is given again, and told again.</summary>
    public void Restore() => (_taken, _given) = _backedUp;

    private string? Restore(List<ChainBatch> moves, SimulatedStore store)
    {
        int last = moves.FindLastIndex(batch => batch.Cursor!.Hash == store.Cursor?.Hash);
        if (last < 0 && store.Cursor is not null) return $"the cursor is at {store.Cursor}";
        _taken = moves[..(last + 1)];
        foreach (ChainEvent what in _taken.SelectMany(batch => batch.Events))
            if (store.FindChannel(what.Channel) is not { State.EverFunded: true }) _late.Add(what.Channel);
        (_compared, _cursor) = (0, 0);
        _expected.Clear();
        _undoable.Clear();
        foreach (ChainBatch batch in _taken) Expect(batch);
        return Compare(store);
    }
}
