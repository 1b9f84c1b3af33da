using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// In a third of the seeds operators have rules about each other's payments, and change them in mid-run: the smallest payment, sums and
/// numbers in a minute and a day, exposure, deposits; in the tier that all begin in, in another one, and for the peer alone. With a
/// random generator of its own: the other faults of a seed are drawn as they would be without.
/// </summary>
internal sealed class WorldPolicies
{
    private const string OtherTier = "other";

    private readonly ChannelWorld _world;
    private readonly Random _random;
    private readonly HashSet<WorldPlace> _ruled = [];
    private readonly bool _isOn;

    /// <summary>Rules that nothing but time makes tighter or looser, drawn once: then no payment is ever signed in vain.</summary>
    private readonly bool _isSteady;

    /// <summary>What a payer had signed in a channel when it first heard of its peer's steady rules.</summary>
    private readonly Dictionary<(WorldPlace Payer, ChannelId Channel), UInt128> _signedBefore = [];

    public WorldPolicies(ChannelWorld world)
    {
        _world = world;
        _random = new Random(world.Shape.Seed ^ 0x7011c1e5);
        _isOn = _random.Next(3) == 0;
        _isSteady = _random.Next(2) == 0;
    }

    /// <summary>With each step.</summary>
    public void Change()
    {
        if (_isOn) CheckRoomIsWhatWasTold();
        if (_isOn && _isSteady) CheckNothingIsSignedInVain();
        if (!_isOn || _random.Next(4) > 0) return;
        WorldPlace place = _world.Places[_random.Next(_world.Places.Count)];
        PolicyRules rules = _random.Next(4) == 0 ? PolicyRules.Nothing : Draft();
        Address peer = _world.Other(place).Us.Signer;
        int what = _random.Next(5);
        uint forSeconds = (uint)_random.Next(5, 120);
        if (place.Life is not { HasCaughtUp: true } life || !place.IsUp) return;
        if (_isSteady)
        {
            if (_ruled.Contains(place)) return;
            (what, rules) = (0, Steady());
        }

        _ruled.Add(place);
        _world.Tally.Rules++;
        _world.Log.Trace($"{place.Name} changes its rules ({what}): {rules} {string.Join(", ", rules.Amounts.Values)}");
        _world.Carefully(place, () => life.Do(() => _ = WithoutRefusals(what switch
        {
            0 or 1 => life.Node.Policies.SetTierRulesAsync(PolicyBook.DefaultTier, _ => rules, "changed", default),
            2 => life.Node.Policies.SetPeerRulesAsync(peer, _ => rules, "changed", default),
            3 => life.Node.Policies.SetTierRulesAsync(OtherTier, _ => rules, "changed", default),
            _ => life.Node.Policies.SetTierAsync(peer, OtherTier, life.Node.Clock.NowSeconds + forSeconds, "moved", default),
        })));
    }

    private PolicyRules Draft()
    {
        AmountRules amounts = new()
        {
            PaymentMin = Maybe(1, 40),
            SumPerMinuteMax = Maybe(20, 400),
            SumPerDayMax = Maybe(100, 1_500),
            ExposureMax = Maybe(50, 900),
            DepositMax = _random.Next(8) == 0 ? (UInt128)_random.Next(500, 3_000) : null,
        };
        return new PolicyRules
        {
            Amounts = new Dictionary<Address, AmountRules> { [Address.Zero] = amounts },
            CountPerMinuteMax = _random.Next(3) == 0 ? (uint)_random.Next(1, 12) : null,
            CountPerDayMax = _random.Next(6) == 0 ? (uint)_random.Next(5, 60) : null,
        };
    }

    private PolicyRules Steady() => new()
    {
        Amounts = new Dictionary<Address, AmountRules>
        {
            [Address.Zero] = new() { PaymentMin = Maybe(1, 40), SumPerMinuteMax = Maybe(50, 400), SumPerDayMax = (UInt128)_random.Next(200, 1_500) },
        },
        CountPerMinuteMax = _random.Next(3) == 0 ? (uint)_random.Next(2, 12) : null,
    };

    /// <summary>Once all that was said is heard, the payer counts as its peer does: no room leaks, and none is made up.</summary>
    private void CheckRoomIsWhatWasTold()
    {
        if (_world.HasAdversary || !_world.Places.All(place =>
            place is { IsUp: true, Life: { HasCaughtUp: true, Session.Link.HasWaiting: false }, Arriving.Count: 0, Giving.IsCompleted: true })) return;
        foreach (WorldPlace payer in _world.Places)
        {
            PeerLink hers = payer.Life!.Session!.Link, his = _world.Other(payer).Life!.Session!.Link;
            if (his.LimitsTold is not { } told || hers.Room is not { } room || room.Told != told || room.Left(Address.Zero) is not { } left) continue;
            ChannelSlot[] slots =
                [.. _world.Channels.Where(channel => channel.Terms.Token.IsZero).Select(channel => payer.Life.Node.Book.Peek(channel.Id)).OfType<ChannelSlot>()];
            if (slots.Any(slot => slot.IsStuckTold)) continue; // That may be counted or not.
            if (_world.Places.Any(place => place.ForgottenSinceBlock is not null)) continue; // What was lost and is offered again, too.
            UInt128 underWay = UInt128.Zero;
            foreach (ChannelSlot slot in slots.Where(slot => slot.State.Status != ChannelStatus.Closed))
                underWay += Amounts.Excess(slot.State.Sent, slot.PeerHas);
            PolicyRoom sum = told.Tokens[Address.Zero].Sum;
            UInt128 expected = sum.Rule == PolicyRule.None ? sum.Left : Amounts.Excess(sum.Left, underWay);
            Assert.True(
                left.Sum.Left == expected,
                $"{payer.Name} has {left.Sum} left, of the {sum} that it was told {expected} with {underWay} under way");
            _world.Tally.Rooms++;
        }
    }

    private void CheckNothingIsSignedInVain()
    {
        foreach (WorldPlace payee in _ruled)
        {
            WorldPlace payer = _world.Other(payee);
            if (!payer.IsHonest || !payer.IsUp || payer.Life is not { HasCaughtUp: true } life) continue;
            if (payee.HasMisspoken) continue; // It may have said an older limit anew.
            foreach (Channel channel in _world.Channels)
            {
                if (life.Node.Book.Peek(channel.Id) is not { } slot) continue;
                bool hasHeard = slot.Link?.Room is not null;
                if (!_signedBefore.TryGetValue((payer, channel.Id), out UInt128 before))
                {
                    if (hasHeard) _signedBefore[(payer, channel.Id)] = slot.State.Sent;
                    continue;
                }

                // A unit that only a mined close had counted, and the chain has taken back, is a payment to the payee alone.
                if (payee.Life?.Node.Book.Peek(channel.Id)?.State is not { } theirs || theirs.TheirTotal < slot.State.Acknowledged) continue;

                // What was signed before is offered again together with all behind it.
                Assert.False(
                    slot.PeerRefusal == Refusal.PolicyRefused && slot.State.Sent > before && slot.PeerHas >= before,
                    $"{payer.Name} has signed what {payee.Name} had said that it refuses, in {channel.Id}: {slot.State}");
            }
        }
    }

    private UInt128? Maybe(int from, int to) => _random.Next(3) == 0 ? (UInt128)_random.Next(from, to) : null;

    /// <summary>A node goes on from an older copy: what it had signed before it heard of rules is counted anew.</summary>
    public void Restore(WorldPlace payer)
    {
        foreach (Channel channel in _world.Channels) _signedBefore.Remove((payer, channel.Id));
    }

    /// <summary>All rules are lifted, also those of who is down now: called again until nothing is left.</summary>
    public void Lift()
    {
        foreach (WorldPlace place in _ruled)
        {
            if (!place.IsUp || place.Life is not { HasCaughtUp: true } life) continue;
            Address peer = _world.Other(place).Us.Signer;
            _world.Carefully(place, () => life.Do(() =>
            {
                _ = WithoutRefusals(life.Node.Policies.SetTierRulesAsync(PolicyBook.DefaultTier, _ => PolicyRules.Nothing, "lifted", default));
                _ = WithoutRefusals(life.Node.Policies.SetTierRulesAsync(OtherTier, _ => PolicyRules.Nothing, "lifted", default));
                _ = WithoutRefusals(life.Node.Policies.SetPeerRulesAsync(peer, _ => PolicyRules.Nothing, "lifted", default));
            }));
        }
    }

    /// <summary>The rules were lifted long ago, and nothing is closed yet: of what they kept waiting, nothing waits any more.</summary>
    public void CheckLifted()
    {
        if (_ruled.Count == 0 || _world.HasAdversary || !_world.Places.All(place => place.IsUp)) return;
        foreach (WorldPlace place in _world.Places)
        {
            foreach (Channel channel in _world.Channels)
            {
                ChannelSlot? slot = place.Life!.Node.Book.Peek(channel.Id);
                Assert.False(
                    slot?.PeerRefusal == Refusal.PolicyRefused,
                    $"{place.Name} is still refused by rules that are lifted in {channel.Id}: {slot?.State}");
            }
        }
    }

    public static async Task WithoutRefusals(Task change)
    {
        try
        {
            await change;
        }
        catch (RefusalException)
        {
            // The tier is not there yet, or the node stops.
        }
    }
}
