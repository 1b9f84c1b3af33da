using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>The engine put together: what adapters call, and the order in which it starts and stops.</summary>
internal sealed class Node : IAsyncDisposable
{
    private readonly Guardian _guardian;
    private readonly Claims _claims;
    private readonly JobRunner _runner;
    private readonly Retention _retention;
    private readonly FirstLooks _looks;
    private readonly ILogger<Node> _log;
    private readonly CancellationTokenSource _stopping = new();
    private Task _guarding = Task.CompletedTask;
    private Task _running = Task.CompletedTask;
    private Task _claiming = Task.CompletedTask;
    private Task _retaining = Task.CompletedTask;
    private Task _telling = Task.CompletedTask;
    private Task _looking = Task.CompletedTask;
    private Task _backingUp = Task.CompletedTask;
    private Task _noticing = Task.CompletedTask;

    /// <summary>Longer than one step of catching up takes where each of its questions is answered, or not, as late as one may be.</summary>
    private static readonly TimeSpan StuckAfter = TimeSpan.FromMinutes(10);

    public Node(
        NodeOptions options,
        Party us,
        IChannelStore store,
        IChain chain,
        ISignatureScheme scheme,
        PeerDialer dial,
        WatchtowerSession watchtower,
        TimeProvider time,
        ILoggerFactory logs)
    {
        Options = options;
        _log = logs.CreateLogger<Node>();
        Us = us;
        Store = store;
        Clock = new NodeClock(time);
        PeerLinks links = new();
        Book = new ChannelBook(store, links, options.ChannelsInMemoryMax, logs.CreateLogger<ChannelBook>());
        View = new ChainView(store.ReadBlocks().LastOrDefault(), time, TimeSpan.FromSeconds(options.ChainSilenceSecondsMax));
        Watchtowers = new Watchtowers(
            Book, store, scheme, Clock, options, watchtower, logs.CreateLogger<Watchtowers>());
        PolicyGate gate = new(new PolicyBook(store), links, Clock, options.AcceptedTokens);
        Ledger = new Ledger(Book, store, View, Clock, options, logs.CreateLogger<Ledger>(), Watchtowers.Marks, gate)
        {
            Signing = scheme,
        };
        Policies = new Policies(gate, Ledger, store, scheme, links, Clock, us.Signer);
        Jobs = new JobBook(store, Ledger, Clock, options, logs.CreateLogger<JobBook>()) { IsCloseUnderWay = Book.IsCloseUnderWay };
        DepositRelay relay = new(Book, Jobs, chain, Clock, options, Policies, logs.CreateLogger<DepositRelay>(), _stopping.Token);
        ChannelAgreements agreements = new(
            Book, Ledger, links, scheme, Clock, options, relay, Jobs, us, logs.CreateLogger<ChannelAgreements>());
        Peers = new Peers(Book, Ledger, links, scheme, Clock, agreements, store, options, Drain, logs.CreateLogger<Peers>())
        {
            Dial = dial,
        };
        StakeWorth worth = new(options.TokenRates, areOurs: true);
        _runner = new JobRunner(
            Jobs,
            new JobObserver(Jobs, chain, options),
            new JobOffers(Jobs, chain, worth, Grounds(), Clock, options, logs.CreateLogger<JobOffers>()),
            chain,
            Clock,
            options,
            logs.CreateLogger<JobRunner>());
        ChainOrders orders = new(chain, scheme);
        Operations = new Operations(Book, agreements, Jobs, orders, chain, View, scheme, Clock);
        Funding = new Funding(Peers, agreements, Jobs, Operations, chain, View, Clock, us, Policies, Ledger);
        Tokens = new TokenNames(chain.TokenNameAsync);
        Credits = new Credits(Book, Operations, chain, options, us);
        ChainIntake intake = new(
            Book, Ledger, store, chain.FinalBlockAsync, chain.SidesAsync, View, Clock, options);
        _guardian = new Guardian(
            new Guarding(Closing, orders.Dispute, own => Lifecycle.SettlesFromSeconds(own.State.OnChain, own.Channel.OurSide)),
            Jobs, intake, orders, chain, View, new WindowAlarms(Ledger, Clock), worth, Clock, logs.CreateLogger<Guardian>());
        _looks = new FirstLooks(Book, intake, Clock, logs.CreateLogger<FirstLooks>());
        Verification = new ChainVerification(store, chain, intake, View, Clock, options, _stopping.Token);
        _claims = new Claims(Jobs, Operations, orders, View, chain, options, Clock);
        Survey = new ChannelSurvey(Book, time);
        CreditWatch = new CreditWatch(Credits.ListAsync, Ledger, time, us.Owner == us.Signer, logs.CreateLogger<CreditWatch>());
        Overview = new Overview(Ledger, Jobs, View, worth, Clock, options, store, Closing);
        _retention = new Retention(Book, Ledger, store, Clock, options, logs.CreateLogger<Retention>());
    }

    private JobGrounds Grounds() => new(Book.IsClosing, Book.IsCloseAgreed, IsNewest: _ => true)
    {
        IsClosed = Book.IsClosed,
        Followed = () => View.Cursor,
    };

    private IEnumerable<StoredChannel> Closing() => Book.Watched.Select(slot => new StoredChannel(slot.Channel, slot.State));

    public NodeOptions Options { get; }

    /// <summary>The way out, once it is taken.</summary>
    public Drain Drain { get; } = new();

    /// <summary>Set once by whoever wires the node.</summary>
    public BackupDesk? Backups { get; set; }

    /// <summary>How each webhook does, in the order of the settings; set once by whoever wires the node.</summary>
    public Func<IReadOnlyList<WebhookHealth>> Webhooks { get; set; } = () => [];

    /// <summary>Where peers reach this node, once it serves.</summary>
    public string PeerListen { get; set; } = string.Empty;

    public Party Us { get; }

    public IChannelStore Store { get; }

    public NodeClock Clock { get; }

    public ChannelBook Book { get; }

    public ChainView View { get; }

    public Ledger Ledger { get; }

    public JobBook Jobs { get; }

    public Peers Peers { get; }

    public Policies Policies { get; }

    public Watchtowers Watchtowers { get; }

    public Operations Operations { get; }

    public Funding Funding { get; }

    public Credits Credits { get; }

    public TokenNames Tokens { get; }

    public ChainVerification Verification { get; }

    public ChannelSurvey Survey { get; }

    public CreditWatch CreditWatch { get; }

    public Overview Overview { get; }

    /// <summary>Cancelled when the node stops: jobs that outlive their caller end with it.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Ends when the node can no longer do its work; faulted with the reason.</summary>
    public Task Completion => Task.WhenAny([Ledger.Completion, .. Loops]).Unwrap();

    /// <summary>What never ends while the node does its work.</summary>
    internal IReadOnlyList<Task> Loops => [_guarding, _running, _retaining, _claiming, _telling, _looking];

    /// <summary>Follows the chain, and returns when everything that happened while the node was away is known.</summary>
    public async Task CatchUpAsync(CancellationToken cancel)
    {
        Ledger.Start();
        await CatchUpWithoutWriterAsync(cancel);
        await _retention.LookAsync(cancel); // Whether the disk is low is known before anybody calls.
    }

    /// <summary>The same for simulations, which take the ledger's turns themselves: everything runs on the caller's thread.</summary>
    internal async Task CatchUpWithoutWriterAsync(CancellationToken cancel)
    {
        _guarding = _guardian.RunAsync(_stopping.Token);
        _running = _runner.RunAsync(_stopping.Token);
        Task current = View.WhenCurrentAsync(cancel);
        Task first = await Task.WhenAny(current, _guarding, _running);
        await first;
        await current;
    }

    /// <summary>Looks for the known peers, and lets go of what is old; after the doors are open.</summary>
    public void Start()
    {
        _ = RestorationNotice.TellAsync(Store, Book.Hold, Ledger);
        Peers.Start(_stopping.Token);
        _retaining = _retention.RunAsync(_stopping.Token);
        _claiming = _claims.RunAsync(_stopping.Token);
        _telling = Watchtowers.RunAsync(_stopping.Token);
        _looking = _looks.RunAsync(_stopping.Token);
        _noticing = Task.WhenAll(
            new ChainNotice(View, Ledger, Clock.Time).RunAsync(_stopping.Token),
            AccountWatch.RunAsync(_runner, Clock.Time, _stopping.Token),
            CreditWatch.RunAsync(_stopping.Token),
            Overview.Signer is { } signer ? SignerNotice.RunAsync(signer, Ledger, _stopping.Token) : Task.CompletedTask);
        if (Options.BackupTo.Length == 0 || Backups is not { } desk) return;
        BackupSchedule schedule = new(desk, Us.Signer, Ledger, Clock, Options, _log);
        Overview.BackupAge = () => schedule.Age;
        _backingUp = schedule.RunAsync(_stopping.Token);
    }

    /// <summary>
    /// Whether the ledger's writer takes a turn <paramref name="within"/> a time, and the chain is followed, or tried to be: what
    /// only a restart mends where it is not so. A chain that does not answer is no reason.
    /// </summary>
    public async Task<bool> IsAliveAsync(TimeSpan within)
    {
        if (View.SinceBeat > StuckAfter || Loops.Any(loop => loop.IsFaulted)) return false;
        try
        {
            using CancellationTokenSource limit = new(within, Clock.Time);
            return await Ledger.RunAsync(turn => true, limit.Token).WaitAsync(limit.Token);
        }
        catch (Exception error) when (error is OperationCanceledException or RefusalException)
        {
            return false;
        }
    }

    /// <summary>
    /// Begins nothing new, tells the peers, lets what is under way end, and ends what would go on for ever: within a time, or
    /// until <paramref name="hurry"/>. What is signed and not acknowledged by then is offered again at the next start.
    /// </summary>
    public Task DrainAsync(CancellationToken hurry) => new Draining(this, _log).RunAsync(hurry);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        try
        {
            await Task.WhenAll([.. Loops, _backingUp, _noticing, Book.Funded.StopAsync(), Book.Open.StopAsync()]);
        }
        catch (Exception)
        {
            // Told by Completion.
        }

        await Ledger.DisposeAsync();
    }
}
