using System.Globalization;

namespace ChannelNode.Cli;

/// <summary>A number of bytes as people write it: 65536, 64KiB or 2 MiB. Exact, in both ways.</summary>
internal static class ByteSize
{
    private const uint Kibi = 1 << 10;
    private const uint Mebi = 1 << 20;

    public static bool TryParse(string text, out uint bytes)
    {
        (string digits, uint unit) = text.EndsWith("KiB", StringComparison.Ordinal) ? (text[..^3], Kibi)
            : text.EndsWith("MiB", StringComparison.Ordinal) ? (text[..^3], Mebi)
            : (text, 1u);
        if (unit != 1) digits = digits.TrimEnd(' ');
        bool isRight = ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out ulong count) && count <= uint.MaxValue / unit;
        bytes = isRight ? (uint)count * unit : 0;
        return isRight;
    }

    public static string Show(uint bytes) => bytes switch
    {
        0 => "0",
        _ when bytes % Mebi == 0 => $"{bytes / Mebi} MiB",
        _ when bytes % Kibi == 0 => $"{bytes / Kibi} KiB",
        _ => $"{bytes} bytes",
    };
}
