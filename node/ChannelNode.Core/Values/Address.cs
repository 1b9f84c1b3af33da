using System.Buffers.Binary;

namespace ChannelNode.Core;

/// <summary>A 20-byte Ethereum address by value. Written as 0x and 40 lower-case hex digits.</summary>
public readonly record struct Address(ulong High, ulong Middle, uint Low)
{
    public const int Size = 20;

    /// <summary>The zero address: ether where a token is meant, nobody where a party is meant.</summary>
    public static Address Zero => default;

    public bool IsZero => this == default;

    public static Address Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt64BigEndian(source),
        BinaryPrimitives.ReadUInt64BigEndian(source[8..]),
        BinaryPrimitives.ReadUInt32BigEndian(source[16..]));

    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt64BigEndian(target, High);
        BinaryPrimitives.WriteUInt64BigEndian(target[8..], Middle);
        BinaryPrimitives.WriteUInt32BigEndian(target[16..], Low);
    }

    /// <summary>As the ABI pads it: to compare two by their numbers.</summary>
    public Bytes32 ToBytes32() => new(
        0, High >> 32, (High << 32) | (Middle >> 32), (Middle << 32) | Low);

    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        Write(bytes);
        return bytes;
    }

    /// <summary>Reads 40 hex digits, with or without 0x; false for anything else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Address value)
    {
        Span<byte> bytes = stackalloc byte[Size];
        bool ok = Hex.TryRead(text, bytes);
        value = ok ? Read(bytes) : default;
        return ok;
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return Hex.Format(bytes);
    }
}
