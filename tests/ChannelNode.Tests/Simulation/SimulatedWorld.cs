using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// Two nodes, three channels, applications that pay with keys and try again until they know, a network that delays and
/// loses, and power that fails at any moment. Everything is chosen by one seed, and happens on one thread.
/// </summary>
internal sealed class SimulatedWorld
{
    private const int StepsPerRun = 1_000;

    private static readonly ChannelId[] Ids = [new(new Bytes32(0, 0, 0, 1)), new(new Bytes32(0, 0, 0, 2)), new(new Bytes32(0, 0, 0, 3))];

    private readonly Random _random;
    private readonly SimulatedThread _thread = new();
    private readonly SimulatedTime _time = new();
    private readonly Place[] _places;
    private readonly List<Asked> _asked = [];
    private readonly System.Text.StringBuilder _trace = new();
    private readonly int _cutsPerMille;
    private readonly int _channelsInMemoryMax;
    private int _keys;

    public SimulatedWorld(int seed, bool lyingDisks = false)
    {
        _random = new Random(seed);
        _places = [new(Sample.PartyA, lyingDisks), new(Sample.PartyB, lyingDisks)];
        foreach (Place place in _places) Fund(place);
        _cutsPerMille = _random.Next(2, 30);
        _channelsInMemoryMax = _random.Next(2) == 0 ? 1 : 1_024;
    }

    /// <summary>What was done, step by step: equal for equal seeds.</summary>
    public string Trace => _trace.ToString();

    public int PowerCuts { get; private set; }

    public int Delivered { get; private set; }

    /// <summary>Where a node lives: what outlives it.</summary>
    private sealed class Place(Party us, bool lyingDisk)
    {
        public Party Us => us;

        public SimulatedDisk Disk { get; } = new() { IsLying = lyingDisk };

        public SpokenWords Words { get; } = new();

        public SimulatedNode? Node { get; set; }

        public PeerSession? Session { get; set; }

        /// <summary>What has left the other node and not arrived.</summary>
        public Queue<byte[]> Arriving { get; set; } = new();

        public Task Giving { get; set; } = Task.CompletedTask;
    }

    /// <summary>A payment that an application wants made, once.</summary>
    private sealed class Asked(int place, ChannelId channel, UInt128 amount, string key)
    {
        public int Place => place;

        public ChannelId Channel => channel;

        public UInt128 Amount => amount;

        public string Key => key;

        /// <summary>The node that was asked last; another life of it knows nothing of the question.</summary>
        public SimulatedNode? Node { get; set; }

        public AwaitedPayment? Question { get; set; }
    }

    private static Channel ChannelOf(int index, Side ourSide) => new(
        Ids[index],
        new ChannelTerms(Sample.PartyA, Sample.PartyB, Address.Zero, 3_600, OneWay: index == 2, Ids[index].Value),
        ourSide);

    private static void Fund(Place place)
    {
        SimulatedStore store = new(place.Disk);
        IStoreBatch batch = store.NewBatch();
        for (int index = 0; index < Ids.Length; index++)
        {
            Channel channel = ChannelOf(index, place.Us == Sample.PartyA ? Side.A : Side.B);
            batch.PutChannel(channel);
            batch.PutState(channel.Id, Sample.Funded(3_000, index == 2 ? 0u : 3_000u));
        }

        store.Commit(batch, durable: true);
        place.Disk.CutPower(new Random(0)); // Whatever the disk says of later syncs, this is there.
    }

    /// <summary>Lets things happen, heals everything, and checks that nobody lost or was paid anything twice.</summary>
    public void Run() => _thread.Within(() =>
    {
        for (int step = 0; step < StepsPerRun; step++) Step();
        Heal();
        CheckTheEnd();
    });

    private void Step()
    {
        int index = _random.Next(2);
        Place place = _places[index];
        int choice = _random.Next(100);
        _trace.Append(choice).Append(index == 0 ? 'a' : 'b');
        if (place.Node is null)
        {
            if (choice < 20) Start(place);
            return;
        }

        if (_random.Next(1_000) < _cutsPerMille)
        {
            if (choice < 30) CutPower(place);
            else place.Node.Store.CutAtNextCommit = (CutPoint)(choice % 3);
            return;
        }

        switch (choice)
        {
            case < 18: Ask(index); break;
            case < 42: Turn(place); break;
            case < 64: Send(index); break;
            case < 84: Arrive(place); break;
            case < 92: Connect(); break;
            case < 93: Disconnect(index); break;
            case < 96: place.Words.Subscribe(place.Node.Store); break;
            default: Pass(_random.Next(1, 500)); break;
        }
    }

    private void Start(Place place)
    {
        place.Node = new SimulatedNode(place.Us, place.Disk, _time, _channelsInMemoryMax);
        place.Words.AssertKept(place.Node.StateOf, place.Node.Store);
    }

    private void Ask(int place)
    {
        Asked asked = new(place, Ids[_random.Next(Ids.Length)], (UInt128)_random.Next(1, 60), $"payment {_keys++}");
        _asked.Add(asked);
        AskAgain(asked);
    }

    private void AskAgain(Asked asked)
    {
        asked.Node = _places[asked.Place].Node;
        asked.Question = asked.Node!.Pay(asked.Channel, asked.Amount, asked.Key);
    }

    /// <summary>True when there was something to do.</summary>
    private bool Turn(Place place)
    {
        try
        {
            bool took = place.Node!.Ledger.TakeTurn();
            _thread.Run();
            return took;
        }
        catch (PowerCutException)
        {
            CutPower(place);
            return true;
        }
    }

    /// <summary>What waits leaves the node; it arrives unless the connection ends.</summary>
    private void Send(int from)
    {
        if (_places[from].Session is { } session)
            SimulatedWire.Take(session, _places[1 - from].Arriving, _places[from].Words.Leaves);
    }

    private void Arrive(Place place)
    {
        if (place.Session is null || !place.Giving.IsCompleted) return;
        place.Giving = SimulatedWire.GiveAsync(place.Session, place.Arriving, _random.Next(1, 4));
        _thread.Run();
        if (place.Giving.IsFaulted) place.Giving.GetAwaiter().GetResult();
        Assert.Null(place.Session.Link.EndReason);
    }

    private void Connect()
    {
        if (_places[0].Node is null || _places[1].Node is null || (_places[0].Session is not null && _places[1].Session is not null)) return;
        Disconnect(0);
        Disconnect(1);
        foreach (Place place in _places)
        {
            if (place.Node is null) return; // Disconnecting takes a turn, and that may have been its last.
            Task<PeerSession> attaching = place.Node.AttachAsync(_places[place == _places[0] ? 1 : 0].Us);
            if (!Finish(place, attaching)) return;
            place.Session = attaching.Result;
        }
    }

    /// <summary>What had not arrived here is lost.</summary>
    private void Disconnect(int index)
    {
        Place place = _places[index];
        place.Arriving = new Queue<byte[]>();
        place.Giving = Task.CompletedTask;
        if (place.Session is not { } session) return;
        place.Session = null;
        if (place.Node is { } node) Finish(place, node.DetachAsync(session));
    }

    /// <summary>Turns until the task is done; false when the power went.</summary>
    private bool Finish(Place place, Task task)
    {
        SimulatedNode? node = place.Node;
        _thread.Run();
        while (!task.IsCompleted)
        {
            Assert.True(Turn(place), "the engine waits for something that nobody does");
            if (place.Node != node) return false;
        }

        task.GetAwaiter().GetResult();
        return true;
    }

    private void CutPower(Place place)
    {
        PowerCuts++;
        _trace.Append('!');
        place.Disk.CutPower(_random);
        place.Node = null;
        place.Session = null;
        place.Giving = Task.CompletedTask;
        place.Arriving = new Queue<byte[]>();
    }

    private void Pass(int ms)
    {
        _time.Advance(ms);
        _thread.Run();
    }

    /// <summary>From here on nothing fails; applications ask again for what they do not know.</summary>
    private void Heal()
    {
        for (int round = 0; round < 200; round++)
        {
            for (int index = 0; index < 2; index++)
            {
                if (_places[index].Node is null) Start(_places[index]);
                _places[index].Node!.Store.CutAtNextCommit = null;
            }

            Connect();
            bool busy = false;
            foreach (Asked asked in _asked)
            {
                if (asked.Question!.Task.IsCompleted || asked.Node == _places[asked.Place].Node) continue;
                AskAgain(asked);
                busy = true;
            }

            for (int index = 0; index < 2; index++)
            {
                while (Turn(_places[index])) busy = true;
                Send(index);
                busy |= _places[1 - index].Arriving.Count > 0;
                while (_places[1 - index].Arriving.Count > 0 && _places[1 - index].Giving.IsCompleted) Arrive(_places[1 - index]);
            }

            Pass(1_000);
            if (!busy && _asked.TrueForAll(asked => asked.Question!.Task.IsCompleted)) return;
        }

        Assert.Fail("never came to rest");
    }

    private void CheckTheEnd()
    {
        foreach (Place place in _places) place.Words.Subscribe(place.Node!.Store);
        foreach (ChannelId id in Ids)
        {
            ChannelState a = _places[0].Node!.StateOf(id), b = _places[1].Node!.StateOf(id);
            Assert.Equal((a.Sent, a.Sent, b.Sent, b.Sent), (a.Acknowledged, b.TheirSent, b.Acknowledged, a.TheirSent));
            Assert.False(_places[0].Node!.HasInFlight(id) || _places[1].Node!.HasInFlight(id));
        }

        foreach (Asked asked in _asked)
        {
            PaymentOutcome outcome = asked.Question!.Task.Result;
            (ChannelId Channel, UInt128 Total)? delivery = _places[1 - asked.Place].Words.DeliveryOf(asked.Key);
            if (outcome.Refusal == Refusal.None) Assert.Equal((asked.Channel, outcome.Total), delivery);
            else Assert.Null(delivery);
            if (delivery is not null) Delivered++;
        }
    }
}
