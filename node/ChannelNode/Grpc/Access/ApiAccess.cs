using System.Collections.Concurrent;
using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Microsoft.Extensions.Primitives;

namespace ChannelNode.Grpc;

/// <summary>A caller that was let in; left when the call ends.</summary>
internal sealed class Caller(AccessTokenEntry? token, CallAllowance allowance) : IDisposable
{
    private static readonly object Key = new();

    /// <summary>Null where none was shown.</summary>
    public AccessTokenEntry? Token { get; } = token;

    public void Attach(ServerCallContext context)
    {
        if (Token is not null) context.UserState[Key] = Token;
    }

    /// <summary>What the call may spend; null where there is no token to limit it.</summary>
    public static PaymentBudget? BudgetOf(ServerCallContext context) =>
        TokenOf(context)?.Budget;

    /// <summary>The token that the call has shown; null where it has shown none.</summary>
    public static AccessTokenEntry? TokenOf(ServerCallContext context) =>
        context.UserState.TryGetValue(Key, out object? token) ? (AccessTokenEntry)token : null;

    /// <summary>Which channels the call may see and use.</summary>
    public static CallerChannels ChannelsOf(ServerCallContext context) => new(TokenOf(context));

    /// <summary>As the audit log names who called.</summary>
    public static string NameOf(ServerCallContext context) => context.UserState.TryGetValue(Key, out object? shown)
        && shown is AccessTokenEntry { Token: { } token }
        ? $"access token {token.Number} ({token.Name})"
        : "no access token";

    public void Dispose() => allowance.Leave();
}

/// <summary>
/// Who may call the API, and how often. A token that is shown counts always; without one callers are let in where
/// <paramref name="tokensRequired"/> does not insist, and are told apart by their addresses.
/// </summary>
internal sealed class ApiAccess(AccessTokenBook tokens, NodeOptions options, TimeProvider time, bool tokensRequired)
{
    private const string Scheme = "Bearer ";

    private readonly uint _perSecondMax = (uint)options.ApiRequestsPerSecondMax;
    private readonly uint _streamsMax = (uint)options.ApiStreamsMax;
    private readonly ConcurrentDictionary<AccessTokenEntry, CallAllowance> _byToken = [];
    private readonly AddressAllowances _byAddress = new(time, (uint)options.ApiRequestsPerSecondMax, (uint)options.ApiStreamsMax);

    /// <summary>Whether nobody is let in without one.</summary>
    public bool TokensRequired => tokensRequired;

    /// <summary>Throws by name why the caller is not let in.</summary>
    public Caller Admit(HttpContext http, Scopes scope, string method, Reach reach)
    {
        IPAddress address = http.Connection.RemoteIpAddress ?? IPAddress.Loopback; // A unix socket is this machine's.
        AccessTokenEntry? token = Identify(http, address);
        Count(http, token, address);
        if (token is not null)
        {
            if (!token.Token.AllowsFrom(address))
            {
                throw new RefusalException(
                    Refusal.AddressNotAllowed,
                    $"token {token.Token.Number} is used from {address}, expected {string.Join(", ", token.Token.Networks)}")
                {
                    Field = "from_ips",
                };
            }

            if (scope != Scopes.None && !token.Token.Allows(scope, method)) throw Missing(token.Token, scope, method);
            if (reach == Reach.WholeNode && token.Token.IsConfined) throw TooWide(token.Token, method);
        }
        else if (tokensRequired && scope != Scopes.None)
        {
            _byAddress.Of(address).Pass($"{address}");
            throw new RefusalException(
                Refusal.AccessTokenMissing, "no access token is shown, expected metadata \"authorization: Bearer cn_...\"")
            { Field = "authorization" };
        }

        CallAllowance allowance = token is null ? _byAddress.Of(address) : AllowanceOf(token);
        allowance.Enter(token is null ? $"{address}" : $"token {token.Token.Number}");
        return new Caller(token, allowance);
    }

    /// <summary>Whose call it is, asked before all that it says is read; null where it shows no good token.</summary>
    public AccessTokenEntry? TokenOf(HttpContext http)
    {
        try
        {
            return Identify(http, http.Connection.RemoteIpAddress ?? IPAddress.Loopback);
        }
        catch (RefusalException)
        {
            return null;
        }
    }

    /// <summary>Whether the caller would be let in to anything at all: asked before all that it says is read.</summary>
    public bool Knows(HttpContext http)
    {
        try
        {
            IPAddress address = http.Connection.RemoteIpAddress ?? IPAddress.Loopback;
            AccessTokenEntry? token = Identify(http, address);
            Count(http, token, address);
            return token is not null || !tokensRequired;
        }
        catch (RefusalException)
        {
            return false;
        }
    }

    /// <summary>What the call has sent counts with all other calls of its token, or else of its address.</summary>
    private static void Count(HttpContext http, AccessTokenEntry? token, IPAddress address)
    {
        if (http.Features.Get<MessageRoom.Part>() is { } part) part.Holder = token is null ? address : token;
    }

    /// <summary>What a call is told whose token has ended.</summary>
    public RefusalException Over(AccessTokenEntry token) => tokens.Over(token);

    private AccessTokenEntry? Identify(HttpContext http, IPAddress address)
    {
        StringValues shown = http.Request.Headers.Authorization;
        if (shown.Count == 0) return null;
        try
        {
            if (shown is not [{ } text] || !text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            {
                throw new RefusalException(
                    Refusal.AccessTokenInvalid, shown.Count == 1 ? "authorization does not begin with \"Bearer \", expected \"Bearer cn_...\""
                        : $"authorization has {shown.Count} values, expected one, of the form \"Bearer cn_...\"")
                {
                    Field = "authorization",
                };
            }

            return tokens.Require(text[Scheme.Length..].Trim());
        }
        catch (RefusalException)
        {
            _byAddress.Of(address).Pass($"{address}"); // Who guesses is counted too.
            throw;
        }
    }

    private CallAllowance AllowanceOf(AccessTokenEntry token)
    {
        CallAllowance allowance = _byToken.GetOrAdd(token, static (entry, access) =>
        {
            entry.Ended.UnsafeRegister(_ => access._byToken.TryRemove(entry, out CallAllowance? _), null);
            return new CallAllowance(access.Time, access._perSecondMax, access._streamsMax);
        }, this);
        AccessToken now = token.Token; // Its limits may have been changed since its last call.
        allowance.Limit(
            now.RequestsPerSecondMax == 0 ? _perSecondMax : now.RequestsPerSecondMax, now.StreamsMax == 0 ? _streamsMax : now.StreamsMax);
        return allowance;
    }

    private TimeProvider Time { get; } = time;

    private static RefusalException TooWide(AccessToken token, string method) => new(
        Refusal.ChannelNotAllowed, $"token {token.Number} is only for {token.Channels.Count} of the node's channels, and {method} is about the whole node")
    {
        Field = "channel_ids",
        Value = method,
    };

    private static RefusalException Missing(AccessToken token, Scopes scope, string method)
    {
        bool byMethod = (token.Scopes & (scope | Scopes.Admin)) != 0;
        string has = byMethod ? $"is only for {string.Join(", ", token.Methods)}" : $"has {token.Scopes.ToString().ToLowerInvariant()}";
        return new RefusalException(
            Refusal.ScopeMissing, $"token {token.Number} {has}, expected {(byMethod ? method : scope.ToString().ToLowerInvariant())}")
        {
            Field = byMethod ? "methods" : "scopes",
            Value = byMethod ? method : scope.ToString().ToLowerInvariant(),
        };
    }
}
