using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// Two whole nodes and a third party, three channels, a chain, an RPC, a network, disks and clocks, and everything that goes
/// wrong with them, from one seed and on one thread. After every step <see cref="WorldTruth"/> holds; in the end, when the
/// faults have stopped, everybody is paid.
/// </summary>
internal sealed class ChannelWorld
{
    public const int StepsMax = 100;

    private static readonly Party[] Parties =
    [
        new(new Address(0, 0, 0xA0), new Address(0, 0, 0xA1)), new(new Address(0, 0, 0xB0), new Address(0, 0, 0xB1)),
    ];

    private readonly int _steps;
    private readonly Channel[] _channels;
    private readonly WorldWishes _wishes;
    private readonly WorldFaults _faults;
    private readonly bool _hasSkewedClocks;
    private long _nextBlockMs;

    public ChannelWorld(WorldShape shape, bool isVerbose = false, bool lyingDisks = false)
    {
        Shape = shape;
        Random = new Random(shape.Seed);
        Log = new SimulatedLog(Time, isVerbose);
        Network = new SimulatedNetwork(Random, Time, [.. Parties.SelectMany(it => new[] { it.Owner, it.Signer }), WorldTower.Account]);
        _steps = Math.Min(Random.Next(StepsMax * 2 / 5, StepsMax), shape.Steps);
        _hasSkewedClocks = Random.Next(4) == 0;
        NodeOptions options = Options();
        WindowSeconds = (uint)Random.Next(240, 500);
        HasAdversary = Random.Next(3) == 0;
        Places =
        [
            new("a", Parties[0], options) { Disk = new SimulatedDisk { IsLying = lyingDisks } },
            new("b", Parties[1], options) { Disk = new SimulatedDisk { IsLying = lyingDisks }, IsHonest = !HasAdversary },
        ];
        _channels = [.. Enumerable.Range(0, 3).Select(NewChannel)];
        Truth = new WorldTruth(Network, _channels);
        Tower = new WorldTower(this);
        _wishes = new WorldWishes(this);
        _faults = new WorldFaults(this);
        _nextBlockMs = Time.NowMs;
        foreach (WorldPlace place in Places) Know(place);
        Fund();
    }

    public WorldShape Shape { get; }

    public Random Random { get; }

    public SimulatedTime Time { get; } = new();

    public SimulatedLog Log { get; }

    public SimulatedNetwork Network { get; }

    public IReadOnlyList<WorldPlace> Places { get; }

    public IReadOnlyList<Channel> Channels => _channels;

    public WorldTruth Truth { get; }

    public WorldTower Tower { get; }

    /// <summary>The second node's operator cheats, and its messages are said again at the wrong time.</summary>
    public bool HasAdversary { get; }

    public uint WindowSeconds { get; }

    public WorldTally Tally { get; } = new();

    private NodeOptions Options()
    {
        NodeOptions options = OptionsOfOneChannel();
        // Less than two channels could have counted together, so that it holds something back.
        return options with { CreditSmallTotalMax = options.CreditSmallMax * 3 / 2, CreditLargerTotalMax = options.CreditLargerMax * 3 / 2 };
    }

    private NodeOptions OptionsOfOneChannel() => new()
    {
        DataDirectory = "",
        KeyFile = "",
        RpcUrl = "",
        Contract = new Address(0xc0, 0xff, 0xee),
        ReorgDepthMax = 32,
        ConfirmationsLarger = (uint)Random.Next(3, 7),
        CreditSmallMax = (UInt128)Random.Next(50, 400),
        CreditLargerMax = (UInt128)Random.Next(500, 1_500),
        PollMs = 2_000,
        ChainSilenceSecondsMax = 40,
        ReplaceAfterSeconds = 15,
        CloseDeadlineSeconds = 60,
        ClaimLookSeconds = 20,
        WatchtowerEveryMs = 60_000,
        ClaimFromGasTimes = 0,
        ClaimFrom = (UInt128)Random.Next(0, 300),
        ChannelsInMemoryMax = Random.Next(2) == 0 ? 1 : 1_024,
    };

    /// <summary>As one sees it; two go both ways, in the third one of the two pays.</summary>
    private Channel NewChannel(int index)
    {
        ChannelId id = new(new Bytes32(0, 0, 0, (ulong)index + 1));
        int payer = index == 2 ? Random.Next(2) : 0;
        ChannelTerms terms = new(
            Parties[payer], Parties[1 - payer], Address.Zero, WindowSeconds, OneWay: index == 2, id.Value);
        return new Channel(id, terms, Side.A);
    }

    /// <summary>The terms are agreed and on both disks.</summary>
    private void Know(WorldPlace place)
    {
        SimulatedStore store = new(place.Disk);
        IStoreBatch batch = store.NewBatch();
        foreach (Channel channel in _channels)
        {
            batch.PutChannel(channel with { OurSide = WorldTruth.SidesOf(place, channel).Ours });
            batch.PutState(channel.Id, default);
            batch.PutPending(channel.Id, Pending.Deposit);
        }

        store.Commit(batch, durable: true);
        place.Disk.CutPower(new Random(0)); // Whatever the disk says of later syncs, this is there.
    }

    /// <summary>Some deposits are old when it begins.</summary>
    private void Fund()
    {
        foreach (Channel channel in _channels)
        {
            Deposit(channel, Side.A, (UInt128)Random.Next(200, 1_500));
            if (!channel.Terms.OneWay && Random.Next(2) == 0) Deposit(channel, Side.B, (UInt128)Random.Next(200, 1_500));
        }

        Network.Mine();
        for (int block = Random.Next(8); block > 0; block--) Network.Mine();
    }

    /// <summary>From the owner's own account, without a node.</summary>
    public void Deposit(Channel channel, Side side, UInt128 amount) => Network.Send(
        channel.Terms.Of(side).Owner, amount, new ContractCall.Deposit(channel.Id, channel.Terms, side, amount));

    public WorldPlace Other(WorldPlace place) => place == Places[0] ? Places[1] : Places[0];

    public void Run()
    {
        foreach (WorldPlace place in Places) Start(place);
        for (int step = 0; step < _steps; step++)
        {
            _faults.Happen();
            for (int wishes = Random.Next(5); wishes > 0; wishes--) _wishes.Wish();
            Pass(Random.Next(200, 12_000));
        }

        Heal();
        foreach (WorldPlace place in Places.Where(it => it.IsHonest))
            foreach (Channel channel in _channels) Truth.CheckPaid(place, channel);
        _wishes.CheckTheEnd();
        Tally.Accepted = Truth.Accepted;
    }

    public void Start(WorldPlace place)
    {
        TimeSpan ahead = TimeSpan.FromSeconds(_hasSkewedClocks ? Random.Next(-20, 30) : 0);
        Log.Trace($"{place.Name} starts");
        SimulatedLife life = new(
            place.Us, place.Disk, Time, ahead, Network, place.Weather, Random, place.Options, Log);
        place.Life = life;
        (place.TurnsChecked, place.TurnsHeard) = (-1, -1);
        place.Checked.Clear();
        place.Words.AssertKept(life.StateOf, life.Store);
        Carefully(place, life.Start);
    }

    /// <summary>Does something of a node; the power may go meanwhile.</summary>
    public void Carefully(WorldPlace place, Action action)
    {
        try
        {
            action();
        }
        catch (PowerCutException)
        {
            CutPower(place);
        }
    }

    public void CutPower(WorldPlace place)
    {
        Log.Trace($"{place.Name} loses power");
        Tally.PowerCuts++;
        Send(place); // What the session was told may have left, whatever the disk came to.
        place.Life?.Stop();
        place.Life = null;
        Disconnect();
        (place.Weather.IsCut, place.Weather.CutAtNextBroadcast) = (false, false);
        place.Disk.CutPower(Random);
        place.DownUntilMs = Math.Max(place.DownUntilMs, Time.NowMs + Random.Next(500, 20_000));
    }

    /// <summary>Time passes: timers, blocks and messages come in the order of their times.</summary>
    public void Pass(long ms)
    {
        long until = Time.NowMs + ms;
        while (true)
        {
            long next = Math.Min(
                Math.Min(Time.NextDueMs, _nextBlockMs), Math.Min(NextArrival(Places[0]), NextArrival(Places[1])));
            if (next > until) break;
            Time.MoveTo(next);
            if (_nextBlockMs <= Time.NowMs) Mine();
            foreach (WorldPlace place in Places)
                if (NextArrival(place) <= Time.NowMs) Arrive(place);
            Time.GoOff();
            Settle();
        }

        Time.MoveTo(until);
        foreach (WorldPlace place in Places) Revive(place);
        Settle();
    }

    private static long NextArrival(WorldPlace place) =>
        place.Giving.IsCompleted && place.Arriving.TryPeek(out (long AtMs, byte[]) first) ? first.AtMs : long.MaxValue;

    private void Mine()
    {
        Network.Mine();
        Log.Trace($"block {Network.Head.Number}: {string.Join(", ", Network.Head.Mined.Select(it => it.Transaction.Call.Text))}");
        Truth.CheckChain();
        Tower.Look();
        _faults.KeepToTheLimits();
        _nextBlockMs = Time.NowMs + ((long)SimulatedNetwork.BlockSeconds * 1_000) + Random.Next(-3_000, 3_000);
    }

    /// <summary>Both nodes go on as far as they can now, and what they say leaves.</summary>
    private void Settle()
    {
        foreach (WorldPlace place in Places)
        {
            if (place.Life is not { } life) continue;
            try
            {
                life.Run(diskIsSlow: place.SlowDiskUntilMs > Time.NowMs);
                Truth.Check(place);
            }
            catch (PowerCutException)
            {
                CutPower(place);
            }
        }

        if (Log.Failure is { } failure) throw new InvalidOperationException("a node failed", failure);
        foreach (WorldPlace place in Places) Send(place);
        if (Places.Any(it => it.Life?.Session is { Link.EndReason: not null })) Disconnect();
        Tower.Hear();
    }

    private void Send(WorldPlace place)
    {
        if (place.Life?.Session is not { Link.HasWaiting: true } session) return;
        Queue<byte[]> leaving = new();
        SimulatedWire.Take(session, leaving, place.Words.Leaves);
        WorldPlace other = Other(place);
        foreach (byte[] bytes in leaving)
        {
            long after = other.Arriving.Count > 0 ? other.Arriving.Last().AtMs : Time.NowMs;
            other.Arriving.Enqueue((after + _faults.DelayMs(), bytes));
        }
    }

    private void Arrive(WorldPlace place)
    {
        if (place.Life?.Session is not { } session || !place.Giving.IsCompleted) return;
        Queue<byte[]> now = new();
        while (now.Count < 4 && place.Arriving.TryPeek(out (long AtMs, byte[] Bytes) first) && first.AtMs <= Time.NowMs)
        {
            place.Heard.Add(first.Bytes);
            now.Enqueue(place.Arriving.Dequeue().Bytes);
        }

        if (now.Count == 0) return;
        Carefully(place, () => place.Life.Do(() => place.Giving = SimulatedWire.GiveAsync(session, now, now.Count)));
        if (place.Giving.IsFaulted) place.Giving.GetAwaiter().GetResult();
    }

    /// <summary>Brings back who is down for long enough, and the session.</summary>
    private void Revive(WorldPlace place)
    {
        if (place.Life is null && place.DownUntilMs <= Time.NowMs) Start(place);
        if (place.Weather.IsPoor && place.PoorUntilMs <= Time.NowMs) (place.Weather.IsPoor, place.Weather.IsDown) = (false, false);
        if (Places.All(it => it.IsUp && it.Life!.Session is null) && _faults.PartitionedUntilMs <= Time.NowMs) Connect();
    }

    private void Connect()
    {
        Log.Trace("connected");
        foreach (WorldPlace place in Places)
        {
            if (place.Life is { } life) Carefully(place, () => life.Attach(Other(place).Us));
        }

        if (Places.Any(it => it.Life?.Session is null)) Disconnect();
    }

    /// <summary>What had not arrived is lost.</summary>
    public void Disconnect()
    {
        foreach (WorldPlace place in Places)
        {
            place.Arriving.Clear();
            place.Heard.Clear();
            place.Giving = Task.CompletedTask;
            if (place.Life is { Session: not null } life) Carefully(place, life.Detach);
        }
    }

    /// <summary>From here on nothing fails: all that is under way ends, all channels are closed and paid out.</summary>
    private void Heal()
    {
        Log.Trace("all faults end");
        _faults.Stop();
        for (int round = 0; round < 400; round++)
        {
            Pass(5_000);
            if (round < 12) _wishes.AskAgain();
            else if (!_wishes.CloseAll()) break;
        }

        Pass(60_000);
        Assert.True(_wishes.IsAllClosed, "never came to rest");
    }
}
