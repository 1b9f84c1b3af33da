using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>What is asked to be changed of an access token, checked as that of a new one.</summary>
internal static class AccessTokenUpdate
{
    private const string None = "none";

    public static Func<AccessToken, AccessToken> Read(Wire.UpdateAccessTokenRequest request, Node node)
    {
        bool changes = request.HasValidSeconds || request.HasRequestsPerSecondMax || request.HasStreamsMax || request.HasMessageBytesMax
            || request.HasChannelsPerDayMax || request.Caps.Count > 0 || request.ChannelIds.Count > 0 || request.AnyChannel;
        if (!changes) throw Fields.Invalid("number", $"{request.Number}", "something to change beside it, such as caps or valid_seconds");
        if (request.AnyChannel && request.ChannelIds.Count > 0)
            throw Fields.Invalid("any_channel", "true", "false, or no channel_ids beside it");
        return token =>
        {
            AccessToken next = token with { Caps = ReadCaps(request, token) };
            if (request.HasValidSeconds) next = next with { ExpiresAtSeconds = AccessTokenWire.ReadExpiry(request.ValidSeconds, node.Clock.NowMs) };
            if (request.HasRequestsPerSecondMax) next = next with { RequestsPerSecondMax = request.RequestsPerSecondMax };
            if (request.HasStreamsMax) next = next with { StreamsMax = request.StreamsMax };
            if (request.HasMessageBytesMax)
                next = next with { MessageBytesMax = AccessTokenWire.ReadMessageBytes(request.MessageBytesMax, node.Options.MessageBytesMax) };
            if (request.HasChannelsPerDayMax)
                next = next with { ChannelsPerDayMax = AccessTokenWire.ReadChannelsPerDay(request.ChannelsPerDayMax, token.Scopes) };
            if (request.AnyChannel) next = next with { Channels = [] };
            if (request.ChannelIds.Count > 0) next = next with { Channels = AccessTokenWire.ReadChannels(request.ChannelIds, node.Book) };
            AccessTokenWire.RequireReach(next.Channels, next.Scopes, next.Methods, next.ChannelsPerDayMax);
            return next;
        };
    }

    private static List<SpendingCap> ReadCaps(Wire.UpdateAccessTokenRequest request, AccessToken token)
    {
        List<SpendingCap> caps = [.. token.Caps];
        HashSet<Address> named = [];
        foreach (Wire.SpendingCapChange change in request.Caps)
        {
            Address currency = Fields.ReadAddress(change.Token, "caps.token", emptyIsZero: true);
            if (!named.Add(currency)) throw Fields.Invalid("caps", currency.ToString(), "one of each currency");
            int place = caps.FindIndex(cap => cap.Currency == currency);
            SpendingCap next = Read(change, place < 0 ? new SpendingCap(currency, 0, 0, 0, 0) : caps[place]);
            AccessTokenWire.Require(token.Scopes, next);
            if (place >= 0) caps.RemoveAt(place);
            if (next.LimitsPayments || next.LimitsDeposits) caps.Insert(place < 0 ? caps.Count : place, next);
            else if (place < 0) throw Fields.Invalid("caps", currency.ToString(), "one limit at least, where there is none to take away");
        }

        if (caps.Count > AccessToken.CapsMax) throw Fields.Invalid("caps", $"{caps.Count} caps", $"at most {AccessToken.CapsMax}");
        bool isCapped = caps.Exists(cap => cap.LimitsPayments);
        if (request.Uncapped && isCapped) throw Fields.Invalid("uncapped", "true", "false, for caps are given, or stay");
        if (!request.Uncapped && !isCapped && token.LimitsPayments)
            throw Fields.Invalid("uncapped", "false", "true: it may pay, and nothing would limit that any more");
        return caps;
    }

    private static SpendingCap Read(Wire.SpendingCapChange change, SpendingCap cap) => new(
        cap.Currency,
        Amount(change.PerPayment, "caps.per_payment", cap.PerPayment),
        Amount(change.PerDay, "caps.per_day", cap.PerDay),
        Amount(change.PerPeerPerDay, "caps.per_peer_per_day", cap.PerPeerPerDay),
        Amount(change.Total, "caps.total", cap.Total))
    {
        DepositPerDay = Amount(change.DepositPerDay, "caps.deposit_per_day", cap.DepositPerDay),
        DepositTotal = Amount(change.DepositTotal, "caps.deposit_total", cap.DepositTotal),
    };

    private static UInt128 Amount(string text, string field, UInt128 before) => text switch
    {
        "" => before,
        None => UInt128.Zero,
        _ => Fields.ReadAmount(text, field),
    };
}
