using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// The real follower, intake, ledger and database against a chain in memory that is reorganised and an RPC that lags and
/// spoils. After every move, the view is what a rescan of the blocks up to its cursor says; and in the end it is at the
/// head. A seed replays exactly: CHANNELNODE_SIMULATION_SEED begins with another, CHANNELNODE_SIMULATION_SEEDS runs more.
/// </summary>
public sealed class FollowerSimulationTests(ITestOutputHelper output)
{
    private const int StepsPerSeed = 60;

    [Fact]
    public async Task AfterEveryStep_TheViewIsThatOfARescan()
    {
        int first = Setting("CHANNELNODE_SIMULATION_SEED", 1), count = Setting("CHANNELNODE_SIMULATION_SEEDS", 60);
        int moves = 0, backs = 0, jumps = 0, failures = 0;
        for (int seed = first; seed < first + count; seed++)
        {
            await using FollowerSimulation simulation = new(seed);
            try
            {
                await simulation.RunAsync(StepsPerSeed);
            }
            catch (Exception error)
            {
                output.WriteLine($"seed {seed} fails; its last steps:\n{string.Join('\n', simulation.Trace.TakeLast(30))}");
                throw new InvalidOperationException($"seed {seed}: {error.Message}", error);
            }

            moves += simulation.Moves;
            (backs, jumps, failures) = (backs + simulation.Backs, jumps + simulation.Jumps, failures + simulation.Failures);
        }

        output.WriteLine($"seeds {first} to {first + count - 1}: {moves} moves, {backs} back, {jumps} jumps, {failures} failures");
        Assert.True(backs > count && jumps > 0 && failures > count, $"too quiet: {backs} back, {jumps} jumps, {failures} failures");
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), out int value) ? value : otherwise;
}

internal sealed class FollowerSimulation : IAsyncDisposable
{
    private const uint DepthMax = 32;

    /// <summary>Opening the real one takes longer than all else.</summary>
    private const int SeedsPerDatabase = 10;

    /// <summary>In memory where that can be had: opening a database waits for the disk a dozen times.</summary>
    private readonly string _folder = Path.Combine(
        Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), "channelnode-simulation-" + Guid.NewGuid().ToString("N"));

    private readonly Random _random;
    private readonly List<Channel> _channels = [];
    private readonly SimulatedChain _chain;
    private readonly SimulatedRpc _rpc;
    private readonly NodeOptions _options;
    private readonly SimulatedDisk _disk = new();
    private readonly bool _hasDatabase;
    private IChannelStore _store = null!;
    private ChannelBook _book = null!;
    private Ledger _ledger = null!;
    private ChainIntake _intake = null!;
    private ChainFollower _follower = null!;
    private ChainTail _tail = null!;

    public FollowerSimulation(int seed)
    {
        _hasDatabase = seed % SeedsPerDatabase == 0;
        Directory.CreateDirectory(_folder);
        _random = new Random(seed);
        for (byte fill = 1; fill <= 6; fill++) _channels.Add(NewChannel(fill));
        _chain = new SimulatedChain(_random, _channels, hasBlooms: seed % 3 != 0);
        _rpc = new SimulatedRpc(_chain, _random, hasReceipts: seed % 4 != 0);
        _options = new NodeOptions
        {
            DataDirectory = "",
            KeyFile = "",
            RpcUrl = "",
            Contract = SimulatedChain.Contract,
            ReorgDepthMax = DepthMax,
            ConfirmationsLarger = 4,
            CreditSmallMax = 60,
            CreditLargerMax = 300,
        };
        Start();
        IStoreBatch batch = _store.NewBatch();
        foreach (Channel channel in _channels)
        {
            batch.PutChannel(channel);
            batch.PutState(channel.Id, default);
            batch.PutPending(channel.Id, Pending.Deposit);
        }

        _store.Commit(batch, durable: false);
    }

    public List<string> Trace { get; } = [];

    public int Moves { get; private set; }

    public int Backs { get; private set; }

    public int Jumps { get; private set; }

    public int Failures { get; private set; }

    public async Task RunAsync(int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            Happen();
            for (int looks = _random.Next(6); looks > 0; looks--) await LookAsync();
            if (_random.Next(40) == 0) await RestartAsync();
            if (_random.Next(6) == 0) await CatchUpAsync();
        }

        await CatchUpAsync();
    }

    private void Happen()
    {
        switch (_random.Next(10))
        {
            case 0 or 1:
                int depth = _random.Next(1, 11);
                Trace.Add($"reorganised by {depth} below {_chain.Head.Number}");
                _chain.Reorganize(depth, _random.Next(3));
                break;
            case 2 when _random.Next(5) == 0:
                for (int block = 0; block < 100; block++) _chain.Mine();
                break;
            default:
                for (int block = _random.Next(4); block >= 0; block--) _chain.Mine();
                break;
        }

        _rpc.IsPoor = _random.Next(4) > 0;
        _rpc.Spread();
    }

    private async Task<bool> LookAsync()
    {
        ChainBatch? batch;
        try
        {
            batch = await _follower.NextAsync(_tail, CancellationToken.None);
        }
        catch (Exception failure) when (failure is RefusalException or RpcErrorException)
        {
            Failures++;
            return true;
        }

        if (batch is null) return false;
        Moves++;
        if (batch.Move == ChainMove.Back) Backs++;
        if (batch.Move == ChainMove.Jump) Jumps++;
        Trace.Add($"{batch.Move} to {batch.Cursor!.Number} {batch.Cursor.Hash}: {string.Join(", ", batch.Events)}");
        await _intake.TakeAsync(batch, CancellationToken.None);
        ChainFollower.Move(_tail, batch);
        Check();
        return true;
    }

    private async Task CatchUpAsync()
    {
        _rpc.IsPoor = false;
        _rpc.Spread();
        for (int look = 0; await LookAsync(); look++) Assert.True(look < 2_000, "never catches up");
        Assert.Equal(_chain.Head.Header.Hash, _tail.Newest!.Hash);
        CheckCredit();
    }

    /// <summary>Everything that the contract stored after the cursor's block, and nothing else.</summary>
    private void Check()
    {
        SimulatedBlock cursor = _chain.Find(_tail.Newest!.Hash)!;
        foreach (Channel channel in _channels)
        {
            bool funded = cursor.Contract.TryGetValue(channel.Id, out Pots expected);
            ChannelState state = _book.Get(channel.Id).State;
            Assert.True(expected == state.OnChain, $"{channel.Id} at {cursor.Number}: {state.OnChain}, a rescan says {expected}");
            Assert.Equal(funded, state.EverFunded);
        }
    }

    /// <summary>Never more counts than the policy allows for the deposits as they lie in the chain.</summary>
    private void CheckCredit()
    {
        foreach (Channel channel in _channels)
        {
            ChannelState state = _book.Get(channel.Id).State;
            List<RecentDeposit> deposits = [];
            Pots before = default;
            foreach (SimulatedBlock block in _chain.BranchTo(_chain.Head).Reverse())
                before = AddDeposits(deposits, block, channel.Id, before);
            foreach (Side side in (Side[])[Side.A, Side.B])
            {
                UInt128 expected = _options.CreditOf(Address.Zero).Uncredited(deposits, side, _chain.Head.Number, _rpc.FinalBlock);
                Assert.True(
                    state.UncreditedOf(side) >= expected,
                    $"{channel.Id} side {side}: {state.UncreditedOf(side)} does not count, expected {expected}");
            }
        }
    }

    private static Pots AddDeposits(List<RecentDeposit> deposits, SimulatedBlock block, ChannelId id, Pots pots)
    {
        foreach (ContractLog log in block.Transactions.SelectMany(logs => logs).Where(log => log.Contract == SimulatedChain.Contract))
        {
            if (PaymentChannelsEvents.Decode(log.Topics, log.Data.Span) is not { } seen || seen.Channel != id) continue;
            if (seen is ChainEvent.Deposited deposited)
                deposits.Add(new RecentDeposit(block.Number, deposited.Side, deposited.Pot - pots.PotOf(deposited.Side)));
            pots = Lifecycle.Observe(Core.Sample.Channel(), new ChannelState { OnChain = pots }, seen).OnChain;
        }

        return pots;
    }

    /// <summary>The database is closed and opened again, as by a node that was stopped.</summary>
    private async Task RestartAsync()
    {
        Trace.Add("restart");
        await _ledger.DisposeAsync();
        _store.Dispose();
        Start();
        Assert.Equal(_tail.Blocks, _intake.Known);
    }

    private void Start()
    {
        _store = _hasDatabase
            ? RocksChannelStore.Open(
                Path.Combine(_folder, "data"), new StoreIdentity(1, SimulatedChain.Contract, Core.Sample.PartyA.Signer))
            : new SimulatedStore(_disk);
        PeerLinks links = new();
        _book = new ChannelBook(_store, links, 1_024);
        ChainView view = new(null, TimeProvider.System, TimeSpan.FromHours(1));
        NodeClock clock = new(TimeProvider.System);
        _ledger = new Ledger(_book, _store, view, clock, _options, NullLogger<Ledger>.Instance);
        _ledger.Start();
        _intake = new ChainIntake(
            _book, _ledger, _store, _ => Task.FromResult<ulong?>(_rpc.FinalBlock),
            (id, block, _) => Task.FromResult(_chain.Find(block)!.Contract.GetValueOrDefault(id)), view, clock, _options);
        _tail = new ChainTail(DepthMax, _intake.Known);
        _follower = new ChainFollower(
            new EthereumRpc(_rpc), SimulatedChain.Contract, 0, DepthMax, TimeSpan.FromMilliseconds(1), TimeProvider.System,
            NullLogger.Instance);
    }

    private static Channel NewChannel(byte fill)
    {
        var terms = new ChannelTerms(
            Core.Sample.PartyA, Core.Sample.PartyB, Address.Zero, 40, fill % 3 == 0, new Bytes32(0, 0, 0, fill));
        return new Channel(new ChannelId(new Bytes32(fill, 1, 1, fill)), terms, Side.A);
    }

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
