using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ChannelNode.Core;
using ChannelNode.Signing;
using Google.Protobuf;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>
/// Updates signed and encoded beforehand, in the order in which they will be sent: round after round over some channels.
/// Any number of neighbours is the body of a frame as it lies here, because all entries have the same length. Lies
/// outside the garbage collector's reach: it may be gigabytes.
/// </summary>
internal sealed unsafe class Tape : IDisposable
{
    private const int IdOffset = 2;
    private const int SentOffset = IdOffset + 32 + 2;
    private const int ReceivedOffset = SentOffset + 16 + 2;
    private const int SignatureOffset = ReceivedOffset + 16 + 2;
    private const int BareBytes = SignatureOffset + 65;
    private const int EntriesPerPart = 4_096;

    private readonly byte* _entries;
    private readonly int _stride;
    private readonly ulong[] _firstTotals;
    private readonly ItemPlan _items;
    private readonly TypedData _typed;

    /// <summary>Signs <paramref name="count"/> updates on all cores. The channels' <see cref="PaidChannel.Signed"/> move on.</summary>
    public Tape(IReadOnlyList<PaidChannel> channels, long count, TypedData typed, ItemPlan? items = null)
    {
        (Channels, Count, _typed, _items) = (channels, count, typed, items ?? ItemPlan.OnePayment);
        int body = BareBytes + _items.FieldBytes;
        _stride = 1 + VarintBytes((uint)body) + body;
        _entries = (byte*)NativeMemory.Alloc((nuint)count, (nuint)_stride);
        _firstTotals = [.. channels.Select(channel => channel.Signed)];
        long parts = (count + EntriesPerPart - 1) / EntriesPerPart;
        Parallel.For(0, parts, part => Write(part * EntriesPerPart, Math.Min(count, (part + 1) * EntriesPerPart)));
        for (int index = 0; index < channels.Count; index++) channels[index].Signed += (ulong)RoundsOf(index) * _items.Sum;
        if (count > 0) CheckAgainstProto();
    }

    public IReadOnlyList<PaidChannel> Channels { get; }

    public long Count { get; }

    public int PaymentsPerUpdate => _items.Count;

    /// <summary>Bytes of one update on the wire, its tag and length included.</summary>
    public int Stride => _stride;

    /// <summary>Entries of neighbours, as they follow one another in a frame.</summary>
    public ReadOnlySpan<byte> Entries(long first, int count) => new(_entries + (first * _stride), count * _stride);

    /// <summary>How many of a channel's updates on this tape an acknowledged total covers.</summary>
    public long Covered(int channel, ulong total) =>
        total <= _firstTotals[channel] ? 0 : (long)((total - _firstTotals[channel]) / _items.Sum);

    /// <summary>Place on the tape of a channel's update, counted from 0.</summary>
    public long PlaceOf(int channel, long round) => (round * Channels.Count) + channel;

    public void Dispose() => NativeMemory.Free(_entries);

    private long RoundsOf(int channel) => (Count / Channels.Count) + (channel < Count % Channels.Count ? 1 : 0);

    private void Write(long from, long to)
    {
        for (long place = from; place < to; place++)
        {
            (long round, long index) = Math.DivRem(place, Channels.Count);
            PaidChannel channel = Channels[(int)index];
            ulong sent = _firstTotals[(int)index] + ((ulong)(round + 1) * _items.Sum);
            BalanceUpdate update = new(channel.Id, sent, 0);
            Signature signature = channel.Payer.Sign(_typed.Of(update));
            Write(new Span<byte>(_entries + (place * _stride), _stride), update, signature, round);
        }
    }

    private void Write(Span<byte> target, in BalanceUpdate update, in Signature signature, long round)
    {
        int body = BareBytes + _items.FieldBytes;
        target[0] = Tag(Proto.V1.Frame.UpdatesFieldNumber);
        target = target[(1 + WriteVarint(target[1..], (uint)body))..];
        Field(target, IdOffset, Proto.V1.Update.ChannelIdFieldNumber, 32);
        update.Channel.Write(target[IdOffset..]);
        Field(target, SentOffset, Proto.V1.Update.SentFieldNumber, 16);
        BinaryPrimitives.WriteUInt128BigEndian(target[SentOffset..], update.Sent);
        Field(target, ReceivedOffset, Proto.V1.Update.ReceivedFieldNumber, 16);
        BinaryPrimitives.WriteUInt128BigEndian(target[ReceivedOffset..], update.Received);
        Field(target, SignatureOffset, Proto.V1.Update.SignatureFieldNumber, 65);
        signature.Write(target[SignatureOffset..]);
        _items.Write(target[BareBytes..], update.Channel, round);
    }

    private static void Field(Span<byte> target, int offset, int number, byte length)
    {
        target[offset - 2] = Tag(number);
        target[offset - 1] = length;
    }

    public static byte Tag(int field) => (byte)((field << 3) | (int)WireFormat.WireType.LengthDelimited);

    public static int VarintBytes(uint value)
    {
        int bytes = 1;
        for (; value >= 0x80; value >>= 7) bytes++;
        return bytes;
    }

    public static int WriteVarint(Span<byte> target, uint value)
    {
        int written = 0;
        for (; value >= 0x80; value >>= 7) target[written++] = (byte)(value | 0x80);
        target[written++] = (byte)value;
        return written;
    }

    /// <summary>The generated parser reads the first entry as it was meant, and libsecp256k1 finds its signature right.</summary>
    private void CheckAgainstProto()
    {
        Proto.V1.Update read = Proto.V1.Frame.Parser.ParseFrom(Entries(0, 1)).Updates[0];
        UInt128 sent = BinaryPrimitives.ReadUInt128BigEndian(read.Sent.Span);
        BalanceUpdate update = new(ChannelId.Read(read.ChannelId.Span), sent, 0);
        LoadKey payer = Channels[0].Payer;
        bool right = update.Channel == Channels[0].Id && sent == _firstTotals[0] + _items.Sum
            && Secp256k1.TryRecover(_typed.Of(update), Signature.Read(read.Signature.Span), read.Signature[64], out PublicKey key)
            && Secp256k1.AddressOf(key) == payer.Address && read.CalculateSize() == BareBytes + _items.FieldBytes;
        if (!right) throw new InvalidOperationException("the load program's own encoding or signature is wrong");
    }
}
