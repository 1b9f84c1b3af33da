using System.Globalization;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>
/// An amount as somebody typed it: digits, maybe a point and more digits, maybe a unit. What it is in smallest units is
/// known when the token is: it is never rounded.
/// </summary>
internal readonly record struct AskedAmount(string Whole, string Fraction, string Unit)
{
    public const string Limit =
        "an amount such as 1000000 (smallest units), '0.5 ETH', '3 gwei', '1.25 USDC', up to 2^112 - 1 smallest units";

    private const int EtherDecimals = 18;
    private const int GweiDecimals = 9;

    /// <summary>Whether the token must be known to tell what it is.</summary>
    public bool HasUnit => Unit.Length > 0;

    /// <summary>Whether it says itself that it is in smallest units, whatever the token.</summary>
    public bool IsInSmallestUnits => Unit.ToLowerInvariant() is "unit" or "units";

    /// <param name="mayBeNothing">Whether 0 is an amount.</param>
    public static bool TryParse(string text, out AskedAmount amount, bool mayBeNothing = false)
    {
        amount = default;
        ReadOnlySpan<char> rest = text;
        ReadOnlySpan<char> whole = TakeDigits(ref rest), fraction = default;
        bool hasPoint = rest.Length > 0 && rest[0] == '.';
        if (hasPoint)
        {
            rest = rest[1..];
            fraction = TakeDigits(ref rest);
        }

        // Right behind the number a unit is letters alone: 1e18 and 0x10 are no amounts.
        ReadOnlySpan<char> unit = rest.TrimStart(' ');
        bool fits = whole.Length > 0 && hasPoint == fraction.Length > 0 && (unit.Length < rest.Length || IsLetters(unit))
            && (unit.Length == 0 ? rest.Length == 0 : char.IsAsciiLetter(unit[0]) && unit.IndexOf(' ') < 0);
        if (!fits || (hasPoint && unit.Length == 0)) return false; // A part of what? Nobody shall guess.
        amount = new AskedAmount(whole.ToString(), fraction.ToString(), unit.ToString());

        // What is out of range whatever the token is refused at the door.
        return amount.HasUnit || (TryUnits(amount.Whole, out UInt128 units) && (mayBeNothing || units != UInt128.Zero));
    }

    /// <summary>Why a text is none, for who typed it.</summary>
    public static string WhyNot(string text)
    {
        string number = text.Trim();
        if (number.Length > 0 && number.All(letter => letter is '0' or '.'))
            return $"'{text}' is nothing: expected one smallest unit at least (of ether: 1 wei), such as 1000000, '0.5 ETH', '1.25 USDC'";
        if (number.Count(letter => letter == '.') == 1 && char.IsAsciiDigit(number[0]) && number.All(letter => letter == '.' || char.IsAsciiDigit(letter)))
        {
            return $"'{text}' has no unit, and so would be a part of the smallest one: expected '{text} ETH', '{text} USDC', or whole smallest units "
                + "(of ether: wei), such as 1000000";
        }

        return $"'{text}' is not {Limit}";
    }

    private static bool IsLetters(ReadOnlySpan<char> text)
    {
        foreach (char letter in text)
            if (!char.IsAsciiLetter(letter)) return false;
        return true;
    }

    private static ReadOnlySpan<char> TakeDigits(scoped ref ReadOnlySpan<char> text)
    {
        int length = text.IndexOfAnyExceptInRange('0', '9');
        ReadOnlySpan<char> digits = length < 0 ? text : text[..length];
        text = text[digits.Length..];
        return digits;
    }

    /// <summary>Smallest units; throws, naming field, value and limit, where it is no amount of this token.</summary>
    public UInt128 In(TokenUnit token, string field, bool mayBeNothing = false)
    {
        UInt128 min = mayBeNothing ? UInt128.Zero : UInt128.One;
        if (!HasUnit) return Checked(TryUnits(Whole, out UInt128 plain), plain, min, field);
        int decimals = DecimalsOf(token, field);
        if (Fraction.Length > decimals)
        {
            throw Wrong(field,
                $"'{this}' has {Plural.Of(Fraction.Length, "digit")} behind the point, and {Unit} has {decimals}; nothing is rounded");
        }

        return Checked(TryUnits(Whole + Fraction.PadRight(decimals, '0'), out UInt128 units), units, min, field);
    }

    private int DecimalsOf(TokenUnit token, string field)
    {
        string unit = Unit.ToLowerInvariant();
        if (IsInSmallestUnits) return 0;
        int ofEther = unit switch { "eth" or "ether" => EtherDecimals, "gwei" => GweiDecimals, "wei" => 0, _ => -1 };
        if (token.IsEther && ofEther >= 0) return ofEther;
        if (!token.IsEther && token.IsKnown && Unit == token.Symbol) return token.Decimals;
        string expected = token.IsEther ? "ETH, gwei or wei: this is in ether"
            : token.IsKnown ? $"{token.Symbol}, the unit of token {token.Token}"
            : $"smallest units without a unit: token {token.Token} does not say how it divides; name it with --token-info";
        throw Wrong(field, $"'{this}' is in {Unit}, expected {expected}");
    }

    private UInt128 Checked(bool fits, UInt128 units, UInt128 min, string field) => fits && units >= min
        ? units
        : throw Wrong(field, $"'{this}' is not from {min} to {Amounts.Max} (2^112 - 1) smallest units");

    private static bool TryUnits(string digits, out UInt128 units) =>
        UInt128.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out units) && units <= Amounts.Max;

    private static CommandException Wrong(string field, string message) =>
        new(new Failure(ExitCode.WrongUsage, Failure.InvalidArgument, $"{field}: {message}", field));

    public override string ToString() =>
        Whole + (Fraction.Length > 0 ? "." + Fraction : "") + (HasUnit ? " " + Unit : "");
}

/// <summary>A limit as an operator sets it: one of the node's own words, or an amount.</summary>
internal sealed record LimitToSet(string Word, AskedAmount Amount)
{
    public string In(TokenUnit token, string field) => Word.Length > 0 ? Word : Amount.In(token, field).ToString();
}
