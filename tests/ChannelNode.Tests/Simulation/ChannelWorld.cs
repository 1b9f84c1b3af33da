using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// Two whole nodes, in a third of the runs a watchtower, three channels and in a third a fourth that they agree on their way, a
/// chain, an RPC, a network, disks and clocks, and everything that goes wrong with them, from one seed and on one thread. After every step <see cref="WorldTruth"/> holds; in the end, when the
/// faults have stopped, everybody is paid.
/// </summary>
internal sealed class ChannelWorld
{
    public const int StepsMax = 100;

    /// <summary>That follow one another without any time passing: more are a circle.</summary>
    private const int EventsAtOnceMax = 10_000;

    private static readonly Party[] Parties =
    [
        new(new Address(0, 0, 0xA0), new Address(0, 0, 0xA1)), new(new Address(0, 0, 0xB0), new Address(0, 0, 0xB1)),
    ];

    /// <summary>Channels that both know when it begins.</summary>
    private const int AgreedBefore = 3;

    private readonly int _steps;
    private readonly Channel[] _channels;
    private readonly WorldWishes _wishes;
    private readonly WorldPolicies _policies;
    private readonly WorldRestoring _restoring;
    private readonly bool _hasSkewedClocks;
    private long _nextBlockMs;

    public ChannelWorld(WorldShape shape, bool isVerbose = false, bool lyingDisks = false)
    {
        Shape = shape;
        Random = new Random(shape.Seed);
        Log = new SimulatedLog(Time, isVerbose);
        Network = new SimulatedNetwork(Random, Time, [.. Parties.SelectMany(it => new[] { it.Owner, it.Signer }), WorldTower.Key]);
        _steps = Math.Min(Random.Next(StepsMax * 2 / 5, StepsMax), shape.Steps);
        _hasSkewedClocks = Random.Next(4) == 0;
        bool hasTower = Random.Next(3) == 0;
        NodeOptions options = WorldOptions.Of(Random, hasTower);
        WindowSeconds = (uint)Random.Next(240, 500);
        HasAdversary = Random.Next(3) == 0;
        bool hasDust = HasAdversary && !hasTower && Random.Next(2) == 0;
        if (hasDust) options = WorldOptions.AmidDust(options);
        Places =
        [
            new("a", Parties[0], options, new SimulatedDisk { IsLying = lyingDisks }),
            new("b", Parties[1], options, new SimulatedDisk { IsLying = lyingDisks }) { IsHonest = !HasAdversary },
        ];
        _channels = [.. Enumerable.Range(0, AgreedBefore).Select(NewChannel)];
        if (Random.Next(3) == 0) _channels = [.. _channels, NewChannel(AgreedBefore)];
        Truth = new WorldTruth(Network, _channels);
        Dust = new WorldDust(this, hasDust);
        Tower = new WorldTower(this, new SimulatedDisk { IsLying = lyingDisks }, hasTower);
        Homes = hasTower ? [.. Places, Tower] : [.. Places];
        _wishes = new WorldWishes(this);
        Faults = new WorldFaults(this);
        _policies = new WorldPolicies(this);
        _restoring = new WorldRestoring(this, isPossible: !lyingDisks);
        _nextBlockMs = Time.NowMs;
        foreach (WorldPlace place in Places) Know(place);
        Fund();
        Dust.Begin(Parties);
    }

    public WorldShape Shape { get; }

    public Random Random { get; }

    public SimulatedTime Time { get; } = new();

    public SimulatedLog Log { get; }

    public SimulatedNetwork Network { get; }

    public IReadOnlyList<WorldPlace> Places { get; }

    public IReadOnlyList<Channel> Channels => _channels;

    /// <summary>Both sides know it; one that is not agreed yet is proposed by its side A.</summary>
    public bool IsAgreed(Channel channel) => IsAgreedBefore(channel) || Network.Head.Contract.WasFunded(channel.Id);

    public static bool IsAgreedBefore(Channel channel) => channel.Id.Value.W3 <= AgreedBefore;

    public WorldTruth Truth { get; }

    public WorldTower Tower { get; }

    /// <summary>Small channels in which the second side cheats as well.</summary>
    public WorldDust Dust { get; }

    /// <summary>The nodes' and, where there is one, the tower's.</summary>
    public IReadOnlyList<WorldHome> Homes { get; }

    /// <summary>The second node's operator cheats, and its messages are said again at the wrong time.</summary>
    public bool HasAdversary { get; }

    public WorldFaults Faults { get; }

    public uint WindowSeconds { get; }

    public WorldTally Tally { get; } = new();

    /// <summary>As one sees it; two go both ways, in the third one of the two pays.</summary>
    private Channel NewChannel(int index)
    {
        ChannelId id = new(new Bytes32(0, 0, 0, (ulong)index + 1));
        int payer = index >= 2 ? Random.Next(2) : 0;
        ChannelTerms terms = new(
            Parties[payer], Parties[1 - payer], Places[0].Options.AcceptedTokens.FirstOrDefault(), WindowSeconds,
            OneWay: index == 2 || (index > 2 && Random.Next(2) == 0), id.Value);
        return new Channel(id, terms, Side.A);
    }

    /// <summary>The terms are agreed and on both disks.</summary>
    private void Know(WorldPlace place)
    {
        SimulatedStore store = new(place.Disk);
        IStoreBatch batch = store.NewBatch();
        foreach (Channel channel in _channels.Take(AgreedBefore))
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
        foreach (Channel channel in _channels.Take(AgreedBefore))
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
        foreach (WorldHome home in Homes) Start(home);
        for (int step = 0; step < _steps; step++)
        {
            _restoring.Happen();
            Faults.Happen();
            _policies.Change();
            for (int wishes = Random.Next(5); wishes > 0; wishes--) _wishes.Wish();
            Pass(Random.Next(200, 12_000));
        }

        Heal();
        foreach (WorldPlace place in Places.Where(it => it.IsHonest))
            foreach (Channel channel in _channels) Truth.CheckPaid(place, channel, _restoring.Remembered(place, channel));
        _wishes.CheckTheEnd();
        Tower.CheckTheEnd();
        Dust.CheckTheEnd();
        (Tally.Accepted, Tally.Regained) = (Truth.Accepted, Truth.Regained);
    }

    private void Start(WorldHome home)
    {
        TimeSpan ahead = TimeSpan.FromSeconds(_hasSkewedClocks ? Random.Next(-20, 30) : 0);
        Log.Trace($"{home.Name} starts");
        home.TurnsChecked = -1;
        if (home is not WorldPlace place)
        {
            Tower.Start(ahead);
            return;
        }

        MachineTime time = new(Time, ahead);
        SimulatedLife life = new(
            place.Us, place.Disk, time, Network, place.Weather, Random, place.Options, Log,
            (node, tower, cancel) => Tower.ServeAsync(place, node, tower, time, cancel));
        place.Life = life;
        place.Checked.Clear();
        place.Words.AssertKept(life.StateOf, life.Store);
        place.Journal.Returns(life.Store);
        life.Machine.Watcher = (batch => place.Journal.Gives(batch, life.Book), () => place.Journal.Takes(life.Book));
        Carefully(place, life.Start);
    }

    /// <summary>The place goes on from a copy of its disk: whoever has asked it for something has a node that may not know.</summary>
    public void Restored(WorldPlace place, SimulatedStore copy)
    {
        _wishes.Restore(place, copy);
        _policies.Restore(place);
    }

    public void LiftRules() => _policies.Lift();

    /// <summary>Has a program do something; the power may go meanwhile.</summary>
    public void Carefully(WorldHome home, Action action)
    {
        try
        {
            action();
        }
        catch (PowerCutException)
        {
            CutPower(home);
        }
    }

    public void CutPower(WorldHome home)
    {
        Log.Trace($"{home.Name} loses power");
        Tally.PowerCuts++;
        if (home is WorldPlace place)
        {
            Send(place); // What the session was told may have left, whatever the disk came to.
            place.Life?.Stop();
            place.Life = null;
            Disconnect();
        }
        else
        {
            Tower.Stop();
        }

        (home.Weather.IsCut, home.Weather.CutAtNextBroadcast) = (false, false);
        home.Disk.CutPower(Random);
        home.DownUntilMs = Math.Max(home.DownUntilMs, Time.NowMs + Random.Next(500, 20_000));
    }

    /// <summary>Time passes: timers, blocks and messages come in the order of their times.</summary>
    public void Pass(long ms)
    {
        long until = Time.NowMs + ms, movedAt = Time.NowMs;
        for (int eventsAtOnce = 0; NextEventMs() is var next && next <= until; eventsAtOnce++)
        {
            if (next > movedAt) (movedAt, eventsAtOnce) = (next, 0);
            if (eventsAtOnce == EventsAtOnceMax) throw new InvalidOperationException("time does not pass any more");
            Time.MoveTo(next);
            if (_nextBlockMs <= Time.NowMs) Mine();
            foreach (WorldPlace place in Places)
                if (NextArrival(place) <= Time.NowMs) Arrive(place);
            Tower.Arrive();
            Time.GoOff();
            Settle();
        }

        Time.MoveTo(until);
        foreach (WorldHome home in Homes) Revive(home);
        Settle();
    }

    private long NextEventMs() => Math.Min(
        Math.Min(Time.NextDueMs, _nextBlockMs),
        Math.Min(Tower.NextArrivalMs, Math.Min(NextArrival(Places[0]), NextArrival(Places[1]))));

    private static long NextArrival(WorldPlace place) =>
        place.Giving.IsCompleted && place.Arriving.TryPeek(out (long AtMs, byte[]) first) ? first.AtMs : long.MaxValue;

    public void Mine()
    {
        Network.Mine();
        Log.Trace($"block {Network.Head.Number}: {string.Join(", ", Network.Head.Mined.Select(it => it.Transaction.Call.Text))}");
        Truth.CheckChain();
        foreach (WorldPlace place in Places) Truth.CheckLost(place);
        Faults.KeepToTheLimits();
        _nextBlockMs = Time.NowMs + ((long)SimulatedNetwork.BlockSeconds * 1_000) + Random.Next(-3_000, 3_000);
    }

    /// <summary>All go on as far as they can now, and what they say leaves.</summary>
    private void Settle()
    {
        foreach (WorldHome home in Homes)
        {
            if (home.Process is not { } process) continue;
            try
            {
                process.Run(diskIsSlow: home.SlowDiskUntilMs > Time.NowMs);
                if (home is WorldPlace place) Truth.Check(place);
                else Tower.Check();
            }
            catch (PowerCutException)
            {
                CutPower(home);
            }
        }

        if (Log.Failure is { } failure) throw new InvalidOperationException("a node failed", failure);
        foreach (WorldPlace place in Places) Send(place);
        if (Places.Any(it => it.Life?.Session is { Link.EndReason: not null })) Disconnect();
        Tower.Send();
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
            other.Arriving.Enqueue((after + Faults.DelayMs(), bytes));
        }
    }

    private void Arrive(WorldPlace place)
    {
        if (place.Life?.Session is not { } session || !place.Giving.IsCompleted) return;
        Queue<byte[]> now = new();
        while (now.Count < 4 && place.Arriving.TryPeek(out (long AtMs, byte[] Bytes) first) && first.AtMs <= Time.NowMs)
        {
            place.Heard.Add(first.Bytes);
            if (place.Words.WaitsToBeTold && SimulatedWire.ToldOf(first.Bytes) is { } told) place.Words.IsTold(told);
            now.Enqueue(place.Arriving.Dequeue().Bytes);
        }

        if (now.Count == 0) return;
        Carefully(place, () => place.Life.Do(() => place.Giving = SimulatedWire.GiveAsync(session, now, now.Count)));
        if (place.Giving.IsFaulted) EndFor(place.Giving.Exception.InnerException!);
    }

    /// <summary>What a session ends of: only what a cheating peer says, and never for another reason than that it is malformed.</summary>
    private void EndFor(Exception error)
    {
        bool isMalformed = error is InvalidProtocolBufferException or RefusalException { Refusal: Refusal.InvalidArgument };
        if (!HasAdversary || !isMalformed) throw new InvalidOperationException("a session failed", error);
        Log.Trace($"malformed: {error.Message}");
        Tally.Malformed++;
        Disconnect();
    }

    /// <summary>Brings back who is down for long enough, and the session.</summary>
    private void Revive(WorldHome home)
    {
        if (home.Process is null && home.DownUntilMs <= Time.NowMs) Start(home);
        if (home.Weather.IsPoor && home.PoorUntilMs <= Time.NowMs) home.Weather.Clear();
        if (Places.All(it => it.IsUp && it.Life!.Session is null) && Faults.PartitionedUntilMs <= Time.NowMs) Connect();
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
        Faults.Stop();
        _restoring.Heal();
        for (int round = 0; round < 400; round++)
        {
            if (round < 4) _policies.Lift();
            Pass(5_000);
            if (round == 11) _policies.CheckLifted();
            if (round < 12) _wishes.AskAgain();
            else if (!_wishes.CloseAll()) break;
        }

        Pass(60_000);
        Assert.True(_wishes.IsAllClosed, "never came to rest");
    }
}
