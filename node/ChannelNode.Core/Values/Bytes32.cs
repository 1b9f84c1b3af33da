using System.Buffers.Binary;

namespace ChannelNode.Core;

/// <summary>32 bytes by value: a hash, a salt, a nonce. Written as 0x and 64 hex digits.</summary>
public readonly record struct Bytes32(ulong W0, ulong W1, ulong W2, ulong W3) : IComparable<Bytes32>
{
    public const int Size = 32;

    public static Bytes32 Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt64BigEndian(source),
        BinaryPrimitives.ReadUInt64BigEndian(source[8..]),
        BinaryPrimitives.ReadUInt64BigEndian(source[16..]),
        BinaryPrimitives.ReadUInt64BigEndian(source[24..]));

    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt64BigEndian(target, W0);
        BinaryPrimitives.WriteUInt64BigEndian(target[8..], W1);
        BinaryPrimitives.WriteUInt64BigEndian(target[16..], W2);
        BinaryPrimitives.WriteUInt64BigEndian(target[24..], W3);
    }

    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        Write(bytes);
        return bytes;
    }

    /// <summary>Reads 64 hex digits, with or without 0x; false for anything else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Bytes32 value)
    {
        Span<byte> bytes = stackalloc byte[Size];
        bool ok = Hex.TryRead(text, bytes);
        value = ok ? Read(bytes) : default;
        return ok;
    }

    public int CompareTo(Bytes32 other)
    {
        int byFirst = W0.CompareTo(other.W0);
        if (byFirst != 0) return byFirst;
        int bySecond = W1.CompareTo(other.W1);
        if (bySecond != 0) return bySecond;
        int byThird = W2.CompareTo(other.W2);
        return byThird != 0 ? byThird : W3.CompareTo(other.W3);
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return Hex.Format(bytes);
    }
}
