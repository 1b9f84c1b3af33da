using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;

namespace ChannelNode.Tests.Simulation;

/// <summary>One life of one whole node.</summary>
internal sealed class SimulatedLife : SimulatedProcess
{
    private readonly NodeOptions _options;
    private ManualResetEventSlim? _sessionEnded;

    /// <param name="guard">Null where no watchtower is named.</param>
    public SimulatedLife(
        Party us, SimulatedDisk disk, MachineTime time, SimulatedNetwork network, RpcWeather weather, Random random,
        NodeOptions options, SimulatedLog log, Func<SimulatedLife, WatchtowerLink, CancellationToken, Task>? guard = null)
        : base(disk, time, weather)
    {
        _options = options;
        Machine = new SimulatedMachine(
            network, us.Signer, weather, random, time, options.ReorgDepthMax, options.Contract, log.Trace);
        Node = new Node(
            options, us, Store, Machine, new TestScheme(us.Signer),
            (_, _, _) => throw new RefusalException(Refusal.PeerOffline, "nobody dials in a simulation"),
            (tower, cancel) => guard!(this, tower, cancel), time, log);
    }

    public override SimulatedMachine Machine { get; }

    public Node Node { get; }

    public override Ledger Ledger => Node.Ledger;

    public override ChannelBook Book => Node.Book;

    public override JobBook Jobs => Node.Jobs;

    public override ChainView View => Node.View;

    protected override IReadOnlyList<Task> Loops => Node.Loops;

    /// <summary>The session with the other node, from this one's side; null while there is none.</summary>
    public PeerSession? Session { get; private set; }

    protected override async Task BeginAsync()
    {
        await Node.CatchUpWithoutWriterAsync(CancellationToken.None);
        Node.Start();
        HasCaughtUp = true;
    }

    protected override void Settle()
    {
        // Who waits for the end of a session is told by another thread: that is waited for, so each run is the same.
        if (Session is { Link.Ended.IsCancellationRequested: true }) _sessionEnded!.Wait();
    }

    public void Attach(Party peer)
    {
        ManualResetEventSlim ended = new();
        PeerLink link = new(peer.Signer, peer.Owner, _options.PeerQueueMax);
        link.Ended.Register(ended.Set); // The first one: called last.
        Task<PeerSession> attaching = null!;
        Do(() => attaching = Node.Peers.AttachAsync(link, CancellationToken.None));
        while (!attaching.IsCompleted) Run(diskIsSlow: false);
        (Session, _sessionEnded) = (attaching.GetAwaiter().GetResult(), ended);
    }

    public void Detach()
    {
        if (Session is not { } session) return;
        Do(() => _ = Node.Peers.DetachAsync(session.Link, "the simulation says so"));
        Session = null;
        Run(diskIsSlow: false);
    }

    /// <summary>As far as it knows the channel.</summary>
    public ChannelState StateOf(ChannelId id) => Node.Book.Find(id)?.State ?? default;

    /// <summary>Asks for a payment; what becomes of it is known later.</summary>
    public AwaitedPayment Pay(ChannelId channel, UInt128 amount, string key)
    {
        AwaitedPayment payment = new(
            Node.Book.Get(channel), amount, System.Text.Encoding.UTF8.GetBytes(key), key, false, CancellationToken.None);
        Do(() => _ = Node.Ledger.EnqueueAsync(payment, CancellationToken.None));
        return payment;
    }
}
