using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// A watchtower's home, its sessions with the nodes, and the simulation's own book of what it has said to have on disk.
/// </summary>
internal sealed class WorldTower(ChannelWorld world, SimulatedDisk disk, bool isThere) : WorldHome("the tower", Key, disk)
{
    public static readonly Address Key = new(0, 0, 0xD0);

    private readonly List<WorldGuardSession> _sessions = [];
    private readonly Dictionary<(WorldPlace Place, ChannelId Channel), GuardedTotals> _acknowledged = [];
    private readonly List<(WorldPlace Place, byte[] Frame)> _heard = [];
    private readonly PriorityQueue<(WorldGuardSession, byte[] Bytes, bool ToTower), (long AtMs, int Number)> _underWay = new();
    private readonly WorldStranger _stranger = new(world);
    private int _number;

    /// <summary>Whether there is one in this run.</summary>
    public bool IsThere => isThere;

    public SimulatedTower? Life { get; private set; }

    public override SimulatedProcess? Process => Life;

    /// <summary>When the next message arrives.</summary>
    public long NextArrivalMs => _underWay.TryPeek(out _, out (long AtMs, int) next) ? next.AtMs : long.MaxValue;

    public void Start(TimeSpan clockAhead)
    {
        WatchtowerOptions options = new() { Node = world.Places[0].Options with { DisputeWindowSecondsMin = 1, Watchtowers = [] } };
        MachineTime time = new(world.Time, clockAhead);
        Life = new SimulatedTower(Key, Disk, time, world.Network, Weather, world.Random, options, world.Log);
        TurnsChecked = -1;
        CheckKept(Life.Store);
        world.Carefully(this, Life.Start);
    }

    public void Stop()
    {
        Life?.Stop();
        Life = null;
        EndSessions();
    }

    /// <summary>A node dials; runs until the session ends.</summary>
    public async Task ServeAsync(
        WorldPlace place, SimulatedLife life, WatchtowerLink link, TimeProvider time, CancellationToken cancel)
    {
        if (!IsUp || world.Faults.TowerAwayUntilMs > world.Time.NowMs) throw new RefusalException(Refusal.PeerOffline, "the watchtower is not there");
        WorldGuardSession session = new(place, life, Life!, time);
        _sessions.Add(session);
        await session.RunAsync(link, cancel);
    }

    public void EndSessions()
    {
        foreach (WorldGuardSession session in _sessions.ToArray()) End(session);
    }

    private void End(WorldGuardSession session)
    {
        if (!_sessions.Remove(session)) return;
        (SimulatedLife node, SimulatedTower tower) = session.Ends;
        if (tower == Life) world.Carefully(this, () => tower.Do(session.Leave));
        if (node == session.Place.Life && !session.IsOver) world.Carefully(session.Place, () => node.Do(session.End));
    }

    /// <summary>What was said leaves, and now and then is lost with the session, or comes twice.</summary>
    public void Send()
    {
        foreach (WorldGuardSession session in _sessions.ToArray())
        {
            if (session.Serving.IsFaulted) session.Serving.GetAwaiter().GetResult();
            if (session.IsOver || session.Ends.Node != session.Place.Life || session.Ends.Tower != Life)
            {
                End(session);
                continue;
            }

            while (session.FromNode.TryDequeue(out byte[]? said)) Send(session, said, toTower: true);
            while (session.FromTower.TryDequeue(out byte[]? said)) Send(session, said, toTower: false);
        }
    }

    private void Send(WorldGuardSession session, byte[] bytes, bool toTower)
    {
        if (world.Faults.LosesMessage())
        {
            End(session);
            return;
        }

        _underWay.Enqueue((session, bytes, toTower), (world.Time.NowMs + world.Faults.DelayMs(), _number++));
    }

    public void Arrive()
    {
        while (NextArrivalMs <= world.Time.NowMs)
        {
            (WorldGuardSession session, byte[] bytes, bool toTower) = _underWay.Dequeue();
            if (!_sessions.Contains(session)) continue;
            if (!toTower)
            {
                world.Carefully(session.Place, () => session.Ends.Node.Do(() => session.Hear(bytes)));
                continue;
            }

            if (session.HasBegun) _heard.Add((session.Place, bytes));
            world.Carefully(this, () => Life!.Do(() => session.Serve(bytes, (given, answer) => Acknowledge(session.Place, given, answer))));
        }
    }

    /// <summary>Whoever relays a session says an old message of it again; what it is answered does not reach the node.</summary>
    public void Repeat()
    {
        if (_sessions.Count == 0 || !IsUp) return;
        WorldGuardSession session = _sessions[world.Random.Next(_sessions.Count)];
        byte[][] old = [.. _heard.Where(it => it.Place == session.Place && session.HasBegun).Select(it => it.Frame)];
        if (old.Length == 0 || !session.Serving.IsCompleted) return;
        world.Log.Trace($"an old message of {session.Place.Name} comes to the tower again");
        world.Carefully(this, () => Life!.Do(() => session.Serve(old[world.Random.Next(old.Length)], null)));
    }

    /// <summary>Somebody whom it does not know comes to it.</summary>
    public void MeetStranger()
    {
        if (!IsUp) return;
        world.Log.Trace("a stranger comes to the tower");
        byte[][] heard = [.. _heard.Select(it => it.Frame)];
        world.Carefully(this, () => Life!.Do(() => _stranger.Act(Life, heard)));
    }

    /// <summary>An answer leaves: it covers all that was given, and is on disk already.</summary>
    private void Acknowledge(WorldPlace place, IReadOnlyList<GuardRequest> given, GuardAnswer answer)
    {
        Assert.True(answer.Refusals.Count == 0, $"the tower refuses what {place.Name} gives: {string.Join(", ", answer.Refusals)}");
        foreach (BalanceUpdate update in given.Select(it => it.Guarded.Update))
        {
            bool isCovered = answer.Stored.Any(said => said.Channel == update.Channel && said.Covers(update.Sent, update.Received));
            Assert.True(isCovered, $"{place.Name} gave the tower {update}, and it acknowledged {string.Join(", ", answer.Stored)}");
        }

        foreach (GuardedTotals said in answer.Stored)
        {
            if (_acknowledged.TryGetValue((place, said.Channel), out GuardedTotals before))
                Assert.True(said.Covers(before.Sent, before.Received), $"the tower acknowledged {said} after {before}");
            _acknowledged[(place, said.Channel)] = said;
        }

        CheckKept(Life!.Store);
    }

    /// <summary>What it has said outlives it.</summary>
    public void CheckTheEnd()
    {
        world.Tally.Malformed += _stranger.Malformed;
        if (!IsThere) return;
        world.CutPower(this);
        CheckKept(new SimulatedStore(Disk));
    }

    /// <summary>Whether the node may stay away while the channel's window ends: all that it acknowledged is with the tower.</summary>
    public bool HasAll(WorldPlace place, Channel channel) =>
        _acknowledged.GetValueOrDefault((place, channel.Id)).Sent >= place.Words.AcknowledgedOf(channel.Id);

    /// <summary>So much of what the node was paid in a channel the tower presents, whatever the node itself knows.</summary>
    public UInt128 HasOf(WorldPlace place, Channel channel) => _acknowledged.GetValueOrDefault((place, channel.Id)).Sent;

    /// <summary>What it has said to be on its disk is there.</summary>
    private void CheckKept(SimulatedStore store)
    {
        foreach (((WorldPlace place, ChannelId id), GuardedTotals said) in _acknowledged)
        {
            Side side = WorldTruth.SidesOf(place, world.Channels.First(it => it.Id == id)).Ours;
            GuardedUpdate? kept = store.FindGuarded(id, side);
            bool isKept = kept is { Update: var update }
                && new GuardedTotals(id, update.Sent, update.Received).Covers(said.Sent, said.Received);
            Assert.True(isKept, $"the tower acknowledged {said} to {place.Name}, and has {kept?.Update}");
        }
    }

    /// <summary>After every turn: what it has said it has, and of the chain it knows what a rescan says.</summary>
    public void Check()
    {
        _stranger.Check();
        if (Life is not { } life || life.Turns == TurnsChecked) return;
        TurnsChecked = life.Turns;
        CheckKept(life.Store);
        foreach (Channel channel in world.Channels)
            if (life.Store.FindChannel(channel.Id) is { } stored) world.Truth.CheckView(this, life, channel.Id, stored.State);
    }
}
