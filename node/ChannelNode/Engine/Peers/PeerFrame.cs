using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using ChannelNode.Core;
using Microsoft.Extensions.ObjectPool;

namespace ChannelNode.Engine;

/// <summary>Where the fields of one update lie in its frame's bytes.</summary>
internal readonly record struct FrameUpdate(
    int Channel, int Sent, int Received, int Signature, int Payments, int PaymentBytes, bool WantsReceipt);

/// <summary>Where the fields of one acknowledgement lie; <paramref name="Signature"/> is negative without a receipt.</summary>
internal readonly record struct FrameAcknowledgement(int Channel, int Received, int Sent, int Signature);

/// <summary>Where the fields of one refusal lie, its reason, and until when it holds where the peer says so.</summary>
internal readonly record struct FrameRefusal(int Channel, int Sent, Refusal Reason, ulong UntilSeconds);

/// <summary>Where the fields of one trace lie.</summary>
internal readonly record struct FrameTrace(int Channel, int Sent, int TraceId, int SpanId);

/// <summary>
/// One frame of a peer: its bytes, and where in them the fields lie. No object is made of an update, and nothing is
/// copied until it is needed. Whoever fills it has checked every length; nothing else. Reused: not for several threads.
/// </summary>
internal sealed class PeerFrame
{
    private const int PooledMax = 256;
    private const int PooledBytesMax = 256 * 1024;
    private const int PooledPartsMax = 8_192;
    private const int PartBytes = 160;

    private static readonly DefaultObjectPool<PeerFrame> Pool = new(new Pooling(), PooledMax);

    private readonly List<FrameUpdate> _updates = [];
    private readonly List<FrameAcknowledgement> _acknowledgements = [];
    private readonly List<FrameRefusal> _refusals = [];
    private readonly List<FrameTrace> _traces = [];
    private byte[] _bytes = [];

    private PeerFrame() { }

    /// <summary>Bytes of the message that it came in.</summary>
    public int Length { get; private set; }

    /// <summary>Bytes of memory that it takes until it is returned, with what a batch notes of each of its parts; about.</summary>
    public long Weight => Length + PartBytes * (long)(_updates.Count + _acknowledgements.Count + _refusals.Count);

    public ReadOnlySpan<FrameUpdate> Updates => CollectionsMarshal.AsSpan(_updates);

    public ReadOnlySpan<FrameAcknowledgement> Acknowledgements => CollectionsMarshal.AsSpan(_acknowledgements);

    public ReadOnlySpan<FrameRefusal> Refusals => CollectionsMarshal.AsSpan(_refusals);

    public ReadOnlySpan<FrameTrace> Traces => CollectionsMarshal.AsSpan(_traces);

    public static PeerFrame Rent() => Pool.Get();

    /// <summary>Nothing of the frame may be used any more.</summary>
    public void Return() => Pool.Return(this);

    /// <summary>Room for the bytes of a message, to be filled before anything is added.</summary>
    public Span<byte> Begin(int length)
    {
        if (_bytes.Length < length) _bytes = new byte[Math.Max(length, 4_096)];
        Length = length;
        return _bytes.AsSpan(0, length);
    }

    public void Add(in FrameUpdate update) => _updates.Add(update);

    public void Add(in FrameAcknowledgement acknowledgement) => _acknowledgements.Add(acknowledgement);

    public void Add(in FrameRefusal refusal) => _refusals.Add(refusal);

    /// <summary>More than a frame may have are passed over.</summary>
    public void Add(in FrameTrace trace)
    {
        if (_traces.Count < PeerLink.UpdateTracesMax) _traces.Add(trace);
    }

    public UpdateTrace TraceAt(in FrameTrace said) => new(
        ChannelAt(said.Channel),
        AmountAt(said.Sent),
        new ActivityContext(
            ActivityTraceId.CreateFromBytes(_bytes.AsSpan(said.TraceId, 16)),
            ActivitySpanId.CreateFromBytes(_bytes.AsSpan(said.SpanId, 8)),
            ActivityTraceFlags.Recorded,
            isRemote: true));

    public ChannelId ChannelAt(int place) => ChannelId.Read(_bytes.AsSpan(place, Bytes32.Size));

    public UInt128 AmountAt(int place) => BinaryPrimitives.ReadUInt128BigEndian(_bytes.AsSpan(place, 16));

    public Signature SignatureAt(int place) => Signature.Read(_bytes.AsSpan(place, Signature.Size));

    public ReadOnlySpan<byte> PaymentsOf(scoped in FrameUpdate update) => _bytes.AsSpan(update.Payments, update.PaymentBytes);

    private sealed class Pooling : PooledObjectPolicy<PeerFrame>
    {
        public override PeerFrame Create() => new();

        public override bool Return(PeerFrame frame)
        {
            frame._updates.Clear();
            frame._acknowledgements.Clear();
            frame._refusals.Clear();
            frame._traces.Clear();
            return frame._bytes.Length <= PooledBytesMax
                && frame._updates.Capacity + frame._acknowledgements.Capacity + frame._refusals.Capacity <= PooledPartsMax;
        }
    }
}
