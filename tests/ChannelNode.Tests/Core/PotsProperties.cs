using ChannelNode.Core;
using CsCheck;
using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Core;

/// <summary>What holds of the contract's arithmetic for any updates whatever, honest or not.</summary>
public sealed class PotsProperties(ITestOutputHelper output)
{
    private sealed record Update(Side Payer, UInt128 Sent, UInt128 Received);

    /// <summary>Small and huge amounts alike, up to the largest.</summary>
    private static readonly Gen<UInt128> Amount = Gen.OneOf(
        Gen.UInt[0, 50].Select(amount => (UInt128)amount),
        Gen.UInt[0, 50].Select(amount => Amounts.Max - amount),
        Gen.ULong.Select(Gen.Int[0, 48], (amount, shift) => (UInt128)amount << shift));

    private static readonly Gen<Side> AnySide = Gen.Bool.Select(b => b ? Side.B : Side.A);

    private static readonly Gen<Update> AnyUpdate =
        Gen.Select(AnySide, Amount, Amount, (payer, sent, received) => new Update(payer, sent, received));

    private static readonly Gen<Update> SmallUpdate = Gen.Select(
        AnySide, Gen.UInt[0, 30], Gen.UInt[0, 30], (payer, sent, received) => new Update(payer, sent, received));

    private static readonly Gen<Pots> AnyPots = Gen.Select(Amount, Amount, Amount, Amount, (potA, potB, sentA, sentB) =>
        new Pots(potA, sentA, UInt128.Min(potB, Amounts.Max - potA), sentB, 0));

    [Fact]
    public void Present_ConservesFunds_LowersNoTotal_AndRecordsNoMoreThanWasSigned() =>
        Property.Holds(output, Gen.Select(AnyPots, AnyUpdate), pair =>
        {
            (Pots before, Update update) = pair;
            Pots after = Present(before, update);

            Assert.Equal(before.PotA + before.PotB, after.PotA + after.PotB);
            Assert.InRange(after.PotA, UInt128.Zero, Amounts.Max);
            Assert.InRange(after.PotB, UInt128.Zero, Amounts.Max);
            AssertBetween(before.SentOf(update.Payer), after.SentOf(update.Payer), update.Sent);
            AssertBetween(before.SentOf(update.Payer.Other()), after.SentOf(update.Payer.Other()), update.Received);

            // Each pot moved by just what was recorded.
            Assert.Equal(before.PotA + (after.SentB - before.SentB), after.PotA + (after.SentA - before.SentA));
        });

    [Fact]
    public void Present_IsMirrored_WhenTheSidesAreSwapped() =>
        Property.Holds(output, Gen.Select(AnyPots, AnyUpdate), pair =>
        {
            (Pots pots, Update update) = pair;

            Assert.Equal(Swap(Present(pots, update)), Present(Swap(pots), update with { Payer = update.Payer.Other() }));
        });

    [Fact]
    public void Present_WhatIsCovered_IsRecordedWhole() =>
        Property.Holds(output, Gen.Select(AnyPots, AnyUpdate), pair =>
        {
            (Pots before, Update update) = pair;
            UInt128 gives = Amounts.Excess(update.Sent, before.SentOf(update.Payer));
            UInt128 takes = Amounts.Excess(update.Received, before.SentOf(update.Payer.Other()));
            bool covered = before.PotOf(update.Payer) + takes >= gives
                && before.PotOf(update.Payer.Other()) + gives >= takes;
            Pots after = Present(before, update);
            bool whole = after.SentOf(update.Payer) >= update.Sent && after.SentOf(update.Payer.Other()) >= update.Received;

            Assert.Equal(covered, whole);
        });

    /// <summary>
    /// Where each pot alone covers everything: the componentwise largest totals count, so order, loss of what is
    /// dominated, and repetition make no difference. (For honest updates of two nodes the same holds without such
    /// pots: see <see cref="TwoNodesProperties"/>.)
    /// </summary>
    [Fact]
    public void Present_CoveredUpdatesInAnyOrderAndNumber_EndInTheSameState() =>
        Property.Holds(output, Gen.Select(SmallUpdate.Array[0, 12], Gen.Int[0, 1_000_000]), pair =>
        {
            (Update[] updates, int seed) = pair;
            var start = new Pots(1_000, 3, 1_000, 4, 0);
            Update[] shuffled = [.. updates, .. updates];
            new Random(seed).Shuffle(shuffled);

            Assert.Equal(updates.Aggregate(start, Present), shuffled.Aggregate(start, Present));
            Assert.Equal(Expected(start, updates), shuffled.Aggregate(start, Present));
        });

    /// <summary>
    /// Where pots are too small, a single presentation stops at the cap, and what one order records first may leave
    /// less for another. But presented again until nothing changes, they end in one state whatever the order, as long
    /// as there is anything in the pots to move.
    /// </summary>
    [Fact]
    public void Present_AnyUpdatesUntilNothingChanges_EndInTheSameStateInAnyOrder() =>
        Property.Holds(
            output,
            Gen.Select(SmallUpdate.Array[0, 6], Gen.UInt[1, 20], Gen.UInt[0, 20], Gen.Int[0, 1_000_000]),
            it =>
            {
                (Update[] updates, uint potA, uint potB, int seed) = it;
                var start = new Pots(potA, 0, potB, 0, 0);
                Update[] shuffled = [.. updates];
                new Random(seed).Shuffle(shuffled);

                Assert.Equal(UntilNothingChanges(start, updates), UntilNothingChanges(start, shuffled));
            });

    [Fact]
    public void AnySequenceOfCalls_ConservesFundsAndLowersNoTotal() =>
        Property.Holds(output, Gen.Select(Gen.Bool, Gen.Select(Gen.Int[0, 5], AnyUpdate).Array[0, 30]), it =>
        {
            (bool oneWay, (int Call, Update Update)[] calls) = it;
            Pots pots = default;
            UInt128 deposited = 0, paid = 0;
            uint now = 1_000;
            foreach ((int call, Update update) in calls)
            {
                now += 20;
                Pots before = pots;
                UInt128 amount = update.Sent / (UInt128)calls.Length; // So that several deposits fit.
                UInt128 funds = pots.PotA + pots.PotB;
                Refusal refusal = Call(ref pots, call, oneWay, update with { Sent = call == 0 ? amount : update.Sent }, now);
                if (refusal != Refusal.None) Assert.Equal(before, pots);
                UInt128 left = pots.PotA + pots.PotB;
                if (call == 0) deposited += left - funds;
                else paid += funds - left;

                Assert.Equal(deposited, paid + left);
                Assert.InRange(left, UInt128.Zero, Amounts.Max);
                AssertBetween(before.SentA, pots.SentA, Amounts.Max);
                AssertBetween(before.SentB, pots.SentB, Amounts.Max);
                if (oneWay) Assert.Equal((0, 0), ((int)pots.PotB, (int)pots.SentB));
            }
        });

    private static Refusal Call(ref Pots pots, int call, bool oneWay, Update update, ulong now)
    {
        Pots before = pots;
        UInt128 paidA = 0, paidB = 0;
        Refusal refusal = call switch
        {
            0 => pots.Deposit(oneWay, update.Payer, update.Sent, out pots),
            1 => pots.StartClose(now, 50, out pots),
            2 => pots.Dispute(oneWay, update.Payer, update.Sent, update.Received, now, out pots),
            3 => pots.Settle(now, out pots),
            4 => pots.Close(oneWay, update.Sent, oneWay ? 0 : update.Received, out pots, out paidA, out paidB),
            _ => oneWay ? pots.Claim(update.Sent, out pots, out paidB) : Refusal.OneWayChannel,
        };
        if (refusal == Refusal.None && call >= 4)
            Assert.Equal(before.PotA + before.PotB, pots.PotA + pots.PotB + paidA + paidB);
        return refusal;
    }

    private static Pots Present(Pots pots, Update update) => pots.Present(update.Payer, update.Sent, update.Received);

    private static Pots UntilNothingChanges(Pots pots, Update[] updates)
    {
        while (true)
        {
            Pots next = updates.Aggregate(pots, Present);
            if (next == pots) return pots;
            pots = next;
        }
    }

    private static Pots Expected(Pots start, Update[] updates)
    {
        UInt128 sentA = start.SentA, sentB = start.SentB;
        foreach (Update update in updates)
        {
            sentA = UInt128.Max(sentA, update.Payer == Side.A ? update.Sent : update.Received);
            sentB = UInt128.Max(sentB, update.Payer == Side.B ? update.Sent : update.Received);
        }
        UInt128 potA = start.PotA + (sentB - start.SentB) - (sentA - start.SentA);
        return new Pots(potA, sentA, start.PotA + start.PotB - potA, sentB, 0);
    }

    private static Pots Swap(Pots pots) => new(pots.PotB, pots.SentB, pots.PotA, pots.SentA, pots.ClosesAtSeconds);

    private static void AssertBetween(UInt128 from, UInt128 value, UInt128 to) =>
        Assert.InRange(value, from, UInt128.Max(from, to));
}
