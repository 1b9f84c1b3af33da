using ChannelNode.Core;
using CsCheck;
using Xunit;

namespace ChannelNode.Tests.Core;

/// <summary>The operator's rules as functions: which one says no, with which value and limit.</summary>
public sealed class PolicyTests
{
    private static readonly Address Token = new(0, 0, 7);

    private static readonly PolicyRules Strict = new()
    {
        Accept = AcceptFrom.Listed,
        ChannelsMax = 2,
        CountPerMinuteMax = 3,
        CountPerDayMax = 5,
        Tokens = [Token],
        Amounts = new Dictionary<Address, AmountRules>
        {
            [Token] = new()
            {
                DepositMax = 1_000,
                PaymentMin = 10,
                ExposureMax = 500,
                SumPerMinuteMax = 100,
                SumPerDayMax = 300,
            },
        },
    };

    private static readonly PeerLimits Limits = LimitsOf(PolicyRules.Nothing, Strict, Token);

    private static PeerLimits LimitsOf(PolicyRules peer, PolicyRules tier, Address token, bool denied = false, bool listed = true) =>
        PeerLimits.Of(peer, tier, token, denied, listed);

    [Fact]
    public void WhereNothingIsSaid_EverythingIsAllowed()
    {
        PeerLimits none = LimitsOf(PolicyRules.Nothing, PolicyRules.Nothing, Token, listed: false);
        PeerUse much = new(Amounts.Max, Amounts.Max, ulong.MaxValue / 2, Amounts.Max, ulong.MaxValue / 2);

        Assert.True(Policy.Propose(none, 1_000_000).IsAllowed);
        Assert.True(Policy.Deposit(none, Amounts.Max).IsAllowed);
        Assert.True(Policy.Receive(none, much, Amounts.Max, new PaymentsTogether(1_000_000, Amounts.Max, 1)).IsAllowed);
        Assert.True(Policy.Send(none, much, new PaymentsTogether(1, Amounts.Max, 1)).IsAllowed);
        Assert.False(none.LimitsPayments);
    }

    [Fact]
    public void Proposal_IsRefusedByTheFirstRuleThatHolds()
    {
        Assert.Equal(PolicyRule.Denied, Policy.Propose(Limits with { IsDenied = true, Accept = AcceptFrom.Nobody }, 9).Rule);
        Assert.Equal(PolicyRule.AcceptNobody, Policy.Propose(Limits with { Accept = AcceptFrom.Nobody, TakesToken = false }, 9).Rule);
        Assert.Equal(PolicyRule.NotListed, Policy.Propose(Limits with { IsListed = false, TakesToken = false }, 9).Rule);
        Assert.Equal(PolicyRule.Token, Policy.Propose(LimitsOf(PolicyRules.Nothing, Strict, Address.Zero), 9).Rule);
        Assert.Equal(new PolicyDecision(PolicyRule.Channels, 3, 2), Policy.Propose(Limits, 2));
        Assert.True(Policy.Propose(Limits, 1).IsAllowed);
    }

    /// <summary>Each payment breaks this rule and all after it; one unit less of everything breaks none.</summary>
    [Fact]
    public void Payment_IsRefusedByTheFirstRuleThatHolds()
    {
        PeerUse use = new(Exposure: 450, MinuteSum: 60, MinuteCount: 2, DaySum: 260, DayCount: 4);
        PaymentsTogether fits = new(1, 40, 10);

        Assert.True(Policy.Receive(Limits, use, 1_000, fits).IsAllowed);
        Assert.Equal(new PolicyDecision(PolicyRule.Deposit, 1_001, 1_000), Policy.Receive(Limits, use, 1_001, new(2, 51, 9)));
        Assert.Equal(new PolicyDecision(PolicyRule.SmallestPayment, 9, 10), Policy.Receive(Limits, use, 1_000, new(2, 51, 9)));
        Assert.Equal(new PolicyDecision(PolicyRule.Exposure, 501, 500), Policy.Receive(Limits, use, 1_000, new(2, 51, 10)));
        Assert.Equal(
            new PolicyDecision(PolicyRule.SumPerMinute, 101, 100), Policy.Receive(Limits, use with { Exposure = 0 }, 0, new(2, 41, 10)));
        Assert.Equal(new PolicyDecision(PolicyRule.CountPerMinute, 4, 3), Policy.Receive(Limits, use, 0, new(2, 40, 10)));
        Assert.Equal(
            new PolicyDecision(PolicyRule.SumPerDay, 301, 300), Policy.Send(Limits, use with { MinuteSum = 0 }, new(1, 41, 1)));
        Assert.Equal(
            new PolicyDecision(PolicyRule.CountPerDay, 6, 5), Policy.Send(Limits, use with { DaySum = 0, DayCount = 5 }, fits));
    }

    [Fact]
    public void PeersOwnRule_ComesBeforeItsTiers_AndTheOthersStay()
    {
        PolicyRules own = new()
        {
            ChannelsMax = 9,
            Amounts = new Dictionary<Address, AmountRules> { [Token] = new() { SumPerDayMax = 7 } },
        };

        PeerLimits limits = LimitsOf(own, Strict, Token);

        Assert.Equal(9u, limits.ChannelsMax);
        Assert.Equal((UInt128)7, limits.SumPerDayMax);
        Assert.Equal((UInt128)100, limits.SumPerMinuteMax);
        Assert.Equal(AcceptFrom.Listed, limits.Accept);
    }

    /// <summary>What lets the ledger find how much of a run passes by going through it once.</summary>
    [Fact]
    public void RefusedPayments_AreRefusedWithMoreBehindThemToo()
    {
        Gen.Select(Gen.ULong[0, 600], Gen.ULong[0, 8], Gen.ULong[0, 200], Gen.ULong[0, 200], Gen.ULong[1, 50]).Sample(
            (used, count, sum, more, smallest) =>
            {
                PeerUse use = new(used, used / 4, count, used, count);
                PaymentsTogether some = new(count, sum, smallest), all = new(count + 1, sum + more, Math.Min(smallest, more));
                if (!Policy.Receive(Limits, use, 0, some).IsAllowed) Assert.False(Policy.Receive(Limits, use, 0, all).IsAllowed);
            });
    }
}
