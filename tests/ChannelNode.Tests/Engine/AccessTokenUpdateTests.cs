using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Simulation;
using ChannelNode.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A living token's limits change under it, and nothing that it has spent is forgotten.</summary>
public sealed class AccessTokenUpdateTests : IAsyncLifetime
{
    private readonly SimulatedTime _time = new();
    private readonly LedgerRig _rig;
    private AccessTokenBook _book;

    public AccessTokenUpdateTests()
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

    private Task<(AccessToken Token, string Secret)> CreateAsync(int perDay = 0, ulong expiresAt = 0) => _book.CreateAsync(
        new AccessTokenOrder("shop", Scopes.Pay) { Caps = perDay == 0 ? [] : [PerDay(perDay)], ExpiresAtSeconds = expiresAt },
        "", CancellationToken.None);

    private static SpendingCap PerDay(int amount) => new(Address.Zero, 0, (UInt128)amount, 0, 0);

    private Task<AccessTokenEntry> UpdateAsync(Func<AccessToken, AccessToken> change, ulong number = 1) =>
        _book.UpdateAsync(number, change, "access token 9 (desk)", CancellationToken.None);

    private async Task<PaymentOutcome> PayAsync(string secret, int amount)
    {
        PaymentOutcome? outcome = null;
        NotedPayment payment = new(_rig.Slot, (UInt128)amount, "", it => outcome = it) { Budget = _book.Require(secret).Budget };
        await _rig.Ledger.EnqueueAsync(payment, CancellationToken.None);
        OutgoingFrame said = await _rig.SaidAsync();
        if (said.Updates.Length > 0) await _rig.AnswerAsync(Frames.Acknowledged(said.Updates[^1].Balance.Sent));
        await _rig.SaidAsync();
        return outcome ?? throw new InvalidOperationException("the payment was not answered");
    }

    private async Task PaysAsync(string secret, int amount) => Assert.Equal(Refusal.None, (await PayAsync(secret, amount)).Refusal);

    private async Task ExceedsAsync(string secret, int amount, string value, string limit)
    {
        BudgetBreach? breach = (await PayAsync(secret, amount)).Breach;
        Assert.Equal(("per_day", value, limit), (breach?.Field, breach?.Value, breach?.Limit));
    }

    [Fact]
    public async Task Caps_HoldFromTheNextPayment_AndWhatWasSpentStays_AlsoAfterARestart()
    {
        (_, string secret) = await CreateAsync(perDay: 10);
        await PaysAsync(secret, 6);

        await UpdateAsync(token => token with { Caps = [PerDay(8)] });
        await ExceedsAsync(secret, 3, "9", "8");
        await PaysAsync(secret, 2);
        await UpdateAsync(token => token with { Caps = [PerDay(20)] });
        await PaysAsync(secret, 5);
        _book.Dispose();
        _book = Open();

        await ExceedsAsync(secret, 8, "21", "20");
        await PaysAsync(secret, 7);
    }

    [Fact]
    public async Task CapsOfATokenWithout_BeginAtZero_AndTakenAwayTheyLimitNothing()
    {
        (_, string secret) = await CreateAsync();
        await PaysAsync(secret, 6);

        await UpdateAsync(token => token with { Caps = [PerDay(8)] });
        await PaysAsync(secret, 8);
        await ExceedsAsync(secret, 1, "9", "8");
        await UpdateAsync(token => token with { Caps = [] });

        await PaysAsync(secret, 50);
    }

    [Fact]
    public async Task TokenThatHasExpired_IsGoodAgainWithANewTime_AndItsOldCallsStayEnded()
    {
        (_, string secret) = await CreateAsync(perDay: 10, expiresAt: _time.NowSeconds + 60);
        await PaysAsync(secret, 6);
        AccessTokenEntry old = _book.Require(secret);
        _time.Advance(61_000);
        Assert.Equal(Refusal.AccessTokenExpired, Assert.Throws<RefusalException>(() => _book.Require(secret)).Refusal);

        RefusalException untimely = await Assert.ThrowsAsync<RefusalException>(() => UpdateAsync(token => token with { StreamsMax = 3 }));
        Assert.Equal((Refusal.InvalidArgument, "valid_seconds"), (untimely.Refusal, untimely.Field));
        AccessTokenEntry renewed = await UpdateAsync(token => token with { ExpiresAtSeconds = _time.NowSeconds + 60 });

        Assert.True(old.Ended.IsCancellationRequested);
        Assert.Equal(Refusal.AccessTokenExpired, old.Why?.Refusal);
        Assert.Same(renewed, _book.Require(secret));
        Assert.False(renewed.Ended.IsCancellationRequested);
        await ExceedsAsync(secret, 5, "11", "10");
        await PaysAsync(secret, 4);
        _time.Advance(61_000);
        Assert.True(renewed.Ended.IsCancellationRequested);
        Assert.Equal(Refusal.AccessTokenExpired, Assert.Throws<RefusalException>(() => _book.Require(secret)).Refusal);
    }

    [Fact]
    public async Task TokenThatIsGivenMoreTime_DoesNotEndAtItsOldOne()
    {
        (_, string secret) = await CreateAsync(expiresAt: _time.NowSeconds + 60);
        AccessTokenEntry entry = _book.Require(secret);

        Assert.Same(entry, await UpdateAsync(token => token with { ExpiresAtSeconds = 0 }));
        _time.Advance(1_000_000);

        Assert.False(entry.Ended.IsCancellationRequested);
        Assert.Same(entry, _book.Require(secret));
    }

    [Fact]
    public async Task RevokedToken_StaysRevoked_AndAnUnknownOneUnknown()
    {
        (AccessToken token, string secret) = await CreateAsync();
        await _book.RevokeAsync(token.Number, "", CancellationToken.None);

        RefusalException revoked = await Assert.ThrowsAsync<RefusalException>(() => UpdateAsync(it => it with { ExpiresAtSeconds = 0, StreamsMax = 1 }));
        RefusalException unknown = await Assert.ThrowsAsync<RefusalException>(() => UpdateAsync(it => it, number: 2));

        Assert.Equal((Refusal.InvalidArgument, "number", "number is 1, expected that of an access token that was not revoked"), (revoked.Refusal, revoked.Field, revoked.Message));
        Assert.Equal((Refusal.UnknownAccessToken, "number"), (unknown.Refusal, unknown.Field));
        Assert.Equal(Refusal.AccessTokenRevoked, Assert.Throws<RefusalException>(() => _book.Require(secret)).Refusal);
    }

    [Fact]
    public async Task EveryChange_IsInTheAuditLog_WithWhatWasAndIs_AndOneThatChangesNothingIsNot()
    {
        Address dollar = StoreFolder.AddressOf(0xDD);
        await CreateAsync(perDay: 10);

        await UpdateAsync(token => token with
        {
            Caps = [PerDay(8) with { Total = 3 }, new SpendingCap(dollar, 0, 0, 0, 0) { DepositTotal = 4 }],
            ExpiresAtSeconds = 1_800_000_000,
            RequestsPerSecondMax = 5,
            StreamsMax = 6,
            MessageBytesMax = 2_048,
            ChannelsPerDayMax = 7,
            Channels = [StoreFolder.IdOf(0xC1)],
        });
        await UpdateAsync(token => token with { StreamsMax = 6 });
        await UpdateAsync(token => token with { Caps = [PerDay(8)], Channels = [], ExpiresAtSeconds = 0 });

        PolicyAuditEntry[] log = [.. _rig.Store.ReadAudit(0, 10).Skip(1)]; // The first is of its making.
        Assert.All(log, entry => Assert.Equal((PolicyAuditKind.AccessTokenChanged, "access token 9 (desk)"), (entry.Kind, entry.Actor)));
        Assert.Equal(
            [
                "token 1 (shop): expires_at none -> 2027-01-15 08:00:00Z; requests_per_second_max none -> 5; streams_max none -> 6; "
                + "message_bytes_max none -> 2048; channels_per_day_max none -> 7; "
                + $"channel_ids all -> {StoreFolder.IdOf(0xC1)}; per_day of ether 10 wei -> 8 wei; total of ether none -> 3 wei; "
                + $"deposit_total of {dollar} none -> 4 units of {dollar}",
                $"token 1 (shop): expires_at 2027-01-15 08:00:00Z -> none; channel_ids {StoreFolder.IdOf(0xC1)} -> all; total of ether 3 wei -> none; "
                + $"deposit_total of {dollar} 4 units of {dollar} -> none",
            ],
            log.Select(entry => entry.Detail));
    }
}
