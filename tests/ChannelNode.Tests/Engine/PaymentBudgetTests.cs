using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using ChannelNode.Tests.Storage;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>What a token may spend is spent in the write of the payments that spend it, and never more.</summary>
public sealed class PaymentBudgetTests
{
    private const long DayMs = 86_400_000;

    private readonly SimulatedTime _time = new();

    private static AccessToken Token(params SpendingCap[] caps) => new()
    {
        Number = 7,
        Name = "shop",
        Hash = default,
        Scopes = Scopes.Pay,
        Caps = caps,
        CreatedAtMs = 1,
    };

    private static SpendingCap Ether(int perPayment = 0, int perDay = 0, int perPeer = 0, int total = 0) =>
        new(Address.Zero, (UInt128)perPayment, (UInt128)perDay, (UInt128)perPeer, (UInt128)total);

    private static PaymentBudget Fresh(params SpendingCap[] caps) => new(new TokenLine(Token(caps)), []);

    private static async Task<PaymentOutcome> PayAsync(LedgerRig rig, PaymentBudget budget, int amount, string key = "")
    {
        PaymentOutcome? outcome = null;
        NotedPayment payment = new(rig.Slot, (UInt128)amount, key, it => outcome = it) { Budget = budget };
        await rig.Ledger.EnqueueAsync(payment, CancellationToken.None);
        OutgoingFrame said = await rig.SaidAsync();
        if (said.Updates.Length > 0) await rig.AnswerAsync(Frames.Acknowledged(said.Updates[^1].Balance.Sent));
        await rig.SaidAsync();
        return outcome ?? throw new InvalidOperationException("the payment was not answered");
    }

    private static async Task<BudgetBreach> BreachAsync(LedgerRig rig, PaymentBudget budget, int amount)
    {
        UInt128 before = rig.Slot.State.Sent;
        PaymentOutcome outcome = await PayAsync(rig, budget, amount);
        Assert.Equal(before, rig.Slot.State.Sent);
        Assert.Equal(outcome.Breach?.Refusal, outcome.Refusal);
        return outcome.Breach!;
    }

    private static async Task PaysAsync(LedgerRig rig, PaymentBudget budget, int amount) =>
        Assert.Equal(Refusal.None, (await PayAsync(rig, budget, amount)).Refusal);

    private static Task<BudgetBreach?> FundAsync(LedgerRig rig, PaymentBudget budget, bool opens, params (Address Currency, UInt128 Amount)[] deposits) =>
        rig.Ledger.RunAsync(turn => budget.Fund(turn, deposits, opens), CancellationToken.None);

    [Fact]
    public async Task Deposits_AreCoveredTogetherOrNotAtAll_AndPaymentsAreAnotherMatter()
    {
        await using LedgerRig rig = new(time: _time);
        Address dollar = StoreFolder.AddressOf(0xDD);
        PaymentBudget budget = Fresh(
            Ether(perPayment: 10) with { DepositPerDay = 30, DepositTotal = 70 }, new SpendingCap(dollar, 0, 0, 0, 0) { DepositTotal = 5 });

        Assert.Null(await FundAsync(rig, budget, opens: true, (Address.Zero, 20), (dollar, 5)));
        BudgetBreach? breach = await FundAsync(rig, budget, opens: true, (Address.Zero, 10), (dollar, 1));
        Assert.Equal(("deposit_total", "6", "5"), (breach!.Field, breach.Value, breach.Limit));
        Assert.Null(await FundAsync(rig, budget, opens: false, (Address.Zero, 10)));
        breach = await FundAsync(rig, budget, opens: false, (Address.Zero, 1));
        Assert.Equal(("deposit_per_day", "31", "30"), (breach!.Field, breach.Value, breach.Limit));
        Assert.True(breach.ResetsAtSeconds > 0);
        Assert.Equal("currency", (await FundAsync(rig, budget, opens: false, (StoreFolder.AddressOf(0xEE), 1)))!.Field);
        await PaysAsync(rig, budget, 10);

        _time.MoveTo(_time.NowMs + DayMs);
        Assert.Null(await FundAsync(rig, budget, opens: false, (Address.Zero, 30)));
        _time.MoveTo(_time.NowMs + DayMs);
        Assert.Equal("deposit_total", (await FundAsync(rig, budget, opens: false, (Address.Zero, 11)))!.Field);
        Assert.Equal(
            [(SpendingKind.Deposit, 60), (SpendingKind.Deposit, 5), (SpendingKind.Payment, 10)],
            rig.Store.ReadSpending().OrderBy(some => some.Kind == SpendingKind.Payment).ThenBy(some => some.Currency.ToString())
                .Select(some => (some.Kind, (int)some.Total)));
    }

    [Fact]
    public async Task ChannelsOfADay_AreCounted_AlsoAfterARestart()
    {
        await using LedgerRig rig = new(time: _time);
        AccessToken token = Token() with { Scopes = Scopes.Channels, ChannelsPerDayMax = 2 };
        PaymentBudget budget = new(new TokenLine(token), []);

        Assert.Null(await FundAsync(rig, budget, opens: true, (Address.Zero, 20)));
        Assert.Null(await FundAsync(rig, budget, opens: false, (Address.Zero, 20)));
        budget = new PaymentBudget(new TokenLine(token), rig.Store.ReadSpending());
        Assert.Null(await FundAsync(rig, budget, opens: true, (Address.Zero, 20)));
        BudgetBreach? breach = await FundAsync(rig, budget, opens: true, (Address.Zero, 20));

        Assert.Equal(("channels_per_day", "3", "2"), (breach!.Field, breach.Value, breach.Limit));
        Assert.Contains("channels_per_day of the token would be 3, expected at most 2; it begins anew at", breach.ToException().Message);
        _time.MoveTo(_time.NowMs + DayMs);
        Assert.Null(await FundAsync(rig, budget, opens: true, (Address.Zero, 20)));
    }

    [Fact]
    public async Task PaymentAboveTheCapOfOne_IsRefusedWithBoth()
    {
        await using LedgerRig rig = new(time: _time);
        PaymentBudget budget = Fresh(Ether(perPayment: 10));

        await PaysAsync(rig, budget, 10);
        BudgetBreach breach = await BreachAsync(rig, budget, 11);

        Assert.Equal(new BudgetBreach(Refusal.AccessTokenCapExceeded, "per_payment", "11", "10"), breach);
    }

    [Fact]
    public async Task PaymentThatTheOperatorsRulesRefuse_ChargesNothing_AndOneAboveACapCountsForNoRule()
    {
        await using LedgerRig rig = new(time: _time);
        PaymentBudget budget = Fresh(Ether(total: 100));
        PolicyRules rules = new() { Amounts = new Dictionary<Address, AmountRules> { [Address.Zero] = new() { SumPerDayMax = 50 } } };
        await rig.Ledger.RunAsync(
            turn =>
            {
                rig.Policies.Book.Put(turn, new PolicyFact.TierRules(PolicyBook.DefaultTier, rules));
                return true;
            },
            CancellationToken.None);

        Assert.Equal(Refusal.PolicyRefused, (await PayAsync(rig, budget, 60)).Refusal);
        Assert.All(budget.Spent, spent => Assert.Equal(UInt128.Zero, spent.Total));
        await BreachAsync(rig, Fresh(Ether(perPayment: 10)), 50);
        await PaysAsync(rig, budget, 50); // All that the rules leave for the day.
        Assert.Contains(budget.Spent, spent => spent.Total == 50);
    }

    [Fact]
    public async Task DaysCap_IsReachedToTheLastUnit_AndBeginsAnewWithTheDay()
    {
        await using LedgerRig rig = new(time: _time);
        PaymentBudget budget = Fresh(Ether(perDay: 30));

        await PaysAsync(rig, budget, 20);
        BudgetBreach breach = await BreachAsync(rig, budget, 11);
        await PaysAsync(rig, budget, 10);
        Assert.Equal("31", (await BreachAsync(rig, budget, 1)).Value);

        ulong midnight = (ulong)(_time.NowMs / DayMs + 1) * 86_400;
        Assert.Equal(new BudgetBreach(Refusal.AccessTokenCapExceeded, "per_day", "31", "30", midnight), breach);
        _time.MoveTo((long)midnight * 1_000 - 1);
        await BreachAsync(rig, budget, 1);
        _time.MoveTo((long)midnight * 1_000);
        await PaysAsync(rig, budget, 30);
        await BreachAsync(rig, budget, 1);
    }

    [Fact]
    public async Task ClockThatIsSetBack_OpensNoDayAgain()
    {
        await using LedgerRig rig = new(time: _time);
        uint today = (uint)(_time.NowMs / DayMs);
        PaymentBudget budget = new(new TokenLine(Token(Ether(perDay: 30))), [new Spending(7, default, default, today + 1, 30, 90)]);

        BudgetBreach breach = await BreachAsync(rig, budget, 1);

        Assert.Equal((today + 2) * 86_400UL, breach.ResetsAtSeconds);
    }

    [Fact]
    public async Task TotalCap_IsDrawnDownOverDays()
    {
        await using LedgerRig rig = new(time: _time);
        PaymentBudget budget = Fresh(Ether(total: 25));

        await PaysAsync(rig, budget, 15);
        _time.Advance(2 * DayMs);
        await PaysAsync(rig, budget, 10);
        _time.Advance(2 * DayMs);

        Assert.Equal(new BudgetBreach(Refusal.AccessTokenCapExceeded, "total", "26", "25"), await BreachAsync(rig, budget, 1));
    }

    [Fact]
    public async Task PeersCap_CountsWhatThisPeerGot()
    {
        await using LedgerRig rig = new(time: _time);
        uint today = (uint)(_time.NowMs / DayMs);
        Spending other = new(7, default, new Address(0, 0, 9), today, 20, 20);
        PaymentBudget budget = new(new TokenLine(Token(Ether(perPeer: 20))), [other, new Spending(7, default, default, today, 20, 20)]);

        await PaysAsync(rig, budget, 20);

        Assert.Equal("per_peer_per_day", (await BreachAsync(rig, budget, 1)).Field);
        Assert.Contains(budget.Spent, spent => spent.Peer == Sample.PartyB.Signer && spent.Today == 20);
        Assert.Contains(budget.Spent, spent => spent.Peer.IsZero && spent.Today == 40);
    }

    [Fact]
    public async Task CurrencyWithoutACap_IsNotSpent()
    {
        await using LedgerRig rig = new(time: _time);
        Address dollar = new(0, 0, 5);

        BudgetBreach breach = await BreachAsync(rig, Fresh(new SpendingCap(dollar, 0, 100, 0, 0)), 1);

        Assert.Equal(("currency", Address.Zero.ToString(), dollar.ToString()), (breach.Field, breach.Value, breach.Limit));
    }

    [Fact]
    public async Task WhatIsSpent_IsStoredWithThePaymentThatSpendsIt()
    {
        await using LedgerRig rig = new(time: _time);
        PaymentBudget budget = Fresh(Ether(perDay: 100, perPeer: 100));
        uint today = (uint)(_time.NowMs / DayMs);

        await PaysAsync(rig, budget, 20);
        await PaysAsync(rig, budget, 5);

        Spending[] expected =
        [
            new(7, default, default, today, 25, 25), new(7, default, Sample.PartyB.Signer, today, 25, 25),
        ];
        Assert.Equal(expected, rig.Store.ReadSpending());
        BudgetBreach breach = await BreachAsync(rig, new PaymentBudget(new TokenLine(Token(Ether(perDay: 30))), rig.Store.ReadSpending()), 6);
        Assert.Equal("31", breach.Value);
    }

    [Fact]
    public async Task PaymentsThatAreNotMade_AreNotCharged()
    {
        await using LedgerRig rig = new(time: _time);
        PaymentBudget budget = Fresh(Ether(perDay: 5_000));

        Assert.Equal(Refusal.None, (await PayAsync(rig, budget, 100, "key")).Refusal);
        Assert.True((await PayAsync(rig, budget, 100, "key")).Repeated);
        Assert.Equal(Refusal.IdempotencyKeyReused, (await PayAsync(rig, budget, 101, "key")).Refusal);
        Assert.Equal(Refusal.InsufficientBalance, (await PayAsync(rig, budget, 2_000)).Refusal);

        Assert.Equal((UInt128)100, Assert.Single(rig.Store.ReadSpending()).Total);
    }

    [Fact]
    public async Task CallersAtOnce_SpendTheCapToTheUnit()
    {
        await using LedgerRig rig = new(time: _time);
        PaymentBudget budget = Fresh(Ether(perDay: 100));
        int paid = 0, refused = 0;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            for (int count = 0; count < 20; count++)
            {
                NotedPayment payment = new(rig.Slot, 1, "", outcome => Interlocked.Increment(ref outcome.Refusal == Refusal.None ? ref paid : ref refused))
                {
                    Budget = budget,
                };
                await rig.Ledger.EnqueueAsync(payment, CancellationToken.None);
            }
        })));
        for (int look = 0; look < 100 && paid + refused < 320; look++)
        {
            await rig.AnswerAsync(Frames.Acknowledged(rig.Slot.State.Sent));
            await rig.SaidAsync();
        }

        Assert.Equal((100, 220), (paid, refused));
        Assert.Equal((UInt128)100, rig.Slot.State.Sent);
        Assert.Equal((UInt128)100, Assert.Single(rig.Store.ReadSpending()).Today);
    }

    [Fact]
    public async Task TokenWithoutCaps_WritesNothing()
    {
        await using LedgerRig rig = new(time: _time);

        await PaysAsync(rig, Fresh(), 100);

        Assert.Empty(rig.Store.ReadSpending());
    }

    [Fact]
    public async Task PaymentThatWaitedWhenItsTokenWasRevoked_IsRefused()
    {
        await using LedgerRig rig = new(options => options with { UpdatesInFlightPerChannelMax = 1 }, _time);
        TokenLine line = new(Token());
        PaymentBudget budget = new(line, []);
        List<Refusal> answers = [];
        foreach (int amount in (int[])[1, 2])
        {
            await rig.Ledger.EnqueueAsync(
                new NotedPayment(rig.Slot, (UInt128)amount, "", outcome => answers.Add(outcome.Refusal)) { Budget = budget },
                CancellationToken.None);
            await rig.SaidAsync();
        }

        line.Token = line.Token with { RevokedAtMs = 5 };
        await rig.AnswerAsync(Frames.Acknowledged(1));
        await rig.SaidAsync();

        Assert.Equal([Refusal.None, Refusal.AccessTokenRevoked], answers.Order());
        Assert.Equal((UInt128)1, rig.Slot.State.Sent);
    }

    [Fact]
    public async Task PaymentThatWaitedWhenItsTokenWasLimitedToOtherChannels_IsRefused()
    {
        await using LedgerRig rig = new(options => options with { UpdatesInFlightPerChannelMax = 1 }, _time);
        TokenLine line = new(Token() with { Channels = [rig.Slot.Channel.Id] });
        PaymentBudget budget = new(line, []);
        List<PaymentOutcome> answers = [];
        foreach (int amount in (int[])[1, 2])
        {
            await rig.Ledger.EnqueueAsync(
                new NotedPayment(rig.Slot, (UInt128)amount, "", answers.Add) { Budget = budget }, CancellationToken.None);
            await rig.SaidAsync();
        }

        line.Token = line.Token with { Channels = [StoreFolder.IdOf(0xC1)] };
        await rig.AnswerAsync(Frames.Acknowledged(1));
        await rig.SaidAsync();

        Assert.Equal([Refusal.None, Refusal.ChannelNotAllowed], answers.Select(answer => answer.Refusal).Order());
        RefusalException told = answers.Single(answer => answer.Breach is not null).Breach!.ToException();
        Assert.Equal((Refusal.ChannelNotAllowed, "channel_id"), (told.Refusal, told.Field));
        Assert.Equal((UInt128)1, rig.Slot.State.Sent);
    }

    [Fact]
    public async Task TokenWhoseTimeIsOver_PaysNothing()
    {
        await using LedgerRig rig = new(time: _time);
        PaymentBudget budget = new(new TokenLine(Token() with { ExpiresAtSeconds = _time.NowSeconds + 60 }), []);

        await PaysAsync(rig, budget, 1);
        _time.Advance(60_000);

        Assert.Equal(Refusal.AccessTokenExpired, (await BreachAsync(rig, budget, 1)).Refusal);
    }
}
