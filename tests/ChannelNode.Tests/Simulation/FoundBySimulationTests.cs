using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>What the simulation has found, each as the shortest story that leads there.</summary>
public sealed class FoundBySimulationTests
{
    private static readonly Party Us = new(new Address(0, 0, 0xA0), new Address(0, 0, 0xA1));
    private static readonly Party Peer = new(new Address(0, 0, 0xB0), new Address(0, 0, 0xB1));
    private static readonly Channel Channel = new(
        Sample.Id, new ChannelTerms(Us, Peer, Address.Zero, 3_600, OneWay: false, Sample.Id.Value), Side.A);

    private readonly SimulatedTime _time = new();
    private readonly RpcWeather _weather = new();
    private readonly SimulatedNetwork _network;
    private readonly SimulatedLife _life;

    public FoundBySimulationTests()
    {
        _network = new SimulatedNetwork(new Random(1), _time, [Us.Owner, Us.Signer, Peer.Owner, Peer.Signer]);
        SimulatedDisk disk = new();
        SimulatedStore store = new(disk);
        IStoreBatch batch = store.NewBatch();
        batch.PutChannel(Channel);
        batch.PutState(Channel.Id, default);
        batch.PutPending(Channel.Id, Pending.Deposit);
        store.Commit(batch, durable: true);
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = new Address(1, 1, 1), PollMs = 2_000 };
        _life = new SimulatedLife(
            Us, disk, new MachineTime(_time, TimeSpan.Zero), _network, _weather, new Random(1), options, new SimulatedLog(_time, isVerbose: false));
        _life.Start();
        Pass(3);
    }

    private void Pass(int seconds)
    {
        for (long until = _time.NowMs + (seconds * 1_000); ; _life.Run(diskIsSlow: false))
        {
            _life.Run(diskIsSlow: false);
            if (_time.NextDueMs > until) break;
            _time.MoveTo(_time.NextDueMs);
            _time.GoOff();
        }

        _life.Run(diskIsSlow: false);
    }

    private void MineAndPass()
    {
        _network.Mine();
        Pass(12);
    }

    private Task Deposit(string key)
    {
        Task asked = null!;
        _life.Do(() => asked = _life.Node.Funding.DepositAsync(
            _life.Node.Book.Get(Channel.Id), 500, gasless: false, key, budget: null, _ => { }, CancellationToken.None));
        Pass(1);
        return asked;
    }

    private UInt128 Deposited => _network.Head.Contract.DepositedBy(Channel.Id, Side.A);

    [Fact]
    public void ReceiptThatMachinesBehindDoNotKnow_HasNoDepositMadeAgain()
    {
        Deposit("key");
        _network.Mine();
        _weather.ReceiptsLagBlocks = 2;
        Pass(60);
        _weather.ReceiptsLagBlocks = 0;
        for (int block = 0; block < 10; block++) MineAndPass();

        Assert.Equal((UInt128)500, Deposited);
        Assert.Equal(1UL, _network.Head.NonceOf(Us.Signer));
    }

    [Fact]
    public void DepositThatRevertsAndIsMinedAfterAReorganisation_IsNotMadeTwice()
    {
        _network.Send(Us.Owner, 100, new ContractCall.Deposit(Channel.Id, Channel.Terms, Side.A, 100));
        _network.Mine();
        MineAndPass();
        Task first = Deposit("key");
        _network.Send(Us.Owner, 0, new ContractCall.StartClose(Channel.Id, Channel.Terms, null, default));
        _network.MineFirst(Us.Owner);
        Pass(12);
        Assert.Equal(Refusal.TransactionReverted, Assert.IsType<RefusalException>(first.Exception!.InnerException).Refusal);

        _network.Reorganize(1, forgotten: Us.Owner);
        Pass(12);
        Task again = Deposit("key");
        for (int block = 0; block < 10; block++) MineAndPass();

        Assert.True(again.IsCompletedSuccessfully);
        Assert.Equal((UInt128)600, Deposited);
    }

    [Fact]
    public void DepositThatRevertsInTheBlockThatTakesAnothersPlace_IsNotDoneAnyMore()
    {
        _network.Send(Us.Owner, 100, new ContractCall.Deposit(Channel.Id, Channel.Terms, Side.A, 100));
        _network.Mine();
        MineAndPass();
        Task asked = Deposit("key");
        MineAndPass();
        Assert.True(asked.IsCompletedSuccessfully);

        _network.Send(Us.Owner, 0, new ContractCall.StartClose(Channel.Id, Channel.Terms, null, default));
        _network.Reorganize(1, forgotten: null, first: Us.Owner);
        Pass(12);

        Assert.Equal((UInt128)100, Deposited);
        Assert.Equal(JobStatus.Failed, _life.Node.Jobs.All[0].Job.Status);
    }

    /// <summary>The peer began to close without the update that we have; our dispute is sent.</summary>
    private (BalanceUpdate Theirs, Signature Signature) BeginDispute()
    {
        _network.Send(Peer.Owner, 700, new ContractCall.Deposit(Channel.Id, Channel.Terms, Side.B, 700));
        _network.Mine();
        MineAndPass();
        BalanceUpdate theirs = new(Channel.Id, 50, 0);
        Signature signature = new TestScheme(Peer.Signer).Sign(theirs);
        _life.Do(() => _ = _life.Node.Ledger.RunAsync(
            turn =>
            {
                ChannelSlot slot = _life.Node.Book.Get(Channel.Id);
                slot.Working = slot.Working with { TheirSent = 50, TheirSignature = signature };
                turn.Touch(slot, durable: true);
                return true;
            },
            CancellationToken.None));
        Pass(1);
        _network.Send(Peer.Owner, 0, new ContractCall.StartClose(Channel.Id, Channel.Terms, null, default));
        MineAndPass();
        return (theirs, signature);
    }

    [Fact]
    public void DisputeWhoseReceiptNoMachineKnows_IsRememberedWhenItIsAskedForAgain()
    {
        (BalanceUpdate theirs, Signature signature) = BeginDispute();
        _network.Mine();
        Bytes32 mined = Assert.Single(_network.Head.Mined).Transaction.Hash;
        _weather.ReceiptsLagBlocks = 2;
        Pass(60);
        Job job = _life.Node.Jobs.All.Single(it => it.Job.Kind == JobKind.Dispute).Job;
        Assert.Equal((JobStatus.Failed, Refusal.NothingNew), (job.Status, job.Refusal));

        JobOrder again = new(job.Kind, job.Purpose, job.Channels, _life.Machine.Dispute(Channel, theirs, signature));
        _life.Do(() => _ = _life.Node.Jobs.SubmitAsync(again, CancellationToken.None));
        Pass(1);

        Assert.Contains(_life.Node.Jobs.All, it => it.Job.Attempts.Any(attempt => attempt.Hash == mined));
    }

    private IReadOnlyList<OperatorEvent> Alarms =>
        [.. _life.Store.ReadEvents(0, int.MaxValue).Where(what => what.Kind == EventKind.KeyShared)];

    [Fact]
    public void DisputeOfOurOwnWhoseReceiptComesLate_IsNotTakenForAnothers()
    {
        BeginDispute();
        _network.Mine();
        _weather.ReceiptsLagBlocks = 2;
        Pass(60);
        _weather.ReceiptsLagBlocks = 0;
        for (int block = 0; block < 10; block++) MineAndPass();

        Assert.Empty(Alarms);
        Assert.False(_life.Node.Jobs.IsKeyShared);
        Job job = _life.Node.Jobs.All.Single(it => it.Job.Kind == JobKind.Dispute).Job;
        Assert.Equal((JobStatus.Done, Refusal.None, 1UL), (job.Status, job.Refusal, _network.Head.NonceOf(Us.Signer)));
    }

    [Fact]
    public void DisputeWhoseNonceAnotherProgramUses_IsMadeAtOnceAndAnAlarmWhenItIsSure()
    {
        _network.Censored = Us.Signer;
        BeginDispute();
        _network.Take(_network.Sign(
            Us.Signer, 0, new TransactionFees(1_000 * SimulatedNetwork.Gwei, 500 * SimulatedNetwork.Gwei), 100_000, 0, new ContractCall.Nothing()));
        _network.Censored = null;
        MineAndPass();
        MineAndPass();
        Job job = _life.Node.Jobs.All.Single(it => it.Job.Kind == JobKind.Dispute).Job;
        Assert.Equal((JobStatus.Done, 2UL), (job.Status, _network.Head.NonceOf(Us.Signer)));
        Assert.Empty(Alarms);

        for (int block = 0; block < 10; block++) MineAndPass();

        Assert.Equal(0UL, Assert.Single(Alarms).Nonce);
        Assert.True(_life.Node.Jobs.IsKeyShared);
    }

    /// <summary>
    /// A deposit and a close are undone together; between them an update was accepted and acknowledged, and the close agreed.
    /// </summary>
    [Fact]
    public async Task ReorganisationOfTwoBlocks_KeepsWhatWasAcceptedAndAgreedBetweenThem()
    {
        SimulatedStore store = new(new SimulatedDisk());
        IStoreBatch batch = store.NewBatch();
        batch.PutChannel(Channel);
        batch.PutState(Channel.Id, default);
        batch.PutPending(Channel.Id, Pending.Deposit);
        store.Commit(batch, durable: true);
        NodeClock clock = new(_time);
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = new Address(1, 1, 1) };
        ChainView view = new(null, _time, TimeSpan.FromHours(1));
        ChannelBook book = new(store, new PeerLinks(), 1_024);
        Ledger ledger = new(book, store, view, clock, options, NullLogger<Ledger>.Instance);
        ChainIntake intake = new(
            book, ledger, store, _ => Task.FromResult<ulong?>(0), (_, _, _) => Task.FromResult(new Pots(0, 0, 1_000, 0, 0)), view,
            clock, options);

        await TakeAsync(1, new ChainEvent.Deposited(Channel.Id, Side.B, 1_000));
        await SetAsync(state => state with { TheirSent = 40, TheirSignature = SignatureOf(40) });
        await TakeAsync(2, new ChainEvent.Deposited(Channel.Id, Side.A, 100));
        await SetAsync(state => state with { TheirSent = 42, TheirSignature = SignatureOf(42) });
        await SetAsync(state => state with { CloseSentA = 1, CloseSentB = 43, CloseDeadlineSeconds = 2_000_000_000 });
        await TakeAsync(3, new ChainEvent.Closed(Channel.Id, new Pots(141, 1, 959, 43, 0)));
        await FinishAsync(intake.TakeAsync(new ChainBatch(ChainMove.Back, Block(1), [], IsCaughtUp: true), CancellationToken.None));

        ChannelState back = book.Get(Channel.Id).State;
        Assert.Equal(((UInt128)42, SignatureOf(42)), (back.TheirSent, back.TheirSignature));
        Assert.Equal(((UInt128)43, 2_000_000_000UL), (back.CloseSentB, back.CloseDeadlineSeconds));
        Assert.Equal(new Pots(0, 0, 1_000, 0, 0), back.OnChain);

        ChainBlock Block(ulong number) => new(number, new Bytes32(number, 0, 0, 1), new Bytes32(number - 1, 0, 0, 1), 1_000 + number);

        Signature SignatureOf(UInt128 sent) => new TestScheme(Peer.Signer).Sign(new BalanceUpdate(Channel.Id, sent, 0));

        Task TakeAsync(ulong number, ChainEvent what) => FinishAsync(intake.TakeAsync(
            new ChainBatch(ChainMove.Next, Block(number), [what], IsCaughtUp: true), CancellationToken.None));

        Task SetAsync(Func<ChannelState, ChannelState> change) => FinishAsync(ledger.RunAsync(
            turn =>
            {
                ChannelSlot slot = book.Get(Channel.Id);
                slot.Working = change(slot.Working);
                turn.Touch(slot, durable: true);
                return true;
            },
            CancellationToken.None));

        async Task FinishAsync(Task task)
        {
            while (!task.IsCompleted)
            {
                ledger.TakeTurn();
                await Task.Yield();
            }

            await task;
        }
    }
}
