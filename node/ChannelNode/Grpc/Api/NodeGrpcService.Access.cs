using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>Who may use this API, and for what.</summary>
internal sealed partial class NodeGrpcService
{
    /// <summary>Of one response; callers take 4 MiB unless they say otherwise.</summary>
    private const int ListBytesMax = 1 << 20;

    public override async Task<Wire.CreateAccessTokenResponse> CreateAccessToken(Wire.CreateAccessTokenRequest request, ServerCallContext context)
    {
        AccessTokenOrder order = AccessTokenWire.Read(request, node);
        (AccessToken token, string secret) = await tokens.CreateAsync(order, Caller.NameOf(context), context.CancellationToken);
        return new Wire.CreateAccessTokenResponse { AccessToken = AccessTokenWire.Write(token, []), Secret = secret };
    }

    public override async Task<Wire.NarrowAccessTokenResponse> NarrowAccessToken(Wire.NarrowAccessTokenRequest request, ServerCallContext context)
    {
        AccessTokenEntry shown = Shown(context);
        AccessTokenOrder order = NarrowedToken.Read(request.Narrowed ?? new Wire.CreateAccessTokenRequest(), node, shown.Line);
        (AccessToken token, string secret) = await tokens.CreateAsync(
            order, Caller.NameOf(context), context.CancellationToken, parent: shown);
        return new Wire.NarrowAccessTokenResponse { AccessToken = AccessTokenWire.Write(token, []), Secret = secret };
    }

    private static AccessTokenEntry Shown(ServerCallContext context) => Caller.TokenOf(context)
        ?? throw new RefusalException(Refusal.AccessTokenMissing, "no access token is shown, expected metadata \"authorization: Bearer cn_...\"")
        { Field = "authorization" };

    public override async Task<Wire.RevokeNarrowedAccessTokenResponse> RevokeNarrowedAccessToken(
        Wire.RevokeNarrowedAccessTokenRequest request, ServerCallContext context)
    {
        AccessToken revoked = await tokens.RevokeAsync(request.Number, Caller.NameOf(context), context.CancellationToken, from: Shown(context));
        return new Wire.RevokeNarrowedAccessTokenResponse { AccessToken = AccessTokenWire.Write(revoked, []) };
    }

    public override async Task<Wire.GetAccessTokenResponse> GetAccessToken(Wire.GetAccessTokenRequest request, ServerCallContext context)
    {
        AccessTokenEntry shown = Shown(context);
        Wire.GetAccessTokenResponse response = new()
        {
            AccessToken = AccessTokenWire.Write(shown.Token, await tokens.SpentAsync(shown, context.CancellationToken)),
        };
        foreach ((AccessTokenEntry narrowed, IReadOnlyList<Spending> spent) in await tokens.ListAsync(context.CancellationToken, from: shown))
            if (narrowed.Line.EndedAt(node.Clock.NowMs) == Refusal.None) response.Narrowed.Add(AccessTokenWire.Write(narrowed.Token, [.. spent.Where(some => some.Peer.IsZero)]));
        return response;
    }

    public override async Task<Wire.ListAccessTokensResponse> ListAccessTokens(Wire.ListAccessTokensRequest request, ServerCallContext context)
    {
        Wire.ListAccessTokensResponse response = new();
        int bytes = 0;
        foreach ((AccessTokenEntry token, IReadOnlyList<Spending> spent) in await tokens.ListAsync(context.CancellationToken))
        {
            if (token.Token.Number <= request.AfterNumber || (!request.All && token.Line.EndedAt(node.Clock.NowMs) != Refusal.None)) continue;
            Wire.AccessToken wire = AccessTokenWire.Write(token.Token, spent);
            bytes += wire.CalculateSize();
            if (bytes > ListBytesMax && response.AccessTokens.Count > 0)
            {
                response.NextAfterNumber = response.AccessTokens[^1].Number;
                break;
            }

            response.AccessTokens.Add(wire);
        }

        return response;
    }

    public override async Task<Wire.UpdateAccessTokenResponse> UpdateAccessToken(Wire.UpdateAccessTokenRequest request, ServerCallContext context)
    {
        RequireMayChange(request.Number, Caller.TokenOf(context)?.Token);
        AccessTokenEntry changed = await tokens.UpdateAsync(
            request.Number, AccessTokenUpdate.Read(request, node), Caller.NameOf(context),
            context.CancellationToken);
        return new Wire.UpdateAccessTokenResponse
        {
            AccessToken = AccessTokenWire.Write(changed.Token, await tokens.SpentAsync(changed, context.CancellationToken)),
        };
    }

    /// <summary>Who can make another token gains nothing by changing his own; who is for some methods only would outlive his limits.</summary>
    private static void RequireMayChange(ulong number, AccessToken? shown)
    {
        if (shown?.Number != number || shown.Allows(Scopes.Admin, nameof(CreateAccessToken))) return;
        throw new RefusalException(
            Refusal.ScopeMissing, $"token {number} is only for {string.Join(", ", shown.Methods)}, and cannot change itself, expected {nameof(CreateAccessToken)}")
        {
            Field = "methods",
            Value = nameof(CreateAccessToken),
        };
    }

    public override async Task<Wire.RevokeAccessTokenResponse> RevokeAccessToken(Wire.RevokeAccessTokenRequest request, ServerCallContext context) =>
        new() { AccessToken = AccessTokenWire.Write(await tokens.RevokeAsync(request.Number, Caller.NameOf(context), context.CancellationToken), []) };
}
