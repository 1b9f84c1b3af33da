using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Simulation;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>Secrets are told once, are good for as long as they should be, and survive the node.</summary>
public sealed class AccessTokenBookTests : IAsyncLifetime
{
    private readonly SimulatedTime _time = new();
    private readonly LedgerRig _rig;
    private AccessTokenBook _book;

    public AccessTokenBookTests()
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

    private Task<(AccessToken Token, string Secret)> CreateAsync(AccessTokenOrder? order = null) =>
        _book.CreateAsync(order ?? new AccessTokenOrder("shop", Scopes.Read), "desk", CancellationToken.None);

    private Refusal RefusalOf(string secret) => Assert.Throws<RefusalException>(() => _book.Require(secret)).Refusal;

    [Fact]
    public async Task Secret_IsGoodForItsTokenAlone_AlsoAfterARestart()
    {
        (AccessToken first, string one) = await CreateAsync();
        (AccessToken second, string other) = await CreateAsync(new AccessTokenOrder("desk", Scopes.Admin));
        _book.Dispose();
        _book = Open();

        Assert.Equal(first.Number, _book.Require(one).Token.Number);
        Assert.Equal(second.Number, _book.Require(other).Token.Number);
        Assert.Equal((1UL, 2UL), (first.Number, second.Number));
        Assert.Equal(Scopes.Admin, _book.Require(other).Token.Scopes);
    }

    [Fact]
    public async Task AnythingElse_IsNoToken()
    {
        (_, string secret) = await CreateAsync();
        (_, string other) = await CreateAsync();
        string random = secret[(secret.IndexOf('_', 3) + 1)..];
        string[] wrong =
        [
            "", "cn_", "cn_1", "cn_1_", "cn__" + random, random, "cn_2_" + random, "cn_01_" + random, "cn_+1_" + random,
            "CN_1_" + random, secret + " ", " " + secret, secret + "_", secret[..^1], secret + "A", secret.ToUpperInvariant(),
            "cn_18446744073709551616_" + random, "cn_1_" + new string('A', 43), new string('c', 100_000), "cn_1_\0" + random,
            secret + ", " + other,
        ];
        foreach (string text in wrong) Assert.Equal(Refusal.AccessTokenInvalid, RefusalOf(text));
    }

    [Fact]
    public async Task RevokedToken_IsGoodForNothing_AlsoAfterARestart()
    {
        (AccessToken token, string secret) = await CreateAsync();
        AccessTokenEntry entry = _book.Require(secret);

        await _book.RevokeAsync(token.Number, "desk", CancellationToken.None);

        Assert.True(entry.Ended.IsCancellationRequested);
        Assert.Equal(Refusal.AccessTokenRevoked, RefusalOf(secret));
        _book.Dispose();
        _book = Open();
        Assert.Equal(Refusal.AccessTokenRevoked, RefusalOf(secret));
        Assert.Equal(token.Number + 1, (await CreateAsync()).Token.Number);
    }

    [Fact]
    public async Task UnknownNumber_CannotBeRevoked() => Assert.Equal(
        Refusal.UnknownAccessToken,
        (await Assert.ThrowsAsync<RefusalException>(() => _book.RevokeAsync(9, "desk", CancellationToken.None))).Refusal);

    [Fact]
    public async Task TokensTime_EndsToTheSecond_AndEndsWhatIsOpen()
    {
        (_, string secret) = await CreateAsync(
            new AccessTokenOrder("shop", Scopes.Read) { ExpiresAtSeconds = _time.NowSeconds + 60 });
        AccessTokenEntry entry = _book.Require(secret);
        _time.Advance(59_999 - _time.NowMs % 1_000);
        Assert.False(entry.Ended.IsCancellationRequested);
        Assert.Same(entry, _book.Require(secret));

        _time.Advance(1_001);

        Assert.True(entry.Ended.IsCancellationRequested);
        Assert.Equal(Refusal.AccessTokenExpired, RefusalOf(secret));
    }

    [Fact]
    public async Task Admin_IsOneThatIsGood_AndMayCallEverything()
    {
        Assert.False(_book.HasAdmin);
        await CreateAsync(new AccessTokenOrder("narrow", Scopes.Admin) { Methods = ["ListAccessTokens"] });
        Assert.False(_book.HasAdmin);
        (AccessToken token, _) = await CreateAsync(new AccessTokenOrder("wide", Scopes.Admin));
        Assert.True(_book.HasAdmin);
        await _book.RevokeAsync(token.Number, "desk", CancellationToken.None);
        Assert.False(_book.HasAdmin);
    }
}
