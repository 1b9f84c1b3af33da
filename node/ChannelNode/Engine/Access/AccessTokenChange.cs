using System.Globalization;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What changed of an access token, in words for the audit log.</summary>
internal static class AccessTokenChange
{
    private const string None = "none";

    /// <summary>Each field with what it was and what it is; empty where nothing changed.</summary>
    public static string Words(AccessToken before, AccessToken after)
    {
        List<string> changes = [];
        Add("expires_at", Time(before.ExpiresAtSeconds), Time(after.ExpiresAtSeconds));
        Add("requests_per_second_max", Count(before.RequestsPerSecondMax), Count(after.RequestsPerSecondMax));
        Add("streams_max", Count(before.StreamsMax), Count(after.StreamsMax));
        Add("message_bytes_max", Count(before.MessageBytesMax), Count(after.MessageBytesMax));
        Add("channels_per_day_max", Count(before.ChannelsPerDayMax), Count(after.ChannelsPerDayMax));
        Add("channel_ids", Channels(before), Channels(after));
        foreach (Address currency in before.Caps.Concat(after.Caps).Select(cap => cap.Currency).Distinct())
        {
            SpendingCap? old = before.CapOf(currency), next = after.CapOf(currency);
            foreach ((string name, Func<SpendingCap, UInt128> of) in SpendingCap.Limits)
                Add($"{name} of {(currency.IsZero ? "ether" : currency)}", Amount(old, of, currency), Amount(next, of, currency));
        }

        return changes.Count == 0 ? string.Empty : $"token {after.Number} ({after.Name}): {string.Join("; ", changes)}";

        void Add(string field, string was, string isNow)
        {
            if (was != isNow) changes.Add($"{field} {was} -> {isNow}");
        }
    }

    private static string Channels(AccessToken token) => token.IsConfined ? string.Join(", ", token.Channels) : "all";

    private static string Count(uint count) => count == 0 ? None : count.ToString(CultureInfo.InvariantCulture);

    private static string Time(ulong seconds) => seconds == 0 ? None : $"{DateTimeOffset.FromUnixTimeSeconds((long)seconds):u}";

    private static string Amount(SpendingCap? cap, Func<SpendingCap, UInt128> of, Address currency) =>
        cap is not null && of(cap) is var amount && amount != UInt128.Zero ? AmountWords.Of(amount, currency) : None;
}
