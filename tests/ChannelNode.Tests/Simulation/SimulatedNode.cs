using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelNode.Tests.Simulation;

/// <summary>One life of one node: the real engine on a simulated disk, without a transport and without a chain.</summary>
internal sealed class SimulatedNode
{
    private static readonly NodeOptions Options = new()
    {
        DataDirectory = "",
        KeyFile = "",
        RpcUrl = "",
        Contract = Address.Zero,
    };

    private readonly ChainView _view;
    private readonly ChannelBook _book;
    private readonly PeerLinks _links = new();
    private readonly Peers _peers;
    private readonly TestScheme _scheme;

    public SimulatedNode(Party us, SimulatedDisk disk, SimulatedTime time, int channelsInMemoryMax)
    {
        Us = us;
        Store = new SimulatedStore(disk);
        _scheme = new TestScheme(us.Signer);
        _view = new ChainView(Store.ReadBlocks().LastOrDefault(), time, TimeSpan.FromDays(365));
        NodeClock clock = new(time);
        _book = new ChannelBook(Store, _links, channelsInMemoryMax);
        Ledger = new Ledger(_book, Store, _view, clock, Options, NullLogger<Ledger>.Instance);
        // Without a chain there is nothing to relay.
        ChannelAgreements agreements = new(
            _book, Ledger, _links, _scheme, clock, Options, null!,
            new JobBook(Store, Ledger, clock, Options, NullLogger<JobBook>.Instance), us, NullLogger<ChannelAgreements>.Instance);
        _peers = new Peers(
            _book, Ledger, _links, _scheme, clock, agreements, Store, Options, new Drain(), NullLogger<Peers>.Instance)
        {
            Dial = (_, _, _) => throw new InvalidOperationException("nobody dials in a simulation"),
        };
        _view.Advance(new ChainBatch(ChainMove.Stay, null, [], IsCaughtUp: true));
    }

    public Party Us { get; }

    public SimulatedStore Store { get; }

    public Ledger Ledger { get; }

    public ChannelState StateOf(ChannelId channel) => _book.Find(channel)!.State;

    public bool HasInFlight(ChannelId channel) => !_book.Find(channel)!.InFlight.IsEmpty;

    /// <summary>Asks for a payment; what becomes of it is known later.</summary>
    public AwaitedPayment Pay(ChannelId channel, UInt128 amount, string key)
    {
        AwaitedPayment payment = new(
            _book.Find(channel)!, amount, System.Text.Encoding.UTF8.GetBytes(key), key, false, CancellationToken.None);
        _ = Ledger.EnqueueAsync(payment, CancellationToken.None);
        return payment;
    }

    public Task<PeerSession> AttachAsync(Party peer) =>
        _peers.AttachAsync(new PeerLink(peer.Signer, peer.Owner, Options.PeerQueueMax), CancellationToken.None);

    public Task DetachAsync(PeerSession session) => _peers.DetachAsync(session.Link, "the simulation says so");
}
