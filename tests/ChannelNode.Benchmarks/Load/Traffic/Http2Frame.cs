using System.Buffers.Binary;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>The head of an HTTP/2 frame: RFC 9113, section 4.1.</summary>
internal readonly record struct Http2Frame(byte Type, byte Flags, int StreamId)
{
    public const int HeaderBytes = 9;

    public const byte Data = 0;
    public const byte Headers = 1;
    public const byte ResetStream = 3;
    public const byte Settings = 4;
    public const byte Ping = 6;
    public const byte GoAway = 7;
    public const byte WindowUpdate = 8;

    public const byte Ack = 1;
    public const byte EndStream = 1;
    public const byte EndHeaders = 4;

    /// <summary>False while the frame is not whole. The node pads nothing.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out Http2Frame frame, out ReadOnlySpan<byte> payload)
    {
        frame = default;
        payload = default;
        if (bytes.Length < HeaderBytes) return false;
        int length = (bytes[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(bytes[1..]);
        if (bytes.Length < HeaderBytes + length) return false;
        frame = new Http2Frame(bytes[3], bytes[4], BinaryPrimitives.ReadInt32BigEndian(bytes[5..]));
        payload = bytes.Slice(HeaderBytes, length);
        return true;
    }

    public void Write(Span<byte> target, int length)
    {
        target[0] = (byte)(length >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(target[1..], (ushort)length);
        (target[3], target[4]) = (Type, Flags);
        BinaryPrimitives.WriteInt32BigEndian(target[5..], StreamId);
    }
}
