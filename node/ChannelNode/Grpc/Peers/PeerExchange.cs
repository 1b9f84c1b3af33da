using System.Buffers;
using ChannelNode.Engine;
using Google.Protobuf;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// One message of an exchange, either way: a frame that came, a part of a frame that leaves, or anything else, which is
/// small and rare.
/// </summary>
internal sealed class PeerEnvelope
{
    public Wire.PeerMessage? Message { get; init; }

    public PeerFrame? Frame { get; init; }

    /// <summary>With <see cref="Part"/>; both may be set again when the message has left.</summary>
    public OutgoingFrame? Outgoing { get; init; }

    public FramePart Part { get; set; }
}

/// <summary>
/// PeerService.Exchange with a reader and a writer of its own. Frames never become objects of the wire. A stranger's
/// other messages are measured before objects are made of them, and fields that this version does not know are not kept.
/// </summary>
internal static class PeerExchange
{
    /// <summary>Anything but a frame: a hello, terms, a close.</summary>
    private const int PlainBytesMax = 1_024;

    /// <summary>As many tokens as may be named, each with all that can be said of it.</summary>
    private const int LimitsBytesMax = 8 * 1_024;

    private static readonly MessageParser<Wire.ExchangeRequest> Plain =
        Wire.ExchangeRequest.Parser.WithDiscardUnknownFields(true);

    private static readonly Marshaller<PeerEnvelope> Marshaller = new(Write, Read);

    /// <summary>ExchangeRequest and ExchangeResponse are the same on the wire, and so are both ways here.</summary>
    public static readonly Method<PeerEnvelope, PeerEnvelope> Method = new(
        MethodType.DuplexStreaming, Wire.PeerService.Descriptor.FullName, "Exchange", Marshaller, Marshaller);

    private static void Write(PeerEnvelope envelope, SerializationContext context)
    {
        if (envelope.Outgoing is { } outgoing)
        {
            PeerFrameWriter.Write(outgoing, envelope.Part, context);
            return;
        }

        Wire.ExchangeRequest message = new() { Message = envelope.Message };
        context.SetPayloadLength(message.CalculateSize());
        message.WriteTo(context.GetBufferWriter());
        context.Complete();
    }

    private static PeerEnvelope Read(DeserializationContext context)
    {
        ReadOnlySequence<byte> payload = context.PayloadAsReadOnlySequence();
        if (PeerFrameReader.TryRead(payload) is { } frame) return new PeerEnvelope { Frame = frame };
        int bytesMax = SaysLimits(payload) ? LimitsBytesMax : PlainBytesMax;
        if (payload.Length > bytesMax) throw PeerWire.Malformed("kind", $"{payload.Length} bytes", $"at most {bytesMax}");
        Wire.PeerMessage message = Parse(payload).Message ?? new Wire.PeerMessage();
        return message.KindCase == Wire.PeerMessage.KindOneofCase.Frame
            ? throw PeerWire.Malformed("kind", "a frame among other things", "a frame alone")
            : new PeerEnvelope { Message = message };
    }

    /// <summary>By its first tags, before anything is made of it.</summary>
    private static bool SaysLimits(in ReadOnlySequence<byte> payload)
    {
        CodedInputStream begin = new(payload.Slice(0, Math.Min(payload.Length, 16)).ToArray());
        try
        {
            if (begin.ReadTag() != WireFormat.MakeTag(Wire.ExchangeRequest.MessageFieldNumber, WireFormat.WireType.LengthDelimited))
                return false;
            begin.ReadLength();
            return begin.ReadTag() == WireFormat.MakeTag(Wire.PeerMessage.LimitsFieldNumber, WireFormat.WireType.LengthDelimited);
        }
        catch (InvalidProtocolBufferException)
        {
            return false; // It is refused when it is read as a whole.
        }
    }

    private static Wire.ExchangeRequest Parse(ReadOnlySequence<byte> payload)
    {
        try
        {
            return Plain.ParseFrom(payload);
        }
        catch (InvalidProtocolBufferException error)
        {
            throw MalformedMessages.Refuse(nameof(Wire.ExchangeRequest), error);
        }
    }
}

/// <summary>Tells ASP.NET of the one method of <see cref="PeerGrpcService"/>.</summary>
internal sealed class PeerMethods : IServiceMethodProvider<PeerGrpcService>
{
    public void OnServiceMethodDiscovery(ServiceMethodProviderContext<PeerGrpcService> context) =>
        context.AddDuplexStreamingMethod(
            PeerExchange.Method,
            [],
            (service, requests, responses, call) => service.Exchange(requests, responses, call));
}
