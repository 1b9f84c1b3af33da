using System.Buffers;
using System.Buffers.Binary;

namespace ChannelNode.Settlement;

/// <summary>Recursive length prefix, the encoding of transactions. Only writing: nothing that we read is in it.</summary>
internal static class Rlp
{
    private const int ShortMax = 55;
    private const byte BytesOffset = 0x80;
    private const byte ListOffset = 0xc0;

    public static void WriteBytes(IBufferWriter<byte> target, ReadOnlySpan<byte> value)
    {
        bool isItself = value.Length == 1 && value[0] < BytesOffset;
        if (!isItself) WritePrefix(target, value.Length, BytesOffset);
        target.Write(value);
    }

    /// <summary>A number, big-endian: leading zeros go, so zero is the empty string.</summary>
    public static void WriteInteger(IBufferWriter<byte> target, ReadOnlySpan<byte> value) =>
        WriteBytes(target, value.TrimStart((byte)0));

    public static void WriteInteger(IBufferWriter<byte> target, UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        WriteInteger(target, bytes);
    }

    /// <summary><paramref name="payload"/>: the list's items, each encoded already, one after the other.</summary>
    public static void WriteList(IBufferWriter<byte> target, ReadOnlySpan<byte> payload)
    {
        WritePrefix(target, payload.Length, ListOffset);
        target.Write(payload);
    }

    private static void WritePrefix(IBufferWriter<byte> target, int length, byte offset)
    {
        if (length <= ShortMax)
        {
            target.Write([(byte)(offset + length)]);
            return;
        }

        Span<byte> size = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(size, length);
        ReadOnlySpan<byte> digits = ((ReadOnlySpan<byte>)size).TrimStart((byte)0);
        target.Write([(byte)(offset + ShortMax + digits.Length)]);
        target.Write(digits);
    }
}
