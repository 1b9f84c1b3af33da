using System.Buffers;
using System.Diagnostics;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Core;
using Google.Protobuf;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>Frames of a peer as they come from the wire, with the test scheme's signatures.</summary>
internal static class Frames
{
    public static PeerFrame Of(params Wire.Update[] updates) => Of(new Wire.Frame { Updates = { updates } });

    public static PeerFrame Of(Wire.Frame frame)
    {
        byte[] bytes = new Wire.ExchangeRequest { Message = new Wire.PeerMessage { Frame = frame } }.ToByteArray();
        return PeerFrameReader.TryRead(new ReadOnlySequence<byte>(bytes))!;
    }

    /// <summary>The peer has taken our updates of the sample channel up to there.</summary>
    public static PeerFrame Acknowledged(UInt128 received) => Of(new Wire.Frame
    {
        Acknowledgements = { new Wire.Acknowledgement { ChannelId = SampleId, Received = Bytes(received) } },
    });

    /// <summary>The peer has taken our updates of each of the channels up to there.</summary>
    public static PeerFrame Acknowledged(IEnumerable<(ChannelId Channel, UInt128 Received)> taken) => Of(new Wire.Frame
    {
        Acknowledgements =
        {
            taken.Select(it => new Wire.Acknowledgement
            {
                ChannelId = ByteString.CopyFrom(it.Channel.Value.ToArray()),
                Received = Bytes(it.Received),
            }),
        },
    });

    /// <summary>The peer has refused our update of the sample channel.</summary>
    public static PeerFrame Refused(UInt128 sent, Refusal reason) => Of(new Wire.Frame
    {
        Refusals = { new Wire.UpdateRefusal { ChannelId = SampleId, Sent = Bytes(sent), Reason = (Wire.Refusal)reason } },
    });

    public static Wire.UpdateTrace Trace(UInt128 sent, ActivityContext parent) => new()
    {
        ChannelId = SampleId,
        Sent = Bytes(sent),
        TraceId = ByteString.CopyFrom(Convert.FromHexString(parent.TraceId.ToString())),
        SpanId = ByteString.CopyFrom(Convert.FromHexString(parent.SpanId.ToString())),
    };

    private static ByteString SampleId => ByteString.CopyFrom(Sample.Id.Value.ToArray());

    /// <summary>Of the sample channel; without amounts its whole step is one payment.</summary>
    public static Wire.Update Update(Side side, UInt128 sent, UInt128 received, params UInt128[] amounts)
    {
        VerifiedUpdate verified = Sample.Verified(side, sent, received);
        return new Wire.Update
        {
            ChannelId = SampleId,
            Sent = Bytes(sent),
            Received = Bytes(received),
            Signature = ByteString.CopyFrom(verified.Signature.ToArray()),
            Payments = Payments(amounts),
        };
    }

    public static ByteString Payments(params UInt128[] amounts)
    {
        ArrayBufferWriter<byte> list = new();
        foreach (UInt128 amount in amounts) PaymentList.Write(list, amount, "item"u8);
        return ByteString.CopyFrom(list.WrittenSpan);
    }

    public static Wire.Update WronglySigned(this Wire.Update update)
    {
        byte[] signature = update.Signature.ToByteArray();
        signature[7] ^= 1;
        update.Signature = ByteString.CopyFrom(signature);
        return update;
    }

    /// <summary>As a session's reading does it: the frames wait together.</summary>
    public static Task HearAsync(this PeerSession session, params PeerFrame[] frames) =>
        session.HearAsync(isAlone: false, frames);

    public static async Task HearAsync(this PeerSession session, bool isAlone, params PeerFrame[] frames)
    {
        PeerBatch batch = await session.RentBatchAsync(CancellationToken.None);
        foreach (PeerFrame frame in frames) await session.AddAsync(batch, frame, CancellationToken.None);
        await session.ReceiveAsync(batch, isAlone, CancellationToken.None);
    }

    private static ByteString Bytes(UInt128 amount)
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, amount);
        return ByteString.CopyFrom(bytes);
    }
}
