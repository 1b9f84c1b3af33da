using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Simulation;
using ChannelNode.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>What holds for a token holds for all that was narrowed from it: its caps, its channels, its end; also after a restart.</summary>
public sealed class NarrowedTokenTests : IAsyncLifetime
{
    private readonly SimulatedTime _time = new();
    private readonly LedgerRig _rig;
    private AccessTokenBook _book;

    public NarrowedTokenTests()
    {
        _rig = new LedgerRig(time: _time);
        _book = Open();
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _book.Dispose();
        await _rig.DisposeAsync();
    }

    private AccessTokenBook Open() => new(_rig.Store, _rig.Ledger, new NodeClock(_time), NullLogger<AccessTokenBook>.Instance);

    private void Restart()
    {
        _book.Dispose();
        _book = Open();
    }

    private static SpendingCap PerDay(int amount) => new(Address.Zero, 0, (UInt128)amount, 0, 0);

    private static AccessTokenOrder Order(params SpendingCap[] caps) => new("shop", Scopes.Pay | Scopes.Channels) { Caps = caps };

    private async Task<string> MakeAsync(AccessTokenOrder order, string? from = null) =>
        (await _book.CreateAsync(order, "desk", CancellationToken.None, parent: from is null ? null : _book.Require(from))).Secret;

    private AccessTokenEntry Entry(string secret) => _book.Require(secret);

    private Task RevokeAsync(string secret) => _book.RevokeAsync(Entry(secret).Token.Number, "desk", CancellationToken.None);

    private Task<AccessTokenEntry> UpdateAsync(string secret, Func<AccessToken, AccessToken> change) => UpdateAsync(Entry(secret).Token.Number, change);

    private Task<AccessTokenEntry> UpdateAsync(ulong number, Func<AccessToken, AccessToken> change) =>
        _book.UpdateAsync(number, change, "desk", CancellationToken.None);

    private async Task<BudgetBreach?> PayAsync(string secret, int amount)
    {
        PaymentOutcome? outcome = null;
        NotedPayment payment = new(_rig.Slot, (UInt128)amount, "", it => outcome = it) { Budget = Entry(secret).Budget };
        await _rig.Ledger.EnqueueAsync(payment, CancellationToken.None);
        OutgoingFrame said = await _rig.SaidAsync();
        if (said.Updates.Length > 0) await _rig.AnswerAsync(Frames.Acknowledged(said.Updates[^1].Balance.Sent));
        await _rig.SaidAsync();
        Assert.Equal(outcome!.Value.Refusal, outcome.Value.Breach?.Refusal ?? Refusal.None);
        return outcome.Value.Breach;
    }

    private async Task PaysAsync(string secret, int amount) => Assert.Null(await PayAsync(secret, amount));

    private async Task ExceedsAsync(string secret, int amount, string value, string limit, string whose)
    {
        BudgetBreach? breach = await PayAsync(secret, amount);
        Assert.Equal(("per_day", value, limit, whose), (breach!.Field, breach.Value, breach.Limit, breach.Whose));
    }

    private Task<BudgetBreach?> FundAsync(string secret, int amount, bool opens = false) => _rig.Ledger.RunAsync(
        turn => Entry(secret).Budget.Fund(turn, [(Address.Zero, (UInt128)amount)], opens), CancellationToken.None);

    private async Task<string[]> SpentAsync(params string[] secrets)
    {
        List<string> spent = [];
        foreach (string secret in secrets)
            spent.Add(string.Join(",", (await _book.SpentAsync(Entry(secret), CancellationToken.None)).Select(some => $"{some.Kind} {some.Today}")));
        return [.. spent];
    }

    private RefusalException Refused(string secret) => Assert.Throws<RefusalException>(() => _book.Require(secret));

    [Fact]
    public async Task WhatItSpends_EachThatItWasNarrowedFromSpendsWithIt()
    {
        string shop = await MakeAsync(Order(PerDay(10)));
        string kiosk = await MakeAsync(Order(), shop), desk = await MakeAsync(Order(PerDay(6)), shop), child = await MakeAsync(Order(PerDay(5)), kiosk);

        await PaysAsync(child, 5);
        await ExceedsAsync(child, 1, "6", "5", "the token");
        await PaysAsync(desk, 2);
        Restart();
        await PaysAsync(kiosk, 2);

        Assert.Equal(["Payment 9", "", "Payment 2", "Payment 5"], await SpentAsync(shop, kiosk, desk, child));
        await ExceedsAsync(kiosk, 2, "", "", "token 1 (which token 2 was narrowed from)");
        await ExceedsAsync(desk, 4, "", "", "token 1 (which token 3 was narrowed from)");
        Assert.Equal(["Payment 9", "", "Payment 2", "Payment 5"], await SpentAsync(shop, kiosk, desk, child)); // Nothing of what was refused, anywhere.
        await PaysAsync(shop, 1);
        await ExceedsAsync(desk, 1, "", "", "token 1 (which token 3 was narrowed from)");
    }

    [Fact]
    public async Task DepositsAndOpenings_AreThoseOfEachThatItWasNarrowedFrom_TogetherOrNotAtAll()
    {
        SpendingCap ten = PerDay(0) with { DepositPerDay = 10 };
        string shop = await MakeAsync(Order(ten) with { ChannelsPerDayMax = 2 });
        string kiosk = await MakeAsync(Order(ten with { DepositPerDay = 8 }) with { ChannelsPerDayMax = 2 }, shop);

        Assert.Null(await FundAsync(kiosk, 7, opens: true));
        Assert.Null(await FundAsync(shop, 3, opens: true));
        BudgetBreach? breach = await FundAsync(kiosk, 1);
        Assert.Equal(("deposit_per_day", "", "token 1 (which token 2 was narrowed from)"), (breach!.Field, breach.Value, breach.Whose));
        breach = await FundAsync(kiosk, 0, opens: true);
        Assert.Equal(("channels_per_day", "", "token 1 (which token 2 was narrowed from)"), (breach!.Field, breach.Value, breach.Whose));

        Assert.Equal(["Opening 2,Deposit 10", "Opening 1,Deposit 7"], await SpentAsync(shop, kiosk));
    }

    [Fact]
    public async Task RevokedToken_TakesAllThatWasNarrowedFromItAlong()
    {
        string shop = await MakeAsync(Order()), other = await MakeAsync(Order());
        string kiosk = await MakeAsync(Order(), shop), child = await MakeAsync(Order(), kiosk);
        AccessTokenEntry entry = Entry(child);

        await RevokeAsync(kiosk);

        Assert.True(entry.Ended.IsCancellationRequested);
        Assert.Equal("access token 3 (which token 4 was narrowed from) was revoked", entry.Why!.Message);
        Assert.False(Entry(shop).Ended.IsCancellationRequested);
        Assert.Equal((Refusal.AccessTokenRevoked, "access token 3 was revoked"), (Refused(kiosk).Refusal, Refused(kiosk).Message));
        Restart();
        Assert.Equal(Refusal.AccessTokenRevoked, Refused(child).Refusal);
        await PaysAsync(shop, 1);
        await PaysAsync(other, 1);
    }

    [Fact]
    public async Task PaymentThatWaitedWhenAnAncestorWasRevoked_IsRefused()
    {
        string shop = await MakeAsync(Order()), kiosk = await MakeAsync(Order(), shop);
        PaymentBudget budget = Entry(kiosk).Budget;

        await RevokeAsync(shop);

        PaymentOutcome? outcome = null;
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 1, "", it => outcome = it) { Budget = budget }, CancellationToken.None);
        await _rig.SaidAsync();
        Assert.Equal(Refusal.AccessTokenRevoked, outcome!.Value.Refusal);
    }

    [Fact]
    public async Task TokenThatExpires_EndsWhatWasNarrowedFromIt_AndIsGoodAgainWithIt()
    {
        string shop = await MakeAsync(Order() with { ExpiresAtSeconds = _time.NowSeconds + 60 });
        string kiosk = await MakeAsync(Order(PerDay(9)), shop), brief = await MakeAsync(Order() with { ExpiresAtSeconds = _time.NowSeconds + 70 }, shop);
        AccessTokenEntry old = Entry(kiosk);
        await PaysAsync(kiosk, 4);

        _time.Advance(80_000);
        Assert.True(old.Ended.IsCancellationRequested);
        Assert.Equal(Refusal.AccessTokenExpired, Refused(kiosk).Refusal);
        await UpdateAsync(1, token => token with { ExpiresAtSeconds = _time.NowSeconds + 60 });

        Assert.NotSame(old, Entry(kiosk));
        Assert.False(Entry(kiosk).Ended.IsCancellationRequested);
        Assert.Equal(Refusal.AccessTokenExpired, old.Why?.Refusal); // Calls of that time stay ended.
        await ExceedsAsync(kiosk, 6, "10", "9", "the token");
        Assert.Contains("token 3 expired", Refused(brief).Message, StringComparison.Ordinal);
        _time.Advance(61_000);
        Assert.Equal(Refusal.AccessTokenExpired, Refused(kiosk).Refusal);
    }

    [Fact]
    public async Task ChannelsThatATokenIsLimitedTo_LimitWhatWasNarrowedFromItAtOnce()
    {
        string shop = await MakeAsync(Order()), kiosk = await MakeAsync(Order(), shop);
        await PaysAsync(kiosk, 1);
        ChannelId other = StoreFolder.IdOf(0xC1);

        await UpdateAsync(shop, token => token with { Channels = [other, _rig.Slot.Channel.Id] });
        await UpdateAsync(kiosk, token => token with { Channels = [_rig.Slot.Channel.Id] });
        Assert.Equal([_rig.Slot.Channel.Id], Entry(kiosk).Line.Channels());
        await PaysAsync(kiosk, 1);
        await UpdateAsync(shop, token => token with { Channels = [other] });

        Assert.Equal(Refusal.ChannelNotAllowed, (await PayAsync(kiosk, 1))!.Refusal);
        Assert.Empty(Entry(kiosk).Line.Channels());
        Assert.True(Entry(kiosk).Line.IsConfined);
        await UpdateAsync(kiosk, token => token with { Channels = [] });
        Assert.True(Entry(kiosk).Line.IsConfined);
        Assert.Equal(Refusal.ChannelNotAllowed, (await PayAsync(kiosk, 1))!.Refusal);
    }

    [Fact]
    public async Task NarrowingAgainAndAgain_IsBounded_AndForgetsNothingThatIsYoungOrGood()
    {
        string shop = await MakeAsync(Order()), first = await MakeAsync(Order(), shop), second = await MakeAsync(Order(), first);
        async Task<string> RefusedAsync(string from) =>
            (await Assert.ThrowsAsync<RefusalException>(() => MakeAsync(Order(), from))) is { Refusal: Refusal.TooManyAccessTokens } no ? no.Message : "";

        string deepest = second;
        for (int depth = 2; depth < AccessToken.DepthMax; depth++) deepest = await MakeAsync(Order(), deepest);
        Assert.Contains("narrowed 8 times over, expected less than 8", await RefusedAsync(deepest), StringComparison.Ordinal);
        for (int made = AccessToken.DepthMax; made < AccessToken.NarrowedMax; made++) await MakeAsync(Order(), shop);
        Assert.StartsWith("100 tokens come of token 1 by narrowing", await RefusedAsync(second), StringComparison.Ordinal);
        await MakeAsync(Order(), await MakeAsync(Order())); // Another one's are its own.

        await RevokeAsync(first);
        Assert.NotEmpty(await RefusedAsync(shop));
        _time.Advance(3_600_000);
        Restart(); // What is to be forgotten first is known from the rows alone.
        for (int made = 1; made < AccessToken.DepthMax; made++) await MakeAsync(Order(), shop);
        Assert.Equal(Refusal.AccessTokenRevoked, Refused(first).Refusal); // Its own went before it.
        Assert.Equal(Refusal.AccessTokenInvalid, Refused(second).Refusal);
        await MakeAsync(Order(), shop);
        Assert.Equal(Refusal.AccessTokenInvalid, Refused(first).Refusal);
        Assert.NotEmpty(await RefusedAsync(shop));
        Restart();
        await PaysAsync(shop, 1);
    }

    /// <summary>Who bears a narrowed one leaves room for who bears the one that it comes of.</summary>
    [Fact]
    public async Task WhatWasNarrowed_IsNarrowedAgainTenTimes()
    {
        string shop = await MakeAsync(Order()), kiosk = await MakeAsync(Order(), shop), brief = "";
        for (int made = 0; made < AccessToken.NarrowedAgainMax; made++)
            brief = await MakeAsync(Order() with { ExpiresAtSeconds = _time.NowSeconds + 60 }, kiosk);

        RefusalException no = await Assert.ThrowsAsync<RefusalException>(() => MakeAsync(Order(), kiosk));
        Assert.Equal((Refusal.TooManyAccessTokens, "10", "10"), (no.Refusal, no.Value, no.Limit));
        Assert.StartsWith("10 tokens come of token 2 by narrowing", no.Message, StringComparison.Ordinal);
        await MakeAsync(Order(), shop);
        _time.Advance(3_600_000);
        await MakeAsync(Order(), kiosk);
        Assert.Equal(Refusal.AccessTokenExpired, Refused(brief).Refusal); // Not the oldest of them.
        Assert.Equal(10, (await _book.ListAsync(CancellationToken.None, Entry(kiosk))).Count);
    }

    /// <summary>A token whose row names one that is not there is not one without its limits, and the node starts.</summary>
    [Fact]
    public async Task TokenWithoutTheOneThatItWasNarrowedFrom_IsWorthNothing()
    {
        string shop = await MakeAsync(Order()), kiosk = await MakeAsync(Order(), shop), child = await MakeAsync(Order(), kiosk), other = await MakeAsync(Order());
        await _rig.Ledger.RunAsync(
            turn =>
            {
                turn.Batch.DropAccessToken(1);
                turn.RequireDurable();
                return true;
            },
            CancellationToken.None);

        Restart();

        Assert.Equal([Refusal.AccessTokenRevoked, Refusal.AccessTokenRevoked], [Refused(kiosk).Refusal, Refused(child).Refusal]);
        await PaysAsync(other, 1);
    }

    /// <summary>The token that is narrowed is over by the next look at the clock, and would be the oldest that is: its place is not given to its own child.</summary>
    [Fact]
    public async Task TokenThatExpiresWhileItIsNarrowed_IsNotForgottenForWhatComesOfIt()
    {
        string shop = await MakeAsync(Order());
        string brief = await MakeAsync(Order() with { ExpiresAtSeconds = _time.NowSeconds + 7_200 }, shop);
        while ((await _book.ListAsync(CancellationToken.None, Entry(shop))).Count < AccessToken.NarrowedMax) await MakeAsync(Order(), shop);
        _time.MoveTo(_time.NowMs - (_time.NowMs % 1_000) + 7_199_999);
        using AccessTokenBook hasty = new(_rig.Store, _rig.Ledger, new NodeClock(new HastyTime(_time)), NullLogger<AccessTokenBook>.Instance);
        AccessTokenEntry parent = hasty.Require(brief);

        RefusalException no = await Assert.ThrowsAsync<RefusalException>(
            () => hasty.CreateAsync(Order(), "desk", CancellationToken.None, parent: parent));

        Assert.Equal(Refusal.TooManyAccessTokens, no.Refusal);
        _time.MoveTo(_time.NowMs + 1);
        Restart();
        Assert.Equal(Refusal.AccessTokenExpired, Refused(brief).Refusal);
    }

    /// <summary>From its third look on a millisecond is over.</summary>
    private sealed class HastyTime(SimulatedTime time) : TimeProvider
    {
        private int _looks;

        public override DateTimeOffset GetUtcNow() => time.GetUtcNow().AddMilliseconds(++_looks > 2 ? 1 : 0);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            time.CreateTimer(callback, state, dueTime, period);
    }

    [Fact]
    public async Task WhereTheDiskIsLow_NothingIsNarrowed_AndAnythingTakenBack()
    {
        string shop = await MakeAsync(Order()), kiosk = await MakeAsync(Order(), shop);
        await _rig.Ledger.RunAsync(
            turn =>
            {
                _rig.Ledger.Disk.Take(0, turn);
                return true;
            },
            CancellationToken.None);

        RefusalException no = await Assert.ThrowsAsync<RefusalException>(() => MakeAsync(Order(), shop));
        Assert.Equal(Refusal.DiskLow, no.Refusal);
        await RevokeAsync(kiosk);
        Assert.Equal(Refusal.AccessTokenRevoked, Refused(kiosk).Refusal);
    }

    [Fact]
    public async Task OnlyWhatWasNarrowedFromIt_IsTakenBackAndListedByABearer()
    {
        string shop = await MakeAsync(Order()), other = await MakeAsync(Order());
        string kiosk = await MakeAsync(Order(), shop), child = await MakeAsync(Order(), kiosk), others = await MakeAsync(Order(), other);
        async Task<string> RefusedAsync(string from, string of) => (await Assert.ThrowsAsync<RefusalException>(
            () => _book.RevokeAsync(Entry(of).Token.Number, "desk", CancellationToken.None, from: Entry(from)))).Message;

        Assert.Equal("number is 5, expected one that was narrowed from token 1", await RefusedAsync(shop, others));
        Assert.Equal("number is 1, expected one that was narrowed from token 1", await RefusedAsync(shop, shop));
        Assert.Equal("number is 3, expected one that was narrowed from token 4", await RefusedAsync(child, kiosk));
        Assert.Equal([3UL, 4UL], (await _book.ListAsync(CancellationToken.None, Entry(shop))).Select(it => it.Entry.Token.Number));

        await _book.RevokeAsync(4, "desk", CancellationToken.None, from: Entry(shop));
        Assert.Equal(Refusal.AccessTokenRevoked, Refused(child).Refusal);
        Assert.Equal(0, Entry(kiosk).Token.RevokedAtMs);
    }

    [Fact]
    public async Task EachThatIsMadeOrTakenBack_IsInTheAuditLog()
    {
        string shop = await MakeAsync(Order(PerDay(10)) with { Methods = ["Pay"], ExpiresAtSeconds = 1_800_000_000, Channels = [StoreFolder.IdOf(0xC1)] });
        await MakeAsync(Order(), shop);
        await MakeAsync(Order() with { Channels = [.. Enumerable.Range(1, 64).Select(number => StoreFolder.IdOf((byte)number))] }, shop);
        await RevokeAsync(shop);

        string[] details = [.. _rig.Store.ReadAudit(0, 10).Select(entry => entry.Detail)];
        Assert.Equal(1_003, details[2].Length);
        Assert.EndsWith("...", details[2], StringComparison.Ordinal);
        Assert.Equal(
            [
                (PolicyAuditKind.AccessTokenCreated, "token 1 (shop): scopes pay, channels; methods Pay; expires_at 2027-01-15 08:00:00Z; "
                    + $"channel_ids {StoreFolder.IdOf(0xC1)}; per_day of ether 10 wei"),
                (PolicyAuditKind.AccessTokenCreated, "token 2 (shop): narrowed from token 1; scopes pay, channels"),
                (PolicyAuditKind.AccessTokenRevoked, "token 1 (shop), and 2 narrowed from it"),
            ],
            _rig.Store.ReadAudit(0, 10).Where(entry => entry.Cursor != 3).Select(entry => (entry.Kind, entry.Detail)));
        Assert.All(_rig.Store.ReadAudit(0, 10), entry => Assert.Equal("desk", entry.Actor));
    }
}
