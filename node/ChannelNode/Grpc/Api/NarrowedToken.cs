using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// What the bearer of a token asks of a narrower one. It may name nothing that his own may not do; what it does not name is as in
/// his own. Limits that change while tokens live (caps, channels, rates, time) need no comparison here: those of both hold at any time.
/// </summary>
internal static class NarrowedToken
{
    public static AccessTokenOrder Read(Wire.CreateAccessTokenRequest request, Node node, TokenLine from)
    {
        AccessToken own = from.Token;
        string name = AccessTokenWire.ReadName(request.Name);
        List<string> methods = AccessTokenWire.ReadMethods(request.Methods);
        Scopes scopes = ReadScopes(request, methods, own);
        List<SpendingCap> caps = AccessTokenWire.ReadCaps(request.Caps, scopes);
        RequireUsable(caps, from);
        if (request.Uncapped && caps.Exists(cap => cap.LimitsPayments)) throw Fields.Invalid("uncapped", "true", "false, for caps were given");
        if (caps.Count > AccessToken.NarrowedCapsMax) throw Fields.Invalid("caps", $"{caps.Count} caps", $"at most {AccessToken.NarrowedCapsMax} of a narrowed token");
        foreach (string asked in request.ChannelIds.Take(AccessToken.ChannelsMax))
            if (Fields.ReadChannelId(asked, "channel_ids") is var id && from.WhichRefuses(id) is { } refusing) throw refusing.RefuseChannel(id, "channel_ids");
        List<ChannelId> channels = AccessTokenWire.ReadChannels(request.ChannelIds, node.Book);
        IReadOnlyList<string> kept = methods.Count > 0 ? methods : MethodsWithin(own, scopes);
        AccessTokenWire.RequireReach(channels, scopes, kept, request.ChannelsPerDayMax);
        return new AccessTokenOrder(name, scopes)
        {
            Methods = kept,
            Networks = ReadNetworks(request, own),
            Caps = caps,
            Channels = channels,
            ExpiresAtSeconds = AccessTokenWire.ReadExpiry(request.ValidSeconds, node.Clock.NowMs),
            RequestsPerSecondMax = request.RequestsPerSecondMax,
            StreamsMax = request.StreamsMax,
            MessageBytesMax = AccessTokenWire.ReadMessageBytes(request.MessageBytesMax, node.Options.MessageBytesMax),
            ChannelsPerDayMax = AccessTokenWire.ReadChannelsPerDay(request.ChannelsPerDayMax, scopes),
        };
    }

    /// <summary>A cap in a currency that those above it may not spend now would be one of nothing.</summary>
    private static void RequireUsable(List<SpendingCap> caps, TokenLine from)
    {
        for (TokenLine? line = from; line is not null; line = line.Parent)
        {
            AccessToken above = line.Token;
            foreach (SpendingCap cap in caps)
            {
                Require(cap, cap.LimitsPayments, above.Caps.Where(has => has.LimitsPayments));
                Require(cap, cap.LimitsDeposits, above.Caps.Where(has => has.LimitsDeposits));
            }

            void Require(SpendingCap cap, bool limits, IEnumerable<SpendingCap> caps)
            {
                Address[] currencies = [.. caps.Select(has => has.Currency)];
                if (limits && currencies.Length > 0 && !currencies.Contains(cap.Currency))
                    throw Fields.Invalid("caps.token", cap.Currency.ToString(), $"one of those that token {above.Number} is for: {string.Join(", ", currencies)}");
            }
        }
    }

    private static Scopes ReadScopes(Wire.CreateAccessTokenRequest request, List<string> methods, AccessToken own)
    {
        foreach (string method in methods)
            if (!own.Allows(MethodScopes.Node[method], method)) throw Fields.Invalid("methods", method, $"methods that token {own.Number} may call{(own.Methods.Count == 0 ? $": it has {AccessTokenWire.Words(own.Scopes)}" : $": {string.Join(", ", own.Methods)}")}");
        bool isAdmin = (own.Scopes & Scopes.Admin) != 0;
        Scopes most = isAdmin ? Scopes.Read | Scopes.Pay | Scopes.Channels : own.Scopes;
        Scopes asked = request.Scopes.Count == 0 && methods.Count == 0 && !isAdmin ? own.Scopes : AccessTokenWire.ReadScopes(request.Scopes, methods);
        if ((asked & ~most) == 0) return asked;
        throw Fields.Invalid(
            "scopes", AccessTokenWire.Words(asked),
            $"some of {AccessTokenWire.Words(most)}, of token {own.Number}{(isAdmin ? "; a narrowed one is never for admin, whose bearer could make one that is not narrowed" : "")}");
    }

    private static IReadOnlyList<string> MethodsWithin(AccessToken own, Scopes scopes)
    {
        if (own.Methods.Count == 0) return [];
        string[] kept = [.. own.Methods.Where(method => MethodScopes.Node.GetValueOrDefault(method, Scopes.Admin) is var of && (of == MethodScopes.Any || (of & scopes) != 0))];
        return kept.Length > 0
            ? kept
            : throw Fields.Invalid("scopes", AccessTokenWire.Words(scopes), $"such as the methods ask for that token {own.Number} is for: {string.Join(", ", own.Methods)}");
    }

    /// <summary>Where a narrowed one may be used from does not change any more, so it is within what its bearer has.</summary>
    private static IReadOnlyList<IPNetwork> ReadNetworks(Wire.CreateAccessTokenRequest request, AccessToken own)
    {
        List<IPNetwork> asked = AccessTokenWire.ReadNetworks(request.FromIps);
        if (asked.Count == 0) return own.Networks;
        foreach (IPNetwork network in asked)
        {
            bool isWithin = own.Networks.Count == 0
                || own.Networks.Any(wide => wide.PrefixLength <= network.PrefixLength && wide.Contains(network.BaseAddress));
            if (!isWithin) throw Fields.Invalid("from_ips", network.ToString(), $"some within {string.Join(", ", own.Networks)}, of token {own.Number}");
        }

        return asked;
    }
}
