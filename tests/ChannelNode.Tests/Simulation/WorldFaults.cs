using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// All that goes wrong. It keeps to what the design promises to live with: in the last quarter of a dispute window the honest
/// nodes are up, reach the chain and are not kept out of it (so an RPC is away for three quarters of a window at most, and
/// censorship is over before its end); blocks are full and base fees high for a while only; reorganisations are less deep than
/// the confirmations that large deposits need.
/// </summary>
internal sealed class WorldFaults(ChannelWorld world)
{
    private const uint CalmPartOfWindow = 4;

    private static readonly UInt128 BaseFeeCalmMax = 100 * SimulatedNetwork.Gwei;

    private long _censoredUntilMs;
    private long _dearUntilMs;
    private long _fullUntilMs;
    private bool _hasStopped;

    /// <summary>A window is near its end.</summary>
    public bool IsCalm { get; private set; }

    public long PartitionedUntilMs { get; private set; }

    /// <summary>Nobody reaches the tower.</summary>
    public long TowerAwayUntilMs { get; private set; }

    private SimulatedNetwork Network => world.Network;

    private long NowMs => world.Time.NowMs;

    /// <summary>A message is lost on its way, and its session with it.</summary>
    public bool LosesMessage() => !_hasStopped && world.Random.Next(60) == 0;

    public int DelayMs() => _hasStopped ? 1 : world.Random.Next(8) == 0 ? world.Random.Next(3_000) : world.Random.Next(1, 80);

    public void Happen()
    {
        Expire();
        if (IsCalm) return;
        WorldHome home = world.Homes[world.Random.Next(world.Homes.Count)];
        if (Draw() is not { } fault || world.Shape.Without.Contains(fault)) return;
        switch (fault)
        {
            case WorldFault.PowerCut: Cut(home); break;
            case WorldFault.Rpc: SpoilRpc(home, isDown: world.Random.Next(2) == 0); break;
            case WorldFault.Partition: Partition(); break;
            case WorldFault.Censorship:
                Network.Censored = home.Account;
                _censoredUntilMs = NowMs + Long();
                world.Log.Trace($"{home.Name} is censored");
                break;
            case WorldFault.BaseFee:
                Network.BaseFee = SimulatedNetwork.Gwei * (UInt128)world.Random.Next(5, world.Random.Next(2) == 0 ? 60 : 800);
                _dearUntilMs = NowMs + Long();
                world.Log.Trace($"the base fee is {Network.BaseFee / SimulatedNetwork.Gwei}");
                break;
            case WorldFault.FullBlocks:
                Network.InclusionPercent = world.Random.Next(20, 80);
                _fullUntilMs = NowMs + Long();
                world.Log.Trace($"blocks take {Network.InclusionPercent} of a hundred");
                break;
            case WorldFault.Reorganization: Reorganize(); break;
            case WorldFault.Pool:
                if (Network.Drop(home.Account)) world.Log.Trace($"the pool forgets a transaction of {home.Name}");
                break;
            case WorldFault.SlowDisk: home.SlowDiskUntilMs = NowMs + world.Random.Next(1_000, 15_000); break;
            case WorldFault.Attack: Attack(); break;
            case WorldFault.Repeat: world.Tower.Repeat(); break;
            case WorldFault.Stranger: world.Tower.MeetStranger(); break;
            case WorldFault.SmallCloses: world.Dust.Close(); break;
        }
    }

    private WorldFault? Draw() => world.Random.Next(30) switch
    {
        < 3 => WorldFault.PowerCut,
        < 7 => WorldFault.Rpc,
        7 => WorldFault.Partition,
        8 => WorldFault.Censorship,
        9 => WorldFault.BaseFee,
        10 => WorldFault.FullBlocks,
        < 14 => WorldFault.Reorganization,
        14 => WorldFault.Pool,
        15 => WorldFault.SlowDisk,
        16 when world.Tower.IsThere => WorldFault.Repeat,
        17 when world.Tower.IsThere => WorldFault.Stranger,
        18 or 19 when world.Dust.IsThere => WorldFault.SmallCloses,
        >= 20 when world.HasAdversary => WorldFault.Attack,
        _ => null,
    };

    private int Long() => world.Random.Next(5, (int)world.WindowSeconds) * 1_000;

    private void Cut(WorldHome home)
    {
        if (home.Process is not { } process) return;
        if (world.Random.Next(4) == 0) home.DownUntilMs = NowMs + Long();
        switch (world.Random.Next(5))
        {
            case 0: world.CutPower(home); break;
            case 1: home.Weather.CutAtNextBroadcast = true; break;
            default: process.Store.CutAtNextCommit = (CutPoint)world.Random.Next(3); break;
        }
    }

    private void SpoilRpc(WorldHome home, bool isDown)
    {
        (home.Weather.IsPoor, home.Weather.IsDown) = (true, isDown);
        // With what other machines lag, less than a nonce is deep before it says anything.
        int lagMax = (int)world.Places[0].Options.ConfirmationsLarger - SimulatedMachine.LagMax;
        home.Weather.ReceiptsLagBlocks = world.Random.Next(3) == 0 ? world.Random.Next(lagMax + 1) : 0;
        home.PoorUntilMs = NowMs + Long();
        world.Log.Trace($"the RPC of {home.Name} is {(isDown ? "down" : "poor")} for {(home.PoorUntilMs - NowMs) / 1_000} s");
    }

    private void Partition()
    {
        if (world.Tower.IsThere && world.Random.Next(3) > 0)
        {
            TowerAwayUntilMs = NowMs + world.Random.Next(1_000, 90_000);
            world.Log.Trace("nobody reaches the tower");
            world.Tower.EndSessions();
            return;
        }

        PartitionedUntilMs = NowMs + world.Random.Next(1_000, 60_000);
        world.Log.Trace("disconnected");
        world.Disconnect();
    }

    private void Reorganize()
    {
        int depth = world.Random.Next(1, (int)world.Places[0].Options.ConfirmationsLarger);
        Address? forgotten = world.Random.Next(4) > 0 ? null
            : world.HasAdversary && world.Random.Next(2) == 0 ? world.Places[1].Us.Owner
            : world.Places[world.Random.Next(2)].Us.Signer;
        NetworkBlock before = Network.Head;
        Network.Reorganize(depth, forgotten);
        world.Tally.Reorganizations++;
        world.Log.Trace($"reorganised by {depth} below {before.Number}, forgetting {forgotten?.Low:x}");
        world.Truth.Reorganized(before);
    }

    /// <summary>What a dishonest second side does, with its owner's account and what the first side has ever signed.</summary>
    private void Attack()
    {
        WorldPlace cheat = world.Places[1], victim = world.Places[0];
        Channel channel = world.Channels[world.Random.Next(world.Channels.Count)];
        world.Tally.Attacks++;
        switch (world.Random.Next(5))
        {
            case 4 when cheat.Life is { Session: not null } && victim.Heard.Count > 0:
                SpoilMessage(victim);
                break;
            case 0 when cheat.Life is { Session: not null } && victim.Heard.Count > 0:
                byte[] again = victim.Heard[world.Random.Next(victim.Heard.Count)];
                victim.Arriving.Enqueue((victim.Arriving.Count > 0 ? victim.Arriving.Last().AtMs : NowMs, again));
                cheat.HasMisspoken = true;
                world.Log.Trace("b repeats a message");
                break;
            case 1 when world.IsAgreed(channel):
                world.Deposit(channel, SideOf(channel, cheat), (UInt128)world.Random.Next(100, 900));
                world.Log.Trace($"b deposits into {ContractCall.Name(channel.Id)}");
                break;
            default:
                bool isWorst = victim.Life is null || victim.Weather.IsDown || Network.Censored == victim.Us.Signer;
                if (isWorst || world.Random.Next(6) == 0) StartClose(channel, victim, cheat);
                break;
        }
    }

    /// <summary>One of its messages comes again with other bytes: malformed, or signed wrongly.</summary>
    private void SpoilMessage(WorldPlace victim)
    {
        byte[] spoilt = [.. victim.Heard[world.Random.Next(victim.Heard.Count)]];
        if (world.Random.Next(3) == 0) spoilt = spoilt[..world.Random.Next(spoilt.Length)];
        for (int changes = world.Random.Next(1, 4); changes > 0 && spoilt.Length > 0; changes--)
            spoilt[world.Random.Next(spoilt.Length)] ^= (byte)(1 << world.Random.Next(8));
        victim.Arriving.Enqueue((victim.Arriving.Count > 0 ? victim.Arriving.Last().AtMs : NowMs, spoilt));
        world.Places[1].HasMisspoken = true;
        world.Log.Trace("b spoils a message");
    }

    private static Side SideOf(Channel channel, WorldPlace place) =>
        channel.Terms.OneWay ? Side.A : WorldTruth.SidesOf(place, channel).Ours;

    /// <summary>With any update of the other side's, however old, or with none.</summary>
    private void StartClose(Channel channel, WorldPlace victim, WorldPlace cheat)
    {
        (BalanceUpdate Update, Signature Signature)[] signed =
            channel.Terms.OneWay ? [] : [.. victim.Words.Updates.Where(said => said.Update.Channel == channel.Id)];
        (BalanceUpdate? update, Signature signature) = signed.Length == 0 || world.Random.Next(3) == 0
            ? ((BalanceUpdate?)null, default(Signature))
            : signed[world.Random.Next(signed.Length)];
        ContractCall.StartClose call = new(channel.Id, channel.Terms, update, signature);
        world.Log.Trace($"b cheats: {call.Text}");
        Network.Send(cheat.Us.Owner, 0, call);
    }

    private void Expire()
    {
        if (_censoredUntilMs <= NowMs) Network.Censored = null;
        if (_dearUntilMs <= NowMs) Network.BaseFee = SimulatedNetwork.Gwei;
        if (_fullUntilMs <= NowMs) Network.InclusionPercent = 100;
    }

    /// <summary>With every block: whether a window is so near its end that nothing more may happen.</summary>
    public void KeepToTheLimits()
    {
        Expire();
        bool wasCalm = IsCalm;
        IsCalm = world.Channels.Any(channel => IsNearItsEnd(Network.Head.Contract.PotsOf(channel.Id)));
        if (IsCalm && !wasCalm) world.Log.Trace("a window is near its end");
        if (IsCalm || _hasStopped) Calm();
    }

    private bool IsNearItsEnd(Pots pots) => pots.IsClosing
        && pots.ClosesAtSeconds > world.Time.NowSeconds
        && pots.ClosesAtSeconds - world.Time.NowSeconds <= world.WindowSeconds / CalmPartOfWindow;

    private void Calm()
    {
        Network.Censored = null;
        Network.InclusionPercent = 100;
        Network.BaseFee = UInt128.Min(Network.BaseFee, BaseFeeCalmMax);
        foreach (WorldHome home in world.Homes)
        {
            if (home is WorldPlace { IsHonest: false }) continue;
            home.Weather.Clear();
            home.Weather.CutAtNextBroadcast = false;
            home.SlowDiskUntilMs = 0;
            if (home.Process is { } process) process.Store.CutAtNextCommit = null;
            else if (_hasStopped || home is not WorldPlace place || !MayStayAway(place)) home.DownUntilMs = 0;
        }
    }

    /// <summary>What the node acknowledged where a window ends is with the tower.</summary>
    private bool MayStayAway(WorldPlace place) => world.Tower.IsThere && world.Channels.All(
        channel => !Network.Head.Contract.PotsOf(channel.Id).IsClosing || world.Tower.HasAll(place, channel));

    /// <summary>For good. A dishonest side may be silent from now on.</summary>
    public void Stop()
    {
        _hasStopped = true;
        (PartitionedUntilMs, TowerAwayUntilMs, _censoredUntilMs, _dearUntilMs, _fullUntilMs) = (0, 0, 0, 0, 0);
        Expire();
        Calm();
        WorldPlace cheat = world.Places[1];
        if (cheat.IsHonest) return;
        cheat.Weather.Clear();
        cheat.SlowDiskUntilMs = 0;
        if (world.Random.Next(2) == 0)
        {
            world.CutPower(cheat);
            cheat.DownUntilMs = long.MaxValue;
            world.Log.Trace("b is silent from now on");
        }
        else
        {
            cheat.DownUntilMs = 0;
        }
    }
}
