using System.Buffers;
using Grpc.Core;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>
/// What a stream says next: either bytes ready to be sent, or neighbours on a tape with the frame's head before them.
/// One for each stream, used again: the marshaller copies it before a write returns.
/// </summary>
internal sealed class Spoken
{
    private const int HeadBytesMax = 16;

    private byte[]? _whole;
    private Tape? _tape;
    private long _first;
    private int _count;

    public void Set(byte[] whole) => _whole = whole;

    public void Set(Tape tape, long first, int count) => (_whole, _tape, _first, _count) = (null, tape, first, count);

    public static void Serialize(Spoken said, SerializationContext context)
    {
        if (said._whole is { } whole)
        {
            context.SetPayloadLength(whole.Length);
            context.GetBufferWriter().Write(whole);
            context.Complete();
            return;
        }

        ReadOnlySpan<byte> entries = said._tape!.Entries(said._first, said._count);
        Span<byte> head = stackalloc byte[HeadBytesMax];
        head = head[..WriteHead(head, entries.Length)];
        context.SetPayloadLength(head.Length + entries.Length);
        IBufferWriter<byte> target = context.GetBufferWriter();
        target.Write(head);
        target.Write(entries);
        context.Complete();
    }

    /// <summary>ExchangeRequest.message and PeerMessage.frame, each a tag and a length.</summary>
    private static int WriteHead(Span<byte> head, int entriesBytes)
    {
        int frameBytes = 1 + Tape.VarintBytes((uint)entriesBytes) + entriesBytes;
        int written = 0;
        head[written++] = Tape.Tag(Proto.V1.ExchangeRequest.MessageFieldNumber);
        written += Tape.WriteVarint(head[written..], (uint)frameBytes);
        head[written++] = Tape.Tag(Proto.V1.PeerMessage.FrameFieldNumber);
        return written + Tape.WriteVarint(head[written..], (uint)entriesBytes);
    }
}
