using System.Buffers;

namespace ChannelNode.Core;

/// <summary>Hex with 0x, as Ethereum tools write it.</summary>
public static class Hex
{
    public static string Format(ReadOnlySpan<byte> bytes) => "0x" + Convert.ToHexStringLower(bytes);

    /// <summary>Fills <paramref name="target"/> exactly, or answers false: wrong length or a digit that is none.</summary>
    public static bool TryRead(ReadOnlySpan<char> text, Span<byte> target)
    {
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)) text = text[2..];
        if (text.Length != target.Length * 2) return false;
        return Convert.FromHexString(text, target, out _, out int written) == OperationStatus.Done
            && written == target.Length;
    }

    /// <summary>Bytes of any even number of digits, with or without 0x; null for anything else.</summary>
    public static byte[]? Parse(ReadOnlySpan<char> text)
    {
        int digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.Length - 2 : text.Length;
        if (digits % 2 != 0) return null;
        var bytes = new byte[digits / 2];
        return TryRead(text, bytes) ? bytes : null;
    }
}
