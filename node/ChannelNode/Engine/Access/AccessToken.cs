using System.Net;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What a caller of the API may do. Admin includes all others.</summary>
[Flags]
internal enum Scopes : byte
{
    None = 0,
    Read = 1,
    Pay = 2,
    Channels = 4,
    Admin = 8,
    All = Read | Pay | Channels | Admin,
}

/// <summary>
/// What a token may spend in one currency (zero address for ether), in its smallest units; zero stands for no such cap. Days
/// are calendar days of UTC.
/// </summary>
/// <param name="Currency">The channel's token.</param>
/// <param name="PerPayment">By one payment.</param>
/// <param name="PerDay">In one day.</param>
/// <param name="PerPeerPerDay">To one peer in one day.</param>
/// <param name="Total">In the token's whole life.</param>
internal sealed record SpendingCap(Address Currency, UInt128 PerPayment, UInt128 PerDay, UInt128 PerPeerPerDay, UInt128 Total)
{
    /// <summary>Deposited into channels in one day.</summary>
    public UInt128 DepositPerDay { get; init; }

    /// <summary>The same in the token's whole life.</summary>
    public UInt128 DepositTotal { get; init; }

    /// <summary>Every limit by its name, as callers give it and are told it.</summary>
    public static IReadOnlyList<(string Name, Func<SpendingCap, UInt128> Of)> Limits { get; } =
    [
        ("per_payment", cap => cap.PerPayment), ("per_day", cap => cap.PerDay), ("per_peer_per_day", cap => cap.PerPeerPerDay),
        ("total", cap => cap.Total), ("deposit_per_day", cap => cap.DepositPerDay), ("deposit_total", cap => cap.DepositTotal),
    ];

    public bool LimitsPayments => (PerPayment | PerDay | PerPeerPerDay | Total) != UInt128.Zero;

    public bool LimitsDeposits => (DepositPerDay | DepositTotal) != UInt128.Zero;
}

/// <summary>
/// Who may do what by the API. Of its secret only the SHA-256 is known. A token that may pay and has no caps of payments pays without
/// limit; with caps it pays in their currencies only. The same of deposits, with the caps that limit these.
/// </summary>
internal sealed record AccessToken
{
    public const int NameBytesMax = 64;
    public const int MethodsMax = 64;
    public const int NetworksMax = 32;
    public const int CapsMax = 32;
    public const int ChannelsMax = 64;

    /// <summary>Of one line: how often what was narrowed can be narrowed again.</summary>
    public const int DepthMax = 8;

    /// <summary>Remembered of those that come of one token by narrowing, over or not.</summary>
    public const int NarrowedMax = 100;

    /// <summary>The same of one that is narrowed itself: else its bearer could take all that of the one that it comes of.</summary>
    public const int NarrowedAgainMax = 10;

    /// <summary>Of a narrowed one: each is asked about where tokens are listed.</summary>
    public const int NarrowedCapsMax = 4;

    /// <summary>The smallest that its messages may be limited to, in bytes: payments, and tokens to be made, fit.</summary>
    public const int MessageBytesMin = 1_024;

    public required ulong Number { get; init; }

    /// <summary>The number of the one that it was narrowed from; 0 for none.</summary>
    public ulong Parent { get; init; }

    /// <summary>1 to 64 bytes of UTF-8, for people.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 of the secret's text.</summary>
    public required Bytes32 Hash { get; init; }

    public required Scopes Scopes { get; init; }

    /// <summary>Names of NodeService's methods; none for all that the scopes allow.</summary>
    public IReadOnlyList<string> Methods { get; init; } = [];

    /// <summary>Where it may be used from; none for anywhere.</summary>
    public IReadOnlyList<IPNetwork> Networks { get; init; } = [];

    /// <summary>What it is for; none for all channels and the whole node.</summary>
    public IReadOnlyList<ChannelId> Channels { get; init; } = [];

    /// <summary>Whether it is for some channels only.</summary>
    public bool IsConfined => Channels.Count > 0;

    /// <summary>One of each currency at most.</summary>
    public IReadOnlyList<SpendingCap> Caps { get; init; } = [];

    /// <summary>Whether any cap is one of payments.</summary>
    public bool LimitsPayments
    {
        get
        {
            for (int index = 0; index < Caps.Count; index++)
                if (Caps[index].LimitsPayments) return true;
            return false;
        }
    }

    /// <summary>Null where it has none in a currency.</summary>
    public SpendingCap? CapOf(Address currency) => Caps.FirstOrDefault(cap => cap.Currency == currency);

    /// <summary>Calls in a second; 0 for the node's own limit.</summary>
    public uint RequestsPerSecondMax { get; init; }

    /// <summary>Calls that are open at a time; 0 for the node's own limit.</summary>
    public uint StreamsMax { get; init; }

    /// <summary>Of the largest message that it may send; 0 for the node's own limit.</summary>
    public uint MessageBytesMax { get; init; }

    /// <summary>Channels that it may open in one day; 0 for any number.</summary>
    public uint ChannelsPerDayMax { get; init; }

    public required long CreatedAtMs { get; init; }

    /// <summary>Unix time from which on it is worth nothing; 0 for never.</summary>
    public ulong ExpiresAtSeconds { get; init; }

    /// <summary>0 while it is not.</summary>
    public long RevokedAtMs { get; init; }

    /// <summary>None while it is good by itself.</summary>
    public Refusal EndedAt(long nowMs)
    {
        if (RevokedAtMs != 0) return Refusal.AccessTokenRevoked;
        return ExpiresAtSeconds != 0 && nowMs / 1_000 >= (long)ExpiresAtSeconds ? Refusal.AccessTokenExpired : Refusal.None;
    }

    /// <param name="scope">All for what every token may call, also one that is for some methods only.</param>
    /// <param name="method">Its name.</param>
    public bool Allows(Scopes scope, string method) =>
        (Scopes & (scope | Scopes.Admin)) != 0 && (scope == Scopes.All || Methods.Count == 0 || Methods.Contains(method));

    public bool AllowsChannel(ChannelId channel)
    {
        if (!IsConfined) return true;
        for (int index = 0; index < Channels.Count; index++)
            if (Channels[index] == channel) return true;
        return false;
    }

    /// <summary>What is said of a channel that is not one of its own, whether there is one or not.</summary>
    public RefusalException RefuseChannel(ChannelId channel, string field = "channel_id") => new(
        Refusal.ChannelNotAllowed, $"{field} is {channel}, expected one that token {Number} is for")
    {
        Field = field,
        Value = channel.ToString(),
    };

    /// <summary>An IPv4 address that came by an IPv6 socket counts as itself.</summary>
    public bool AllowsFrom(IPAddress address)
    {
        if (Networks.Count == 0) return true;
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        foreach (IPNetwork network in Networks)
            if (network.Contains(address)) return true;
        return false;
    }
}
