namespace ChannelNode.Core;

/// <summary>What holds for one peer in one token: its own rules before its tier's, every limit a plain number.</summary>
public readonly record struct PeerLimits
{
    public bool IsDenied { get; init; }

    /// <summary>On the allow list.</summary>
    public bool IsListed { get; init; }

    public AcceptFrom Accept { get; init; }

    public bool TakesToken { get; init; }

    public uint ChannelsMax { get; init; }

    public UInt128 DepositMax { get; init; }

    public UInt128 PaymentMin { get; init; }

    public UInt128 ExposureMax { get; init; }

    public UInt128 SumPerMinuteMax { get; init; }

    public uint CountPerMinuteMax { get; init; }

    public UInt128 SumPerDayMax { get; init; }

    public uint CountPerDayMax { get; init; }

    /// <summary>Where nothing is said there is no limit.</summary>
    public static PeerLimits Of(PolicyRules peer, PolicyRules tier, Address token, bool isDenied, bool isListed)
    {
        AmountRules? own = peer.Amounts.GetValueOrDefault(token), tiers = tier.Amounts.GetValueOrDefault(token);
        IReadOnlyList<Address>? tokens = peer.Tokens ?? tier.Tokens;
        return new PeerLimits
        {
            IsDenied = isDenied,
            IsListed = isListed,
            Accept = peer.Accept ?? tier.Accept ?? AcceptFrom.Anyone,
            TakesToken = tokens is null || tokens.Contains(token),
            ChannelsMax = peer.ChannelsMax ?? tier.ChannelsMax ?? uint.MaxValue,
            DepositMax = own?.DepositMax ?? tiers?.DepositMax ?? UInt128.MaxValue,
            PaymentMin = own?.PaymentMin ?? tiers?.PaymentMin ?? UInt128.Zero,
            ExposureMax = own?.ExposureMax ?? tiers?.ExposureMax ?? UInt128.MaxValue,
            SumPerMinuteMax = own?.SumPerMinuteMax ?? tiers?.SumPerMinuteMax ?? UInt128.MaxValue,
            CountPerMinuteMax = peer.CountPerMinuteMax ?? tier.CountPerMinuteMax ?? uint.MaxValue,
            SumPerDayMax = own?.SumPerDayMax ?? tiers?.SumPerDayMax ?? UInt128.MaxValue,
            CountPerDayMax = peer.CountPerDayMax ?? tier.CountPerDayMax ?? uint.MaxValue,
        };
    }

    /// <summary>Whether payments must be counted: how many and how much in a minute and a day.</summary>
    public bool LimitsVelocity =>
        SumPerMinuteMax != UInt128.MaxValue || SumPerDayMax != UInt128.MaxValue
        || CountPerMinuteMax != uint.MaxValue || CountPerDayMax != uint.MaxValue;

    /// <summary>Whether what a peer has paid before decides how much more is taken of it.</summary>
    public bool LimitsRoom => LimitsVelocity || ExposureMax != UInt128.MaxValue;

    /// <summary>Whether a payment can be refused at all.</summary>
    public bool LimitsPayments =>
        IsDenied || !TakesToken || DepositMax != UInt128.MaxValue || PaymentMin != UInt128.Zero
        || LimitsRoom;
}

/// <summary>What a peer has used of its limits in one token and one direction.</summary>
public readonly record struct PeerUse(
    UInt128 Exposure, UInt128 MinuteSum, ulong MinuteCount, UInt128 DaySum, ulong DayCount);

/// <summary>Payments that are decided together: how many, how much, and the smallest of them.</summary>
public readonly record struct PaymentsTogether(ulong Count, UInt128 Sum, UInt128 Smallest);

/// <summary>
/// What a limit leaves of itself, as a sum in the token's smallest units or as a number of payments;
/// <see cref="PolicyRule.None"/> where there is no limit.
/// </summary>
public readonly record struct PolicyRoom(PolicyRule Rule, UInt128 Left, UInt128 Limit)
{
    public static readonly PolicyRoom Endless = new(PolicyRule.None, UInt128.MaxValue, UInt128.MaxValue);

    /// <summary>Of two limits the one that leaves less; of equals the first.</summary>
    internal PolicyRoom Or(PolicyRule rule, UInt128 used, UInt128 limit)
    {
        if (limit == UInt128.MaxValue) return this;
        UInt128 left = Amounts.Excess(limit, used);
        return left < Left ? new PolicyRoom(rule, left, limit) : this;
    }
}

/// <summary>An operator's rules as pure functions: the first rule that says no, in the order of <see cref="PolicyRule"/>.</summary>
public static class Policy
{
    /// <summary>A peer offers terms; it has <paramref name="channels"/> that are not closed.</summary>
    public static PolicyDecision Propose(in PeerLimits limits, uint channels)
    {
        if (limits.IsDenied) return PolicyDecision.No(PolicyRule.Denied);
        if (limits.Accept == AcceptFrom.Nobody) return PolicyDecision.No(PolicyRule.AcceptNobody);
        if (limits.Accept == AcceptFrom.Listed && !limits.IsListed) return PolicyDecision.No(PolicyRule.NotListed);
        return Open(limits, channels);
    }

    /// <summary>This node opens a channel itself: whom it accepts channels from does not matter.</summary>
    public static PolicyDecision Open(in PeerLimits limits, uint channels)
    {
        if (limits.IsDenied) return PolicyDecision.No(PolicyRule.Denied);
        if (!limits.TakesToken) return PolicyDecision.No(PolicyRule.Token);
        return channels >= limits.ChannelsMax
            ? new PolicyDecision(PolicyRule.Channels, (UInt128)channels + 1, limits.ChannelsMax)
            : default;
    }

    /// <summary>A deposit that this node makes or relays; <paramref name="pot"/> is what its side would hold with it.</summary>
    public static PolicyDecision Deposit(in PeerLimits limits, UInt128 pot)
    {
        if (limits.IsDenied) return PolicyDecision.No(PolicyRule.Denied);
        if (!limits.TakesToken) return PolicyDecision.No(PolicyRule.Token);
        return Above(PolicyRule.Deposit, pot, limits.DepositMax);
    }

    /// <summary>
    /// New payments of the peer; <paramref name="pot"/> is what its side holds on chain. Never more lenient for more of them:
    /// where some are refused, so are these with others behind them.
    /// </summary>
    public static PolicyDecision Receive(in PeerLimits limits, in PeerUse use, UInt128 pot, in PaymentsTogether payments)
    {
        PolicyDecision no = Deposit(limits, pot);
        if (!no.IsAllowed) return no;
        if (payments.Smallest < limits.PaymentMin)
            return new PolicyDecision(PolicyRule.SmallestPayment, payments.Smallest, limits.PaymentMin);
        no = Above(PolicyRule.Exposure, use.Exposure + payments.Sum, limits.ExposureMax);
        return no.IsAllowed ? Velocity(limits, use, payments) : no;
    }

    /// <summary>How much more <see cref="Receive"/> would take of the peer in one token.</summary>
    public static PolicyRoom SumRoom(in PeerLimits limits, in PeerUse use) => PolicyRoom.Endless
        .Or(PolicyRule.Exposure, use.Exposure, limits.ExposureMax)
        .Or(PolicyRule.SumPerMinute, use.MinuteSum, limits.SumPerMinuteMax)
        .Or(PolicyRule.SumPerDay, use.DaySum, limits.SumPerDayMax);

    /// <summary>How many payments more.</summary>
    public static PolicyRoom CountRoom(in PeerLimits limits, in PeerUse use) => PolicyRoom.Endless
        .Or(PolicyRule.CountPerMinute, use.MinuteCount, NoneOr(limits.CountPerMinuteMax))
        .Or(PolicyRule.CountPerDay, use.DayCount, NoneOr(limits.CountPerDayMax));

    /// <summary>A payment of this node to the peer.</summary>
    public static PolicyDecision Send(in PeerLimits limits, in PeerUse use, in PaymentsTogether payments)
    {
        if (limits.IsDenied) return PolicyDecision.No(PolicyRule.Denied);
        return limits.TakesToken ? Velocity(limits, use, payments) : PolicyDecision.No(PolicyRule.Token);
    }

    private static PolicyDecision Velocity(in PeerLimits limits, in PeerUse use, in PaymentsTogether payments)
    {
        PolicyDecision no = Above(PolicyRule.SumPerMinute, use.MinuteSum + payments.Sum, limits.SumPerMinuteMax);
        if (!no.IsAllowed) return no;
        no = Above(PolicyRule.CountPerMinute, use.MinuteCount + payments.Count, NoneOr(limits.CountPerMinuteMax));
        if (!no.IsAllowed) return no;
        no = Above(PolicyRule.SumPerDay, use.DaySum + payments.Sum, limits.SumPerDayMax);
        return no.IsAllowed
            ? Above(PolicyRule.CountPerDay, use.DayCount + payments.Count, NoneOr(limits.CountPerDayMax))
            : no;
    }

    private static UInt128 NoneOr(uint limit) => limit == uint.MaxValue ? UInt128.MaxValue : limit;

    private static PolicyDecision Above(PolicyRule rule, UInt128 value, UInt128 limit) =>
        value > limit ? new PolicyDecision(rule, value, limit) : default;
}
