using System.Globalization;
using System.Net;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf.Collections;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>Tokens in NodeService's words, and what is asked of a new one checked.</summary>
internal static class AccessTokenWire
{
    private const ulong SecondsPerDay = 86_400;

    /// <summary>When it is over, where it is good for so long from now on; 0 for never.</summary>
    public static ulong ReadExpiry(ulong validSeconds, long nowMs) => validSeconds switch
    {
        0 => 0,
        > int.MaxValue => throw Fields.Invalid("valid_seconds", Text(validSeconds), $"at most {int.MaxValue}"),
        _ => (ulong)nowMs / 1_000 + validSeconds,
    };

    public static AccessTokenOrder Read(Wire.CreateAccessTokenRequest request, Node node)
    {
        string name = ReadName(request.Name);
        List<string> methods = ReadMethods(request.Methods);
        Scopes scopes = ReadScopes(request.Scopes, methods);
        List<SpendingCap> caps = ReadCaps(request.Caps, scopes);
        RequireCaps(request.Uncapped, scopes, caps);
        List<ChannelId> channels = ReadChannels(request.ChannelIds, node.Book);
        RequireReach(channels, scopes, methods, request.ChannelsPerDayMax);
        return new AccessTokenOrder(name, scopes)
        {
            Methods = methods,
            Networks = ReadNetworks(request.FromIps),
            Caps = caps,
            Channels = channels,
            ExpiresAtSeconds = ReadExpiry(request.ValidSeconds, node.Clock.NowMs),
            RequestsPerSecondMax = request.RequestsPerSecondMax,
            StreamsMax = request.StreamsMax,
            MessageBytesMax = ReadMessageBytes(request.MessageBytesMax, node.Options.MessageBytesMax),
            ChannelsPerDayMax = ReadChannelsPerDay(request.ChannelsPerDayMax, scopes),
        };
    }

    public static string ReadName(string name) =>
        Encoding.UTF8.GetByteCount(name) is > 0 and <= AccessToken.NameBytesMax && !name.Any(IsUnseen)
            ? name
            : throw Fields.Invalid("name", name, $"1 to {AccessToken.NameBytesMax} bytes of text, without control and format characters");

    private static bool IsUnseen(char letter) => char.GetUnicodeCategory(letter) is UnicodeCategory.Control or UnicodeCategory.Format;

    public static uint ReadMessageBytes(uint asked, int max) => asked == 0 || (asked >= AccessToken.MessageBytesMin && asked <= max)
        ? asked
        : throw Fields.Invalid("message_bytes_max", Text(asked), $"0, or {AccessToken.MessageBytesMin} to {max}, the node's own largest (--message-bytes-max)");

    public static uint ReadChannelsPerDay(uint asked, Scopes scopes) =>
        asked == 0 || (scopes & (Scopes.Channels | Scopes.Admin)) == Scopes.Channels
            ? asked
            : throw Fields.Invalid("channels_per_day_max", Text(asked), "0 without the scope channels, and with admin, whose bearer could make a token without limits");

    /// <summary>Known ones: a mistyped id would make a token that is good for nothing, and nobody would know why.</summary>
    public static List<ChannelId> ReadChannels(RepeatedField<string> asked, ChannelBook book)
    {
        if (asked.Count > AccessToken.ChannelsMax)
            throw Fields.Invalid("channel_ids", $"{asked.Count} channels", $"at most {AccessToken.ChannelsMax}");
        List<ChannelId> channels = [];
        foreach (string text in asked)
        {
            ChannelId channel = Fields.ReadChannelId(text, "channel_ids");
            if (book.Find(channel) is null)
                throw new RefusalException(Refusal.UnknownChannel, $"channel_ids has {channel}, which is not known to this node") { Field = "channel_ids" };
            if (!channels.Contains(channel)) channels.Add(channel);
        }

        return channels;
    }

    /// <summary>What a token that is for some channels only may be allowed beside them.</summary>
    public static void RequireReach(IReadOnlyList<ChannelId> channels, Scopes scopes, IReadOnlyList<string> methods, uint channelsPerDayMax)
    {
        if (channels.Count == 0) return;
        if ((scopes & Scopes.Admin) != 0)
            throw Fields.Invalid("channel_ids", $"{channels.Count} channels", "none with the scope admin, whose bearer could make a token for all");
        if (channelsPerDayMax != 0)
            throw Fields.Invalid("channels_per_day_max", Text(channelsPerDayMax), "0 with channel_ids: it may open none");
        foreach (string method in methods)
            if (MethodReach.Node[method] == Reach.WholeNode) throw Fields.Invalid("methods", method, "methods about channels, together with channel_ids");
    }

    public static List<string> ReadMethods(RepeatedField<string> methods)
    {
        if (methods.Count > AccessToken.MethodsMax)
            throw Fields.Invalid("methods", $"{methods.Count} names", $"at most {AccessToken.MethodsMax}");
        foreach (string method in methods)
            if (!MethodScopes.Node.ContainsKey(method)) throw Fields.Invalid("methods", method, $"one of {string.Join(", ", MethodScopes.Node.Keys.Order(StringComparer.Ordinal))}");
        return [.. methods.Distinct()];
    }

    public static Scopes ReadScopes(RepeatedField<Wire.Scope> asked, List<string> methods)
    {
        Scopes scopes = Scopes.None, needed = Scopes.None;
        foreach (string method in methods)
            if (MethodScopes.Node[method] is not MethodScopes.Any and var scope) needed |= scope;
        foreach (Wire.Scope scope in asked)
        {
            scopes |= scope switch
            {
                Wire.Scope.Read => Scopes.Read,
                Wire.Scope.Pay => Scopes.Pay,
                Wire.Scope.Channels => Scopes.Channels,
                Wire.Scope.Admin => Scopes.Admin,
                _ => throw Fields.Invalid("scopes", scope.ToString(), "scopes that this node knows"),
            };
        }

        if (scopes == Scopes.None) scopes = needed;
        if (scopes == Scopes.None && methods.Count > 0)
            throw Fields.Invalid("methods", string.Join(", ", methods), "others too, or scopes: these are for every token");
        if (scopes == Scopes.None) throw Fields.Invalid("scopes", "", "one at least, or methods");
        if ((scopes & Scopes.Admin) == 0 && (needed & ~scopes) != 0)
            throw Fields.Invalid("methods", string.Join(", ", methods), $"methods that ask for {Words(scopes)}");
        return scopes;
    }

    public static List<IPNetwork> ReadNetworks(RepeatedField<string> asked)
    {
        if (asked.Count > AccessToken.NetworksMax)
            throw Fields.Invalid("from_ips", $"{asked.Count} networks", $"at most {AccessToken.NetworksMax}");
        List<IPNetwork> networks = [];
        foreach (string text in asked)
        {
            if (IPAddress.TryParse(text, out IPAddress? address)) networks.Add(new IPNetwork(address, 8 * address.GetAddressBytes().Length));
            else if (IPNetwork.TryParse(text, out IPNetwork network)) networks.Add(network);
            else throw Fields.Invalid("from_ips", text, "an address, or a network such as 10.0.0.0/8");
        }

        return networks;
    }

    public static List<SpendingCap> ReadCaps(RepeatedField<Wire.SpendingCap> asked, Scopes scopes)
    {
        if (asked.Count > AccessToken.CapsMax) throw Fields.Invalid("caps", $"{asked.Count} caps", $"at most {AccessToken.CapsMax}");
        List<SpendingCap> caps = [];
        foreach (Wire.SpendingCap cap in asked)
        {
            SpendingCap read = new(
                Fields.ReadAddress(cap.Token, "caps.token", emptyIsZero: true), Amount(cap.PerPayment, "caps.per_payment"),
                Amount(cap.PerDay, "caps.per_day"), Amount(cap.PerPeerPerDay, "caps.per_peer_per_day"), Amount(cap.Total, "caps.total"))
            {
                DepositPerDay = Amount(cap.DepositPerDay, "caps.deposit_per_day"),
                DepositTotal = Amount(cap.DepositTotal, "caps.deposit_total"),
            };
            if (!read.LimitsPayments && !read.LimitsDeposits) throw Fields.Invalid("caps", read.Currency.ToString(), "one limit at least");
            Require(scopes, read);
            if (caps.Any(known => known.Currency == read.Currency))
                throw Fields.Invalid("caps", read.Currency.ToString(), "one of each currency");
            caps.Add(read);
        }

        return caps;

        static UInt128 Amount(string text, string field) => text.Length == 0 ? UInt128.Zero : Fields.ReadAmount(text, field);
    }

    public static string Words(Scopes scopes) => scopes.ToString().ToLowerInvariant();

    private static void RequireCaps(bool uncapped, Scopes scopes, List<SpendingCap> caps)
    {
        bool pays = (scopes & (Scopes.Pay | Scopes.Admin)) == Scopes.Pay;
        if (!pays || caps.Any(cap => cap.LimitsPayments) != uncapped) return;
        throw Fields.Invalid(
            "uncapped", uncapped ? "true" : "false",
            uncapped ? "false, for caps were given" : "caps, or true: it may pay, so it says how much, or that nothing limits it");
    }

    /// <summary>A cap is of something that the token may do.</summary>
    public static void Require(Scopes scopes, SpendingCap cap)
    {
        if ((scopes & Scopes.Admin) != 0)
            throw Fields.Invalid("caps", $"caps of a token for {Words(scopes)}", "the scopes pay or channels, and not admin, whose bearer could make a token without caps");
        if (cap.LimitsPayments && (scopes & Scopes.Pay) == 0) throw Fields.Invalid("caps", $"caps of a token for {Words(scopes)}", "the scope pay, whose payments they limit");
        if (cap.LimitsDeposits && (scopes & Scopes.Channels) == 0) throw Fields.Invalid("caps", $"caps of a token for {Words(scopes)}", "the scope channels, whose deposits they limit");
    }

    public static Wire.AccessToken Write(AccessToken token, IReadOnlyList<Spending> spent)
    {
        Wire.AccessToken wire = new()
        {
            Number = token.Number,
            Parent = token.Parent,
            Name = token.Name,
            CreatedAtMs = token.CreatedAtMs,
            ExpiresAtSeconds = token.ExpiresAtSeconds,
            RevokedAtMs = token.RevokedAtMs,
            RequestsPerSecondMax = token.RequestsPerSecondMax,
            StreamsMax = token.StreamsMax,
            MessageBytesMax = token.MessageBytesMax,
            ChannelsPerDayMax = token.ChannelsPerDayMax,
        };
        if ((token.Scopes & Scopes.Read) != 0) wire.Scopes.Add(Wire.Scope.Read);
        if ((token.Scopes & Scopes.Pay) != 0) wire.Scopes.Add(Wire.Scope.Pay);
        if ((token.Scopes & Scopes.Channels) != 0) wire.Scopes.Add(Wire.Scope.Channels);
        if ((token.Scopes & Scopes.Admin) != 0) wire.Scopes.Add(Wire.Scope.Admin);
        wire.Methods.AddRange(token.Methods);
        wire.FromIps.AddRange(token.Networks.Select(network => network.ToString()));
        wire.Caps.AddRange(token.Caps.Select(Write));
        wire.ChannelIds.AddRange(token.Channels.Select(channel => channel.ToString()));
        wire.Spent.AddRange(spent.Where(some => some.Kind == SpendingKind.Payment).Select(Write));
        wire.Deposited.AddRange(spent.Where(some => some.Kind == SpendingKind.Deposit).Select(Write));
        wire.ChannelsOpened = (uint)spent.FirstOrDefault(some => some.Kind == SpendingKind.Opening).Today;
        return wire;
    }

    private static Wire.SpendingCap Write(SpendingCap cap) => new()
    {
        Token = cap.Currency.ToString(),
        PerPayment = Text(cap.PerPayment),
        PerDay = Text(cap.PerDay),
        PerPeerPerDay = Text(cap.PerPeerPerDay),
        Total = Text(cap.Total),
        DepositPerDay = Text(cap.DepositPerDay),
        DepositTotal = Text(cap.DepositTotal),
    };

    private static Wire.AccessTokenSpending Write(Spending spent) => new()
    {
        Token = spent.Currency.ToString(),
        Peer = spent.Peer.IsZero ? string.Empty : spent.Peer.ToString(),
        DaySpent = spent.Today.ToString(CultureInfo.InvariantCulture),
        DaySeconds = spent.Day * SecondsPerDay,
        TotalSpent = spent.Total.ToString(CultureInfo.InvariantCulture),
    };

    public static Wire.CapExceeded? Write(BudgetBreach? breach) => breach is not { Refusal: Refusal.AccessTokenCapExceeded }
        ? null
        : new Wire.CapExceeded
        {
            Field = breach.Field,
            Value = breach.Value,
            Limit = breach.Limit,
            ResetsAtSeconds = breach.ResetsAtSeconds,
        };

    /// <summary>Zero stands for no such cap.</summary>
    private static string Text(UInt128 cap) => cap == UInt128.Zero ? string.Empty : cap.ToString(CultureInfo.InvariantCulture);
}
