using System.CommandLine;
using System.Globalization;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>--token-per-ether</summary>
internal static class TokenRateFlag
{
    private const int RatesMax = 64;

    public static Option<string[]> Create() => Fields.Texts(
        "--token-per-ether",
        "What one ether is worth in a token, roughly: disputes in it are set against their gas as those about ether are; may be given several times",
        RatesMax, "TOKEN=UNITS with units from 1 to 2^112 - 1, such as 0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48=3000000000", "rate",
        text => TryRead(text, out _));

    /// <summary>Of a token that is named twice, the last counts.</summary>
    public static IReadOnlyList<TokenRate> Read(string[]? texts)
    {
        Dictionary<Address, TokenRate> rates = [];
        foreach (string text in texts ?? [])
            if (TryRead(text, out TokenRate rate)) rates[rate.Token] = rate;
        return rates.Count == 0 ? [] : [.. rates.Values];
    }

    private static bool TryRead(string text, out TokenRate rate)
    {
        rate = default;
        string[] parts = text.Split('=');
        if (parts.Length != 2 || !Address.TryParse(parts[0], out Address token) || token.IsZero) return false;
        if (!UInt128.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out UInt128 units)) return false;
        rate = new TokenRate(token, units);
        return units >= 1 && units <= Amounts.Max;
    }
}
