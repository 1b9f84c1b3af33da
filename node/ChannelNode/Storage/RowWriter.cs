using System.Buffers.Binary;
using ChannelNode.Core;

namespace ChannelNode.Storage;

/// <summary>Fills a buffer field by field, every number big-endian. A row of more than the buffer throws.</summary>
internal ref struct RowWriter(Span<byte> target)
{
    /// <summary>A byte of length and what UInt128 holds.</summary>
    public const int AmountSizeMax = 17;

    private readonly Span<byte> _target = target;

    private int _written;

    public readonly ReadOnlySpan<byte> Row => _target[.._written];

    /// <summary>Another row takes the place of this one.</summary>
    public void Restart() => _written = 0;

    public void Byte(byte value) => Take(1)[0] = value;

    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32BigEndian(Take(sizeof(uint)), value);

    public void UInt64(ulong value) => BinaryPrimitives.WriteUInt64BigEndian(Take(sizeof(ulong)), value);

    public void Int64(long value) => BinaryPrimitives.WriteInt64BigEndian(Take(sizeof(long)), value);

    public void UInt128(UInt128 value) => BinaryPrimitives.WriteUInt128BigEndian(Take(16), value);

    /// <summary>A byte of length, then no more bytes than the number needs: none for zero.</summary>
    public void Amount(UInt128 value)
    {
        Span<byte> whole = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(whole, value);
        ReadOnlySpan<byte> needed = whole[((int)System.UInt128.LeadingZeroCount(value) / 8)..];
        Byte((byte)needed.Length);
        Bytes(needed);
    }

    public void Address(Address value) => value.Write(Take(Core.Address.Size));

    public void Bytes32(Bytes32 value) => value.Write(Take(Core.Bytes32.Size));

    public void Signature(in Signature value) => value.Write(Take(Core.Signature.Size));

    public void Bytes(scoped ReadOnlySpan<byte> value) => value.CopyTo(Take(value.Length));

    /// <summary>One byte of length, then at most 255 bytes.</summary>
    public void ShortBytes(ReadOnlySpan<byte> value)
    {
        Byte(checked((byte)value.Length));
        Bytes(value);
    }

    /// <summary>Four bytes of length, then the bytes.</summary>
    public void LongBytes(ReadOnlySpan<byte> value)
    {
        UInt32((uint)value.Length);
        Bytes(value);
    }

    private Span<byte> Take(int size)
    {
        Span<byte> field = _target.Slice(_written, size);
        _written += size;
        return field;
    }
}
