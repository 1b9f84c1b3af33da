using System.Globalization;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// Numbers and bytes as JSON-RPC writes them: 0x and hex. What is not of the expected form or range is a
/// ChainUnavailable refusal that names the field: the RPC cannot be worked with.
/// </summary>
internal static class Quantity
{
    public static string Format(UInt128 value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    public static UInt128 ToUInt128(string? text, string field)
    {
        bool isHex = text is not null && text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return isHex
            && UInt128.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out UInt128 value)
            ? value
            : throw Unreadable(text, field, "a quantity of at most 128 bits");
    }

    public static ulong ToUInt64(string? text, string field)
    {
        UInt128 value = ToUInt128(text, field);
        return value <= ulong.MaxValue ? (ulong)value : throw Unreadable(text, field, "a quantity of at most 64 bits");
    }

    public static Bytes32 ToBytes32(string? text, string field) =>
        Bytes32.TryParse(text, out Bytes32 value) ? value : throw Unreadable(text, field, "32 bytes");

    public static Address ToAddress(string? text, string field) =>
        Address.TryParse(text, out Address value) ? value : throw Unreadable(text, field, "20 bytes");

    public static byte[] ToBytes(string? text, string field) =>
        (text is null ? null : Hex.Parse(text)) ?? throw Unreadable(text, field, "bytes");

    private static RefusalException Unreadable(string? text, string field, string expected) =>
        new(Refusal.ChainUnavailable, $"the RPC's {field} is not {expected}: {text ?? "null"}");
}
