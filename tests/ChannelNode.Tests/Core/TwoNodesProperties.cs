using ChannelNode.Core;
using CsCheck;
using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Core;

/// <summary>What holds between two honest nodes, whatever the world does to their messages and to the chain.</summary>
public sealed class TwoNodesProperties(ITestOutputHelper output)
{
    private sealed record Script(bool OneWay, int[] Steps, int[] Presented, int Seed);

    private static readonly Gen<Script> Scripts = Gen.Select(
        Gen.Bool, Gen.Int[0, 1_000_000].Array[0, 120], Gen.Int[0, 1_000_000].Array[0, 8], Gen.Int[0, 1_000_000],
        (oneWay, steps, presented, seed) => new Script(oneWay, steps, presented, seed));

    [Fact]
    public void Settlement_PaysEachSideAtLeastWhatItCanProve_WhateverIsPresented()
    {
        int settled = 0;
        Property.Holds(output, Scripts, script =>
        {
            TwoNodes world = Run(script);
            world.SeeEverything();
            UInt128 provesA = Proven(world, Side.A), provesB = Proven(world, Side.B), funds = world.Chain.PotA + world.Chain.PotB;
            if (world.Chain.IsEmpty) return;
            (UInt128 paidA, UInt128 paidB) = world.EndWith(script.Presented);
            settled++;

            Assert.True(paidA >= provesA, $"A was paid {paidA}, but proves {provesA}");
            Assert.True(paidB >= provesB, $"B was paid {paidB}, but proves {provesB}");
            Assert.Equal(funds, paidA + paidB);
        });
        Assert.True(settled > 500, $"Only {settled} scripts ended with something to settle.");
    }

    /// <summary>
    /// Without an uncovered leftover of an earlier window, honest updates are covered one by one and together: the
    /// newest of each side decides, and order, repetition, and the loss or presence of older ones make no difference.
    /// </summary>
    [Fact]
    public void HonestUpdates_InAnyOrderAndNumber_EndInTheSamePots()
    {
        int compared = 0;
        Property.Holds(output, Scripts, script =>
        {
            TwoNodes world = Run(script);
            world.SeeEverything();
            if (LeftUncovered(world, Side.A) || LeftUncovered(world, Side.B)) return;
            List<(Side Side, BalanceUpdate Update)> all = [.. Signed(world, Side.A), .. Signed(world, Side.B)];
            List<(Side Side, BalanceUpdate Update)> newest = [.. Signed(world, Side.B).TakeLast(1), .. Signed(world, Side.A).TakeLast(1)];
            (Side Side, BalanceUpdate Update)[] shuffled = [.. all, .. all];
            new Random(script.Seed).Shuffle(shuffled);
            compared++;

            Assert.Equal(Present(world.Chain, newest), Present(world.Chain, shuffled));
        });
        Assert.True(compared > 500, $"Only {compared} scripts compared.");
    }

    /// <summary>
    /// A node's own state: of the updates of one peer, each with the payments above what the node has, any order, loss
    /// and repetition that ends with the newest ends in the same state; what comes late is refused as stale.
    /// </summary>
    [Fact]
    public void AcceptedUpdates_InAnyOrderWithTheNewestLast_EndInTheSameState() =>
        Property.Holds(output, Scripts, script =>
        {
            (Channel channel, ChannelState state, VerifiedUpdate[] updates) = Peer(script);
            if (updates.Length == 0) return;
            VerifiedUpdate[] shuffled = [.. updates, .. updates];
            new Random(script.Seed).Shuffle(shuffled);
            ChannelState expected = Take(channel, state, updates[^1]);

            Assert.Equal(expected, Take(channel, updates.Aggregate(state, (it, next) => Take(channel, it, next)), updates[^1]));
            ChannelState reached = shuffled.Aggregate(state, (it, next) => Take(channel, it, next));
            Assert.Equal(expected, reached);
            Assert.Equal(expected, shuffled.Aggregate(reached, (it, next) => Take(channel, it, next)));
        });

    /// <summary>
    /// With the payments of each update fixed when it is said, a lost one makes the next not add up: nothing is taken
    /// that is not itemized. Saying the newest again with all that is missing then heals it.
    /// </summary>
    [Fact]
    public void UpdatesWithFixedPayments_TakeAPrefixAndHealAfterLoss() =>
        Property.Holds(output, Scripts, script =>
        {
            (Channel channel, ChannelState state, VerifiedUpdate[] updates) = Peer(script);
            if (updates.Length == 0) return;
            var random = new Random(script.Seed);
            ChannelState reached = state;
            UInt128 said = state.TheirSent;
            foreach (VerifiedUpdate update in updates)
            {
                UInt128 payments = update.Update.Sent - said;
                said = update.Update.Sent;
                if (random.Next(4) == 0) continue;
                bool whole = reached.TheirSent + payments == update.Update.Sent;
                Refusal refusal = Updates.Accept(channel, reached, update, payments, out reached);
                Assert.Equal(whole ? Refusal.None : Refusal.PaymentsMismatch, refusal);
            }

            Assert.Equal(Take(channel, state, updates[^1]), Take(channel, reached, updates[^1]));
        });

    /// <summary>A payee that has funded nothing and a payer that signs ever larger totals, each covered.</summary>
    private static (Channel Channel, ChannelState State, VerifiedUpdate[] Updates) Peer(Script script)
    {
        Channel channel = Sample.Channel(Side.B, script.OneWay);
        ChannelState state = Sample.Funded(1_000_000, 0) with { Sent = script.OneWay ? 0 : (UInt128)500 };
        UInt128 sent = 0, received = 0;
        var updates = new List<VerifiedUpdate>();
        foreach (int step in script.Steps.Take(20))
        {
            sent += (UInt128)(step % 100) + 1;
            received = script.OneWay ? 0 : UInt128.Min(received + (UInt128)(step / 100 % 20), 500);
            updates.Add(Sample.Verified(Side.A, sent, received));
        }
        return (channel, state, [.. updates]);
    }

    /// <summary>Hears an update with the payments above what the node has; refused as stale it changes nothing.</summary>
    private static ChannelState Take(Channel channel, ChannelState state, VerifiedUpdate update)
    {
        UInt128 payments = Amounts.Excess(update.Update.Sent, state.TheirSent);
        Refusal refusal = Updates.Accept(channel, state, update, payments, out ChannelState next);
        bool stale = update.Update.Sent < state.TheirSent;
        Assert.Equal(stale ? Refusal.StaleSent : Refusal.None, refusal);
        return next;
    }

    private static TwoNodes Run(Script script)
    {
        var world = new TwoNodes(script.OneWay);
        foreach (int step in script.Steps) world.Step(step);
        return world;
    }

    /// <summary>Its pot, less all that it signed, plus what it has accepted and can show.</summary>
    private static UInt128 Proven(TwoNodes world, Side side) => world.StateOf(side).OurBalance(world.ChannelOf(side));

    /// <summary>
    /// A newest update that was on its way when a window was settled, and whose pot has not been filled for it. (What
    /// its side has received since may cover it, but only once that is presented too.)
    /// </summary>
    private static bool LeftUncovered(TwoNodes world, Side side) => world.SignedBy(side).Count > 0
        && world.SignedBy(side)[^1].Update is var newest
        && !world.StateOf(side).Covers(side, newest.Sent, newest.Received);

    private static IEnumerable<(Side Side, BalanceUpdate Update)> Signed(TwoNodes world, Side side) =>
        world.SignedBy(side).Select(signed => (side, signed.Update));

    private static Pots Present(Pots pots, IEnumerable<(Side Side, BalanceUpdate Update)> updates) =>
        updates.Aggregate(pots, (it, next) => it.Present(next.Side, next.Update.Sent, next.Update.Received));
}
