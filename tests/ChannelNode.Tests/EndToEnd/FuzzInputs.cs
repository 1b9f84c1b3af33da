using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// Messages that no honest program sends, made from a message's descriptor: of the right shape with hostile values, of a wrong
/// shape, or no messages at all. The same random numbers make the same bytes.
/// </summary>
internal sealed class FuzzInputs(Random random, IReadOnlyList<string> known)
{
    private const int DepthMax = 3;
    private const int Kinds = 16;

    private static readonly string[] HostileTexts =
    [
        "", "0", "1", "-1", "+1", "1.5", "1e30", "0x", "0x12", "00000000000000000001", "5192296858534827628530496329220095",
        "5192296858534827628530496329220096", "340282366920938463463374607431768211455", "340282366920938463463374607431768211456",
        "18446744073709551616", " 1", "1 ", "\u0661\u0662", "NaN", "null", "\0", "a\0b", "\r\nheader: x", "../../etc/passwd", "%s%n%x",
        "{}", "'; DROP TABLE channels; --", "http://127.0.0.1:1", "http://[::1]:1/", "https://user:word@127.0.0.1:1", "file:///etc/passwd",
        "http://", "ws://127.0.0.1:1", "0x0000000000000000000000000000000000000000", "0xffffffffffffffffffffffffffffffffffffffff",
        "0x" + "ff00000000000000000000000000000000000000000000000000000000000000", "\ud83d\ude80", "\u202e",
    ];

    private static readonly ulong[] HostileNumbers =
    [
        0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63,
        ulong.MaxValue, ulong.MaxValue - 1, 1_000_000_000_000,
    ];

    /// <summary>The index chooses the kind of input, so that each kind comes.</summary>
    public byte[] Make(MessageDescriptor message, int index) => (index % Kinds) switch
    {
        0 => index == 0 ? [] : Structured(message, 0),
        1 => Bytes(random.Next(1, 300)),
        2 or 3 or 4 => Structured(message, 0),
        5 => Truncated(Structured(message, 0)),
        6 => Flipped(Structured(message, 0)),
        7 => WrongWireTypes(message),
        8 => HugeLength(message),
        9 => Nested(message),
        10 => WithText(message, () => BadUtf8()),
        11 => LongNumbers(message),
        12 => BadTags(),
        13 => Repeated(message),
        14 => index % (Kinds * 8) == 14 ? Oversized(message) : WithText(message, () => Encoding.UTF8.GetBytes(Text())),
        _ => [.. Structured(message, 0), .. Structured(message, 0), .. Bytes(random.Next(0, 8))],
    };

    /// <summary>Valid on the wire: every field of a right type, its value hostile, known or both.</summary>
    public byte[] Structured(MessageDescriptor message, int depth) => Write(output =>
    {
        foreach (FieldDescriptor field in message.Fields.InFieldNumberOrder())
        {
            if (random.Next(5) == 0) continue;
            int times = field.IsRepeated ? random.Next(0, 4) : 1;
            for (; times > 0; times--) WriteField(output, field, depth);
        }
    });

    private void WriteField(CodedOutputStream output, FieldDescriptor field, int depth)
    {
        switch (field.FieldType)
        {
            case FieldType.Message:
                if (depth >= DepthMax) return;
                output.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
                output.WriteBytes(ByteString.CopyFrom(Structured(field.MessageType, depth + 1)));
                break;
            case FieldType.String:
                output.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
                output.WriteString(Text());
                break;
            case FieldType.Bytes:
                output.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
                output.WriteBytes(ByteString.CopyFrom(Bytes(random.Next(4) switch { 0 => 20, 1 => 32, 2 => 65, _ => random.Next(0, 100) })));
                break;
            default:
                output.WriteTag(field.FieldNumber, WireFormat.WireType.Varint);
                output.WriteUInt64(HostileNumbers[random.Next(HostileNumbers.Length)]);
                break;
        }
    }

    public string Text() => random.Next(6) switch
    {
        0 => new string('9', random.Next(1, 70_000)),
        1 or 2 when known.Count > 0 => known[random.Next(known.Count)],
        _ => HostileTexts[random.Next(HostileTexts.Length)],
    };

    private byte[] WithText(MessageDescriptor message, Func<byte[]> text) => Write(output =>
    {
        foreach (FieldDescriptor field in message.Fields.InFieldNumberOrder())
        {
            output.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(ByteString.CopyFrom(
                field.FieldType == FieldType.Message ? WithText(field.MessageType, text, DepthMax) : text()));
        }
    });

    private static byte[] WithText(MessageDescriptor message, Func<byte[]> text, int depth) => depth == 0 ? [] : Write(output =>
    {
        foreach (FieldDescriptor field in message.Fields.InFieldNumberOrder())
        {
            output.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(ByteString.CopyFrom(
                field.FieldType == FieldType.Message ? WithText(field.MessageType, text, depth - 1) : text()));
        }
    });

    private byte[] WrongWireTypes(MessageDescriptor message) => Write(output =>
    {
        foreach (FieldDescriptor field in message.Fields.InFieldNumberOrder())
        {
            switch (random.Next(4))
            {
                case 0:
                    output.WriteTag(field.FieldNumber, WireFormat.WireType.Fixed64);
                    output.WriteFixed64(ulong.MaxValue);
                    break;
                case 1:
                    output.WriteTag(field.FieldNumber, WireFormat.WireType.Fixed32);
                    output.WriteFixed32(uint.MaxValue);
                    break;
                case 2:
                    output.WriteTag(field.FieldNumber, WireFormat.WireType.Varint);
                    output.WriteUInt64(ulong.MaxValue);
                    break;
                default:
                    output.WriteTag(field.FieldNumber, WireFormat.WireType.StartGroup);
                    break;
            }
        }
    });

    private byte[] HugeLength(MessageDescriptor message) => Write(output =>
    {
        output.WriteTag(AnyField(message), WireFormat.WireType.LengthDelimited);
        output.WriteUInt64(random.Next(3) switch { 0 => int.MaxValue, 1 => uint.MaxValue, _ => ulong.MaxValue });
        output.WriteFixed32(0);
    });

    /// <summary>A message in a message in a message, or groups that are begun and never ended.</summary>
    private byte[] Nested(MessageDescriptor message)
    {
        int number = AnyField(message), depth = random.Next(100, 20_000);
        if (random.Next(2) == 0)
        {
            return Write(output =>
            {
                for (int begun = 0; begun < depth; begun++) output.WriteTag(number, WireFormat.WireType.StartGroup);
            });
        }

        byte[] inner = [];
        for (int level = 0; level < Math.Min(depth, 300); level++)
        {
            byte[] within = inner;
            inner = Write(output =>
            {
                output.WriteTag(number, WireFormat.WireType.LengthDelimited);
                output.WriteBytes(ByteString.CopyFrom(within));
            });
        }

        return inner;
    }

    private byte[] LongNumbers(MessageDescriptor message) =>
        [.. Write(output => output.WriteTag(AnyField(message), WireFormat.WireType.Varint)), .. Enumerable.Repeat((byte)0xff, random.Next(9, 30))];

    private byte[] BadTags() => random.Next(4) switch
    {
        0 => [0, 0, 0],
        1 => [6, 1],
        2 => [7, 1],
        _ => [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    };

    /// <summary>Each field thousands of times.</summary>
    private byte[] Repeated(MessageDescriptor message) => Write(output =>
    {
        foreach (FieldDescriptor field in message.Fields.InFieldNumberOrder())
        {
            for (int times = random.Next(1_000, 3_000); times > 0; times--)
            {
                if (field.FieldType is FieldType.Message or FieldType.String or FieldType.Bytes)
                {
                    output.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
                    output.WriteString("0");
                }
                else
                {
                    output.WriteTag(field.FieldNumber, WireFormat.WireType.Varint);
                    output.WriteUInt64(1);
                }
            }
        }
    });

    /// <summary>A little above the default limit of a message, 4 MiB.</summary>
    private byte[] Oversized(MessageDescriptor message) => Write(output =>
    {
        output.WriteTag(AnyField(message), WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(new byte[(4 << 20) + random.Next(1, 1_000)]));
    });

    private byte[] Truncated(byte[] whole) => whole.Length == 0 ? [8] : whole[..random.Next(whole.Length)];

    private byte[] Flipped(byte[] bytes)
    {
        for (int flips = random.Next(1, 6); flips > 0 && bytes.Length > 0; flips--)
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        return bytes;
    }

    private byte[] BadUtf8() => random.Next(4) switch
    {
        0 => [0xff, 0xfe],
        1 => [0xc0, 0x80],
        2 => [0xed, 0xa0, 0x80],
        _ => [0xf8, 0x88, 0x80, 0x80, 0x80],
    };

    public byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private int AnyField(MessageDescriptor message) =>
        message.Fields.InFieldNumberOrder() is { Count: > 0 } fields ? fields[random.Next(fields.Count)].FieldNumber : 1;

    private static byte[] Write(Action<CodedOutputStream> write)
    {
        using MemoryStream bytes = new();
        using CodedOutputStream output = new(bytes);
        write(output);
        output.Flush();
        return bytes.ToArray();
    }
}
