using System.Buffers;
using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// Finds the fields of a frame in its bytes, and checks their lengths. What is malformed throws
/// <see cref="RefusalException"/> with InvalidArgument, naming field, value and limit, and ends the session.
/// </summary>
internal ref struct PeerFrameReader
{
    private const uint Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5;

    private const uint MessageTag = (Wire.ExchangeRequest.MessageFieldNumber << 3) | Bytes;
    private const uint FrameTag = (Wire.PeerMessage.FrameFieldNumber << 3) | Bytes;

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly PeerFrame _frame;
    private int _at;

    private PeerFrameReader(ReadOnlySpan<byte> bytes, PeerFrame frame)
    {
        _bytes = bytes;
        _frame = frame;
    }

    /// <summary>Null when the message is not a frame and nothing else.</summary>
    public static PeerFrame? TryRead(in ReadOnlySequence<byte> payload)
    {
        const int headMax = 12; // Two tags and two lengths.
        Span<byte> head = stackalloc byte[headMax];
        int headBytes = (int)Math.Min(headMax, payload.Length);
        payload.Slice(0, headBytes).CopyTo(head);
        if (!LooksLikeFrame(head[..headBytes], payload.Length)) return null;

        PeerFrame frame = PeerFrame.Rent();
        Span<byte> bytes = frame.Begin((int)payload.Length);
        payload.CopyTo(bytes);
        PeerFrameReader reader = new(bytes, frame);
        reader.ReadLength(MessageTag);
        reader.ReadLength(FrameTag);
        reader.ReadFrame();
        return frame;
    }

    /// <summary>One message field to the end, in it one frame field to the end: every encoder writes a frame so.</summary>
    private static bool LooksLikeFrame(ReadOnlySpan<byte> head, long length)
    {
        PeerFrameReader reader = new(head, null!);
        return reader.TryReadEnd(MessageTag, length) && reader.TryReadEnd(FrameTag, length);
    }

    private bool TryReadEnd(uint tag, long length)
    {
        if (_at >= _bytes.Length || _bytes[_at] != tag) return false;
        _at++;
        ulong size = 0;
        for (int shift = 0; _at < _bytes.Length && shift < 35; shift += 7)
        {
            byte group = _bytes[_at++];
            size |= (ulong)(group & 0x7F) << shift;
            if (group < 0x80) return size == (ulong)(length - _at);
        }

        return false;
    }

    private void ReadLength(uint tag)
    {
        if (ReadVarint() != tag) throw Malformed("message", "another tag than it began with");
        ReadVarint();
    }

    private void ReadFrame()
    {
        while (_at < _bytes.Length)
        {
            ulong tag = ReadVarint();
            if ((tag & 7) != Bytes)
            {
                Skip(tag);
                continue;
            }

            int end = ReadEnd();
            switch (tag >> 3)
            {
                case Wire.Frame.UpdatesFieldNumber: ReadUpdate(end); break;
                case Wire.Frame.AcknowledgementsFieldNumber: ReadAcknowledgement(end); break;
                case Wire.Frame.RefusalsFieldNumber: ReadRefusal(end); break;
                case Wire.Frame.TracesFieldNumber: ReadTrace(end); break;
                default: _at = end; break;
            }
        }
    }

    private void ReadUpdate(int end)
    {
        Field channel = default, sent = default, received = default, signature = default, payments = default;
        bool wantsReceipt = false;
        while (_at < end)
        {
            ulong tag = ReadVarint();
            switch (tag)
            {
                case (Wire.Update.ChannelIdFieldNumber << 3) | Bytes: channel = ReadField(end); break;
                case (Wire.Update.SentFieldNumber << 3) | Bytes: sent = ReadField(end); break;
                case (Wire.Update.ReceivedFieldNumber << 3) | Bytes: received = ReadField(end); break;
                case (Wire.Update.SignatureFieldNumber << 3) | Bytes: signature = ReadField(end); break;
                case (Wire.Update.PaymentsFieldNumber << 3) | Bytes: payments = ReadField(end); break;
                case (Wire.Update.ReceiptFieldNumber << 3) | Varint: wantsReceipt = ReadVarint() != 0; break;
                default: Skip(tag); break;
            }
        }

        End(end);
        _frame.Add(new FrameUpdate(
            channel.Of(Bytes32.Size, "channel_id"),
            sent.Of(PeerWire.AmountBytes, "sent"),
            received.Of(PeerWire.AmountBytes, "received"),
            signature.Of(Signature.Size, "signature"),
            payments.At,
            payments.Length,
            wantsReceipt));
    }

    private void ReadAcknowledgement(int end)
    {
        Field channel = default, received = default, sent = default, signature = default;
        while (_at < end)
        {
            ulong tag = ReadVarint();
            switch (tag)
            {
                case (Wire.Acknowledgement.ChannelIdFieldNumber << 3) | Bytes: channel = ReadField(end); break;
                case (Wire.Acknowledgement.ReceivedFieldNumber << 3) | Bytes: received = ReadField(end); break;
                case (Wire.Acknowledgement.SentFieldNumber << 3) | Bytes: sent = ReadField(end); break;
                case (Wire.Acknowledgement.SignatureFieldNumber << 3) | Bytes: signature = ReadField(end); break;
                default: Skip(tag); break;
            }
        }

        End(end);
        bool isReceipt = signature.Length > 0;
        _frame.Add(new FrameAcknowledgement(
            channel.Of(Bytes32.Size, "channel_id"),
            received.Of(PeerWire.AmountBytes, "received"),
            isReceipt ? sent.Of(PeerWire.AmountBytes, "sent") : 0,
            isReceipt ? signature.Of(Signature.Size, "signature") : -1));
    }

    private void ReadRefusal(int end)
    {
        Field channel = default, sent = default;
        ulong reason = 0, untilSeconds = 0;
        while (_at < end)
        {
            ulong tag = ReadVarint();
            switch (tag)
            {
                case (Wire.UpdateRefusal.ChannelIdFieldNumber << 3) | Bytes: channel = ReadField(end); break;
                case (Wire.UpdateRefusal.SentFieldNumber << 3) | Bytes: sent = ReadField(end); break;
                case (Wire.UpdateRefusal.ReasonFieldNumber << 3) | Varint: reason = ReadVarint(); break;
                case (Wire.UpdateRefusal.UntilSecondsFieldNumber << 3) | Varint: untilSeconds = ReadVarint(); break;
                default: Skip(tag); break;
            }
        }

        End(end);
        _frame.Add(new FrameRefusal(
            channel.Of(Bytes32.Size, "channel_id"),
            sent.Of(PeerWire.AmountBytes, "sent"),
            PeerWire.ReadRefusal((Wire.Refusal)(int)Math.Min(reason, int.MaxValue)),
            Math.Min(untilSeconds, uint.MaxValue)));
    }

    private void ReadTrace(int end)
    {
        Field channel = default, sent = default, trace = default, span = default;
        while (_at < end)
        {
            ulong tag = ReadVarint();
            switch (tag)
            {
                case (Wire.UpdateTrace.ChannelIdFieldNumber << 3) | Bytes: channel = ReadField(end); break;
                case (Wire.UpdateTrace.SentFieldNumber << 3) | Bytes: sent = ReadField(end); break;
                case (Wire.UpdateTrace.TraceIdFieldNumber << 3) | Bytes: trace = ReadField(end); break;
                case (Wire.UpdateTrace.SpanIdFieldNumber << 3) | Bytes: span = ReadField(end); break;
                default: Skip(tag); break;
            }
        }

        End(end);
        _frame.Add(new FrameTrace(
            channel.Of(Bytes32.Size, "channel_id"),
            sent.Of(PeerWire.AmountBytes, "sent"),
            trace.Of(PeerWire.TraceIdBytes, "trace_id"),
            span.Of(PeerWire.SpanIdBytes, "span_id")));
    }

    private Field ReadField(int end)
    {
        int fieldEnd = ReadEnd();
        if (fieldEnd > end) throw Malformed("message", "fewer bytes than it says");
        Field field = new(_at, fieldEnd - _at);
        _at = fieldEnd;
        return field;
    }

    /// <summary>Reads a length; answers where the bytes that it counts end.</summary>
    private int ReadEnd()
    {
        ulong length = ReadVarint();
        return length <= (ulong)(_bytes.Length - _at)
            ? _at + (int)length
            : throw Malformed("message", "fewer bytes than it says");
    }

    private void Skip(ulong tag)
    {
        switch (tag & 7)
        {
            case Varint: ReadVarint(); break;
            case Fixed64: _at += 8; break;
            case Bytes: _at = ReadEnd(); break;
            case Fixed32: _at += 4; break;
            default: throw Malformed("message", "a field of no known kind");
        }

        if (_at > _bytes.Length) throw Malformed("message", "fewer bytes than it says");
    }

    private readonly void End(int end)
    {
        if (_at != end) throw Malformed("message", "fewer bytes than it says");
    }

    private ulong ReadVarint()
    {
        const int bytesMax = 10;
        ulong value = 0;
        for (int index = 0; index < bytesMax && _at < _bytes.Length; index++)
        {
            byte group = _bytes[_at++];
            value |= (ulong)(group & 0x7F) << (7 * index);
            if (group < 0x80) return value;
        }

        throw Malformed("message", "a number without an end");
    }

    private static RefusalException Malformed(string field, string what) =>
        new(Refusal.InvalidArgument, $"{field} has {what}") { Field = field };

    /// <summary>Bytes of one field; none when it was left out.</summary>
    private readonly record struct Field(int At, int Length)
    {
        public int Of(int length, string name) =>
            Length == length ? At : throw PeerWire.Malformed(name, $"{Length} bytes", $"{length} bytes");
    }
}
