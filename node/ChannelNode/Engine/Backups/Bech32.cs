using System.Text;

namespace ChannelNode.Engine;

/// <summary>BIP 173's text form of bytes, which age gives its keys: a prefix, '1', five bits a letter, a checksum.</summary>
internal static class Bech32
{
    private const string Letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    private const int ChecksumLetters = 6;

    private static readonly uint[] Generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

    /// <summary>In lower case, as <paramref name="prefix"/> must be.</summary>
    public static string Encode(string prefix, ReadOnlySpan<byte> bytes)
    {
        List<byte> groups = Regroup(bytes, 8, 5, pad: true)!;
        uint sum = Checksum(prefix, groups);
        StringBuilder text = new(prefix);
        text.Append('1');
        foreach (byte group in groups) text.Append(Letters[group]);
        for (int place = 0; place < ChecksumLetters; place++)
            text.Append(Letters[(int)(sum >> (5 * (ChecksumLetters - 1 - place))) & 31]);
        return text.ToString();
    }

    /// <summary>Null for what is no such text under this prefix; all in one case, either one.</summary>
    public static byte[]? Decode(string prefix, string text)
    {
        string lower = text.ToLowerInvariant();
        if (text != lower && text != text.ToUpperInvariant()) return null;
        if (!lower.StartsWith(prefix + '1', StringComparison.Ordinal)) return null;
        List<byte> groups = [];
        foreach (char letter in lower.AsSpan(prefix.Length + 1))
        {
            int group = Letters.IndexOf(letter, StringComparison.Ordinal);
            if (group < 0) return null;
            groups.Add((byte)group);
        }

        if (groups.Count < ChecksumLetters) return null;
        List<byte> data = groups[..^ChecksumLetters];
        uint ending = 0;
        foreach (byte group in groups[^ChecksumLetters..]) ending = (ending << 5) | group;
        return Checksum(prefix, data) == ending ? Regroup([.. data], 5, 8, pad: false)?.ToArray() : null;
    }

    private static uint Checksum(string prefix, List<byte> groups)
    {
        uint state = 1;
        foreach (char letter in prefix) state = Step(state, (byte)(letter >> 5));
        state = Step(state, 0);
        foreach (char letter in prefix) state = Step(state, (byte)(letter & 31));
        foreach (byte group in groups) state = Step(state, group);
        for (int place = 0; place < ChecksumLetters; place++) state = Step(state, 0);
        return state ^ 1;
    }

    private static uint Step(uint state, byte group)
    {
        uint top = state >> 25;
        state = ((state & 0x1ffffff) << 5) ^ group;
        for (int bit = 0; bit < Generator.Length; bit++)
            if (((top >> bit) & 1) != 0) state ^= Generator[bit];
        return state;
    }

    private static List<byte>? Regroup(ReadOnlySpan<byte> from, int fromBits, int toBits, bool pad)
    {
        List<byte> result = [];
        uint bits = 0;
        int count = 0;
        foreach (byte group in from)
        {
            bits = (bits << fromBits) | group;
            count += fromBits;
            while (count >= toBits)
            {
                count -= toBits;
                result.Add((byte)((bits >> count) & ((1u << toBits) - 1)));
            }
        }

        uint left = bits & ((1u << count) - 1);
        if (pad && count > 0) result.Add((byte)(left << (toBits - count)));
        return !pad && (count >= fromBits || left != 0) ? null : result;
    }
}
