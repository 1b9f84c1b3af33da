using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// A channel had a life before its terms were agreed here, and its first event comes before the contract was asked for it; of
/// a node and of a watchtower.
/// </summary>
public sealed class FirstEventsTests
{
    private static readonly Channel Channel = Sample.Channel();

    private readonly SimulatedStore _store = new(new SimulatedDisk());
    private readonly ChannelBook _book;
    private readonly Ledger _ledger;
    private readonly List<Pots?> _stored = [default(Pots)];
    private ChainIntake _intake = null!;

    public FirstEventsTests()
    {
        _book = new ChannelBook(_store, new PeerLinks(), 1_024);
        _ledger = new Ledger(_book, _store, View(), new NodeClock(new SimulatedTime()), Options(), NullLogger<Ledger>.Instance);
    }

    private static NodeOptions Options() => new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = new Address(1, 1, 1) };

    private static ChainView View() => new(null, new SimulatedTime(), TimeSpan.FromHours(1));

    private ChannelState State => _book.Get(Channel.Id).State;

    /// <summary>A block comes, after which the contract stores this of the channel; null: it can not be asked for that.</summary>
    private Task MineAsync(Pots? stored, params ChainEvent[] events)
    {
        _stored.Add(stored);
        ulong number = (ulong)_stored.Count - 1;
        return FinishAsync(_intake.TakeAsync(new ChainBatch(ChainMove.Next, Block(number), events, IsCaughtUp: true), default));
    }

    private Task BackAsync(ulong number) =>
        FinishAsync(_intake.TakeAsync(new ChainBatch(ChainMove.Back, Block(number), [], IsCaughtUp: true), default));

    private static ChainBlock Block(ulong number) =>
        new(number, new Bytes32(number, 0, 0, 1), new Bytes32(number - 1, 0, 0, 1), 1_000 + number);

    private async Task<Pots> SidesAsync(ChannelId id, Bytes32 block, CancellationToken cancel)
    {
        await Task.Yield();
        return _stored[(int)block.W0] ?? throw new RefusalException(Refusal.ChainUnavailable, "that state is not kept");
    }

    private async Task BeginAsync(bool guardsOthers, Pots? before)
    {
        _intake = new ChainIntake(
            _book, _ledger, _store, _ => Task.FromResult<ulong?>(0), SidesAsync, View(), new NodeClock(new SimulatedTime()), Options(),
            guardsOthers);
        await MineAsync(before);
        await FinishAsync(_ledger.RunAsync(
            turn =>
            {
                ChannelSlot slot = new(Channel, default, new PeerLinks());
                turn.Batch.PutChannel(Channel);
                turn.Touch(slot, durable: true);
                _book.Add(slot);
                return true;
            },
            default));
    }

    private async Task FinishAsync(Task task)
    {
        while (!task.IsCompleted)
        {
            _ledger.TakeTurn();
            await Task.Yield();
        }

        await task;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DepositBeforeTheContractWasAsked_HidesNoEarlierOne(bool guardsOthers)
    {
        await BeginAsync(guardsOthers, new Pots(700, 40, 0, 30, 0));
        await MineAsync(new Pots(700, 40, 100, 30, 0), new ChainEvent.Deposited(Channel.Id, Side.B, 100));

        Assert.Equal(new Pots(700, 40, 100, 30, 0), State.OnChain);

        await MineAsync(new Pots(700, 40, 150, 30, 0), new ChainEvent.Deposited(Channel.Id, Side.B, 150));
        await BackAsync(2);
        Assert.Equal(new Pots(700, 40, 100, 30, 0), State.OnChain);

        // Undone with the block of which it was learned, and learned again.
        await BackAsync(1);
        Assert.False(State.EverFunded);
        await FinishAsync(_intake.LookAsync([.. _book.Unfunded.Unasked()], default));
        Assert.Equal(new Pots(700, 40, 0, 30, 0), State.OnChain);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DepositWhileTheContractCannotBeAsked_WaitsForTheAnswer(bool guardsOthers)
    {
        await BeginAsync(guardsOthers, null);
        await MineAsync(null, new ChainEvent.Deposited(Channel.Id, Side.B, 100));

        Assert.False(State.EverFunded);

        await MineAsync(new Pots(700, 0, 100, 0, 0));
        await FinishAsync(_intake.LookAsync([.. _book.Unfunded.Unasked()], default));

        Assert.Equal(new Pots(700, 0, 100, 0, 0), State.OnChain);
        Assert.Empty(_book.Unfunded.Unasked());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ClosingWhileTheContractCannotBeAsked_IsTakenFromItsEvent(bool guardsOthers)
    {
        Pots closing = new(700, 20, 100, 0, 5_000);
        await BeginAsync(guardsOthers, null);
        await MineAsync(null, new ChainEvent.Deposited(Channel.Id, Side.B, 100), new ChainEvent.CloseStarted(Channel.Id, closing));

        Assert.Equal(closing, State.OnChain);
        Assert.Contains(_book.Watched, slot => slot.Channel.Id == Channel.Id);
    }

    /// <summary>Found by the simulation: a pot that a closing told of first counted at once, however young its deposit was.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task PotsOfWhichAnotherEventTellsFirst_CountAsYoungDeposits(bool isAnswered)
    {
        UInt128 ether = 1_000_000_000_000_000_000;
        Pots closing = new(700, 20, ether, 0, 5_000);
        await BeginAsync(guardsOthers: false, null);

        await MineAsync(isAnswered ? closing : null, new ChainEvent.CloseStarted(Channel.Id, closing));

        Assert.Equal((UInt128.Zero, ether - Options().CreditSmallMax), (State.UncreditedA, State.UncreditedB));
    }

    [Fact]
    public async Task ChannelThatTheContractDidNotKnow_IsToldOfByEventsAlone()
    {
        await BeginAsync(guardsOthers: false, default(Pots));
        await FinishAsync(_intake.LookAsync([.. _book.Unfunded.Unasked()], default));
        Assert.Empty(_book.Unfunded.Unasked());

        await MineAsync(null, new ChainEvent.Deposited(Channel.Id, Side.A, 50));
        Assert.Equal(new Pots(50, 0, 0, 0, 0), State.OnChain);
    }

    [Fact]
    public async Task LookThatWaitedWhileTheFirstEventWasTaken_TellsNothingAgain()
    {
        await BeginAsync(guardsOthers: false, default(Pots));
        ChannelId[] unasked = [.. _book.Unfunded.Unasked()];
        await MineAsync(new Pots(50, 0, 0, 0, 0), new ChainEvent.Deposited(Channel.Id, Side.A, 50));
        ulong told = _store.ReadEventCursor();

        await FinishAsync(_intake.LookAsync(unasked, default));

        Assert.Equal(told, _store.ReadEventCursor());
    }

    [Fact]
    public async Task AnswerOfABlockThatIsGone_IsAskedForAgain()
    {
        await BeginAsync(guardsOthers: false, default(Pots));
        await MineAsync(default(Pots));
        await FinishAsync(_intake.LookAsync([.. _book.Unfunded.Unasked()], default));
        await MineAsync(null);
        await BackAsync(2);
        Assert.Empty(_book.Unfunded.Unasked());
        await BackAsync(1);
        Assert.Single(_book.Unfunded.Unasked());
    }
}
