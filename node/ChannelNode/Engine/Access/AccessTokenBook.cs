using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>A token in memory, with what hangs on it.</summary>
internal sealed class AccessTokenEntry(AccessToken token, PaymentBudget budget) : IDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly Lock _changing = new();
    private volatile AccessToken _token = token;
    private bool _isOver;

    public AccessToken Token => _token;

    public PaymentBudget Budget { get; } = budget;

    /// <summary>Cancelled when the token is revoked or its time is over: calls that are open end with it.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>Whether the token is another one now; not where calls were told, or are being told, that it has ended: then it is to be entered anew.</summary>
    public bool TryChange(AccessToken next)
    {
        lock (_changing)
        {
            if (_isOver) return false;
            _token = Budget.Token = next;
            return true;
        }
    }

    /// <summary>For good, and whatever it was.</summary>
    public void Revoke(AccessToken revoked)
    {
        lock (_changing) _token = Budget.Token = revoked;
        End();
    }

    /// <summary>The same token again, where calls were told that it has ended; with what it has spent.</summary>
    public AccessTokenEntry Renew(AccessToken next)
    {
        Budget.Token = next;
        return new AccessTokenEntry(next, Budget);
    }

    public void End() => EndIf(_ => true);

    public void EndIfOver(long nowMs) => EndIf(token => token.EndedAt(nowMs) != Refusal.None);

    private void EndIf(Predicate<AccessToken> isOver)
    {
        lock (_changing)
        {
            if (_isOver || !isOver(_token)) return;
            _isOver = true;
        }

        _ended.Cancel(); // Outside: whoever waits for it goes on here.
    }

    public void Dispose() => _ended.Dispose();
}

/// <summary>A token that is asked for; its number and secret are the book's to give.</summary>
internal sealed record AccessTokenOrder(string Name, Scopes Scopes)
{
    public IReadOnlyList<string> Methods { get; init; } = [];

    public IReadOnlyList<System.Net.IPNetwork> Networks { get; init; } = [];

    public IReadOnlyList<SpendingCap> Caps { get; init; } = [];

    public IReadOnlyList<ChannelId> Channels { get; init; } = [];

    public uint RequestsPerSecondMax { get; init; }

    public uint StreamsMax { get; init; }

    public uint MessageBytesMax { get; init; }

    public uint ChannelsPerDayMax { get; init; }

    public ulong ExpiresAtSeconds { get; init; }
}

/// <summary>
/// All tokens of the API. A secret is "cn_", the token's number, "_" and 32 random bytes in base64url; only its SHA-256 is
/// kept. Made and revoked on disk before anybody is told.
/// </summary>
internal sealed class AccessTokenBook : IDisposable
{
    public const int TokensMax = 10_000;

    private const string Prefix = "cn_";
    private const int SecretBytes = 32;
    private const int SecretCharsMax = 128;

    private static readonly TimeSpan ExpiryLook = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<ulong, AccessTokenEntry> _tokens = [];
    private readonly SemaphoreSlim _changing = new(1);
    private readonly Ledger _ledger;
    private readonly NodeClock _clock;
    private readonly ILogger _log;
    private readonly ITimer _timer;

    public AccessTokenBook(IChannelStore store, Ledger ledger, NodeClock clock, ILogger<AccessTokenBook> log)
    {
        (_ledger, _clock, _log) = (ledger, clock, log);
        ILookup<ulong, Spending> spent = store.ReadSpending().ToLookup(some => some.Token);
        foreach (AccessToken token in store.ReadAccessTokens()) Add(token, spent[token.Number]);
        _timer = clock.Time.CreateTimer(_ => EndExpired(), null, ExpiryLook, ExpiryLook);
    }

    /// <summary>Whether somebody could make further tokens.</summary>
    public bool HasAdmin => _tokens.Values.Any(
        entry => (entry.Token.Scopes & Scopes.Admin) != 0 && entry.Token.Methods.Count == 0
            && entry.Token.EndedAt(_clock.NowMs) == Refusal.None);

    /// <summary>The token of a secret that is good now; throws what speaks against it.</summary>
    public AccessTokenEntry Require(string secret)
    {
        AccessTokenEntry? entry = TryNumber(secret, out ulong number) ? _tokens.GetValueOrDefault(number) : null;
        Span<byte> hash = stackalloc byte[Bytes32.Size], known = stackalloc byte[Bytes32.Size];
        SHA256.HashData(Encoding.UTF8.GetBytes(secret.Length <= SecretCharsMax ? secret : string.Empty), hash);
        entry?.Token.Hash.Write(known);
        if (!CryptographicOperations.FixedTimeEquals(hash, known) || entry is null)
            throw new RefusalException(Refusal.AccessTokenInvalid, "the access token is none of this node's") { Field = "authorization" };
        if (entry.Token.EndedAt(_clock.NowMs) is not Refusal.None and var ended) throw Over(entry, ended);
        return entry;
    }

    /// <summary>What a call is told whose token ended while it went on.</summary>
    public RefusalException Over(AccessTokenEntry entry)
    {
        Refusal ended = entry.Token.EndedAt(_clock.NowMs);
        return Over(entry, ended == Refusal.None ? Refusal.AccessTokenRevoked : ended);
    }

    private static RefusalException Over(AccessTokenEntry entry, Refusal ended) => new(
        ended,
        ended == Refusal.AccessTokenExpired
            ? $"access token {entry.Token.Number} expired at {DateTimeOffset.FromUnixTimeSeconds((long)entry.Token.ExpiresAtSeconds):u}"
            : $"access token {entry.Token.Number} was revoked")
    {
        Field = "authorization",
    };

    /// <summary>On disk when this returns. The secret is told here and never again.</summary>
    /// <param name="keep">Told the secret before its token is on disk; there is no token where it throws.</param>
    public async Task<(AccessToken Token, string Secret)> CreateAsync(
        AccessTokenOrder order, CancellationToken cancel, Action<string>? keep = null)
    {
        await _changing.WaitAsync(cancel);
        try
        {
            ulong? dropped = RoomForAnother();
            ulong number = _tokens.IsEmpty ? 1 : _tokens.Keys.Max() + 1;
            string secret = NewSecret(number);
            AccessToken token = new()
            {
                Number = number,
                Name = order.Name,
                Hash = Bytes32.Read(SHA256.HashData(Encoding.UTF8.GetBytes(secret))),
                Scopes = order.Scopes,
                Methods = order.Methods,
                Networks = order.Networks,
                Caps = order.Caps,
                Channels = order.Channels,
                RequestsPerSecondMax = order.RequestsPerSecondMax,
                StreamsMax = order.StreamsMax,
                MessageBytesMax = order.MessageBytesMax,
                ChannelsPerDayMax = order.ChannelsPerDayMax,
                CreatedAtMs = _clock.NowMs,
                ExpiresAtSeconds = order.ExpiresAtSeconds,
            };
            keep?.Invoke(secret);
            await WriteAsync(
                batch =>
                {
                    if (dropped is { } old) batch.DropAccessToken(old);
                    batch.PutAccessToken(token);
                });
            if (dropped is { } gone && _tokens.TryRemove(gone, out AccessTokenEntry? entry))
            {
                entry.End(); // It may have expired just now.
                entry.Dispose();
            }

            Add(token, []);
            _log.TokenMade(number, token.Name, token.Scopes);
            return (token, secret);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>On disk when this returns; calls that are open with it end. Again: the same, and nothing changes.</summary>
    public async Task<AccessToken> RevokeAsync(ulong number, CancellationToken cancel)
    {
        await _changing.WaitAsync(cancel);
        try
        {
            AccessTokenEntry entry = Get(number);
            if (entry.Token.RevokedAtMs != 0) return entry.Token;
            AccessToken revoked = entry.Token with { RevokedAtMs = _clock.NowMs };
            await WriteAsync(batch => batch.PutAccessToken(revoked));
            entry.Revoke(revoked);
            _log.TokenRevoked(number, revoked.Name);
            return revoked;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>On disk, and in the audit log, when this returns. What it has spent stays.</summary>
    /// <param name="change">Of what the token is by now; may refuse.</param>
    /// <param name="actor">Who asks for it, as the audit log names callers.</param>
    public async Task<AccessTokenEntry> UpdateAsync(
        ulong number, Func<AccessToken, AccessToken> change, string actor, CancellationToken cancel)
    {
        await _changing.WaitAsync(cancel);
        try
        {
            AccessTokenEntry entry = Get(number);
            AccessToken before = entry.Token;
            if (before.RevokedAtMs != 0) throw Unchangeable("number", $"number is {number}, expected that of an access token that was not revoked");
            AccessToken after = change(before);
            if (after.EndedAt(_clock.NowMs) != Refusal.None)
                throw Unchangeable("valid_seconds", $"valid_seconds is not given, expected a time from now on, or 0: token {number} has expired");
            string words = AccessTokenChange.Words(before, after);
            if (words.Length == 0) return entry;
            AccessTokenEntry changed = await _ledger.RunAsync(
                turn =>
                {
                    turn.Batch.PutAccessToken(after);
                    turn.Audit(new PolicyAuditEntry(PolicyAuditKind.AccessTokenChanged, words), actor);
                    turn.RequireDurable();

                    // Here, where payments are decided: each is asked about and charged by the same caps, in one write with them.
                    return entry.TryChange(after) ? entry : _tokens[number] = entry.Renew(after);
                },
                CancellationToken.None);
            _log.TokenChanged(words);
            return changed;
        }
        finally
        {
            _changing.Release();
        }
    }

    private static RefusalException Unchangeable(string field, string message) => new(Refusal.InvalidArgument, message) { Field = field };

    private AccessTokenEntry Get(ulong number) => _tokens.TryGetValue(number, out AccessTokenEntry? entry)
        ? entry
        : throw new RefusalException(Refusal.UnknownAccessToken, $"number is {number}, expected that of an access token") { Field = "number" };

    /// <summary>All, in the order of their numbers, with what each has spent so far.</summary>
    public Task<IReadOnlyList<(AccessToken Token, IReadOnlyList<Spending> Spent)>> ListAsync(CancellationToken cancel) =>
        _ledger.RunAsync<IReadOnlyList<(AccessToken Token, IReadOnlyList<Spending> Spent)>>(
            _ => [.. _tokens.Values.OrderBy(entry => entry.Token.Number).Select(entry => (entry.Token, entry.Budget.Spent))],
            cancel);

    /// <summary>What one of them has spent so far.</summary>
    public Task<IReadOnlyList<Spending>> SpentAsync(AccessTokenEntry entry, CancellationToken cancel) =>
        _ledger.RunAsync(_ => entry.Budget.Spent, cancel);

    public void Dispose() => _timer.Dispose();

    private void Add(AccessToken token, IEnumerable<Spending> spent) =>
        _tokens[token.Number] = new AccessTokenEntry(token, new PaymentBudget(token, spent));

    /// <summary>The oldest token that is over makes room. Never the newest: its number must not be given again.</summary>
    private ulong? RoomForAnother()
    {
        if (_tokens.Count < TokensMax) return null;
        ulong newest = _tokens.Keys.Max();
        AccessTokenEntry? over = _tokens.Values
            .Where(entry => entry.Token.Number != newest && entry.Token.EndedAt(_clock.NowMs) != Refusal.None)
            .MinBy(entry => entry.Token.Number);
        return over?.Token.Number ?? throw new RefusalException(
            Refusal.TooManyAccessTokens, $"there are {_tokens.Count} tokens, expected at most {TokensMax}")
        {
            Field = "tokens",
            Value = _tokens.Count.ToString(CultureInfo.InvariantCulture),
            Limit = TokensMax.ToString(CultureInfo.InvariantCulture),
        };
    }

    private Task WriteAsync(Action<IStoreBatch> write) => _ledger.RunAsync(
        turn =>
        {
            write(turn.Batch);
            turn.RequireDurable();
            return true;
        },
        CancellationToken.None);

    private void EndExpired()
    {
        long now = _clock.NowMs;
        foreach (AccessTokenEntry entry in _tokens.Values) entry.EndIfOver(now);
    }

    private static string NewSecret(ulong number) =>
        $"{Prefix}{number}_{Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes))}";

    private static bool TryNumber(string secret, out ulong number)
    {
        number = 0;
        if (!secret.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        int end = secret.IndexOf('_', Prefix.Length);
        return end > 0 && ulong.TryParse(secret.AsSpan(Prefix.Length..end), NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
