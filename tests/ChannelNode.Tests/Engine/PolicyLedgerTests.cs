using System.Buffers;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Google.Protobuf;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>The operator's rules where money is taken and given: what is refused costs no good payment, and little work.</summary>
public sealed class PolicyLedgerTests : IAsyncLifetime
{
    private static readonly Address Ether = Address.Zero;

    private readonly SteppedTime _time = new();
    private readonly LedgerRig _rig;

    public PolicyLedgerTests() => _rig = new LedgerRig(time: _time);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private static Wire.Update Pays(UInt128 sent, params UInt128[] amounts) => Update(Side.B, sent, 0, amounts);

    private static PolicyRules In(AmountRules amounts) =>
        new() { Amounts = new Dictionary<Address, AmountRules> { [Ether] = amounts } };

    private Task SetAsync(PolicyRules rules) => ChangeAsync(new PolicyFact.TierRules(PolicyBook.DefaultTier, rules));

    private Task ChangeAsync(PolicyFact fact) => _rig.Ledger.RunAsync(
        turn =>
        {
            _rig.Policies.Book.Put(turn, fact);
            return true;
        },
        CancellationToken.None);

    private async Task AssertAsync(PeerFrame[] frames, int received, params (int Sent, Refusal Reason)[] refused)
    {
        OutgoingFrame said = await _rig.AnswerAsync(frames);

        Assert.Equal(refused, said.Refusals.Select(refusal => ((int)refusal.Sent, refusal.Reason)).Order());
        Assert.Equal((UInt128)received, _rig.Slot.State.TheirSent);
        if (received > 0 && said.Acknowledgements.Length > 0) Assert.Equal((UInt128)received, said.Acknowledgements[0].Received);
    }

    [Fact]
    public async Task RunAboveALimit_IsTakenUpToIt_AndTheRestIsRefusedByName()
    {
        await SetAsync(In(new AmountRules { SumPerMinuteMax = 25 }));

        await AssertAsync(
            [Of(Pays(10, 10), Pays(20, 10), Pays(30, 10), Pays(40, 10))],
            20, (30, Refusal.PolicyRefused), (40, Refusal.PolicyRefused));

        Assert.Equal((int[][])[[10, 10]], _rig.Journal());
        Assert.Equal(2, _rig.Scheme.Checked); // The newest, and the one that stands; none of those between.
    }

    [Fact]
    public async Task ManyUpdatesAboveALimit_CostTheWriterOneSignatureAndOneEntryOfTheAuditLog()
    {
        await SetAsync(In(new AmountRules { SumPerMinuteMax = 1 }));
        Wire.Update[] all = [.. Enumerable.Range(1, 500).Select(sent => Pays((UInt128)sent, 1))];

        await _rig.AnswerAsync(Of(all));

        Assert.Equal(2, _rig.Scheme.Checked);
        PolicyAuditEntry entry = Assert.Single(_rig.Store.ReadAudit(0, 1_000));
        Assert.Equal(PolicyAuditKind.ReceivingRefused, entry.Kind);
        Assert.Equal(new PolicyDecision(PolicyRule.SumPerMinute, 500, 1), entry.Decision);

        _time.Advance(TimeSpan.FromMinutes(1));
        await _rig.LookAtPoliciesAsync();

        PolicyAuditEntry counted = _rig.Store.ReadAudit(entry.Cursor, 1_000).Single();
        Assert.Equal(498ul, counted.Count);
    }

    [Fact]
    public async Task RefusedUpdate_IsTakenWhenItsMinuteIsOver_AndTotalsGoOn()
    {
        await SetAsync(In(new AmountRules { SumPerMinuteMax = 100 }));
        await AssertAsync([Of(Pays(60, 60))], 60);
        await AssertAsync([Of(Pays(120, 60))], 60, (120, Refusal.PolicyRefused));

        _time.Advance(TimeSpan.FromSeconds(71));

        await AssertAsync([Of(Pays(120, 60))], 120);
        await AssertAsync([Of(Pays(121, 1))], 121);
    }

    [Fact]
    public async Task WhatWasTakenBefore_IsAcknowledgedAgain_WhateverTheRulesSayNow()
    {
        await AssertAsync([Of(Pays(60, 60))], 60);
        await ChangeAsync(new PolicyFact.Listed(PeerList.Deny, Sample.PartyB.Signer, ""));

        OutgoingFrame said = await _rig.AnswerAsync(Of(Pays(60, 60)));

        Assert.Equal((UInt128)60, said.Acknowledgements[0].Received);
        Assert.Empty(said.Refusals);
        await AssertAsync([Of(Pays(61, 1))], 60, (61, Refusal.PolicyRefused));
    }

    /// <summary>It would not be refused for its own sake, so no rule of the operator may hide what is wrong with it.</summary>
    [Fact]
    public async Task WhatIsWrongAnyway_IsRefusedForThatFirst()
    {
        await ChangeAsync(new PolicyFact.Listed(PeerList.Deny, Sample.PartyB.Signer, ""));

        await AssertAsync([Of(Pays(1_001, 1_001))], 0, (1_001, Refusal.InsufficientBalance));
        await AssertAsync([Of(Pays(5, 4))], 0, (5, Refusal.PaymentsMismatch));
    }

    [Fact]
    public async Task SmallPaymentAmongLarger_IsRefusedWithThoseAfterIt()
    {
        await SetAsync(In(new AmountRules { PaymentMin = 5 }));

        await AssertAsync(
            [Of(Pays(10, 10), Pays(24, 10, 4), Pays(30, 6))], 10, (24, Refusal.PolicyRefused), (30, Refusal.PolicyRefused));
    }

    [Fact]
    public async Task Exposure_CountsWhatCameBeforeItsLimitWasSet_AndFallsWithTheChain()
    {
        await _rig.Ledger.RunAsync(
            turn =>
            {
                turn.Batch.PutChannel(_rig.Slot.Channel); // Counting reads all that is stored.
                return true;
            },
            CancellationToken.None);
        await AssertAsync([Of(Pays(60, 60))], 60);
        await SetAsync(In(new AmountRules { ExposureMax = 100 }));
        await AssertAsync([Of(Pays(100, 40))], 100);
        await AssertAsync([Of(Pays(101, 1))], 100, (101, Refusal.PolicyRefused));

        await _rig.Ledger.RunAsync(
            turn =>
            {
                Pots pots = _rig.Slot.Working.OnChain; // As after a claim of 30.
                _rig.Slot.Working = _rig.Slot.Working with { OnChain = new Pots(pots.PotA + 30, pots.SentA, pots.PotB - 30, 30, 0) };
                turn.Touch(_rig.Slot, durable: true);
                return true;
            },
            CancellationToken.None);

        await AssertAsync([Of(Pays(130, 30))], 130);
        await AssertAsync([Of(Pays(131, 1))], 130, (131, Refusal.PolicyRefused));
    }

    [Fact]
    public async Task DaysLimit_HoldsThroughARestart()
    {
        await SetAsync(In(new AmountRules { SumPerDayMax = 100 }));
        await AssertAsync([Of(Pays(60, 60))], 60);
        _time.Advance(TimeSpan.FromHours(3));
        await AssertAsync([Of(Pays(70, 10))], 70);

        PolicyBook again = new(_rig.Store);
        PeerUse use = again.Meter(Sample.PartyB.Signer, Ether, _time.GetUtcNow().ToUnixTimeMilliseconds()).Use(
            isSent: false, _time.GetUtcNow().ToUnixTimeMilliseconds());

        Assert.Equal((UInt128)70, use.DaySum);
        Assert.Equal(2ul, use.DayCount);
        Assert.Equal(UInt128.Zero, use.MinuteSum);

        _time.Advance(TimeSpan.FromHours(30));
        await AssertAsync([Of(Pays(80, 10))], 80);
        Assert.Single(_rig.Store.ReadPolicy().OfType<PolicyFact.Spent>());
    }

    [Fact]
    public async Task TierThatEnds_TakesItsRulesWithIt()
    {
        await SetAsync(In(new AmountRules { SumPerDayMax = 10 }));
        ulong until = (ulong)_time.GetUtcNow().ToUnixTimeSeconds() + 60;
        await ChangeAsync(new PolicyFact.Standing(Sample.PartyB.Signer, "institution", 0, until, default, default));
        await AssertAsync([Of(Pays(500, 500))], 500);

        _time.Advance(TimeSpan.FromSeconds(60));

        await AssertAsync([Of(Pays(511, 11))], 500, (511, Refusal.PolicyRefused));
        await _rig.LookAtPoliciesAsync();
        Assert.Contains(_rig.Store.ReadAudit(0, 100), entry => entry.Kind == PolicyAuditKind.TierExpired);
        Assert.Empty(_rig.Policies.Book.Standings);
    }

    /// <summary>What a close that was not mined had counted is made up for by a unit for nothing: refused, it would hold up all behind it.</summary>
    [Fact]
    public async Task UnitThatACloseHasLeft_IsNeverTooSmall()
    {
        await SetAsync(In(new AmountRules { PaymentMin = 5 }));

        await AssertAsync([Of(Update(Side.B, 1, 0))], 1);
        Wire.Update both = Pays(8);
        ArrayBufferWriter<byte> list = new();
        PaymentList.Write(list, 1, default);
        PaymentList.Write(list, 6, "item"u8);
        both.Payments = ByteString.CopyFrom(list.WrittenSpan);
        await AssertAsync([Of(both)], 8);
        await AssertAsync([Of(Pays(9, 1))], 8, (9, Refusal.PolicyRefused));
        await AssertAsync([Of(Update(Side.B, 10, 0))], 8, (10, Refusal.PolicyRefused));
    }

    [Fact]
    public async Task FloodOfRefusals_MakesFewEntries()
    {
        await SetAsync(new PolicyRules { Accept = AcceptFrom.Nobody });
        for (uint stranger = 1; stranger <= 5_000; stranger++)
        {
            Channel channel = Sample.Channel() with
            {
                Terms = Sample.Channel().Terms with { B = new Party(new Address(0, 9, stranger), new Address(0, 9, stranger)) },
            };
            await _rig.Ledger.RunAsync(turn => _rig.Policies.Propose(turn, channel, isOurs: false), CancellationToken.None);
        }

        Assert.Equal(RefusalSampler.EntriesPerMinuteMax, _rig.Store.ReadAudit(0, 10_000).Count);
        _time.Advance(TimeSpan.FromMinutes(1));
        await _rig.LookAtPoliciesAsync();

        PolicyAuditEntry unnamed = _rig.Store.ReadAudit(0, 10_000)[^1];
        Assert.Equal((PolicyAuditKind.RefusalsUnnamed, 5_000ul - RefusalSampler.EntriesPerMinuteMax), (unnamed.Kind, unnamed.Count));
    }

    [Fact]
    public async Task OwnLimitOfPaymentsToAPeer_RefusesWithRuleValueAndLimit_AndSignsNothing()
    {
        await SetAsync(In(new AmountRules { SumPerDayMax = 100 }) with { CountPerMinuteMax = 2 });

        Task<PaymentOutcome> first = PayAsync(60);
        await _rig.SaidAsync();
        PaymentOutcome above = await PayAsync(41);
        Task<PaymentOutcome> second = PayAsync(1);
        await _rig.SaidAsync();
        await _rig.AnswerAsync(Acknowledged(61));

        Assert.Equal(new PolicyDecision(PolicyRule.SumPerDay, 101, 100), above.No!.Decision);
        Assert.Equal(new PolicyDecision(PolicyRule.CountPerMinute, 3, 2), (await PayAsync(1)).No!.Decision);
        Assert.Equal((UInt128)61, _rig.Slot.State.Sent);
        Assert.All([first, second], paid => Assert.Equal(Refusal.None, paid.Result.Refusal));
    }

    private async Task<PaymentOutcome> PayAsync(UInt128 amount)
    {
        TaskCompletionSource<PaymentOutcome> done = new();
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, amount, "", done.SetResult), CancellationToken.None);
        return await done.Task;
    }
}
