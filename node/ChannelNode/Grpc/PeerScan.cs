using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// A look at a peer's message before it is parsed. Every object costs many times the two bytes that an empty one takes
/// on the wire: what is shorter than any honest one, or longer where nothing is long, is refused here.
/// </summary>
internal static class PeerScan
{
    /// <summary>Anything but a frame: a hello, terms, a close.</summary>
    private const int PlainBytesMax = 1_024;

    private const int UpdateBytesMin = 64;
    private const int AnswerBytesMin = 32;

    private enum Level
    {
        Exchange,
        Message,
        Frame,
        Leaf,
    }

    /// <summary>Throws <see cref="RefusalException"/> with InvalidArgument.</summary>
    public static void Check(ReadOnlySpan<byte> message) => Walk(message, Level.Exchange);

    private static void Walk(ReadOnlySpan<byte> bytes, Level level)
    {
        while (!bytes.IsEmpty)
        {
            ulong tag = ReadVarint(ref bytes);
            switch (tag & 7)
            {
                case 0: ReadVarint(ref bytes); break;
                case 1: Take(ref bytes, 8); break;
                case 2: Enter(Take(ref bytes, ReadVarint(ref bytes)), level, tag >> 3); break;
                case 5: Take(ref bytes, 4); break;
                default: throw Malformed("message", "a field of no known kind");
            }
        }
    }

    private static void Enter(ReadOnlySpan<byte> part, Level level, ulong field)
    {
        Level next = (level, field) switch
        {
            (Level.Exchange, Wire.MessageField) => Level.Message,
            (Level.Message, Wire.FrameField) => Level.Frame,
            (Level.Frame, Wire.UpdatesField) => RequireMin(part, UpdateBytesMin, "updates", Level.Leaf),
            (Level.Frame, Wire.AcknowledgementsField) => RequireMin(part, AnswerBytesMin, "acknowledgements", Level.Leaf),
            (Level.Frame, Wire.RefusalsField) => RequireMin(part, AnswerBytesMin, "refusals", Level.Leaf),
            (Level.Message, _) when part.Length > PlainBytesMax =>
                throw Malformed("kind", $"{part.Length} bytes, expected at most {PlainBytesMax}"),
            _ => Level.Leaf,
        };
        if (next != Level.Leaf) Walk(part, next);
    }

    private static Level RequireMin(ReadOnlySpan<byte> part, int bytesMin, string field, Level level) =>
        part.Length >= bytesMin ? level : throw Malformed(field, $"{part.Length} bytes, expected at least {bytesMin}");

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, ulong count)
    {
        if (count > (ulong)bytes.Length) throw Malformed("message", "fewer bytes than it says");
        ReadOnlySpan<byte> taken = bytes[..(int)count];
        bytes = bytes[(int)count..];
        return taken;
    }

    private static ulong ReadVarint(ref ReadOnlySpan<byte> bytes)
    {
        const int bytesMax = 10;
        ulong value = 0;
        for (int index = 0; index < bytesMax && index < bytes.Length; index++)
        {
            value |= (ulong)(bytes[index] & 0x7F) << (7 * index);
            if (bytes[index] >= 0x80) continue;
            bytes = bytes[(index + 1)..];
            return value;
        }

        throw Malformed("message", "a number without an end");
    }

    private static RefusalException Malformed(string field, string what) =>
        new(Refusal.InvalidArgument, $"{field} has {what}") { Field = field };

    /// <summary>Numbers of the fields in peer.proto.</summary>
    private static class Wire
    {
        public const ulong MessageField = Proto.V1.ExchangeRequest.MessageFieldNumber;
        public const ulong FrameField = Proto.V1.PeerMessage.FrameFieldNumber;
        public const ulong UpdatesField = Proto.V1.Frame.UpdatesFieldNumber;
        public const ulong AcknowledgementsField = Proto.V1.Frame.AcknowledgementsFieldNumber;
        public const ulong RefusalsField = Proto.V1.Frame.RefusalsFieldNumber;
    }
}
