using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>Of a channel's two nodes one settles, and the other where that one does not.</summary>
public sealed class SettleTurnTests
{
    private const int Window = 600;
    private const int Grace = 60;
    private const int BlockEvery = 12;

    private static readonly Party A = new(new Address(0, 0, 0xA0), new Address(0, 0, 0xA1));
    private static readonly Party B = new(new Address(0, 0, 0xB0), new Address(0, 0, 0xB1));
    private static readonly ChannelTerms Terms = new(A, B, Address.Zero, Window, OneWay: false, Sample.Id.Value);

    private readonly SimulatedTime _time = new();
    private readonly SimulatedNetwork _network;
    private readonly List<SimulatedLife> _lives = [];

    public SettleTurnTests() =>
        _network = new(new Random(1), _time, [A.Owner, A.Signer, B.Owner, B.Signer]);

    [Theory]
    [InlineData(Side.A, 70, 30, true)]
    [InlineData(Side.A, 30, 70, false)]
    [InlineData(Side.B, 70, 30, false)]
    [InlineData(Side.B, 30, 70, true)]
    [InlineData(Side.A, 50, 50, true)]
    [InlineData(Side.B, 50, 50, false)]
    public void NodeAlone_SettlesAtOnceWhereItIsPaidMore_AndElseAfterTheGrace(Side ours, int potA, int potB, bool isFirst)
    {
        Start(ours, new SimulatedDisk());
        Close((UInt128)potA, (UInt128)potB);
        PassUntil(Pots.ClosesAtSeconds - BlockEvery);
        Assert.True(Pots.IsClosing);

        PassUntil(Pots.ClosesAtSeconds + Grace - 1);
        Assert.Equal(isFirst ? 1 : 0, Settles);
        if (!isFirst) PassUntil(Pots.ClosesAtSeconds + Grace + (4 * BlockEvery));

        Assert.Equal((true, 1), (Pots.IsEmpty, Settles));
    }

    [Fact]
    public void BothNodes_SettleOnce_AndNobodyIsWarned()
    {
        Start(Side.A, new SimulatedDisk());
        Start(Side.B, new SimulatedDisk());
        Close(30, 70);

        PassUntil(Pots.ClosesAtSeconds + (3 * Grace));

        Assert.Equal((true, 0UL, 1UL), (Pots.IsEmpty, _network.Head.NonceOf(A.Signer), _network.Head.NonceOf(B.Signer)));
        Assert.Empty(_lives[0].Jobs.All);
        Assert.Contains(Told, told => told.Refusal == Refusal.WindowOpen); // The clock comes to the window's end before the blocks.
        Assert.All(Told, told => Assert.Equal(EventSeverity.Info, told.Severity));
    }

    [Fact]
    public void SettleThatRevertsBecauseThePeerWasQuicker_IsNoWarning()
    {
        Start(Side.A, new SimulatedDisk());
        Close(70, 30);
        _network.Censored = A.Signer;
        PassUntil(Pots.ClosesAtSeconds + (4 * BlockEvery));
        Assert.Equal(JobStatus.Sent, _lives[0].Jobs.All[0].Job.Status);
        _network.Send(B.Owner, 0, new ContractCall.Settle(Sample.Id, Terms));
        _network.Censored = null;
        _network.MineFirst(B.Owner);
        PassUntil(_time.NowSeconds + (10 * BlockEvery));

        Job job = _lives[0].Jobs.All[0].Job;
        Assert.Equal((true, JobStatus.Failed, Refusal.NotClosing), (Pots.IsEmpty, job.Status, job.Refusal));
        Assert.NotEqual(UInt128.Zero, job.SpentWei);
        Assert.Equal(EventKind.TransactionFailed, Told.Last().Kind);
        Assert.All(Told, told => Assert.Equal(EventSeverity.Info, told.Severity));
    }

    [Fact]
    public void NodeThatIsStartedAgainInTheGrace_NeitherForgetsNorProlongsIt()
    {
        SimulatedDisk disk = new();
        Start(Side.B, disk);
        Close(70, 30);
        PassUntil(Pots.ClosesAtSeconds + (Grace / 2));
        _lives[0].Stop();
        _lives.Clear();
        disk.CutPower(new Random(1));
        Start(Side.B, disk);

        PassUntil(Pots.ClosesAtSeconds + Grace - 1);
        Assert.Equal(0, Settles);
        PassUntil(Pots.ClosesAtSeconds + Grace + (4 * BlockEvery));

        Assert.True(Pots.IsEmpty);
    }

    [Fact]
    public void OperatorsOwnSettle_IsAtOnce()
    {
        Start(Side.B, new SimulatedDisk());
        Close(70, 30);
        PassUntil(Pots.ClosesAtSeconds + 1);
        Task settling = null!;
        Node node = _lives[0].Node;
        _lives[0].Do(() => settling = node.Operations.SettleAsync(node.Book.Get(Sample.Id), _ => { }, CancellationToken.None));

        PassUntil(_time.NowSeconds + (3 * BlockEvery));

        Assert.True(settling.IsCompletedSuccessfully);
        Assert.True(Pots.IsEmpty);
    }

    private Pots Pots => _network.Head.Contract.PotsOf(Sample.Id);

    /// <summary>That nodes have sent.</summary>
    private int Settles => _lives.Sum(life => life.Jobs.All.Count(entry => entry.Job.Kind == JobKind.Settle));

    /// <summary>Of settles.</summary>
    private IEnumerable<OperatorEvent> Told =>
        _lives.SelectMany(life => life.Store.ReadEvents(0, int.MaxValue)).Where(told => told.JobKind == JobKind.Settle);

    private void Start(Side ours, SimulatedDisk disk)
    {
        SimulatedStore store = new(disk);
        if (store.FindChannel(Sample.Id) is null)
        {
            IStoreBatch batch = store.NewBatch();
            batch.PutChannel(new Channel(Sample.Id, Terms, ours));
            batch.PutState(Sample.Id, default);
            batch.PutPending(Sample.Id, Pending.Deposit);
            store.Commit(batch, durable: true);
        }

        NodeOptions options = new()
        {
            DataDirectory = "",
            KeyFile = "",
            RpcUrl = "",
            Contract = new Address(1, 1, 1),
            PollMs = 2_000,
            ReplaceAfterSeconds = 600,
        };
        SimulatedLife life = new(
            Terms.Of(ours), disk, new MachineTime(_time, TimeSpan.Zero), _network, new RpcWeather(), new Random(1), options,
            new SimulatedLog(_time, isVerbose: false));
        life.Start();
        _lives.Add(life);
        PassUntil(_time.NowSeconds + BlockEvery);
    }

    private void Close(UInt128 potA, UInt128 potB)
    {
        _network.Send(A.Owner, potA, new ContractCall.Deposit(Sample.Id, Terms, Side.A, potA));
        _network.Send(B.Owner, potB, new ContractCall.Deposit(Sample.Id, Terms, Side.B, potB));
        while ((Pots.PotA, Pots.PotB) != (potA, potB)) _network.Mine();
        _network.Send(A.Owner, 0, new ContractCall.StartClose(Sample.Id, Terms, null, default));
        while (!Pots.IsClosing) _network.Mine();
    }

    /// <summary>With a block every now and then.</summary>
    private void PassUntil(ulong seconds)
    {
        long end = (long)seconds * 1_000;
        while (_time.NowMs < end)
        {
            long next = Math.Min(end, _time.NowMs + (BlockEvery * 1_000));
            Run();
            while (_time.NextDueMs <= next)
            {
                _time.MoveTo(Math.Max(_time.NowMs, _time.NextDueMs));
                _time.GoOff();
                Run();
            }

            _time.MoveTo(next);
            _network.Mine();
        }

        Run();
    }

    private void Run()
    {
        foreach (SimulatedLife life in _lives) life.Run(diskIsSlow: false);
    }
}
