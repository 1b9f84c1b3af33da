using System.Collections.Frozen;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>What a method is about, for access tokens that are for some channels only.</summary>
internal enum Reach : byte
{
    /// <summary>The whole node, or channels that are none of the token's: refused.</summary>
    WholeNode = 0,

    /// <summary>The channels that it names: each must be one of the token's.</summary>
    NamedChannels = 1,

    /// <summary>What there is: it tells only what is about the token's channels and no others.</summary>
    ShownChannels = 2,

    /// <summary>No channel, nor what could tell of any.</summary>
    NoChannel = 3,
}

/// <summary>The reach of each method. What is not named here is about the whole node.</summary>
internal static class MethodReach
{
    public static readonly FrozenDictionary<string, Reach> Node = new Dictionary<string, Reach>
    {
        ["GetAccessToken"] = Reach.NoChannel, // The token's own spending: in its channels, or from before it was for these only.
        ["NarrowAccessToken"] = Reach.NamedChannels,
        ["RevokeNarrowedAccessToken"] = Reach.NoChannel,
        ["GetToken"] = Reach.NoChannel,
        ["GetInfo"] = Reach.ShownChannels,
        ["ListChannels"] = Reach.ShownChannels,
        ["SubscribePayments"] = Reach.ShownChannels,
        ["SubscribeEvents"] = Reach.ShownChannels,
        ["ListJobs"] = Reach.ShownChannels,
        ["CancelJob"] = Reach.ShownChannels,
        ["GetChannel"] = Reach.NamedChannels,
        ["ListSentPayments"] = Reach.NamedChannels,
        ["Pay"] = Reach.NamedChannels,
        ["StreamPayments"] = Reach.NamedChannels,
        ["DepositChannel"] = Reach.NamedChannels,
        ["DepositChannels"] = Reach.NamedChannels,
        ["CloseChannel"] = Reach.NamedChannels,
        ["StartClose"] = Reach.NamedChannels,
        ["SettleChannel"] = Reach.NamedChannels,
        ["ClaimChannels"] = Reach.NamedChannels,
        ["OpenChannel"] = Reach.WholeNode, // A channel that is none of the token's yet.
        ["GetStatus"] = Reach.WholeNode,
        ["ListCredits"] = Reach.WholeNode,
        ["WithdrawCredit"] = Reach.WholeNode,
        ["GetPolicy"] = Reach.WholeNode,
        ["ExplainPolicy"] = Reach.WholeNode, // What was paid to a peer, and by it, in all channels.
        ["ReadPeerList"] = Reach.WholeNode,
        ["ReadPolicyAudit"] = Reach.WholeNode,
        ["ResumeChannel"] = Reach.WholeNode, // An admin's, as all below, and so never such a token's.
        ["VerifyChain"] = Reach.WholeNode,
        ["CreateBackup"] = Reach.WholeNode,
        ["SetPolicy"] = Reach.WholeNode,
        ["SetPeerTier"] = Reach.WholeNode,
        ["AttestPeer"] = Reach.WholeNode,
        ["RevokeAttestation"] = Reach.WholeNode,
        ["ChangeAttestor"] = Reach.WholeNode,
        ["ChangePeerList"] = Reach.WholeNode,
        ["ImportPeerList"] = Reach.WholeNode,
        ["CreateAccessToken"] = Reach.WholeNode,
        ["ListAccessTokens"] = Reach.WholeNode,
        ["UpdateAccessToken"] = Reach.WholeNode,
        ["RevokeAccessToken"] = Reach.WholeNode,
    }.ToFrozenDictionary();

    /// <summary>By a method's full name. Health and reflection say nothing of channels.</summary>
    public static Reach Of(string fullName)
    {
        int slash = fullName.LastIndexOf('/');
        string service = fullName[..Math.Max(slash, 0)].TrimStart('/');
        if (service == Wire.NodeService.Descriptor.FullName) return Node.GetValueOrDefault(fullName[(slash + 1)..], Reach.WholeNode);
        return MethodScopes.Of(fullName).Scope is Scopes.None or Scopes.Read ? Reach.NoChannel : Reach.WholeNode;
    }
}
