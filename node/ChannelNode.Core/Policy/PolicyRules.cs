namespace ChannelNode.Core;

/// <summary>
/// Which of an operator's rules says no, in order of precedence: where several do, the first here is named. The numbers are
/// stored and travel: append, never renumber.
/// </summary>
public enum PolicyRule : byte
{
    None = 0,

    /// <summary>The peer is on the deny list.</summary>
    Denied = 1,

    /// <summary>No channels are accepted from anybody of the peer's tier.</summary>
    AcceptNobody = 2,

    /// <summary>Channels are accepted only from peers on the allow list.</summary>
    NotListed = 3,

    /// <summary>The token is none of those allowed to the peer.</summary>
    Token = 4,

    /// <summary>Channels with the peer that are not closed.</summary>
    Channels = 5,

    /// <summary>What one side of a channel holds on chain.</summary>
    Deposit = 6,

    SmallestPayment = 7,

    /// <summary>What the peer has paid and the chain does not know yet, over all channels in one token.</summary>
    Exposure = 8,

    SumPerMinute = 9,
    CountPerMinute = 10,
    SumPerDay = 11,
    CountPerDay = 12,
}

/// <summary>Whose channels are accepted.</summary>
public enum AcceptFrom : byte
{
    Anyone = 1,

    /// <summary>Only peers on the allow list.</summary>
    Listed = 2,
    Nobody = 3,
}

/// <summary>Limits of amounts in one token, in its smallest units, 0 to 2^112 - 1. Null: not said here.</summary>
public sealed record AmountRules
{
    /// <summary>The most that a side of one channel may hold on chain.</summary>
    public UInt128? DepositMax { get; init; }

    /// <summary>The smallest payment that is accepted.</summary>
    public UInt128? PaymentMin { get; init; }

    /// <summary>The most that may be received from the peer beyond what the chain knows, over all its channels.</summary>
    public UInt128? ExposureMax { get; init; }

    /// <summary>The most in any minute, in each direction for itself.</summary>
    public UInt128? SumPerMinuteMax { get; init; }

    /// <summary>The most in any 24 hours, in each direction for itself.</summary>
    public UInt128? SumPerDayMax { get; init; }

    public bool IsEmpty => this == Nothing;

    private static readonly AmountRules Nothing = new();
}

/// <summary>What an operator has said of a tier, or of one peer. Null: not said here.</summary>
public sealed record PolicyRules
{
    public static readonly PolicyRules Nothing = new();

    public AcceptFrom? Accept { get; init; }

    /// <summary>Channels of one peer that are not closed. 0 to 1,000,000.</summary>
    public uint? ChannelsMax { get; init; }

    /// <summary>Payments of one peer in one token, in each direction for itself. 0 to 4,294,967,295.</summary>
    public uint? CountPerMinuteMax { get; init; }

    public uint? CountPerDayMax { get; init; }

    /// <summary>The tokens allowed, of those that the node takes at all; zero is ether.</summary>
    public IReadOnlyList<Address>? Tokens { get; init; }

    /// <summary>By token; zero is ether.</summary>
    public IReadOnlyDictionary<Address, AmountRules> Amounts { get; init; } = new Dictionary<Address, AmountRules>();
}

/// <summary>A rule that says no, with what was found and what is allowed; both in the unit of the rule, 0 where it has none.</summary>
public readonly record struct PolicyDecision(PolicyRule Rule, UInt128 Value, UInt128 Limit)
{
    public bool IsAllowed => Rule == PolicyRule.None;

    public static PolicyDecision No(PolicyRule rule) => new(rule, UInt128.Zero, UInt128.Zero);
}
