using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Storage;
using ChannelNode.Tests.EndToEnd;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>
/// The jobs of one account as a node has them, on a real disk and a real chain that mines only when it is told to, without
/// the rest of a node. Can be stopped and started again on the same disk.
/// </summary>
internal sealed class JobBench : IAsyncDisposable
{
    private const string HundredEther = "0x56BC75E2D63100000";

    private static ulong _salts;

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly Address _contract;
    private readonly PrivateKey _peer = PrivateKey.Generate();
    private readonly List<EthereumChain> _others = [];
    private RocksChannelStore _store = null!;
    private Ledger _ledger = null!;
    private JobOffers _offers = null!;
    private CancellationTokenSource _stopping = null!;
    private Task _running = Task.CompletedTask;

    private JobBench(AnvilFixture anvil, PrivateKey key, Address contract) =>
        (Anvil, Key, _contract) = (anvil, key, contract);

    public AnvilFixture Anvil { get; }

    public PrivateKey Key { get; }

    /// <summary>Whether the key is elsewhere and out of reach.</summary>
    public bool IsSignerAway { get; set; }

    private ValueTask<Signature> SignAsync(ReadOnlyMemory<byte> message, CancellationToken cancel) => IsSignerAway
        ? throw new RefusalException(Refusal.SignerUnavailable, "away")
        : Key.SignAsync(message, cancel);

    public EthereumChain Chain { get; private set; } = null!;

    public JobBook Jobs { get; private set; } = null!;

    public Address Contract => _contract;

    /// <summary>What operators were told of jobs.</summary>
    public IReadOnlyList<OperatorEvent> Events => _store.ReadEvents(0, int.MaxValue);

    /// <summary>With a key of its own, or that of <paramref name="twin"/>. The chain is the test's own: it is mined by hand from here on.</summary>
    public static async Task<JobBench> StartAsync(
        AnvilFixture anvil, Func<NodeOptions, NodeOptions>? change = null, JobBench? twin = null)
    {
        PrivateKey key = twin?.Key ?? PrivateKey.Generate();
        Address contract = await anvil.PaymentChannelsAsync();
        await anvil.RpcAsync<object?>("anvil_setBalance", key.Address.ToString(), HundredEther);
        JobBench bench = new(anvil, key, contract);
        await bench.StartAsync(change);
        await anvil.RpcAsync<object?>("evm_setAutomine", false);
        return bench;
    }

    /// <summary>Channels that are closing: those of which something is claimed, and those that a test says.</summary>
    public ChannelSet Closing { get; } = new();

    /// <summary>Channels that are paid out.</summary>
    public ChannelSet Closed { get; } = new();

    /// <summary>How far the chain is said to be followed; null where nobody asks.</summary>
    public ChainBlock? Followed { get; set; }

    /// <summary>Channels that are closing no more.</summary>
    public ChannelSet Settled { get; } = new();

    /// <summary>Channels for which this side has asked for a close, as the writer knows; nobody else does.</summary>
    public ChannelSet CloseUnderWay { get; } = new();

    /// <summary>Of the follower, which a test is itself.</summary>
    public ChainView View { get; private set; } = null!;

    /// <summary>Channels whose close both sides have signed.</summary>
    public ChannelSet CloseAgreed { get; } = new();

    public async Task StartAsync(Func<NodeOptions, NodeOptions>? change = null)
    {
        NodeOptions options = new()
        {
            DataDirectory = Path.Combine(_folder, "data"),
            KeyFile = "",
            RpcUrl = Anvil.HttpUrl,
            Contract = _contract,
            PollMs = 50,
            ReplaceAfterSeconds = 1,
        };
        options = change?.Invoke(options) ?? options;
        Chain = await ChainBenchOf(options);
        _store = RocksChannelStore.Open(
            options.DataDirectory, new StoreIdentity(AnvilFixture.ChainId, _contract, Key.Address));
        View = new ChainView(_store.ReadBlocks().LastOrDefault(), TimeProvider.System, TimeSpan.FromHours(1));
        NodeClock clock = new(TimeProvider.System);
        ChannelBook book = new(_store, new PeerLinks(), 1_024);
        _ledger = new Ledger(book, _store, View, clock, options, NullLogger<Ledger>.Instance);
        _ledger.Start();
        Jobs = new JobBook(_store, _ledger, clock, options, NullLogger<JobBook>.Instance) { IsCloseUnderWay = CloseUnderWay.Contains };
        StakeWorth worth = new(options.TokenRates, areOurs: true);
        JobGrounds grounds = new(id => Closing.Contains(id) && !Settled.Contains(id), IsCloseAgreed: CloseAgreed.Contains, IsNewest: _ => true)
        {
            IsClosed = Closed.Contains,
            Followed = () => Followed,
        };
        _offers = new JobOffers(Jobs, Chain, worth, grounds, clock, options, NullLogger<JobOffers>.Instance);
        JobRunner runner = new(
            Jobs,
            new JobObserver(Jobs, Chain, options),
            _offers,
            Chain,
            clock,
            options,
            NullLogger<JobRunner>.Instance);
        _stopping = new CancellationTokenSource();
        _running = Task.Run(() => runner.RunAsync(_stopping.Token));
    }

    private Task<EthereumChain> ChainBenchOf(NodeOptions options) => EthereumChain.ConnectAsync(
        options, Key.Address, SignAsync, TimeProvider.System, NullLogger.Instance, CancellationToken.None);

    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        await _ledger.DisposeAsync();
        _store.Dispose();
        await Chain.DisposeAsync();
    }

    /// <summary>Of the database, as it is while it is stopped.</summary>
    public void BackUp() => Copy("data", "backup");

    /// <summary>The database is the backup again, and knows that.</summary>
    public void Restore()
    {
        Directory.Delete(Path.Combine(_folder, "data"), recursive: true);
        Copy("backup", "data");
        long nowMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        RocksChannelStore.MarkRestored(
            Path.Combine(_folder, "data"), new StoreIdentity(AnvilFixture.ChainId, _contract, Key.Address), nowMs, nowMs, keepsTokens: false);
    }

    private void Copy(string from, string to)
    {
        string source = Path.Combine(_folder, from), target = Path.Combine(_folder, to);
        foreach (string file in Directory.GetFiles(source, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    /// <summary>In ether, or in a token; this account is side A and its own owner.</summary>
    public Channel NewChannel(Address token = default)
    {
        ulong salt = Interlocked.Increment(ref _salts);
        ChannelTerms terms = new(
            new Party(Key.Address, Key.Address), new Party(_peer.Address, _peer.Address), token, 600, false,
            new Bytes32(0xbe7c, salt, 0, 1));
        return new Channel(new SignatureScheme(Key, AnvilFixture.ChainId, _contract).IdOf(terms), terms, Side.A);
    }

    /// <summary>The other side of the channels, with an account of its own.</summary>
    public async Task<EthereumChain> PeerAsync()
    {
        await Anvil.RpcAsync<object?>("anvil_setBalance", _peer.Address.ToString(), HundredEther);
        EthereumChain chain = await EthereumChain.ConnectAsync(
            new NodeOptions { DataDirectory = "", KeyFile = "", RpcUrl = Anvil.HttpUrl, Contract = _contract },
            _peer.Address, _peer.SignAsync, TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        _others.Add(chain);
        return chain;
    }

    public PrivateKey PeerKey => _peer;

    /// <param name="stake">Wei that it is said to be about, where it is said to be a dispute.</param>
    public Task<JobEntry> DepositAsync(
        Channel channel, UInt128 amount, JobKind kind = JobKind.Deposit, ulong deadlineSeconds = 0, UInt128? stake = null,
        bool reopens = false)
    {
        if (kind == JobKind.Claim) Closing.Add(channel.Id);
        return Jobs.SubmitAsync(
            new JobOrder(
                kind, $"{kind}/{channel.Id}", [channel.Id], Chain.Deposit(channel, Side.A, amount), deadlineSeconds,
                Stake: stake is { } wei ? new Stake(Address.Zero, wei) : null,
                Reopens: reopens ? [channel.Id] : null),
            CancellationToken.None);
    }

    /// <summary>A claim of these channels.</summary>
    public Task<JobEntry> SubmitAsync(IReadOnlyList<ChannelId> claimed) => Jobs.SubmitAsync(
        new JobOrder(JobKind.Claim, $"claim/{claimed[0]}", claimed, Chain.Nothing()), CancellationToken.None);

    public Task<JobEntry> SubmitAsync(JobKind kind, string purpose, ChainCall call, ulong deadlineSeconds = 0) => Jobs.SubmitAsync(
        new JobOrder(kind, purpose, [], call, deadlineSeconds), CancellationToken.None);

    public async Task<UInt128> PotAsync(Channel channel) => (await Chain.SidesAsync(channel.Id, default)).PotA;

    /// <summary>Mined transactions of the account.</summary>
    public async Task<ulong> NonceAsync() => (await Chain.LookAsync(1, default)).MinedNonce;

    /// <summary>Looks until the job is as expected; fails with what it is after half a minute.</summary>
    public static async Task<Job> UntilAsync(JobEntry entry, Func<Job, bool> reached)
    {
        for (int look = 0; look < 1_200; look++)
        {
            if (reached(entry.Job)) return entry.Job;
            await Task.Delay(25);
        }

        Assert.Fail($"never reached; problem {entry.Problem}, the job is {entry.Job}, {string.Join(", ", entry.Job.Attempts)}");
        return entry.Job;
    }

    public static Task<Job> UntilAsync(JobEntry entry, JobStatus status) => UntilAsync(entry, job => job.Status == status);

    /// <summary>Mines a block at a time, as real chains do, until the job is as expected.</summary>
    public async Task<Job> MineUntilAsync(JobEntry entry, Func<Job, bool> reached)
    {
        for (int look = 0; look < 300; look++)
        {
            if (reached(entry.Job)) return entry.Job;
            await Anvil.MineAsync();
            await WhenLookedAsync();
        }

        return await UntilAsync(entry, reached);
    }

    public async Task LookTwiceAsync()
    {
        await WhenLookedAsync();
        await WhenLookedAsync();
    }

    /// <summary>
    /// Waits until the runner has begun a round after this: the first that begins may have looked at the chain before. Where it gives no
    /// answer, or nothing is under way, there is none.
    /// </summary>
    private async Task WhenLookedAsync()
    {
        ulong before = _offers.Round;
        for (int wait = 0; wait < 80 && (wait < 4 || _offers.Round < before + 2); wait++) await Task.Delay(25);
    }

    public Task<Job> MineUntilAsync(JobEntry entry, JobStatus status) => MineUntilAsync(entry, job => job.Status == status);

    /// <summary>Whether the chain was told of the transaction, mined or not.</summary>
    public async Task<bool> IsKnownAsync(Bytes32 hash) =>
        await Anvil.RpcAsync<object?>("eth_getTransactionByHash", hash.ToString()) is not null;

    /// <summary>Looks until the job's newest transaction is the chain's to mine: it is on disk, as sent, before that.</summary>
    public async Task<Job> UntilToldAsync(JobEntry entry, Func<Job, bool>? reached = null)
    {
        Job sent = await UntilAsync(entry, reached ?? (job => job.Status == JobStatus.Sent));
        for (int look = 0; look < 1_200; look++)
        {
            if (await IsKnownAsync(sent.Attempts[^1].Hash)) return sent;
            await Task.Delay(25);
        }

        Assert.Fail($"never told: {sent.Attempts[^1]}");
        return sent;
    }

    public Task SetBalanceAsync(UInt128 wei) =>
        Anvil.RpcAsync<object?>("anvil_setBalance", Key.Address.ToString(), Quantity.Format(wei));

    public Task SetBaseFeeAsync(ulong wei) =>
        Anvil.RpcAsync<object?>("anvil_setNextBlockBaseFeePerGas", Quantity.Format(wei));

    /// <summary>What somebody else does who has this account's key.</summary>
    public Task<string> SendAsStrangerAsync(ulong nonce, ulong feeWei)
    {
        var transaction = new Eip1559Transaction(
            AnvilFixture.ChainId, nonce, feeWei, feeWei, 21_000, new Address(1, 2, 3), 5, default, []);
        return Anvil.RpcAsync<string>(
            "eth_sendRawTransaction", Hex.Format(transaction.Sign(Key.Sign).Raw.Span));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (EthereumChain other in _others) await other.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>For a test's thread and a runner's.</summary>
internal sealed class ChannelSet
{
    private readonly System.Collections.Concurrent.ConcurrentDictionary<ChannelId, bool> _channels = [];

    public void Add(ChannelId channel) => _channels[channel] = true;

    public bool Contains(ChannelId channel) => _channels.ContainsKey(channel);
}
