using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// One life of one whole node, from its start to the next power cut: all of the engine, on a thread and a clock of its own
/// that end with it.
/// </summary>
internal sealed class SimulatedLife
{
    private readonly SimulatedThread _thread = new();
    private readonly MachineTime _time;
    private readonly RpcWeather _weather;
    private readonly NodeOptions _options;
    private ManualResetEventSlim? _sessionEnded;

    public SimulatedLife(
        Party us, SimulatedDisk disk, SimulatedTime time, TimeSpan clockAheadBy, SimulatedNetwork network, RpcWeather weather,
        Random random, NodeOptions options, SimulatedLog log)
    {
        _time = new MachineTime(time, clockAheadBy);
        (_weather, _options) = (weather, options);
        Store = new SimulatedStore(disk);
        Machine = new SimulatedMachine(
            network, us.Signer, weather, random, _time, options.ReorgDepthMax, options.Contract, log.Trace);
        Node = new Node(
            options, us, Store, Machine, new TestScheme(us.Signer),
            (_, _, _) => throw new InvalidOperationException("nobody dials in a simulation"),
            (_, _) => throw new InvalidOperationException("no watchtower is configured"), _time, log);
    }

    public SimulatedStore Store { get; }

    public SimulatedMachine Machine { get; }

    public Node Node { get; }

    /// <summary>It serves: all that happened while it was away is known.</summary>
    public bool HasCaughtUp { get; private set; }

    /// <summary>The session with the other node, from this one's side; null while there is none.</summary>
    public PeerSession? Session { get; private set; }

    /// <summary>Turns of the ledger so far.</summary>
    public int Turns { get; private set; }

    public void Start() => Do(() => _ = BeginAsync());

    private async Task BeginAsync()
    {
        await Node.CatchUpWithoutWriterAsync(CancellationToken.None);
        Node.Start();
        HasCaughtUp = true;
    }

    /// <summary>Does something as the node's own, and lets it go on until it waits for time, for the disk or for others.</summary>
    public void Do(Action action) => _thread.Within(() =>
    {
        action();
        Go();
    });

    /// <summary>Goes on until nothing is left to do now. The disk may be so slow that what is to be written waits.</summary>
    public void Run(bool diskIsSlow)
    {
        if (_thread.IsIdle && (diskIsSlow || Node.Ledger.IsIdle)) return;
        _thread.Within(() =>
        {
            Go();
            while (!diskIsSlow && Node.Ledger.TakeTurn())
            {
                Turns++;
                Go();
            }
        });
    }

    private void Go()
    {
        // Who waits for the end of a session is told by another thread: that is waited for, so each run is the same.
        if (Session is { Link.Ended.IsCancellationRequested: true }) _sessionEnded!.Wait();
        _thread.Run();
        if (_weather.IsCut) throw new PowerCutException();
        foreach (Task loop in Node.Loops)
            if (loop.IsFaulted) loop.GetAwaiter().GetResult();
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

    /// <summary>Nothing of it ever goes on.</summary>
    public void Stop() => _time.Stop();

    public ChannelState StateOf(ChannelId id) => Node.Book.Get(id).State;

    /// <summary>Asks for a payment; what becomes of it is known later.</summary>
    public AwaitedPayment Pay(ChannelId channel, UInt128 amount, string key)
    {
        AwaitedPayment payment = new(
            Node.Book.Get(channel), amount, System.Text.Encoding.UTF8.GetBytes(key), key, false, CancellationToken.None);
        Do(() => _ = Node.Ledger.EnqueueAsync(payment, CancellationToken.None));
        return payment;
    }
}
