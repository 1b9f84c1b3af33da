using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>An operator's two lists of peers.</summary>
internal enum PeerList : byte
{
    Allow = 1,
    Deny = 2,
}

/// <summary>One thing that is stored of an operator's policy, each in a row of its own.</summary>
internal abstract record PolicyFact
{
    private PolicyFact() { }

    public sealed record TierRules(string Tier, PolicyRules Rules) : PolicyFact;

    public sealed record PeerRules(Address Peer, PolicyRules Rules) : PolicyFact;

    /// <summary>
    /// The tier that a peer was moved to. <paramref name="ValidUntilSeconds"/> 0: for good.
    /// <paramref name="Attestor"/> zero: by the operator, else by this attestation.
    /// </summary>
    public sealed record Standing(
        Address Peer, string Tier, ulong SinceSeconds, ulong ValidUntilSeconds, Address Attestor, Bytes32 Attestation) : PolicyFact;

    public sealed record Listed(PeerList List, Address Peer, string Comment) : PolicyFact;

    /// <summary>Whose attestations count.</summary>
    public sealed record TrustedAttestor(Address Signer, string Comment) : PolicyFact;

    /// <summary>An attestation that does not count any more.</summary>
    public sealed record Revoked(Bytes32 Attestation) : PolicyFact;

    /// <summary>What was paid in one hour (Unix time / 3,600) in one direction; stored with the payments that it counts.</summary>
    public sealed record Spent(Address Peer, Address Token, bool IsSent, long Hour, UInt128 Sum, ulong Count) : PolicyFact;
}

/// <summary>What an entry of the audit log tells; the wire's PolicyAuditKind has the same names.</summary>
internal enum PolicyAuditKind : byte
{
    ChannelAccepted = 1,
    ChannelRefused = 2,
    DepositRefused = 3,

    /// <summary>Payments of the peer; one entry stands for all of a minute.</summary>
    ReceivingRefused = 4,

    /// <summary>Payments to the peer; one entry stands for all of a minute.</summary>
    SendingRefused = 5,
    TierChanged = 6,
    TierExpired = 7,
    AttestationRefused = 8,
    AttestationRevoked = 9,
    AttestorsChanged = 10,
    ListChanged = 11,
    ListImported = 12,
    RulesChanged = 13,

    /// <summary>Refusals that were too many to be named one by one, in a minute.</summary>
    RefusalsUnnamed = 14,

    /// <summary>What an access token may do; the detail has what it was and what it is.</summary>
    AccessTokenChanged = 15,
    AccessTokenCreated = 16,
    AccessTokenRevoked = 17,
}

/// <summary>A decision, for whoever has to account for it. Cursors start at 1 and rise by one.</summary>
internal sealed record PolicyAuditEntry(PolicyAuditKind Kind, string Detail)
{
    public ulong Cursor { get; init; }

    public long TimeMs { get; init; }

    /// <summary>Zero where it is about none.</summary>
    public Address Peer { get; init; }

    public ChannelId Channel { get; init; }

    public Address Token { get; init; }

    /// <summary>Empty where it is about none.</summary>
    public string Tier { get; init; } = string.Empty;

    /// <summary>Who asked for it, by the API; empty where it is what the rules decided.</summary>
    public string Actor { get; init; } = string.Empty;

    public PolicyDecision Decision { get; init; }

    /// <summary>Decisions that the entry stands for.</summary>
    public ulong Count { get; init; } = 1;
}
