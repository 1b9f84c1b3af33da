using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>The engine put together: what adapters call, and the order in which it starts and stops.</summary>
internal sealed class Node : IAsyncDisposable
{
    private readonly Guardian _guardian;
    private readonly CancellationTokenSource _stopping = new();
    private Task _guarding = Task.CompletedTask;

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
        Clock = new NodeClock(time, options.SafetyMarginSeconds);
        Book = new ChannelBook(store);
        View = new ChainView(store);
        Ledger = new Ledger(store, scheme, options, logs.CreateLogger<Ledger>());
        ChannelAgreements agreements = new(
            Book, Ledger, scheme, Clock, options, us, logs.CreateLogger<ChannelAgreements>());
        Peers = new Peers(Book, Ledger, scheme, Clock, agreements, store, logs.CreateLogger<Peers>()) { Dial = dial };
        Operations = new Operations(Book, Peers, agreements, chain, View, scheme, Clock, us);
        _guardian = new Guardian(
            Book, Ledger, Operations, chain, View, scheme, Clock, logs.CreateLogger<Guardian>());
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
    public Task Completion => Task.WhenAny(Ledger.Completion, _guarding).Unwrap();

    /// <summary>Follows the chain, then looks for its peers. Serving may begin before: what is not known yet is refused.</summary>
    public void Start()
    {
        _guarding = Task.Run(() => _guardian.RunAsync(_stopping.Token));
        Peers.Start(_stopping.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        try
        {
            await _guarding;
        }
        catch (Exception)
        {
            // Told by Completion.
        }

        await Ledger.DisposeAsync();
    }
}
