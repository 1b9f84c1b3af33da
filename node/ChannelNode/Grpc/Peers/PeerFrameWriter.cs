using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>As much of a frame as one message carries, by places in its lists.</summary>
internal readonly record struct FramePart(
    int AcknowledgementsFrom, int AcknowledgementsTo, int RefusalsFrom, int RefusalsTo, int UpdatesFrom, int UpdatesTo);

/// <summary>Writes frames straight into the transport's buffers.</summary>
internal static class PeerFrameWriter
{
    /// <summary>Bytes of one message after which the next one is begun.</summary>
    private const int MessageBytes = 512 * 1024;

    private const int AmountFieldBytes = 2 + PeerWire.AmountBytes;
    private const int ChannelFieldBytes = 2 + Bytes32.Size;
    private const int SignatureFieldBytes = 2 + Signature.Size;
    private const int ItemBytesMax = 256;
    private const int TraceBytes = ChannelFieldBytes + AmountFieldBytes + 2 + PeerWire.TraceIdBytes + 2 + PeerWire.SpanIdBytes;

    /// <summary>The part after <paramref name="part"/>; false when that was the last one.</summary>
    public static bool TryNext(OutgoingFrame frame, ref FramePart part)
    {
        int bytes = 0;
        int acknowledgements = part.AcknowledgementsTo, refusals = part.RefusalsTo, updates = part.UpdatesTo;
        while (bytes < MessageBytes && acknowledgements < frame.Acknowledgements.Length)
            bytes += SizeOf(frame.Acknowledgements[acknowledgements++]);
        while (bytes < MessageBytes && refusals < frame.Refusals.Count) bytes += SizeOf(frame.Refusals[refusals++]);
        while (bytes < MessageBytes && updates < frame.Updates.Length) bytes += SizeOf(frame.Updates[updates++]);
        part = new FramePart(
            part.AcknowledgementsTo, acknowledgements, part.RefusalsTo, refusals, part.UpdatesTo, updates);
        return bytes > 0;
    }

    public static void Write(OutgoingFrame frame, in FramePart part, SerializationContext context)
    {
        int frameBytes = SizeOf(frame, part);
        int messageBytes = SizeOfBytes(frameBytes);
        context.SetPayloadLength(SizeOfBytes(messageBytes));
        IBufferWriter<byte> target = context.GetBufferWriter();

        Span<byte> head = target.GetSpan(ItemBytesMax);
        int at = PutTag(head, 0, Wire.ExchangeRequest.MessageFieldNumber, messageBytes);
        target.Advance(PutTag(head, at, Wire.PeerMessage.FrameFieldNumber, frameBytes));
        foreach (ref readonly OutgoingAcknowledgement said in frame.Acknowledgements[part.AcknowledgementsFrom..part.AcknowledgementsTo])
            Write(target, said);
        for (int index = part.RefusalsFrom; index < part.RefusalsTo; index++) Write(target, frame.Refusals[index]);
        foreach (ref readonly OutgoingUpdate said in frame.Updates[part.UpdatesFrom..part.UpdatesTo]) Write(target, said);
        if (HasTraces(frame, part))
            foreach (UpdateTrace said in frame.Traces) Write(target, said);
        context.Complete();
    }

    private static int SizeOf(OutgoingFrame frame, in FramePart part)
    {
        int bytes = 0;
        foreach (ref readonly OutgoingAcknowledgement said in frame.Acknowledgements[part.AcknowledgementsFrom..part.AcknowledgementsTo])
            bytes += SizeOf(said);
        for (int index = part.RefusalsFrom; index < part.RefusalsTo; index++) bytes += SizeOf(frame.Refusals[index]);
        foreach (ref readonly OutgoingUpdate said in frame.Updates[part.UpdatesFrom..part.UpdatesTo]) bytes += SizeOf(said);
        if (HasTraces(frame, part)) bytes += frame.Traces.Count * SizeOfBytes(TraceBytes);
        return bytes;
    }

    /// <summary>They leave with the first updates.</summary>
    private static bool HasTraces(OutgoingFrame frame, in FramePart part) =>
        frame.Traces.Count > 0 && part.UpdatesFrom == 0 && part.UpdatesTo > 0;

    private static int SizeOf(in OutgoingAcknowledgement said) => SizeOfBytes(InnerSizeOf(said));

    private static int InnerSizeOf(in OutgoingAcknowledgement said) =>
        ChannelFieldBytes + AmountFieldBytes + (said.IsReceipt ? AmountFieldBytes + SignatureFieldBytes : 0);

    private static int SizeOf(in RefusedUpdate said) => SizeOfBytes(InnerSizeOf(said));

    private static int InnerSizeOf(in RefusedUpdate said) =>
        ChannelFieldBytes + AmountFieldBytes + 1 + SizeOfVarint((uint)said.Reason)
        + (said.UntilSeconds > 0 ? 1 + SizeOfVarint((uint)said.UntilSeconds) : 0);

    private static int SizeOf(in OutgoingUpdate said) => SizeOfBytes(InnerSizeOf(said));

    private static int InnerSizeOf(in OutgoingUpdate said)
    {
        int payments = said.Payments.WrittenCount;
        return ChannelFieldBytes + 2 * AmountFieldBytes + SignatureFieldBytes
            + (payments > 0 ? SizeOfBytes(payments) : 0) + (said.WantsReceipt ? 2 : 0);
    }

    private static void Write(IBufferWriter<byte> target, in OutgoingAcknowledgement said)
    {
        Span<byte> item = target.GetSpan(ItemBytesMax);
        int at = PutTag(item, 0, Wire.Frame.AcknowledgementsFieldNumber, InnerSizeOf(said));
        at = Put(item, at, Wire.Acknowledgement.ChannelIdFieldNumber, said.Channel);
        at = Put(item, at, Wire.Acknowledgement.ReceivedFieldNumber, said.Received);
        if (said.IsReceipt)
        {
            at = Put(item, at, Wire.Acknowledgement.SentFieldNumber, said.Sent);
            at = Put(item, at, Wire.Acknowledgement.SignatureFieldNumber, said.Signature);
        }

        target.Advance(at);
    }

    private static void Write(IBufferWriter<byte> target, in RefusedUpdate said)
    {
        Span<byte> item = target.GetSpan(ItemBytesMax);
        int at = PutTag(item, 0, Wire.Frame.RefusalsFieldNumber, InnerSizeOf(said));
        at = Put(item, at, Wire.UpdateRefusal.ChannelIdFieldNumber, said.Channel);
        at = Put(item, at, Wire.UpdateRefusal.SentFieldNumber, said.Sent);
        item[at++] = Wire.UpdateRefusal.ReasonFieldNumber << 3;
        at = PutVarint(item, at, (uint)said.Reason);
        if (said.UntilSeconds > 0)
        {
            item[at++] = Wire.UpdateRefusal.UntilSecondsFieldNumber << 3;
            at = PutVarint(item, at, (uint)said.UntilSeconds);
        }

        target.Advance(at);
    }

    private static void Write(IBufferWriter<byte> target, in OutgoingUpdate said)
    {
        Span<byte> item = target.GetSpan(ItemBytesMax);
        int at = PutTag(item, 0, Wire.Frame.UpdatesFieldNumber, InnerSizeOf(said));
        at = Put(item, at, Wire.Update.ChannelIdFieldNumber, said.Balance.Channel);
        at = Put(item, at, Wire.Update.SentFieldNumber, said.Balance.Sent);
        at = Put(item, at, Wire.Update.ReceivedFieldNumber, said.Balance.Received);
        at = Put(item, at, Wire.Update.SignatureFieldNumber, said.Signature);
        if (said.WantsReceipt)
        {
            item[at++] = Wire.Update.ReceiptFieldNumber << 3;
            item[at++] = 1;
        }

        ReadOnlySpan<byte> payments = said.Payments.WrittenSpan;
        if (payments.Length > 0) at = PutTag(item, at, Wire.Update.PaymentsFieldNumber, payments.Length);
        target.Advance(at);
        target.Write(payments);
    }

    private static void Write(IBufferWriter<byte> target, in UpdateTrace said)
    {
        Span<byte> item = target.GetSpan(ItemBytesMax);
        int at = PutTag(item, 0, Wire.Frame.TracesFieldNumber, TraceBytes);
        at = Put(item, at, Wire.UpdateTrace.ChannelIdFieldNumber, said.Channel);
        at = Put(item, at, Wire.UpdateTrace.SentFieldNumber, said.Sent);
        at = PutTag(item, at, Wire.UpdateTrace.TraceIdFieldNumber, PeerWire.TraceIdBytes);
        said.Parent.TraceId.CopyTo(item.Slice(at, PeerWire.TraceIdBytes));
        at = PutTag(item, at + PeerWire.TraceIdBytes, Wire.UpdateTrace.SpanIdFieldNumber, PeerWire.SpanIdBytes);
        said.Parent.SpanId.CopyTo(item.Slice(at, PeerWire.SpanIdBytes));
        target.Advance(at + PeerWire.SpanIdBytes);
    }

    private static int Put(Span<byte> target, int at, int field, ChannelId value)
    {
        at = PutTag(target, at, field, Bytes32.Size);
        value.Write(target[at..]);
        return at + Bytes32.Size;
    }

    private static int Put(Span<byte> target, int at, int field, UInt128 value)
    {
        at = PutTag(target, at, field, PeerWire.AmountBytes);
        BinaryPrimitives.WriteUInt128BigEndian(target[at..], value);
        return at + PeerWire.AmountBytes;
    }

    private static int Put(Span<byte> target, int at, int field, in Signature value)
    {
        at = PutTag(target, at, field, Signature.Size);
        value.Write(target[at..]);
        return at + Signature.Size;
    }

    /// <summary>The tag of a field of bytes, and their number.</summary>
    private static int PutTag(Span<byte> target, int at, int field, int bytes)
    {
        const int lengthDelimited = 2;
        target[at++] = (byte)((field << 3) | lengthDelimited);
        return PutVarint(target, at, (uint)bytes);
    }

    private static int PutVarint(Span<byte> target, int at, uint value)
    {
        for (; value >= 0x80; value >>= 7) target[at++] = (byte)(value | 0x80);
        target[at++] = (byte)value;
        return at;
    }

    private static int SizeOfVarint(uint value) => (BitOperations.Log2(value | 1) / 7) + 1;

    /// <summary>A field of so many bytes, with its tag and its length.</summary>
    private static int SizeOfBytes(int bytes) => 1 + SizeOfVarint((uint)bytes) + bytes;
}
