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
    private bool _isCalm;
    private bool _hasStopped;

    public long PartitionedUntilMs { get; private set; }

    private SimulatedNetwork Network => world.Network;

    private long NowMs => world.Time.NowMs;

    public int DelayMs() => _hasStopped ? 1 : world.Random.Next(8) == 0 ? world.Random.Next(3_000) : world.Random.Next(1, 80);

    public void Happen()
    {
        Expire();
        if (_isCalm) return;
        WorldPlace place = world.Places[world.Random.Next(2)];
        if (Draw() is not { } fault || world.Shape.Without.Contains(fault)) return;
        switch (fault)
        {
            case WorldFault.PowerCut: Cut(place); break;
            case WorldFault.Rpc: SpoilRpc(place, isDown: world.Random.Next(2) == 0); break;
            case WorldFault.Partition: Partition(); break;
            case WorldFault.Censorship:
                Network.Censored = place.Us.Signer;
                _censoredUntilMs = NowMs + Long();
                world.Log.Trace($"{place.Name} is censored");
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
                if (Network.Drop(place.Us.Signer)) world.Log.Trace($"the pool forgets a transaction of {place.Name}");
                break;
            case WorldFault.SlowDisk: place.SlowDiskUntilMs = NowMs + world.Random.Next(1_000, 15_000); break;
            case WorldFault.Attack: Attack(); break;
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
        >= 20 when world.HasAdversary => WorldFault.Attack,
        _ => null,
    };

    private int Long() => world.Random.Next(5, (int)world.WindowSeconds) * 1_000;

    private void Cut(WorldPlace place)
    {
        if (place.Life is not { } life) return;
        if (world.Random.Next(4) == 0) place.DownUntilMs = NowMs + Long();
        switch (world.Random.Next(5))
        {
            case 0: world.CutPower(place); break;
            case 1: place.Weather.CutAtNextBroadcast = true; break;
            default: life.Store.CutAtNextCommit = (CutPoint)world.Random.Next(3); break;
        }
    }

    private void SpoilRpc(WorldPlace place, bool isDown)
    {
        (place.Weather.IsPoor, place.Weather.IsDown) = (true, isDown);
        place.PoorUntilMs = NowMs + Long();
        world.Log.Trace($"the RPC of {place.Name} is {(isDown ? "down" : "poor")} for {(place.PoorUntilMs - NowMs) / 1_000} s");
    }

    private void Partition()
    {
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
        switch (world.Random.Next(4))
        {
            case 0 when cheat.Life is { Session: not null } && victim.Heard.Count > 0:
                byte[] again = victim.Heard[world.Random.Next(victim.Heard.Count)];
                victim.Arriving.Enqueue((victim.Arriving.Count > 0 ? victim.Arriving.Last().AtMs : NowMs, again));
                world.Log.Trace("b repeats a message");
                break;
            case 1:
                world.Deposit(channel, SideOf(channel, cheat), (UInt128)world.Random.Next(100, 900));
                world.Log.Trace($"b deposits into {ContractCall.Name(channel.Id)}");
                break;
            default:
                bool isWorst = victim.Life is null || victim.Weather.IsDown || Network.Censored == victim.Us.Signer;
                if (isWorst || world.Random.Next(6) == 0) StartClose(channel, victim, cheat);
                break;
        }
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
        bool wasCalm = _isCalm;
        _isCalm = world.Channels.Any(channel => IsNearItsEnd(Network.Head.Contract.PotsOf(channel.Id)));
        if (_isCalm && !wasCalm) world.Log.Trace("a window is near its end");
        if (_isCalm || _hasStopped) Calm();
    }

    private bool IsNearItsEnd(Pots pots) => pots.IsClosing
        && pots.ClosesAtSeconds > world.Time.NowSeconds
        && pots.ClosesAtSeconds - world.Time.NowSeconds <= world.WindowSeconds / CalmPartOfWindow;

    private void Calm()
    {
        Network.Censored = null;
        Network.InclusionPercent = 100;
        Network.BaseFee = UInt128.Min(Network.BaseFee, BaseFeeCalmMax);
        foreach (WorldPlace place in world.Places.Where(it => it.IsHonest))
        {
            (place.Weather.IsPoor, place.Weather.IsDown, place.Weather.CutAtNextBroadcast) = (false, false, false);
            place.SlowDiskUntilMs = 0;
            if (place.Life is { } life) life.Store.CutAtNextCommit = null;
            else if (!world.Tower.IsThere || _hasStopped) place.DownUntilMs = 0;
        }
    }

    /// <summary>For good. A dishonest side may be silent from now on.</summary>
    public void Stop()
    {
        _hasStopped = true;
        (PartitionedUntilMs, _censoredUntilMs, _dearUntilMs, _fullUntilMs) = (0, 0, 0, 0);
        Expire();
        Calm();
        WorldPlace cheat = world.Places[1];
        if (cheat.IsHonest) return;
        (cheat.Weather.IsPoor, cheat.Weather.IsDown, cheat.SlowDiskUntilMs) = (false, false, 0);
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
