using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>The engine put together: what adapters call, and the order in which it starts and stops.</summary>
internal sealed class Node : IAsyncDisposable
{
    private readonly Guardian _guardian;
    private readonly Retention _retention;
    private readonly CancellationTokenSource _stopping = new();
    private Task _guarding = Task.CompletedTask;
    private Task _retaining = Task.CompletedTask;

    public Node(
        NodeOptions options,
        Party us,
        IChannelStore store,
        IChain chain,
        ISignatureScheme scheme,
        PeerDialer dial,
        TimeProvider time,
        ILoggerFactory logs)
    {
        Options = options;
        Us = us;
        Store = store;
        Clock = new NodeClock(time);
        PeerLinks links = new();
        Book = new ChannelBook(store, links, options.ChannelsInMemoryMax);
        View = new ChainView(store.ReadBlocks().LastOrDefault(), time, TimeSpan.FromSeconds(options.ChainSilenceSecondsMax));
        Ledger = new Ledger(Book, store, View, Clock, options, logs.CreateLogger<Ledger>());
        ChannelAgreements agreements = new(
            Book, Ledger, links, scheme, Clock, options, us, logs.CreateLogger<ChannelAgreements>());
        Peers = new Peers(Book, Ledger, links, scheme, Clock, agreements, store, options, logs.CreateLogger<Peers>())
        {
            Dial = dial,
        };
        Operations = new Operations(Book, Peers, agreements, chain, View, scheme, Clock, us);
        ChainIntake intake = new(
            Book, Ledger, store, chain.FinalBlockAsync, View, Clock, options, logs.CreateLogger<ChainIntake>());
        _guardian = new Guardian(
            Book, intake, Operations, chain, View, scheme, Clock, logs.CreateLogger<Guardian>());
        _retention = new Retention(Book, Ledger, store, Clock, options, logs.CreateLogger<Retention>());
    }

    public NodeOptions Options { get; }

    /// <summary>Where peers reach this node, once it serves.</summary>
    public string PeerListen { get; set; } = string.Empty;

    public Party Us { get; }

    public IChannelStore Store { get; }

    public NodeClock Clock { get; }

    public ChannelBook Book { get; }

    public ChainView View { get; }

    public Ledger Ledger { get; }

    public Peers Peers { get; }

    public Operations Operations { get; }

    /// <summary>Cancelled when the node stops: jobs that outlive their caller end with it.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Ends when the node can no longer do its work; faulted with the reason.</summary>
    public Task Completion => Task.WhenAny(Ledger.Completion, _guarding, _retaining).Unwrap();

    /// <summary>Follows the chain, and returns when everything that happened while the node was away is known.</summary>
    public async Task CatchUpAsync(CancellationToken cancel)
    {
        _guarding = Task.Run(() => _guardian.RunAsync(_stopping.Token), CancellationToken.None);
        Task current = View.WhenCurrentAsync(cancel);
        if (await Task.WhenAny(current, _guarding) == _guarding) await _guarding;
        await current;
    }

    /// <summary>Looks for the known peers, and lets go of what is old; after the doors are open.</summary>
    public void Start()
    {
        Peers.Start(_stopping.Token);
        _retaining = Task.Run(() => _retention.RunAsync(_stopping.Token), CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        try
        {
            await Task.WhenAll(_guarding, _retaining);
        }
        catch (Exception)
        {
            // Told by Completion.
        }

        await Ledger.DisposeAsync();
    }
}
