using System.Buffers;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using Google.Protobuf;
using Grpc.Core;

namespace ChannelNode.Tests.Simulation;

/// <summary>Messages between nodes as the real bytes, without a connection.</summary>
internal static class SimulatedWire
{
    /// <summary>All that waits in a session, signed and written; <paramref name="leaving"/> sees each frame first.</summary>
    public static void Take(PeerSession session, Queue<byte[]> target, Action<OutgoingFrame> leaving)
    {
        OutgoingFrame frame = new();
        while (session.Link.TryTake(ref frame))
        {
            session.Sign(frame);
            leaving(frame);
            FramePart part = default;
            while (PeerFrameWriter.TryNext(frame, ref part))
                target.Enqueue(Write(new PeerEnvelope { Outgoing = frame, Part = part }));
            foreach (PeerMessage message in frame.Messages)
                target.Enqueue(Write(new PeerEnvelope { Message = PeerWire.Write(message) }));
            frame.Clear();
        }
    }

    /// <summary>Gives a session as many messages as are to arrive together, as the transport does.</summary>
    public static async Task GiveAsync(PeerSession session, Queue<byte[]> source, int together)
    {
        PeerBatch? batch = null;
        for (; together > 0 && source.TryDequeue(out byte[]? bytes); together--)
        {
            PeerEnvelope said = Read(bytes);
            if (said.Frame is { } frame)
            {
                batch ??= await session.RentBatchAsync(CancellationToken.None);
                await session.AddAsync(batch, frame, CancellationToken.None);
                continue;
            }

            if (batch is not null) await session.ReceiveAsync(batch, isAlone: false, CancellationToken.None);
            batch = null;
            await session.ReceiveAsync(PeerWire.Read(said.Message!), CancellationToken.None);
        }

        if (batch is not null) await session.ReceiveAsync(batch, isAlone: false, CancellationToken.None);
    }

    /// <summary>The channel of which a message says where it stands; null for any other, and for none that can be read.</summary>
    public static ChannelId? ToldOf(byte[] bytes)
    {
        try
        {
            return Read(bytes) is { Message: { } message } && PeerWire.Read(message) is PeerMessage.Reestablish told ? told.Channel : null;
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or RefusalException)
        {
            return null;
        }
    }

    private static byte[] Write(PeerEnvelope envelope)
    {
        Writing writing = new();
        PeerExchange.Method.RequestMarshaller.ContextualSerializer(envelope, writing);
        return writing.Bytes;
    }

    private static PeerEnvelope Read(byte[] bytes) =>
        PeerExchange.Method.ResponseMarshaller.ContextualDeserializer(new Reading(bytes));

    private sealed class Writing : SerializationContext
    {
        private readonly ArrayBufferWriter<byte> _target = new();

        public byte[] Bytes => _target.WrittenSpan.ToArray();

        public override void SetPayloadLength(int payloadLength) { }

        public override IBufferWriter<byte> GetBufferWriter() => _target;

        public override void Complete() { }
    }

    private sealed class Reading(byte[] bytes) : DeserializationContext
    {
        public override int PayloadLength => bytes.Length;

        public override byte[] PayloadAsNewBuffer() => [.. bytes];

        public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => new(bytes);
    }
}
