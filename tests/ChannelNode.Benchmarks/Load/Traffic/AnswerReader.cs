using System.Buffers.Binary;
using Answers = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>Whom acknowledgements and refusals are told, by the first 8 bytes of the channel's id.</summary>
internal interface IAnswered
{
    void Acknowledged(ulong channel, ulong total);

    void Refused(ulong channel, Answers.Refusal reason);
}

/// <summary>Reads a node's messages without making objects of acknowledgements: the generator must cost little.</summary>
internal static class AnswerReader
{
    /// <summary>Null for a frame, which was told to <paramref name="answered"/>; the message otherwise.</summary>
    public static Answers.PeerMessage? Read(ReadOnlySpan<byte> message, IAnswered answered)
    {
        ReadOnlySpan<byte> whole = message;
        ReadOnlySpan<byte> inner = Enter(ref message, Answers.ExchangeResponse.MessageFieldNumber);
        if (inner[0] != Tape.Tag(Answers.PeerMessage.FrameFieldNumber))
            return Answers.ExchangeResponse.Parser.ParseFrom(whole).Message;
        ReadFrame(Enter(ref inner, Answers.PeerMessage.FrameFieldNumber), answered);
        return null;
    }

    private static void ReadFrame(ReadOnlySpan<byte> frame, IAnswered answered)
    {
        while (!frame.IsEmpty)
        {
            byte tag = frame[0];
            ReadOnlySpan<byte> part = Enter(ref frame, tag >> 3);
            if (tag == Tape.Tag(Answers.Frame.AcknowledgementsFieldNumber))
            {
                // 0A 20 id, 12 10 received
                answered.Acknowledged(
                    BinaryPrimitives.ReadUInt64BigEndian(part[2..]), BinaryPrimitives.ReadUInt64BigEndian(part[44..]));
            }
            else if (tag == Tape.Tag(Answers.Frame.RefusalsFieldNumber))
            {
                answered.Refused(
                    BinaryPrimitives.ReadUInt64BigEndian(part[2..]), Answers.UpdateRefusal.Parser.ParseFrom(part).Reason);
            }
        }
    }

    private static ReadOnlySpan<byte> Enter(ref ReadOnlySpan<byte> bytes, int field)
    {
        if (bytes[0] != Tape.Tag(field)) throw new InvalidDataException($"field {field} expected, tag {bytes[0]} found");
        uint length = 0;
        int at = 1;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[at++];
            length |= (uint)(next & 0x7F) << shift;
            if (next < 0x80) break;
        }

        ReadOnlySpan<byte> part = bytes.Slice(at, (int)length);
        bytes = bytes[(at + (int)length)..];
        return part;
    }
}
