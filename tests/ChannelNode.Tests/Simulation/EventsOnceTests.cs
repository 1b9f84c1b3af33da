using ChannelNode.Core;
using ChannelNode.Engine;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// The power is cut at every commit of a history with jumps, deposits, closes and reorganisations, before, in and after it. The
/// chain tells again what was lost; operators are told everything once, and nothing that they heard is ever different.
/// </summary>
public sealed class EventsOnceTests
{
    [Fact]
    public void PowerCutAtAnyCommit_NothingIsMissingTwiceOrTakenBack()
    {
        EventsLife undisturbed = new(new SimulatedDisk());
        undisturbed.Run(null, CutPoint.BeforeWriting, new Random(1));
        EventKind[] kinds = [.. undisturbed.Journal.Select(what => what.Kind)];
        Assert.Equal(Expected, kinds);

        Random random = new(7);
        for (int commit = 0; commit < undisturbed.Commits; commit++)
        {
            foreach (CutPoint cut in Enum.GetValues<CutPoint>())
            {
                EventsLife life = new(new SimulatedDisk());
                life.Run(commit, cut, random);
                Assert.Equal(undisturbed.Journal.Select(Shown), life.Journal.Select(Shown));
            }
        }
    }

    private static readonly EventKind[] Expected =
    [
        EventKind.ChannelOpened, EventKind.DepositCredited,
        EventKind.Deposited, EventKind.ChannelOpened, EventKind.DepositCredited, EventKind.DepositCredited,
        EventKind.ChannelClosing, EventKind.ChannelDisputed, EventKind.StateLost, EventKind.DepositCredited,
        EventKind.ChainReorganized, EventKind.ChannelRolledBack,
        EventKind.Deposited, EventKind.DepositCredited, EventKind.DepositCredited,
        EventKind.ChannelClosed, EventKind.StateLost,
        EventKind.ChainReorganized, EventKind.ChannelRolledBack,
        EventKind.ChannelClosing, EventKind.ChannelSettled,
    ];

    private static string Shown(OperatorEvent what) =>
        $"{what with { Channels = [] }} {string.Join(",", what.Channels)}";
}

/// <summary>One node's intake on a simulated disk, and a chain that tells one history.</summary>
internal sealed class EventsLife
{
    private static readonly Channel One = Core.Sample.Channel();
    private static readonly Channel Two = One with { Id = Core.Sample.OtherId };

    private static readonly NodeOptions Options = new()
    {
        DataDirectory = "",
        KeyFile = "",
        RpcUrl = "",
        Contract = Address.Zero,
        ConfirmationsLarger = 3,
        CreditSmallMax = 100,
        CreditLargerMax = 1_000,
    };

    private readonly SimulatedDisk _disk;
    private readonly List<ChainBatch> _history = [];
    private readonly Dictionary<Bytes32, Dictionary<ChannelId, Pots>> _stored = [];
    private readonly List<OperatorEvent> _heard = [];
    private SimulatedStore _store = null!;
    private Ledger _ledger = null!;
    private ChainIntake _intake = null!;

    public EventsLife(SimulatedDisk disk)
    {
        _disk = disk;
        Start();
        IStoreBatch batch = _store.NewBatch();
        foreach (Channel channel in (Channel[])[One, Two])
        {
            batch.PutChannel(channel);
            batch.PutState(channel.Id, default);
        }

        _store.Commit(batch, durable: true);
        Start();
        WriteHistory();
    }

    /// <summary>Turns of the ledger that wrote something, or could have.</summary>
    public int Commits { get; private set; }

    public IReadOnlyList<OperatorEvent> Journal => _store.ReadEvents(0, int.MaxValue);

    /// <summary>Takes the whole history, and loses power once, at the given turn.</summary>
    public void Run(int? cutAt, CutPoint cut, Random random)
    {
        for (int at = 0; at < _history.Count; at++)
        {
            try
            {
                Take(_history[at], cutAt, cut);
            }
            catch (PowerCutException)
            {
                cutAt = null;
                _disk.CutPower(random);
                Start();
                Assert.Equal(_heard, Journal.Take(_heard.Count), (one, other) => one.Cursor == other.Cursor && one.Sentence == other.Sentence);
                ChainBlock? known = _intake.Known.LastOrDefault();
                at = known is null ? -1 : _history.FindLastIndex(at, batch => batch.Cursor == known);
            }
        }
    }

    private void Take(ChainBatch batch, int? cutAt, CutPoint cut)
    {
        Task taking = Task.Run(() => _intake.TakeAsync(batch, CancellationToken.None));
        while (!taking.IsCompleted)
        {
            _store.CutAtNextCommit = Commits == cutAt ? cut : null;
            if (!_ledger.TakeTurn())
            {
                Thread.Yield();
                continue;
            }

            Commits++;
            _heard.AddRange(_store.ReadEvents((ulong)_heard.Count, int.MaxValue));
        }

        taking.GetAwaiter().GetResult();
    }

    private void Start()
    {
        _store = new SimulatedStore(_disk);
        NodeClock clock = new(new SimulatedTime());
        ChainView view = new(null, clock.Time, TimeSpan.FromHours(1));
        ChannelBook book = new(_store, new PeerLinks(), 1_024);
        _ledger = new Ledger(book, _store, view, clock, Options, NullLogger<Ledger>.Instance);
        _intake = new ChainIntake(
            book, _ledger, _store, _ => Task.FromResult<ulong?>(10), (id, block, _) => Task.FromResult(PotsOf(id, block)), view, clock,
            Options);
    }

    private Pots PotsOf(ChannelId id, Bytes32 block) => _stored[block].GetValueOrDefault(id);

    private void WriteHistory()
    {
        uint closesAt = 1_700_003_600;
        ChainBlock ten = Block(10, 0, 9);
        Add(ChainMove.Jump, ten, new ChainEvent.Deposited(One.Id, Side.A, 100));
        ChainBlock eleven = Next(ten, 0, new ChainEvent.Deposited(One.Id, Side.B, 50), new ChainEvent.Deposited(Two.Id, Side.A, 700));
        ChainBlock twelve = Next(eleven, 0, new ChainEvent.CloseStarted(One.Id, new Pots(100, 0, 50, 0, closesAt)));
        Next(twelve, 0, new ChainEvent.Disputed(One.Id, new Pots(90, 10, 60, 0, closesAt)));
        Add(ChainMove.Back, eleven);
        ChainBlock again = Next(eleven, 1, new ChainEvent.Deposited(One.Id, Side.A, 130));
        ChainBlock fourteen = Next(Next(again, 1), 1);
        Next(fourteen, 1, new ChainEvent.Closed(One.Id, new Pots(130, 1, 50, 1, 0)));
        Add(ChainMove.Back, fourteen);
        Next(
            fourteen, 2, new ChainEvent.CloseStarted(One.Id, new Pots(130, 0, 50, 0, closesAt)),
            new ChainEvent.Settled(One.Id, new Pots(130, 0, 50, 0, 0)));
    }

    private ChainBlock Next(ChainBlock parent, ulong branch, params ChainEvent[] events)
    {
        ChainBlock block = Block(parent.Number + 1, branch, 0) with { Parent = parent.Hash };
        Add(ChainMove.Next, block, events);
        return block;
    }

    private void Add(ChainMove move, ChainBlock cursor, params ChainEvent[] events)
    {
        _history.Add(new ChainBatch(move, cursor, events, IsCaughtUp: true));
        if (move == ChainMove.Back) return;
        Dictionary<ChannelId, Pots> stored = new(_stored.GetValueOrDefault(cursor.Parent, []));
        foreach (ChainEvent what in events)
            stored[what.Channel] = Lifecycle.PotsAfter(stored.GetValueOrDefault(what.Channel), what);
        _stored[cursor.Hash] = stored;
    }

    private static ChainBlock Block(ulong number, ulong branch, ulong parent) =>
        new(number, new Bytes32(1, branch, 0, number), new Bytes32(1, 0, 0, parent), 1_600_000_000 + number);
}
