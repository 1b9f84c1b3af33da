using System.Buffers;
using Google.Protobuf;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// PeerService.Exchange with a reader of its own: a stranger's bytes are scanned before objects are made of them, and
/// fields that this version does not know are not kept.
/// </summary>
internal static class PeerExchange
{
    public static readonly Method<Wire.ExchangeRequest, Wire.ExchangeResponse> Method = new(
        MethodType.DuplexStreaming,
        Wire.PeerService.Descriptor.FullName,
        "Exchange",
        MarshallerOf(Wire.ExchangeRequest.Parser),
        MarshallerOf(Wire.ExchangeResponse.Parser));

    private static Marshaller<T> MarshallerOf<T>(MessageParser<T> parser)
        where T : IMessage<T>
    {
        MessageParser<T> strict = parser.WithDiscardUnknownFields(true);
        return new Marshaller<T>(Write, context => Read(strict, context.PayloadAsReadOnlySequence()));
    }

    private static void Write<T>(T message, SerializationContext context)
        where T : IMessage<T>
    {
        context.SetPayloadLength(message.CalculateSize());
        message.WriteTo(context.GetBufferWriter());
        context.Complete();
    }

    private static T Read<T>(MessageParser<T> parser, ReadOnlySequence<byte> payload)
        where T : IMessage<T>
    {
        if (payload.IsSingleSegment)
        {
            PeerScan.Check(payload.FirstSpan);
            return parser.ParseFrom(payload);
        }

        byte[] joined = ArrayPool<byte>.Shared.Rent((int)payload.Length);
        try
        {
            payload.CopyTo(joined);
            PeerScan.Check(joined.AsSpan(0, (int)payload.Length));
            return parser.ParseFrom(payload);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(joined);
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
