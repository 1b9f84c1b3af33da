namespace ChannelNode.Core;

/// <summary>A recoverable secp256k1 signature by value: r and s (32 bytes each) and v (27 or 28).</summary>
public readonly record struct Signature(Bytes32 R, Bytes32 S, byte V)
{
    /// <summary>Bytes of the long form, r then s then v.</summary>
    public const int Size = 65;

    /// <summary>The second half of the short form (EIP-2098): s, with 1 in its highest bit where v is 28.</summary>
    public Bytes32 Vs => V == 28 ? new Bytes32(S.W0 | 1UL << 63, S.W1, S.W2, S.W3) : S;

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
