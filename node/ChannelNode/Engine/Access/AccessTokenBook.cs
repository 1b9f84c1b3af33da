using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

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
/// kept. Made and revoked on disk before anybody is told. What was narrowed from a token is known for as long as that one is.
/// </summary>
internal sealed class AccessTokenBook : IDisposable
{
    public const int TokensMax = 10_000;

    private const string Prefix = "cn_";
    private const int SecretBytes = 32;
    private const int SecretCharsMax = 128;

    private static readonly TimeSpan ExpiryLook = TimeSpan.FromSeconds(1);

    /// <summary>How long a narrowed token is remembered at least: else its bearer could write, and have others forgotten, without end.</summary>
    private const long NarrowedKeptMs = 3_600_000;

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
            && entry.Line.EndedAt(_clock.NowMs) == Refusal.None);

    /// <summary>The token of a secret that is good now; throws what speaks against it.</summary>
    public AccessTokenEntry Require(string secret)
    {
        AccessTokenEntry? entry = TryNumber(secret, out ulong number) ? _tokens.GetValueOrDefault(number) : null;
        Span<byte> hash = stackalloc byte[Bytes32.Size], known = stackalloc byte[Bytes32.Size];
        SHA256.HashData(Encoding.UTF8.GetBytes(secret.Length <= SecretCharsMax ? secret : string.Empty), hash);
        entry?.Token.Hash.Write(known);
        if (!CryptographicOperations.FixedTimeEquals(hash, known) || entry is null)
            throw new RefusalException(Refusal.AccessTokenInvalid, "the access token is none of this node's") { Field = "authorization" };
        return entry.Refuse(_clock.NowMs) is { } over ? throw over : entry;
    }

    /// <summary>On disk, and in the audit log, when this returns. The secret is told here and never again.</summary>
    /// <param name="actor">Who asks for it, as the audit log names callers; empty for the node itself.</param>
    /// <param name="keep">Told the secret before its token is on disk; there is no token where it throws.</param>
    /// <param name="parent">What it is narrowed from; null for nothing.</param>
    public async Task<(AccessToken Token, string Secret)> CreateAsync(
        AccessTokenOrder order, string actor, CancellationToken cancel, Action<string>? keep = null, AccessTokenEntry? parent = null)
    {
        await _changing.WaitAsync(cancel);
        try
        {
            long now = _clock.NowMs; // One for all: what is good enough to be narrowed is not over when room is made.
            if (parent is not null) RequireNarrowable(parent, now);
            AccessTokenEntry? dropped = (parent is null ? null : RoomAmongNarrowed(parent.Line, now)) ?? RoomForAnother(now);
            ulong number = _tokens.IsEmpty ? 1 : _tokens.Keys.Max() + 1;
            string secret = NewSecret(number);
            AccessToken token = new()
            {
                Number = number,
                Parent = parent?.Token.Number ?? 0,
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
                CreatedAtMs = now,
                ExpiresAtSeconds = order.ExpiresAtSeconds,
            };
            keep?.Invoke(secret);
            await WriteAsync(turn =>
            {
                if (dropped is not null) turn.Batch.DropAccessToken(dropped.Token.Number);
                turn.Batch.PutAccessToken(token);
                turn.Audit(new PolicyAuditEntry(PolicyAuditKind.AccessTokenCreated, AccessTokenChange.Made(token)), actor);
            });
            if (dropped is not null && _tokens.TryRemove(dropped.Token.Number, out _)) dropped.EndIfOver(_clock.NowMs); // It may have expired just now.
            Add(token, []);
            _log.TokenMade(number, token.Name, token.Scopes);
            return (token, secret);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>
    /// On disk, and in the audit log, when this returns; calls that are open with it, or with one that was narrowed from it, end. Again: the
    /// same, and nothing changes.
    /// </summary>
    /// <param name="actor">Who asks for it, as the audit log names callers.</param>
    /// <param name="from">Only what was narrowed from it; null for any.</param>
    public async Task<AccessToken> RevokeAsync(ulong number, string actor, CancellationToken cancel, AccessTokenEntry? from = null)
    {
        await _changing.WaitAsync(cancel);
        try
        {
            if (from is not null && !(_tokens.TryGetValue(number, out AccessTokenEntry? known) && known.Line.DescendsFrom(from.Token.Number)))
                throw Unknown(number, $"one that was narrowed from token {from.Token.Number}");
            AccessTokenEntry entry = Get(number);
            if (entry.Token.RevokedAtMs != 0) return entry.Token;
            AccessToken revoked = entry.Token with { RevokedAtMs = _clock.NowMs };
            await WriteAsync(turn =>
            {
                turn.Batch.PutAccessToken(revoked);
                turn.Audit(new PolicyAuditEntry(PolicyAuditKind.AccessTokenRevoked, $"token {number} ({revoked.Name}){Along(number)}"), actor);
                entry.Line.Token = revoked;
            });
            entry.EndIfOver(_clock.NowMs);
            foreach (AccessTokenEntry narrowed in _tokens.Values)
                if (narrowed.Line.DescendsFrom(number)) narrowed.EndIfOver(_clock.NowMs);
            _log.TokenRevoked(number, revoked.Name);
            return revoked;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>What ends with a token, in words.</summary>
    private string Along(ulong number)
    {
        int narrowed = _tokens.Values.Count(entry => entry.Line.DescendsFrom(number) && entry.Line.EndedAt(_clock.NowMs) == Refusal.None);
        return narrowed == 0 ? string.Empty : $", and {narrowed} narrowed from it";
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
                    return Change(entry, after);
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

    /// <summary>What had ended with it, and by itself has not, is good again with it.</summary>
    private AccessTokenEntry Change(AccessTokenEntry entry, AccessToken after)
    {
        AccessTokenEntry changed = entry.TryChange(after) ? entry : _tokens[after.Number] = entry.Renew(after);
        foreach (AccessTokenEntry narrowed in _tokens.Values)
        {
            if (!narrowed.Line.DescendsFrom(after.Number) || narrowed.Line.EndedAt(_clock.NowMs) != Refusal.None) continue;
            if (!narrowed.TryChange(narrowed.Token)) _tokens[narrowed.Token.Number] = narrowed.Renew(narrowed.Token);
        }

        return changed;
    }

    private static RefusalException Unchangeable(string field, string message) => new(Refusal.InvalidArgument, message) { Field = field };

    private AccessTokenEntry Get(ulong number) => _tokens.TryGetValue(number, out AccessTokenEntry? entry)
        ? entry
        : throw Unknown(number, "that of an access token");

    private static RefusalException Unknown(ulong number, string expected) =>
        new(Refusal.UnknownAccessToken, $"number is {number}, expected {expected}") { Field = "number" };

    /// <summary>All, or all that were narrowed from <paramref name="from"/>, in the order of their numbers, with what each has spent so far.</summary>
    public Task<IReadOnlyList<(AccessTokenEntry Entry, IReadOnlyList<Spending> Spent)>> ListAsync(
        CancellationToken cancel, AccessTokenEntry? from = null)
    {
        // Chosen before the writer's turn, in which payments wait: there are many, and any bearer may ask.
        AccessTokenEntry[] chosen =
        [
            .. _tokens.Values
                .Where(entry => from is null || entry.Line.DescendsFrom(from.Token.Number))
                .OrderBy(entry => entry.Token.Number),
        ];
        return _ledger.RunAsync<IReadOnlyList<(AccessTokenEntry Entry, IReadOnlyList<Spending> Spent)>>(
            _ => [.. chosen.Select(entry => (entry, entry.Budget.Spent))], cancel);
    }

    /// <summary>What one of them has spent so far.</summary>
    public Task<IReadOnlyList<Spending>> SpentAsync(AccessTokenEntry entry, CancellationToken cancel) =>
        _ledger.RunAsync(_ => entry.Budget.Spent, cancel);

    public void Dispose() => _timer.Dispose();

    private void Add(AccessToken token, IEnumerable<Spending> spent)
    {
        AccessTokenEntry? parent = token.Parent == 0 ? null : _tokens.GetValueOrDefault(token.Parent);
        if (parent is null && token.Parent != 0)
        {
            // Rows go with those that come of them, and never before: but what cannot be limited as it was is worth nothing.
            _log.TokenWithoutParent(token.Number, token.Parent);
            token = token with { RevokedAtMs = Math.Max(1, token.CreatedAtMs) };
        }

        TokenLine line = new(token, parent?.Line);
        _tokens[token.Number] = new AccessTokenEntry(line, new PaymentBudget(line, spent, parent?.Budget));
    }

    private void RequireNarrowable(AccessTokenEntry parent, long now)
    {
        if (parent.Refuse(now) is { } over) throw over;
        if (_tokens.GetValueOrDefault(parent.Token.Number)?.Line != parent.Line) throw Unknown(parent.Token.Number, "one that is not forgotten");
        if (_ledger.Disk.IsLow)
        {
            throw new RefusalException(
                Refusal.DiskLow, "this node's disk has less room left than --disk-reserve: no token is narrowed until it has more");
        }

        if (parent.Line.Depth >= AccessToken.DepthMax)
            throw TooMany($"token {parent.Token.Number} is narrowed {parent.Line.Depth} times over, expected less than", parent.Line.Depth, AccessToken.DepthMax);
    }

    /// <summary>The oldest token that is over makes room, and none does while there is some.</summary>
    private AccessTokenEntry? RoomForAnother(long now) => _tokens.Count < TokensMax
        ? null
        : OldestOver(_tokens.Values, now)
            ?? throw TooMany($"there are {_tokens.Count} tokens, expected at most", _tokens.Count, TokensMax);

    /// <summary>What makes room among those that come of one of the line makes it among those of all above it.</summary>
    private AccessTokenEntry? RoomAmongNarrowed(TokenLine line, long now)
    {
        for (TokenLine? of = line; of is not null; of = of.Parent)
        {
            List<AccessTokenEntry> narrowed = [.. _tokens.Values.Where(entry => entry.Line.DescendsFrom(of.Token.Number))];
            int max = of.Parent is null ? AccessToken.NarrowedMax : AccessToken.NarrowedAgainMax;
            if (narrowed.Count < max) continue;
            return OldestOver(narrowed.Where(entry => entry.Token.CreatedAtMs <= now - NarrowedKeptMs), now) ?? throw TooMany(
                $"{narrowed.Count} tokens come of token {of.Token.Number} by narrowing, those that ended and are not an hour old included, expected less than",
                narrowed.Count,
                max);
        }

        return null;
    }

    /// <summary>
    /// Never one that others were narrowed from: these, which have ended with it, go before it. Nor the newest: its number must not be
    /// given again.
    /// </summary>
    private AccessTokenEntry? OldestOver(IEnumerable<AccessTokenEntry> among, long now)
    {
        ulong newest = _tokens.Keys.Max();
        HashSet<ulong> parents = [.. _tokens.Values.Select(entry => entry.Token.Parent)];
        return among
            .Where(entry => entry.Token.Number != newest && !parents.Contains(entry.Token.Number) && entry.Line.EndedAt(now) != Refusal.None)
            .MinBy(entry => entry.Token.Number);
    }

    private static RefusalException TooMany(string what, int value, int limit) => new(Refusal.TooManyAccessTokens, $"{what} {limit}")
    {
        Field = "tokens",
        Value = value.ToString(CultureInfo.InvariantCulture),
        Limit = limit.ToString(CultureInfo.InvariantCulture),
    };

    private Task WriteAsync(Action<LedgerTurn> write) => _ledger.RunAsync(
        turn =>
        {
            write(turn);
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
