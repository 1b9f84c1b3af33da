using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// What a payee tells of its limits, and a payer does with it: nothing is signed that would be refused, and nothing is held back
/// that would be taken, however much is under way when it is told.
/// </summary>
public sealed class LimitsToldTests : IAsyncLifetime
{
    private static readonly Address Ether = Address.Zero;

    private readonly SteppedTime _time = new();
    private readonly LedgerRig _rig;
    private readonly List<PaymentOutcome> _outcomes = [];

    public LimitsToldTests() => _rig = new LedgerRig(options => options with { UpdatesInFlightPerChannelMax = 100 }, _time);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private static PolicyRoom Room(PolicyRule rule, UInt128 left, UInt128 limit) => new(rule, left, limit);

    private ValueTask HearAsync(TokenTold told, bool refusesAll = false) => _rig.Session.ReceiveAsync(
        new PeerMessage.Limits(new PeerTold(refusesAll, new Dictionary<Address, TokenTold> { [Ether] = told })), CancellationToken.None);

    private ValueTask PayAsync(UInt128 amount) =>
        _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, amount, "", _outcomes.Add), CancellationToken.None);

    /// <summary>How a payment of the amount is refused; None where it is signed.</summary>
    private async Task<PolicyDecision> DecideAsync(UInt128 amount)
    {
        int before = _outcomes.Count;
        await PayAsync(amount);
        await _rig.SaidAsync();
        if (_outcomes.Count == before) return default;
        Assert.Equal(Refusal.PolicyRefused, _outcomes[^1].Refusal);
        Assert.Equal(string.Empty, _outcomes[^1].No!.Tier);
        return _outcomes[^1].No!.Decision;
    }

    [Fact]
    public async Task Payer_SignsNothingThatThePeerWouldRefuse_AndNamesItsRule()
    {
        await HearAsync(TokenTold.Nothing with { PaymentMin = 5, Sum = Room(PolicyRule.SumPerDay, 100, 300) });

        Assert.Equal(new PolicyDecision(PolicyRule.SmallestPayment, 4, 5), await DecideAsync(4));
        Assert.Equal(new PolicyDecision(PolicyRule.SumPerDay, 301, 300), await DecideAsync(101));
        Assert.Equal(UInt128.Zero, _rig.Slot.State.Sent);
        Assert.True((await DecideAsync(60)).IsAllowed);
        Assert.Equal(new PolicyDecision(PolicyRule.SumPerDay, 301, 300), await DecideAsync(41));
        Assert.True((await DecideAsync(40)).IsAllowed);
        Assert.Equal((UInt128)100, _rig.Slot.State.Sent);
        Assert.Equal(
            [(PolicyRule.SmallestPayment, "", "the peer has told this limit"), (PolicyRule.SumPerDay, "", "the peer has told this limit")],
            _rig.Store.ReadAudit(0, 10).Select(it => (it.Decision.Rule, it.Tier, it.Detail)));
    }

    /// <summary>What is acknowledged was counted when it was told how much is left.</summary>
    [Fact]
    public async Task Acknowledgement_MakesNoRoom_AnotherWordDoes()
    {
        await HearAsync(TokenTold.Nothing with { Sum = Room(PolicyRule.Exposure, 100, 100) });
        Assert.True((await DecideAsync(100)).IsAllowed);

        await _rig.AnswerAsync(Acknowledged(100));

        Assert.Equal(new PolicyDecision(PolicyRule.Exposure, 101, 100), await DecideAsync(1));
        await HearAsync(TokenTold.Nothing with { Sum = Room(PolicyRule.Exposure, 30, 100) });
        Assert.True((await DecideAsync(30)).IsAllowed);
        Assert.Equal(new PolicyDecision(PolicyRule.Exposure, 101, 100), await DecideAsync(1));
    }

    /// <summary>Of 60 that were signed before 30 are acknowledged, and ten are signed, in the turn in which it is told.</summary>
    [Fact]
    public async Task WhatIsUnderWayWhenItIsTold_TakesOfTheRoom_TheTurnInProgressIncluded()
    {
        await PayAsync(30);
        await PayAsync(20);
        await PayAsync(10);
        await _rig.SaidAsync();

        await _rig.WhileHeldAsync(async () =>
        {
            await _rig.Session.HearAsync([Acknowledged(30)]);
            await PayAsync(10);
            await HearAsync(TokenTold.Nothing with
            {
                Sum = Room(PolicyRule.SumPerMinute, 100, 1_000),
                Count = Room(PolicyRule.CountPerMinute, 5, 5),
            });
        });

        Assert.Equal(new PolicyDecision(PolicyRule.SumPerMinute, 1_001, 1_000), await DecideAsync(61));
        Assert.True((await DecideAsync(58)).IsAllowed);
        Assert.True((await DecideAsync(1)).IsAllowed);
        Assert.Equal(new PolicyDecision(PolicyRule.CountPerMinute, 6, 5), await DecideAsync(1));

        // And in a turn of its own, with the counts of those before.
        await _rig.AnswerAsync(Acknowledged(60));
        await HearAsync(TokenTold.Nothing with { Sum = Room(PolicyRule.SumPerMinute, 100, 1_000) });
        Assert.Equal(new PolicyDecision(PolicyRule.SumPerMinute, 1_001, 1_000), await DecideAsync(32));
        Assert.True((await DecideAsync(31)).IsAllowed);
    }

    [Fact]
    public async Task PeerThatIsPaidBeforeItTells_CountsWhatIsUnderWayOnce()
    {
        await PayAsync(7);
        await _rig.SaidAsync();
        await HearAsync(TokenTold.Nothing with { Count = Room(PolicyRule.CountPerDay, 3, 9) });
        await _rig.AnswerAsync(Acknowledged(7));
        await HearAsync(TokenTold.Nothing with { Count = Room(PolicyRule.CountPerDay, 2, 9) });

        Assert.True((await DecideAsync(1)).IsAllowed);
        Assert.True((await DecideAsync(1)).IsAllowed);
        Assert.Equal(new PolicyDecision(PolicyRule.CountPerDay, 10, 9), await DecideAsync(1));
    }

    [Theory]
    [InlineData(PolicyRule.Denied)]
    [InlineData(PolicyRule.Token)]
    [InlineData(PolicyRule.Deposit)]
    public async Task PeerThatTakesNothingInTheChannel_IsPaidNothing(PolicyRule rule)
    {
        await HearAsync(
            TokenTold.Nothing with { IsRefused = rule == PolicyRule.Token, DepositMax = rule == PolicyRule.Deposit ? 999u : 1_000u },
            refusesAll: rule == PolicyRule.Denied);

        Assert.Equal(rule, (await DecideAsync(1)).Rule);
        await HearAsync(TokenTold.Nothing with { DepositMax = 1_000 });
        Assert.True((await DecideAsync(1)).IsAllowed);
    }

    /// <summary>A limit that is lowered when the payment is on its way: it stays signed.</summary>
    [Fact]
    public async Task PaymentThatThePeerGoesOnRefusing_IsToldToTheOperatorOnce()
    {
        await PayAsync(30);
        await _rig.SaidAsync();
        for (int refused = 0; refused < 12; refused++)
        {
            await _rig.Ledger.EnqueueAsync(
                new TakeRefusal(_rig.Slot, 30, Refusal.PolicyRefused, 0, _ => { }, NullLogger.Instance), CancellationToken.None);
            await _rig.SaidAsync();
            Assert.Equal(refused < 7 ? 0 : 1, _rig.Store.ReadEvents(0, 10).Count);
            if (refused == 4) _rig.Slot.ClearRefusal(); // As a new session does.
            await _rig.Ledger.EnqueueAsync(new OfferAgain(_rig.Slot), CancellationToken.None);
            _time.Advance(TimeSpan.FromSeconds(2));
        }

        OperatorEvent told = _rig.Store.ReadEvents(0, 10)[0];
        Assert.Equal(
            (EventKind.PaymentStuck, EventSeverity.Warning, (UInt128)30, Refusal.PolicyRefused),
            (told.Kind, told.Severity, told.Amount, told.Refusal));
        Assert.Empty(_outcomes);
    }

    /// <summary>What nobody can take any more, or the peer goes on refusing, holds up no other channel.</summary>
    [Theory]
    [InlineData(false, false, 10)]
    [InlineData(true, false, 100)]
    [InlineData(false, true, 100)]
    public void UnderWayIsWhatThePeerMayStillTake(bool isClosed, bool isStuck, int left)
    {
        ChannelState state = Sample.Funded(1_000, 1_000) with { Sent = 90 };
        if (isClosed) state = state with { OnChain = state.OnChain with { PotA = 0, PotB = 0 } };
        ChannelSlot slot = new(Sample.Channel(), state, new PeerLinks())
        {
            IsStuckTold = isStuck,
            PeerRefusal = Refusal.PolicyRefused,
        };
        PeerRoom room = new([slot]);

        room.Take(new PeerTold(false, new Dictionary<Address, TokenTold>
        {
            [Ether] = TokenTold.Nothing with { Sum = Room(PolicyRule.Exposure, 100, 100) },
        }), []);

        Assert.Null(room.Refuse(default, Ether, (UInt128)left));
        Assert.NotNull(room.Refuse(default, Ether, (UInt128)left + 1));
    }

    /// <summary>A closed channel with payments that were never taken is opened anew: they can be taken again.</summary>
    [Fact]
    public void WhatIsUnderWayAgain_TakesOfTheRoom()
    {
        ChannelState open = Sample.Funded(1_000, 1_000) with { Sent = 90 };
        ChannelState closed = open with { OnChain = open.OnChain with { PotA = 0, PotB = 0 } };
        ChannelSlot slot = new(Sample.Channel(), closed, new PeerLinks());
        PeerRoom room = new([slot]);
        room.Take(new PeerTold(false, new Dictionary<Address, TokenTold>
        {
            [Ether] = TokenTold.Nothing with { Sum = Room(PolicyRule.Exposure, 100, 100) },
        }), []);

        slot.Working = open;
        Assert.True(room.Commit(slot));
        Assert.False(room.Commit(slot));

        Assert.Null(room.Refuse(default, Ether, 10));
        Assert.NotNull(room.Refuse(default, Ether, 11));
    }

    /// <summary>Else a newer acknowledgement would leave with older limits, in which what it acknowledges is room.</summary>
    [Fact]
    public void TurnThatIsBeingSaid_LeavesAsAWhole()
    {
        OutgoingFrame taken = new();
        _rig.Link.SendLimits(PeerTold.Nothing);
        _rig.Link.Acknowledge(_rig.Slot, withReceipt: false);

        Assert.False(_rig.Link.TryTake(ref taken));
        _rig.Link.EndTurn();
        Assert.True(_rig.Link.TryTake(ref taken));
        Assert.Equal((1, 1), (taken.Acknowledgements.Length, taken.Messages.Count));
    }

    [Fact]
    public async Task TokenThatTheNodeDoesNotAccept_IsToldOfToo_WhereThereIsAChannelInIt()
    {
        Address token = new(0, 0, 7);
        _rig.Link.Tokens.Add(token);
        await _rig.Ledger.RunAsync(
            turn =>
            {
                _rig.Policies.Book.Put(
                    turn, new PolicyFact.TierRules(PolicyBook.DefaultTier, new PolicyRules { CountPerDayMax = 3, Tokens = [Ether] }));
                return true;
            },
            CancellationToken.None);
        await _rig.LookAtPoliciesAsync();

        PeerTold told = (await _rig.SaidAsync()).Messages.OfType<PeerMessage.Limits>().Single().Told;
        Assert.Equal((true, Room(PolicyRule.CountPerDay, 3, 3)), (told.Tokens[token].IsRefused, told.Tokens[token].Count));
        Assert.False(told.Tokens[Ether].IsRefused);
    }

    private Task SetAsync(AmountRules amounts, Action<PolicyGate>? then = null) => _rig.Ledger.RunAsync(
        turn =>
        {
            PolicyRules rules = new() { Amounts = new Dictionary<Address, AmountRules> { [Ether] = amounts } };
            _rig.Policies.Book.Put(turn, new PolicyFact.TierRules(PolicyBook.DefaultTier, rules));
            then?.Invoke(_rig.Policies);
            return true;
        },
        CancellationToken.None);

    private static TokenTold? ToldIn(OutgoingFrame said) =>
        said.Messages.OfType<PeerMessage.Limits>().SingleOrDefault()?.Told.Tokens.GetValueOrDefault(Ether);

    [Fact]
    public async Task Payee_TellsWithEachAcknowledgementHowMuchIsLeft_ByTheTightestRule()
    {
        await SetAsync(new AmountRules { SumPerMinuteMax = 100, SumPerDayMax = 150, PaymentMin = 2, DepositMax = 5_000 }, gate => gate.Tell(_rig.Link));
        Assert.Equal(
            TokenTold.Nothing with { PaymentMin = 2, DepositMax = 5_000, Sum = Room(PolicyRule.SumPerMinute, 100, 100) },
            ToldIn(await _rig.SaidAsync()));

        OutgoingFrame said = await _rig.AnswerAsync(Of(Update(Side.B, 60, 0, 60)));
        Assert.Equal((UInt128)60, said.Acknowledgements[0].Received);
        Assert.Equal(Room(PolicyRule.SumPerMinute, 40, 100), ToldIn(said)!.Value.Sum);

        _time.Advance(TimeSpan.FromSeconds(70));
        await _rig.LookAtPoliciesAsync();
        Assert.Equal(Room(PolicyRule.SumPerDay, 90, 150), ToldIn(await _rig.SaidAsync())!.Value.Sum);
        await _rig.LookAtPoliciesAsync();
        Assert.Null(ToldIn(await _rig.SaidAsync())); // Nothing has changed.

        // What waits to be said is the newest, however often it was told meanwhile.
        await _rig.Session.HearAsync([Of(Update(Side.B, 70, 0, 10))]);
        said = await _rig.AnswerAsync(Of(Update(Side.B, 90, 0, 20)));
        Assert.Equal(((UInt128)90, Room(PolicyRule.SumPerDay, 60, 150)), (said.Acknowledgements[0].Received, ToldIn(said)!.Value.Sum));
    }

    /// <summary>
    /// What was accepted before a connection broke is used up of the limit already, and the payer, which missed the acknowledgement,
    /// takes it off once more until it hears where the channel stands: so it hears of the limit behind that.
    /// </summary>
    [Fact]
    public async Task PayeeThatSaysWhereAChannelStands_TellsItsLimitsBehindIt()
    {
        await SetAsync(new AmountRules { ExposureMax = 100 });
        await _rig.AnswerAsync(Of(Update(Side.B, 60, 0, 60)));

        await _rig.Session.ReceiveAsync(new PeerMessage.Reestablish(_rig.Slot.Channel.Id, 60, 0), CancellationToken.None);
        List<PeerMessage> said = (await _rig.SaidAsync()).Messages;

        Assert.Equal((UInt128)60, Assert.IsType<PeerMessage.Reestablish>(said[0]).Received);
        Assert.Equal(Room(PolicyRule.Exposure, 40, 100), Assert.IsType<PeerMessage.Limits>(said[1]).Told.Tokens[Ether].Sum);
    }

    [Fact]
    public async Task PayerThatMissedAnAcknowledgement_HasTheWholeRoom_WhenItHasHeardWhereTheChannelStands()
    {
        await PayAsync(60);
        await _rig.SaidAsync();
        await HearAsync(TokenTold.Nothing with { Sum = Room(PolicyRule.Exposure, 40, 100), Count = Room(PolicyRule.CountPerDay, 1, 2) });
        Assert.Equal(PolicyRule.Exposure, (await DecideAsync(1)).Rule);

        _rig.Slot.EstablishedOn = null;
        await _rig.Session.ReceiveAsync(new PeerMessage.Reestablish(_rig.Slot.Channel.Id, 0, 60), CancellationToken.None);
        await HearAsync(TokenTold.Nothing with { Sum = Room(PolicyRule.Exposure, 40, 100), Count = Room(PolicyRule.CountPerDay, 1, 2) });
        await _rig.SaidAsync();

        Assert.Equal(new PolicyDecision(PolicyRule.Exposure, 101, 100), await DecideAsync(41));
        Assert.True((await DecideAsync(40)).IsAllowed);
        Assert.Equal(PolicyRule.Exposure, (await DecideAsync(1)).Rule);
    }

    [Fact]
    public async Task RefusedPayment_IsAnsweredWithTheLimits_AndLiftedLimitsAreTold()
    {
        await SetAsync(new AmountRules { ExposureMax = 50 });

        OutgoingFrame said = await _rig.AnswerAsync(Of(Update(Side.B, 51, 0, 51)));

        Assert.Equal([((UInt128)51, Refusal.PolicyRefused)], said.Refusals.Select(it => (it.Sent, it.Reason)));
        Assert.Equal(Room(PolicyRule.Exposure, 50, 50), ToldIn(said)!.Value.Sum);
        await SetAsync(new AmountRules(), gate => gate.Tell(_rig.Link));
        Assert.Equal(PeerTold.Nothing, (await _rig.SaidAsync()).Messages.OfType<PeerMessage.Limits>().Single().Told);
    }
}
