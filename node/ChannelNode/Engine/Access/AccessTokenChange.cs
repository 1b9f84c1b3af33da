using System.Globalization;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What an access token is, and what changed of it, in words for the audit log.</summary>
internal static class AccessTokenChange
{
    private const string None = "none";

    /// <summary>Any bearer can have them written.</summary>
    private const int NarrowedWordsMax = 1_000;

    /// <summary>Each field that a new one has.</summary>
    public static string Made(AccessToken token)
    {
        List<string> has = [$"scopes {token.Scopes.ToString().ToLowerInvariant()}"];
        if (token.Parent != 0) has.Insert(0, $"narrowed from token {token.Parent}");
        if ((token.Scopes & (Scopes.Pay | Scopes.Admin)) == Scopes.Pay && !token.LimitsPayments && token.Parent == 0) has.Add("uncapped");
        if (token.Methods.Count > 0) has.Add($"methods {string.Join(", ", token.Methods)}");
        if (token.Networks.Count > 0) has.Add($"from_ips {string.Join(", ", token.Networks)}");
        AccessToken blank = new() { Number = token.Number, Name = token.Name, Hash = default, Scopes = token.Scopes, CreatedAtMs = token.CreatedAtMs };
        has.AddRange(Changes(blank, token).Select(change => $"{change.Field} {change.IsNow}"));
        string words = $"token {token.Number} ({token.Name}): {string.Join("; ", has)}";
        return token.Parent == 0 || words.Length <= NarrowedWordsMax ? words : $"{words[..NarrowedWordsMax]}...";
    }

    /// <summary>Each field with what it was and what it is; empty where nothing changed.</summary>
    public static string Words(AccessToken before, AccessToken after)
    {
        List<(string Field, string Was, string IsNow)> changes = Changes(before, after);
        if (changes.Count == 0) return string.Empty;
        return $"token {after.Number} ({after.Name}): {string.Join("; ", changes.Select(change => $"{change.Field} {change.Was} -> {change.IsNow}"))}";
    }

    private static List<(string Field, string Was, string IsNow)> Changes(AccessToken before, AccessToken after)
    {
        List<(string Field, string Was, string IsNow)> changes = [];
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

        return changes;

        void Add(string field, string was, string isNow)
        {
            if (was != isNow) changes.Add((field, was, isNow));
        }
    }

    private static string Channels(AccessToken token) => token.IsConfined ? string.Join(", ", token.Channels) : "all";

    private static string Count(uint count) => count == 0 ? None : count.ToString(CultureInfo.InvariantCulture);

    private static string Time(ulong seconds) => seconds == 0 ? None : $"{DateTimeOffset.FromUnixTimeSeconds((long)seconds):u}";

    private static string Amount(SpendingCap? cap, Func<SpendingCap, UInt128> of, Address currency) =>
        cap is not null && of(cap) is var amount && amount != UInt128.Zero ? AmountWords.Of(amount, currency) : None;
}
