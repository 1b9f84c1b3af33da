using System.Net;
using System.Runtime.CompilerServices;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Microsoft.Extensions.Primitives;

namespace ChannelNode.Grpc;

/// <summary>A caller that was let in; left when the call ends.</summary>
internal sealed class Caller(AccessTokenEntry? token, IReadOnlyList<CallAllowance> allowances) : IDisposable
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

    public void Dispose()
    {
        foreach (CallAllowance allowance in allowances) allowance.Leave();
    }
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
    private readonly ConditionalWeakTable<TokenLine, CallAllowance> _byToken = [];
    private readonly ConditionalWeakTable<TokenLine, CallAllowance>.CreateValueCallback _allow =
        _ => new CallAllowance(time, (uint)options.ApiRequestsPerSecondMax, (uint)options.ApiStreamsMax);
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
            if (reach == Reach.WholeNode && token.Line.IsConfined) throw TooWide(token, method);
        }
        else if (tokensRequired && scope != Scopes.None)
        {
            _byAddress.Of(address).Pass($"{address}");
            throw new RefusalException(
                Refusal.AccessTokenMissing, "no access token is shown, expected metadata \"authorization: Bearer cn_...\"")
            { Field = "authorization" };
        }

        if (token is not null) return new Caller(token, Enter(token.Line));
        CallAllowance allowance = _byAddress.Of(address);
        allowance.Enter($"{address}");
        return new Caller(null, [allowance]);
    }

    /// <summary>A call of a narrowed token is one of each that it was narrowed from; whose bearer always has one left, to take it back.</summary>
    private List<CallAllowance> Enter(TokenLine caller)
    {
        List<CallAllowance> entered = new(1 + caller.Depth);
        try
        {
            for (TokenLine? line = caller; line is not null; line = line.Parent)
            {
                CallAllowance allowance = AllowanceOf(line);
                allowance.Enter(caller.NameOf(line.Token), leavesOne: line != caller);
                entered.Add(allowance);
            }

            return entered;
        }
        catch (RefusalException)
        {
            foreach (CallAllowance allowance in entered) allowance.Leave();
            throw;
        }
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
        if (http.Features.Get<MessageRoom.Part>() is { } part) part.Holder = token is null ? address : token.Line.Root;
    }

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

    private CallAllowance AllowanceOf(TokenLine token)
    {
        CallAllowance allowance = _byToken.GetValue(token, _allow);
        AccessToken now = token.Token; // Its limits may have been changed since its last call.
        allowance.Limit(
            now.RequestsPerSecondMax == 0 ? _perSecondMax : now.RequestsPerSecondMax, now.StreamsMax == 0 ? _streamsMax : now.StreamsMax);
        return allowance;
    }

    private static RefusalException TooWide(AccessTokenEntry token, string method) => new(
        Refusal.ChannelNotAllowed,
        $"token {token.Token.Number} is only for {token.Line.Channels().Count()} of the node's channels, and {method} is about the whole node")
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
