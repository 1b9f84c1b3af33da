using System.Text.RegularExpressions;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Amounts in sentences for people: exact, with their unit. What a token is called and how it is divided only its contract says, so
/// what is written down names the token by its address; whoever shows it, and knows the token, puts that in (<see cref="Shown"/>).
/// </summary>
internal static partial class AmountWords
{
    /// <summary>Below so many wei a figure in ETH has more zeros than anybody counts.</summary>
    private const int WeiDigitsMax = 9;

    /// <summary>"1.5 ETH", "300 wei", or "1500000 units of 0x..." for a token.</summary>
    public static string Of(UInt128 amount, Address token) =>
        token.IsZero ? Ether(amount.ToString()) : $"{amount} units of {token}";

    /// <summary>Wei, as a decimal string.</summary>
    public static string Ether(string wei) => wei.Length <= WeiDigitsMax ? $"{wei} wei" : $"{Divided(wei, 18)} ETH";

    /// <summary>Wei, as a decimal string, as wallets and explorers say a price of gas.</summary>
    public static string Gwei(string wei) => $"{Divided(wei, 9)} gwei";

    /// <summary>A price of gas: "1.5 gwei per gas".</summary>
    public static string PerGas(UInt128 wei) => $"{Gwei(wei.ToString())} per gas";

    /// <summary>A decimal string of smallest units in whole ones: every digit that is not a zero at an end.</summary>
    public static string Divided(string units, int decimals)
    {
        string digits = units.PadLeft(decimals + 1, '0');
        string fraction = digits[^decimals..].TrimEnd('0');
        return digits[..^decimals] + (fraction.Length > 0 ? "." + fraction : "");
    }

    /// <summary>The tokens that a sentence has amounts of.</summary>
    public static IEnumerable<Address> TokensIn(string sentence)
    {
        foreach (Match match in Units().Matches(sentence))
            if (Address.TryParse(match.Groups[2].Value, out Address token)) yield return token;
    }

    /// <summary>The sentence with each amount as <paramref name="show"/>, given the token and smallest units, has it.</summary>
    public static string Shown(string sentence, Func<Address, string, string> show) => Units().Replace(
        sentence,
        match => Address.TryParse(match.Groups[2].Value, out Address token) ? show(token, match.Groups[1].Value) : match.Value);

    [GeneratedRegex(@"\b([0-9]+) units of (0x[0-9a-fA-F]{40})\b")]
    private static partial Regex Units();
}
