using System.Globalization;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// Reads the fields of NodeService's requests. What does not fit throws <see cref="RefusalException"/> with a message
/// that names the field, the value and the limit.
/// </summary>
internal static class Fields
{
    private const int ShownCharsMax = 80;

    public static ChannelId ReadChannelId(string text, string field = "channel_id") =>
        TryReadChannelId(text, out ChannelId id)
            ? id
            : throw NoChannelId(text, field);

    public static RefusalException NoChannelId(string text, string field = "channel_id") => Invalid(field, text, "0x and 64 hex digits");

    public static bool TryReadChannelId(string text, out ChannelId id)
    {
        id = default;
        return text.StartsWith("0x", StringComparison.Ordinal) && ChannelId.TryParse(text, out id);
    }

    /// <summary>Above zero and at most 2^112 - 1.</summary>
    public static UInt128 ReadAmount(string text, string field = "amount")
    {
        Refusal refusal = TryReadAmount(text, out UInt128 amount);
        return refusal == Refusal.None ? amount : throw NoAmount(refusal, text, field);
    }

    public static RefusalException NoAmount(Refusal refusal, string text, string field = "amount") => refusal switch
    {
        Refusal.ZeroAmount => new RefusalException(refusal, $"{field} is 0, expected at least 1") { Field = field },
        Refusal.AmountTooLarge => new RefusalException(refusal, $"{field} is {Shown(text)}, expected at most {Amounts.Max} (2^112 - 1)")
        {
            Field = field,
        },
        _ => Invalid(field, text, "a decimal integer in the token's smallest units"),
    };

    public static Refusal TryReadAmount(string text, out UInt128 amount)
    {
        amount = UInt128.Zero;
        if (text.Length == 0 || text.AsSpan().ContainsAnyExceptInRange('0', '9')) return Refusal.InvalidArgument;
        if (!UInt128.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out amount)
            || amount > Amounts.Max)
        {
            return Refusal.AmountTooLarge;
        }

        return amount == UInt128.Zero ? Refusal.ZeroAmount : Refusal.None;
    }

    /// <summary>Empty means the zero address where <paramref name="emptyIsZero"/> says so.</summary>
    public static Address ReadAddress(string text, string field, bool emptyIsZero = false)
    {
        if (emptyIsZero && text.Length == 0) return Address.Zero;
        return text.StartsWith("0x", StringComparison.Ordinal) && Address.TryParse(text, out Address address)
            ? address
            : throw Invalid(field, text, "0x and 40 hex digits");
    }

    public static Bytes32 ReadBytes32(string text, string field) =>
        text.StartsWith("0x", StringComparison.Ordinal) && Bytes32.TryParse(text, out Bytes32 value)
            ? value
            : throw Invalid(field, text, "0x and 64 hex digits");

    public static RefusalException Invalid(string field, string value, string expected) =>
        new(Refusal.InvalidArgument, $"{field} is \"{Shown(value)}\", expected {expected}") { Field = field };

    private static string Shown(string text) =>
        text.Length <= ShownCharsMax ? text : text[..(char.IsHighSurrogate(text[ShownCharsMax - 1]) ? ShownCharsMax - 1 : ShownCharsMax)] + "...";
}
