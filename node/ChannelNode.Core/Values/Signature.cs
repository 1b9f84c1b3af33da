namespace ChannelNode.Core;

/// <summary>A recoverable secp256k1 signature by value: r and s (32 bytes each) and v (27 or 28).</summary>
public readonly record struct Signature(Bytes32 R, Bytes32 S, byte V)
{
    /// <summary>Bytes of the long form, r then s then v.</summary>
    public const int Size = 65;

    public static Signature Read(ReadOnlySpan<byte> source) =>
        new(Bytes32.Read(source), Bytes32.Read(source[32..]), source[64]);

    public void Write(Span<byte> target)
    {
        R.Write(target);
        S.Write(target[32..]);
        target[64] = V;
    }

    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        Write(bytes);
        return bytes;
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return Hex.Format(bytes);
    }
}
