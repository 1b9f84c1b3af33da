using System.Collections.Frozen;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>The one scope that each method asks for, or any at all. What is not named here is for admins only.</summary>
internal static class MethodScopes
{
    private const string HealthService = "grpc.health.v1.Health";
    private const string ReflectionPrefix = "grpc.reflection.";

    /// <summary>Whoever has shown a token may call it, whatever that is for.</summary>
    public const Scopes Any = Scopes.All;

    public static readonly FrozenDictionary<string, Scopes> Node = new Dictionary<string, Scopes>
    {
        ["GetAccessToken"] = Any,
        ["NarrowAccessToken"] = Any,
        ["RevokeNarrowedAccessToken"] = Any,
        ["GetInfo"] = Scopes.Read,
        ["GetStatus"] = Scopes.Read,
        ["ListChannels"] = Scopes.Read,
        ["GetChannel"] = Scopes.Read,
        ["SubscribePayments"] = Scopes.Read,
        ["SubscribeEvents"] = Scopes.Read,
        ["ListJobs"] = Scopes.Read,
        ["ListCredits"] = Scopes.Read,
        ["ListSentPayments"] = Scopes.Read,
        ["GetToken"] = Scopes.Read,
        ["GetPolicy"] = Scopes.Read,
        ["ExplainPolicy"] = Scopes.Read,
        ["ReadPeerList"] = Scopes.Read,
        ["ReadPolicyAudit"] = Scopes.Read,
        ["Pay"] = Scopes.Pay,
        ["StreamPayments"] = Scopes.Pay,
        ["OpenChannel"] = Scopes.Channels,
        ["DepositChannel"] = Scopes.Channels,
        ["DepositChannels"] = Scopes.Channels,
        ["CloseChannel"] = Scopes.Channels,
        ["StartClose"] = Scopes.Channels,
        ["SettleChannel"] = Scopes.Channels,
        ["ClaimChannels"] = Scopes.Channels,
        ["WithdrawCredit"] = Scopes.Channels,
        ["CancelJob"] = Scopes.Channels,
        ["VerifyChain"] = Scopes.Admin,
        ["ResumeChannel"] = Scopes.Admin,
        ["CreateBackup"] = Scopes.Admin,
        ["SetPolicy"] = Scopes.Admin,
        ["SetPeerTier"] = Scopes.Admin,
        ["AttestPeer"] = Scopes.Admin,
        ["RevokeAttestation"] = Scopes.Admin,
        ["ChangeAttestor"] = Scopes.Admin,
        ["ChangePeerList"] = Scopes.Admin,
        ["ImportPeerList"] = Scopes.Admin,
        ["CreateAccessToken"] = Scopes.Admin,
        ["ListAccessTokens"] = Scopes.Admin,
        ["UpdateAccessToken"] = Scopes.Admin,
        ["RevokeAccessToken"] = Scopes.Admin,
    }.ToFrozenDictionary();

    /// <summary>
    /// By a method's full name, "/service/method", as the server resolved it. None for a node's health, which says no more
    /// than whether it serves: what watches that should need no secret.
    /// </summary>
    public static (Scopes Scope, string Method) Of(string fullName)
    {
        int slash = fullName.LastIndexOf('/');
        string service = fullName[..Math.Max(slash, 0)].TrimStart('/'), method = fullName[(slash + 1)..];
        if (service == Wire.NodeService.Descriptor.FullName) return (Node.GetValueOrDefault(method, Scopes.Admin), method);
        if (service == HealthService) return (Scopes.None, method);
        return (service.StartsWith(ReflectionPrefix, StringComparison.Ordinal) ? Scopes.Read : Scopes.Admin, fullName);
    }
}
