using System.Buffers;
using System.Buffers.Binary;
using ChannelNode.Core;

namespace ChannelNode.Settlement;

/// <summary>
/// Contract ABI encoding of one tuple (arguments are one): a head of 32-byte words, in which a dynamic member is the
/// offset of its place in the tail. Say how many words the head has, write the members in order, take the bytes.
/// </summary>
internal sealed class AbiWriter(int headWords)
{
    public const int Word = 32;

    private readonly ArrayBufferWriter<byte> _head = new(Math.Max(1, headWords) * Word);
    private readonly ArrayBufferWriter<byte> _tail = new();

    public AbiWriter Number(UInt128 value)
    {
        BinaryPrimitives.WriteUInt128BigEndian(NextWord()[16..], value);
        return this;
    }

    public AbiWriter Flag(bool value) => Number(value ? UInt128.One : UInt128.Zero);

    public AbiWriter Account(Address value)
    {
        value.Write(NextWord()[12..]);
        return this;
    }

    public AbiWriter Bytes32(Bytes32 value)
    {
        value.Write(NextWord());
        return this;
    }

    /// <summary>bytes or string.</summary>
    public AbiWriter Bytes(ReadOnlySpan<byte> value)
    {
        Offset();
        WriteLength(_tail, value.Length);
        _tail.Write(value);
        int padding = (Word - value.Length % Word) % Word;
        _tail.GetSpan(Word)[..padding].Clear();
        _tail.Advance(padding);
        return this;
    }

    /// <summary>An array of tuples without dynamic members.</summary>
    public AbiWriter Tuples(IReadOnlyList<AbiWriter> values)
    {
        Offset();
        WriteLength(_tail, values.Count);
        foreach (AbiWriter value in values) value.CopyTo(_tail);
        return this;
    }

    /// <summary><paramref name="start"/>: the selector of the function, or the bytecode before a constructor's arguments.</summary>
    public byte[] ToArray(ReadOnlySpan<byte> start)
    {
        var all = new ArrayBufferWriter<byte>(start.Length + _head.WrittenCount + _tail.WrittenCount + 1);
        all.Write(start);
        CopyTo(all);
        return all.WrittenSpan.ToArray();
    }

    private void CopyTo(ArrayBufferWriter<byte> target)
    {
        if (_head.WrittenCount != headWords * Word)
            throw new InvalidOperationException($"{_head.WrittenCount / Word} words written of {headWords}");
        target.Write(_head.WrittenSpan);
        target.Write(_tail.WrittenSpan);
    }

    private void Offset() => Number((UInt128)(headWords * Word + _tail.WrittenCount));

    private Span<byte> NextWord()
    {
        Span<byte> word = _head.GetSpan(Word)[..Word];
        word.Clear();
        _head.Advance(Word);
        return word;
    }

    private static void WriteLength(ArrayBufferWriter<byte> target, int length)
    {
        Span<byte> word = target.GetSpan(Word)[..Word];
        word.Clear();
        BinaryPrimitives.WriteInt32BigEndian(word[28..], length);
        target.Advance(Word);
    }
}
