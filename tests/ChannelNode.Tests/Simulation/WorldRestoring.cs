using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// In a quarter of the seeds one node is backed up while it runs, goes on, loses its disk, and is started from the copy, marked as
/// `backup restore` marks it. What must hold then, besides all that always must:
/// <list type="bullet">
/// <item>It signs nothing in a channel before its peer has told where that stands, nothing below what the peer has, and no other payment in
/// the place of one that the peer has (<see cref="SpokenWords"/>).</item>
/// <item>Of what its lost self was asked for, no deposit is made twice, nor is a close started more often than asked for
/// (<see cref="WorldWishes"/>, <see cref="WorldJobs"/>); and it takes its lost self's transactions for a stranger's only where the pool did
/// not show them and they were mined later. Whoever asks again looks first whether it was done.</item>
/// <item>Its peer, if honest, is paid all that it has acknowledged, as always.</item>
/// <item>Of a peer that hides nothing it is offered all again that it had acknowledged and lost, once the hold is over; and is paid it,
/// unless somebody began to close the channel alone before that (<see cref="WorldTruth.CheckLost"/>). Of a peer that cheats it has what the
/// copy and its watchtower know, and whatever it has acknowledged since: also where the peer has a close mined that the lost self signed
/// in its last moment.</item>
/// <item>Where the peer shows that the lost self has paid more than the copy knows, nothing is paid before its owner has looked; it does
/// so sooner or later.</item>
/// <item>What operators and applications were told up to the backup is not told again; what comes after it, under new cursors.</item>
/// </list>
/// With a random generator of its own: until the disk is lost, everything is as it would be without.
/// </summary>
internal sealed class WorldRestoring
{
    /// <summary>A restored node is not paid for so long, and a little more for the block that says so.</summary>
    private const long HoldMs = ((long)ChannelAgreements.CloseDeadlineSecondsMax + (long)RestoredHold.SkewSecondsMax + 60) * 1_000;

    private readonly ChannelWorld _world;
    private readonly Random _random;
    private readonly WorldPlace _place;
    private readonly List<ContractCall.Close> _closesOfLost = [];
    private SimulatedDisk? _copy;
    private long _copiedAtMs;
    private bool _isLost;

    /// <summary>Steps until it is backed up, then until its disk is lost, then until all are away for as long as it is held: most never are.</summary>
    private int _stepsToBackup, _stepsToLoss, _stepsToPause;

    public WorldRestoring(ChannelWorld world, bool isPossible)
    {
        _world = world;
        _random = new Random(world.Shape.Seed ^ 0x2e5702e);
        bool isOn = _random.Next(4) == 0 && isPossible && !world.Shape.Without.Contains(WorldFault.Restore);
        _place = world.Places[_random.Next(2)];
        _stepsToBackup = isOn ? _random.Next(1, 30) : int.MaxValue;
        _stepsToLoss = _random.Next(1, 20);
        _stepsToPause = _random.Next(3) == 0 ? _random.Next(3, 15) : int.MaxValue;
    }

    private Pots PotsOf(Channel channel) => _world.Network.Head.Contract.PotsOf(channel.Id);

    private bool IsAnyClosing => _world.Channels.Any(channel => PotsOf(channel).IsClosing);

    private bool IsAnyWindowOpen => _world.Channels.Any(
        channel => PotsOf(channel) is { IsClosing: true } pots && pots.ClosesAtSeconds >= _world.Network.Head.Seconds);

    /// <summary>With each step.</summary>
    public void Happen()
    {
        if (_stepsToBackup > 0)
        {
            _stepsToBackup--;
        }
        else if (_copy is null)
        {
            if (_place.IsUp) BackUp();
        }
        else if (!_isLost)
        {
            if (_stepsToLoss-- <= 0 && !_world.Faults.IsCalm) Lose();
        }
        else
        {
            if (_stepsToPause-- <= 0 && !IsAnyClosing && _stepsToPause > -20) Pause();
            UseAClose();
            if (_random.Next(6) == 0) Resume();
        }
    }

    private void BackUp()
    {
        _world.Log.Trace($"{_place.Name} is backed up");
        (_copy, _copiedAtMs) = (_place.Disk.Copy(), _world.Time.NowMs);
        _place.Journal.BackUp();
    }

    private void Lose()
    {
        _isLost = true;
        _place.ForgottenSinceBlock = _world.Network.Head.Number;
        _world.CutPower(_place);
        SimulatedStore lost = new(_place.Disk);
        foreach (JobAttempt attempt in lost.ReadJobs().SelectMany(job => job.Attempts)) _place.ForgottenTransactions.Add(attempt.Hash);
        WorldPlace other = _world.Other(_place);
        if (!other.IsHonest) SignCloses(lost);

        _place.Disk.ReplaceBy(_copy!);
        SimulatedStore copy = new(_place.Disk);
        copy.MarkRestored(_world.Time.NowMs, _copiedAtMs);
        _world.Log.Trace($"{_place.Name} has lost its disk, and is restored from a copy {(_world.Time.NowMs - _copiedAtMs) / 1_000} s old");
        _world.Tally.Restored++;
        SimulatedStore others = new(other.Disk);
        _place.Words.Restore(
            copy, _world.Channels, id => others.FindChannel(id)?.State.TheirSent ?? UInt128.Zero, () => other.HasMisspoken);
        _place.Journal.Restore();
        _world.Truth.CheckLost(_place);
        _world.Restored(_place, copy);
    }

    /// <summary>The lost self's last words: closes at the totals on which both agreed then, for as long as a node may sign one.</summary>
    private void SignCloses(SimulatedStore lost)
    {
        ulong nowSeconds = Math.Max(_world.Time.NowSeconds, _world.Network.Head.Seconds);
        foreach (Channel channel in _world.Channels)
        {
            if (lost.FindChannel(channel.Id) is not { } known) continue;
            if (Lifecycle.CloseTotals(known.Channel, known.State, out UInt128 sentA, out UInt128 sentB) != Refusal.None) continue;
            CooperativeClose close = new(
                channel.Id, sentA, sentB, nowSeconds + (ulong)_random.Next(60, (int)ChannelAgreements.CloseDeadlineSecondsMax));
            Signature a = new TestScheme(channel.Terms.A.Signer).Sign(close), b = new TestScheme(channel.Terms.B.Signer).Sign(close);
            _closesOfLost.Add(new ContractCall.Close(channel.Id, channel.Terms, close, a, b));
        }
    }

    /// <summary>Where it takes back what the peer has paid since; now and then another.</summary>
    private void UseAClose()
    {
        if (_closesOfLost.Find(Pays) is not { } close)
        {
            if (_closesOfLost.Count == 0 || _random.Next(25) > 0) return;
            close = _closesOfLost[_random.Next(_closesOfLost.Count)];
        }

        _closesOfLost.Remove(close);
        _world.Log.Trace($"b has what the lost a had signed: {close.Text}");
        _world.Network.Send(_world.Other(_place).Us.Owner, 0, close);
    }

    /// <summary>Its owner has looked what the lost self had paid.</summary>
    private void Resume()
    {
        if (!_place.IsUp || _place.Life is not { HasCaughtUp: true } life) return;
        foreach (Channel channel in _world.Channels)
        {
            if (life.Store.FindChannel(channel.Id)?.State.SentUnrecorded is not { } unrecorded || unrecorded == UInt128.Zero) continue;
            _world.Log.Trace($"{_place.Name} pays again in {ContractCall.Name(channel.Id)}, where {unrecorded} are not in its books");
            _world.Tally.Resumed++;
            _world.Carefully(_place, () => life.Do(() => _ = WorldPolicies.WithoutRefusals(
                LostPayments.ResumeAsync(life.Node.Ledger, life.Node.Book.Get(channel.Id), unrecorded, "its owner", default))));
        }
    }

    private bool Pays(ContractCall.Close close)
    {
        Side theirs = close.Terms.A == _place.Us ? Side.B : Side.A;
        UInt128 closed = theirs == Side.A ? close.What.SentA : close.What.SentB;
        return _place.Words.AcknowledgedOf(close.Channel) > closed;
    }

    /// <summary>Everybody is away until no close that the lost self may have signed can be mined any more.</summary>
    private void Pause()
    {
        _stepsToPause = int.MaxValue;
        _world.Log.Trace("all are away for as long as a restored node is held");
        long untilMs = _world.Time.NowMs + HoldMs;
        foreach (WorldHome home in _world.Homes)
        {
            bool isGone = home.DownUntilMs == long.MaxValue;
            _world.CutPower(home);
            if (!isGone) home.DownUntilMs = untilMs;
        }

        _world.Time.MoveTo(untilMs);
        // Deeper than any reorganisation: what is mined first is not mined an hour earlier later.
        for (uint block = 0; block < _place.Options.ConfirmationsLarger; block++) _world.Mine();
    }

    /// <summary>The faults have stopped. Nobody closes anything before a restored node was offered again what it had lost.</summary>
    public void Heal()
    {
        if (!_isLost) return;
        for (int rounds = 0; rounds < 4 || IsAnyWindowOpen; rounds++)
        {
            if (rounds < 4) _world.LiftRules();
            Resume();
            _world.Pass(5_000);
        }

        if (_place.Life is { HasCaughtUp: true, Node.Book.Hold.IsOn: false }) return;
        Pause();
        for (int rounds = 0; rounds < 40 && !IsWhole; rounds++)
        {
            _world.LiftRules();
            Resume();
            _world.Pass(5_000);
        }


        CheckRegained();
    }

    private bool IsWhole => _place is { IsUp: true, Life.Node.Book.Hold.IsOn: false } && Missing.Length == 0;

    /// <summary>Channels in which it still does not know what it had acknowledged, and should.</summary>
    private ChannelId[] Missing => [.. _place.Words.Lost.Where(id => !_world.Truth.IsLostForGood(_place, id))];

    private void CheckRegained()
    {
        if (!_place.IsHonest || !_world.Other(_place).IsHonest) return;
        Assert.False(_place.Life?.Node.Book.Hold.IsOn, $"{_place.Name} is still held");
        foreach (ChannelId id in Missing)
        {
            // What a mined close or the chain alone says is there without a signature.
            ChannelState state = _place.Life!.StateOf(id);
            Assert.True(
                state.TheirSent >= _place.Words.LostOf(id),
                $"{_place.Name} had acknowledged {_place.Words.LostOf(id)} in {id}, and was not offered it again: {state}");
        }
    }

    /// <summary>
    /// What the place must be paid of all that it had acknowledged and lost: all of it where its peer hides nothing and the channel was not
    /// closed in between; else what the watchtower has.
    /// </summary>
    public UInt128 Remembered(WorldPlace place, Channel channel)
    {
        bool isLost = !_world.Other(place).IsHonest || _world.Truth.IsLostForGood(place, channel.Id);
        return isLost ? UInt128.Min(place.Words.LostOf(channel.Id), _world.Tower.HasOf(place, channel)) : place.Words.LostOf(channel.Id);
    }
}
