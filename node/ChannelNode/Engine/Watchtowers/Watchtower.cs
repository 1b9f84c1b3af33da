using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// A watchtower put together: the follower, the jobs and the guardian of a node, for channels of others. Its key pays gas
/// and has no part in any channel: whatever it sends pays the owners that the terms name, and nobody else.
/// </summary>
internal sealed class Watchtower : IAsyncDisposable
{
    private static readonly TimeSpan ForgetLookMin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ForgetLookMax = TimeSpan.FromMinutes(10);

    private readonly Guardian _guardian;
    private readonly JobRunner _runner;
    private readonly Retention _retention;
    private readonly FirstLooks _looks;
    private readonly ChainIntake _intake;
    private readonly WatchtowerOptions _options;
    private readonly NodeClock _clock;
    private readonly CancellationTokenSource _stopping = new();
    private IReadOnlyList<Task> _running = [];

    public Watchtower(
        WatchtowerOptions options, Address account, IChannelStore store, IChain chain, ISignatureScheme scheme,
        TimeProvider time, ILoggerFactory logs)
    {
        NodeOptions node = options.Node;
        (_options, Store) = (options, store);
        _clock = new NodeClock(time);
        ChannelBook book = Book = new ChannelBook(store, new PeerLinks(), node.ChannelsInMemoryMax, logs.CreateLogger<ChannelBook>())
        {
            NotesTokens = false,
        };
        View = new ChainView(store.ReadBlocks().LastOrDefault(), time, TimeSpan.FromSeconds(node.ChainSilenceSecondsMax));
        Ledger = new Ledger(book, store, View, _clock, node, logs.CreateLogger<Ledger>());
        Jobs = new JobBook(store, Ledger, _clock, node, logs.CreateLogger<JobBook>());
        // Strangers may play both sides of a channel: what they have at stake is no reason to pay for it.
        StakeWorth worth = new(node.TokenRates, areOurs: options.AcceptedSigners.Count > 0);
        _runner = new JobRunner(
            Jobs,
            new JobObserver(Jobs, chain, node),
            new JobOffers(Jobs, chain, worth, new JobGrounds(book.IsClosing, IsCloseAgreed: _ => false, job => Guards!.IsNewest(job)), _clock, node, logs.CreateLogger<JobOffers>()),
            chain,
            _clock,
            node,
            logs.CreateLogger<JobRunner>());
        _intake = new ChainIntake(
            book, Ledger, store, chain.FinalBlockAsync, chain.SidesAsync, View, _clock, node, guardsOthers: true);
        _looks = new FirstLooks(book, _intake, _clock, logs.CreateLogger<FirstLooks>());
        GuardCheck check = new(scheme, node.Contract, account, node.DisputeWindowSecondsMin);
        GuardAdmission admission = new(new StoredSides(chain.SidesAsync, _clock), View);
        Guards = new GuardBook(book, Ledger, store, _intake, admission, check, _clock, options, logs.CreateLogger<GuardBook>());
        Sessions = new GuardSessions(Guards, options.SessionsMax, logs.CreateLogger<GuardSessions>());
        ChainOrders orders = new(chain, scheme);
        Guarding guarding = new(
            Guards.Closing, closing => orders.DisputeFor(closing, Guards.Evidence(closing)),
            options.Settles ? closing => Lifecycle.OthersSettleFromSeconds(closing.State.OnChain) : null);
        _guardian = new Guardian(guarding, Jobs, _intake, orders, chain, View, new WindowAlarms(Ledger, _clock, guardsOthers: true), worth, _clock, logs.CreateLogger<Guardian>());
        _retention = new Retention(book, Ledger, store, _clock, node, logs.CreateLogger<Retention>());
        Overview = new Overview(Ledger, Jobs, View, worth, _clock, node, store, Guards.Closing);
    }

    public Overview Overview { get; }

    public IChannelStore Store { get; }

    public GuardBook Guards { get; }

    public GuardSessions Sessions { get; }

    public ChainView View { get; }

    public JobBook Jobs { get; }

    public NodeOptions Options => _options.Node;

    public TimeProvider Time => _clock.Time;

    internal Ledger Ledger { get; }

    internal ChannelBook Book { get; }

    /// <summary>Cancelled when the watchtower stops.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Ends when it can no longer do its work; faulted with the reason.</summary>
    public Task Completion => Task.WhenAny([Ledger.Completion, .. _running]).Unwrap();

    /// <summary>What never ends while it does its work.</summary>
    internal IReadOnlyList<Task> Loops => _running;

    /// <summary>Follows the chain, and returns when everything that happened while it was away is known.</summary>
    public async Task CatchUpAsync(CancellationToken cancel)
    {
        Ledger.Start();
        await CatchUpWithoutWriterAsync(cancel);
        await _retention.LookAsync(cancel); // Whether the disk is low is known before anybody calls.
        _running = [.. _running, AccountWatch.RunAsync(_runner, _clock.Time, _stopping.Token), _retention.RunAsync(_stopping.Token)];
    }

    /// <summary>The same for simulations, which take the ledger's turns themselves: everything runs on the caller's thread.</summary>
    internal async Task CatchUpWithoutWriterAsync(CancellationToken cancel)
    {
        CancellationToken stopping = _stopping.Token;
        _running =
        [
            _guardian.RunAsync(stopping), _runner.RunAsync(stopping), _looks.RunAsync(stopping), ForgetAsync(stopping),
            new ChainNotice(View, Ledger, _clock.Time).RunAsync(stopping),
        ];
        if (Overview.Signer is { } signer) _running = [.. _running, SignerNotice.RunAsync(signer, Ledger, stopping)];
        Task current = View.WhenCurrentAsync(cancel);
        await await Task.WhenAny([current, .. _running]);
        await current;
    }

    private async Task ForgetAsync(CancellationToken stopping)
    {
        TimeSpan every = TimeSpan.FromTicks(
            Math.Clamp(_options.EmptyKeptFor.Ticks / 10, ForgetLookMin.Ticks, ForgetLookMax.Ticks));
        using PeriodicTimer timer = new(every, _clock.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping)) await Guards.ForgetAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        try
        {
            await Task.WhenAll(_running);
        }
        catch (Exception)
        {
            // Told by Completion.
        }

        await Ledger.DisposeAsync();
    }
}
