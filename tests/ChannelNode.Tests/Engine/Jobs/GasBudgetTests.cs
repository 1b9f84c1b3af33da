using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

public sealed class GasBudgetTests
{
    private static readonly Address Token = new(0, 0, 0x70);

    private static readonly NodeOptions Options = new()
    {
        DataDirectory = "",
        KeyFile = "",
        RpcUrl = "",
        Contract = Address.Zero,
        GasBudgetWeiPerDay = 100,
        DisputeReserveWeiPerDay = 50,
    };

    private readonly StakeWorth _worth = new([], areOurs: true);
    private ulong _jobs;

    /// <summary>Whether a job may offer so much more.</summary>
    private bool Allows(Job job, int cost, ulong now, params Job[] others) => (UInt128)cost <= LeftFor(job, now, others);

    private UInt128 LeftFor(Job job, ulong now, params Job[] others) =>
        GasBudget.LeftFor(job, Lent.Of(job, _worth, 0), [job, .. others], _worth, Options, now);

    [Fact]
    public void Budget_CountsWhatIsPromisedAndWhatWasBurntToday_AndNothingTakesTheReserve()
    {
        Job claim = Of(JobKind.Claim), dispute = Of(JobKind.Dispute);
        Job promised = Offering(Of(JobKind.Claim), 40);
        Job burnt = Of(JobKind.Settle) with { Status = JobStatus.Done, SpentWei = 60, EndedAtSeconds = 10 };

        Assert.True(Allows(claim, 100, 11));
        Assert.False(Allows(claim, 101, 11));
        Assert.False(Allows(claim, 1, 11, promised, burnt));
        Assert.False(Allows(claim, 61, 11, promised with { Status = JobStatus.Mined }));
        Assert.True(Allows(claim, 60, 10 + 86_400, promised, burnt));
        Assert.True(Allows(dispute, 50, 11, promised, burnt));
        Assert.False(Allows(dispute, 51, 11, promised, burnt));
        Assert.Equal((UInt128)50, GasBudget.LeftFor(claim, Lent.Of(dispute, _worth, 0), [claim, promised, burnt], _worth, Options, 11));
        Assert.True(Allows(claim, 90, 11, dispute with { SpentWei = 60 }));
        Assert.False(Allows(claim, 91, 11, dispute with { SpentWei = 60 }));

        Assert.Equal(new GasLeft(100, 150), GasBudget.Left([claim, dispute], _worth, Options, 11));
        Assert.Equal(new GasLeft(0, 50), GasBudget.Left([claim, promised, burnt], _worth, Options, 11));
        Assert.Equal(new GasLeft(90, 90), GasBudget.Left([dispute with { SpentWei = 60 }], _worth, Options, 11));
    }

    [Fact]
    public void DisputeAboutMuch_MayBurnAQuarterOfItsStake_WhateverOthersHaveUsed()
    {
        Job[] others = [Of(JobKind.Settle) with { SpentWei = 100 }, Of(JobKind.Dispute) with { SpentWei = 50 }];
        Job large = About(4_000);

        Assert.Equal((UInt128)1_000, LeftFor(large, 0, others));
        Assert.Equal((UInt128)(1_000 + 150), LeftFor(large, 0));
        Assert.Equal((UInt128)0, LeftFor(About(null), 0, others));
    }

    /// <summary>One that fails again and again has a quarter of its stake in all, then the reserve like any.</summary>
    [Fact]
    public void QuarterOfAStake_IsOfAllJobsOfOneClosing()
    {
        Job again = About(4_000), failed = again with { Number = ++_jobs, Status = JobStatus.Failed, SpentWei = 980 };
        Job used = Of(JobKind.Dispute) with { SpentWei = 150 };

        Assert.Equal((UInt128)20, LeftFor(again, 0, failed, used));
        Assert.Equal((UInt128)1_000, LeftFor(again with { DeadlineSeconds = 900 }, 0, failed, used));
        Assert.Equal(new GasLeft(80, 80), GasBudget.Left([failed with { SpentWei = 1_070 }], _worth, Options, 0));
    }

    /// <summary>It may have been about less at first: what counts is the most that it was about.</summary>
    [Fact]
    public void QuarterOfAStake_IsOfTheGreatestOfOneClosing()
    {
        Job little = About(400) with { SpentWei = 900 }, much = little with { Number = ++_jobs, Stake = new Stake(Address.Zero, 4_000), SpentWei = 50 };

        Assert.Equal(new GasLeft(100, 150), GasBudget.Left([little, much], _worth, Options, 0));
        Assert.Equal(new GasLeft(100, 150), GasBudget.Left([much, little], _worth, Options, 0));
    }

    [Fact]
    public void ClaimInATokenWithoutARate_CountsInFull()
    {
        Job claim = Of(JobKind.Claim) with { DeadlineSeconds = 900, Stake = new Stake(Token, Amounts.Max), SpentWei = 60 };

        Assert.Equal(new GasLeft(90, 90), GasBudget.Left([claim], _worth, Options, 0));
        Assert.Equal((UInt128)90, LeftFor(claim with { Number = ++_jobs, SpentWei = 0 }, 0, claim));
        Assert.Equal(new GasLeft(100, 150), GasBudget.Left([claim], new StakeWorth([new TokenRate(Token, 1)], areOurs: true), Options, 0));
    }

    [Fact]
    public void WhatAStakePaysFor_IsNotCounted()
    {
        Job[] many = [.. Enumerable.Range(0, 100).Select(_ => Offering(About(4_000), 1_000))];

        Assert.Equal(new GasLeft(100, 150), GasBudget.Left(many, _worth, Options, 0));
        Assert.Equal((UInt128)150, LeftFor(About(null), 0, many));
        Assert.Equal(new GasLeft(100, 140), GasBudget.Left([.. many, Offering(About(4_000), 1_010)], _worth, Options, 0));
    }

    [Fact]
    public void DisputesAboutLessThanTheyCost_HaveHalfTheReserve_AndNothingElse()
    {
        Job dust = About(4);
        Job[] used = [.. Enumerable.Range(0, 2).Select(_ => Offering(About(4), 11))];

        Assert.Equal((UInt128)(1 + 25), LeftFor(dust, 0));
        Assert.Equal((UInt128)(1 + 5), LeftFor(dust, 0, used));
        // Its nonce is another's, and nobody knows yet which of both transactions is mined.
        Assert.Equal((UInt128)(1 + 5), LeftFor(dust, 0, used[0], used[1] with { Status = JobStatus.Waiting, Nonce = null }));
        Assert.Equal((UInt128)(150 - 20), LeftFor(About(null), 0, used));
        Assert.Equal((UInt128)60, LeftFor(About(60), 0, used));
        // What is left is left for all of them.
        Assert.Equal((UInt128)1, LeftFor(dust, 0, Of(JobKind.Settle) with { SpentWei = 100 }, Of(JobKind.Dispute) with { SpentWei = 50 }));
    }

    [Fact]
    public void TransactionInFrontOfADispute_MayBurnWhatTheDisputeMay()
    {
        Job[] others = [Of(JobKind.Settle) with { SpentWei = 100 }, Of(JobKind.Dispute) with { SpentWei = 50 }];
        Job large = About(4_000), dust = About(4), deposit = Of(JobKind.Deposit);

        Lent lent = Lent.Of(dust, _worth, 0).With(large, _worth, 0);

        Assert.Equal((UInt128)1_000, GasBudget.LeftFor(dust, lent, [dust, large, .. others], _worth, Options, 0));
        Assert.Equal((UInt128)1_000, GasBudget.LeftFor(deposit, lent.With(deposit, _worth, 0), [deposit, .. others], _worth, Options, 0));
        Assert.Equal((UInt128)150, GasBudget.LeftFor(dust, Lent.Of(dust, _worth, 0).With(About(null), _worth, 0), [dust], _worth, Options, 0) - 1);
    }

    [Fact]
    public void DeadlineThatIsOver_IsLentToNobody()
    {
        Job early = About(4) with { DeadlineSeconds = 100 }, late = About(4) with { DeadlineSeconds = 200 };

        Assert.Equal(100UL, Lent.Of(late, _worth, 99).With(early, _worth, 99).DeadlineSeconds);
        Assert.Equal(200UL, Lent.Of(early, _worth, 100).With(late, _worth, 100).DeadlineSeconds);
        Lent over = Lent.Of(late, _worth, 200);
        Assert.Equal((0UL, true, false), (over.DeadlineSeconds, over.IsProtective, over.IsRacing));
        // A claim can be mined until the channel is settled, which from then on can be at any time.
        Job claim = late with { Kind = JobKind.Claim };
        Assert.Equal((false, true), (Lent.Of(claim, _worth, 199).IsRacing, Lent.Of(claim, _worth, 200).With(early, _worth, 200).IsRacing));
    }

    /// <summary>Else disputes about little, once their share is used up, would stop whatever stands before them.</summary>
    [Fact]
    public void TransactionInFrontOfSmallDisputes_KeepsWhatItHasItself()
    {
        Job deposit = Of(JobKind.Deposit), dust = About(4);
        Job[] others = [About(1) with { SpentWei = Options.DisputeReserveWeiPerDay / 2 }];

        UInt128 alone = LeftFor(deposit, 0, others);

        Assert.Equal(alone, GasBudget.LeftFor(deposit, Lent.Of(dust, _worth, 0).With(deposit, _worth, 0), [deposit, dust, .. others], _worth, Options, 0));
        Assert.True(alone > GasBudget.LeftFor(dust, Lent.Of(dust, _worth, 0), [dust, .. others], _worth, Options, 0));
    }

    [Fact]
    public void StakeInATokenWithARate_IsWorthThatManyWei()
    {
        StakeWorth worth = new([new TokenRate(Token, 3_000)], areOurs: true);

        Assert.Equal((UInt128)1_500_000_000_000_000_000, worth.InWei(new Stake(Token, 4_500)));
        Assert.Equal((UInt128)333_333_333_333_333, worth.InWei(new Stake(Token, 1)));
        Assert.Equal(Amounts.Max, worth.InWei(new Stake(Token, Amounts.Max)));
        Assert.Equal((UInt128)7, worth.InWei(new Stake(Address.Zero, 7)));
        Assert.Null(worth.InWei(new Stake(new Address(0, 0, 0x71), 7)));
        Assert.Null(worth.InWei(null));
        UInt128 huge = new StakeWorth([new TokenRate(Token, Amounts.Max)], areOurs: true).InWei(new Stake(Token, Amounts.Max - 1))!.Value;
        Assert.InRange(huge, (UInt128)999_999_999_999_999_000, (UInt128)1_000_000_000_000_001_000);
    }

    [Fact]
    public void WhatMayHaveBeenPaidBack_PaysForNoGas()
    {
        Stake stake = new(Address.Zero, 4_000, Won: 800);

        Assert.Equal(((UInt128)4_000, (UInt128)200), (_worth.InWei(stake)!.Value, _worth.PaysFor(stake)));
    }

    /// <summary>They may be on both sides of a channel: it would cost them nothing to have much at stake.</summary>
    [Fact]
    public void StrangersStakes_PayForNothing_AndTheirTokensAreWorthNothing()
    {
        StakeWorth strangers = new([new TokenRate(Token, 1)], areOurs: false);

        Assert.Equal(UInt128.Zero, strangers.PaysFor(new Stake(Address.Zero, 4_000)));
        Assert.Equal(UInt128.Zero, strangers.InWei(new Stake(new Address(0, 0, 0x71), 7)));
        Assert.Equal((UInt128)7_000_000_000_000_000_000, strangers.InWei(new Stake(Token, 7)));
    }

    [Fact]
    public void Order_IsByWorth_ThenEachTokensLargest_ThenWhatIsNotWorthItsGas()
    {
        Address other = new(0, 0, 0x71);
        Stake?[] some =
        [
            new(Address.Zero, 9), new(Token, 5), new(Address.Zero, 200), null, new(other, 1), new(Address.Zero, 100), new(Token, 7),
            new(other, 3), new(Address.Zero, 12),
        ];

        Stake?[] expected =
        [
            new(Address.Zero, 200), new(Address.Zero, 100), new(Token, 7), null, new(other, 3), new(Token, 5), new(other, 1),
            new(Address.Zero, 12), new(Address.Zero, 9),
        ];
        Assert.Equal(expected, _worth.Order(some, stake => stake, cost: 50));
    }

    [Fact]
    public void OneAboutMuch_BeginsHoweverManyAboutLessAreUnderWay_AndOneAboutLessWaits()
    {
        List<Stake> underWay = [new(Address.Zero, 5), new(Address.Zero, 9), new(Token, 100)];
        Stake[] due = [new(Address.Zero, 4), new(Token, 1), new(Address.Zero, 7), new(Address.Zero, 200), new(Token, 3)];

        Stake[] begun = [.. _worth.ThatMayBegin(due, stake => stake, underWay, max: 2)];

        Assert.Equal([new(Address.Zero, 200), new(Token, 3)], begun);
        Assert.Equal([new Stake(Address.Zero, 6)], _worth.ThatMayBegin<Stake>([new(Address.Zero, 5), new(Address.Zero, 6)], it => it, [underWay[1]], max: 2));
        // However many are about the same.
        Assert.Equal(2, _worth.ThatMayBegin(Enumerable.Repeat(underWay[0], 9), it => it, [], max: 2).Count());
    }

    private Job About(int? stake) => Of(JobKind.Dispute) with { Stake = stake is { } wei ? new Stake(Address.Zero, (UInt128)wei) : null };

    private static Job Offering(Job job, int most) => job with
    {
        Status = JobStatus.Sent,
        Nonce = 7,
        Attempts = [new JobAttempt(AttemptKind.Completing, 7, default, new TransactionFees((UInt128)most, 1), 1, 0)],
    };

    private Job Of(JobKind kind) => new()
    {
        Number = ++_jobs,
        Kind = kind,
        Purpose = "",
        Channels = [new ChannelId(new Bytes32(0, 0, 0, _jobs))],
        Call = new ChainCall("", Address.Zero, 0, default),
        CreatedAtSeconds = 0,
    };
}
