using System.Buffers.Binary;
using System.Text;
using ChannelNode.Core;

namespace ChannelNode.Settlement;

/// <summary>
/// All that the contract stores of one side, in one word: when the window ends (32 bits, Unix seconds, side A's only),
/// the side's total (112 bits) and its pot (112 bits).
/// </summary>
internal readonly record struct SideWord(uint ClosesAtSeconds, UInt128 Sent, UInt128 Pot)
{
    public Pots AsA() => new(Pot, Sent, UInt128.Zero, UInt128.Zero, ClosesAtSeconds);
}

/// <summary>
/// Reads ABI-encoded words in order. What does not fit its type or is cut off is a <see cref="FormatException"/>:
/// the RPC's answer is not of the contract that we know.
/// </summary>
internal ref struct AbiReader(ReadOnlySpan<byte> data)
{
    private const int Word = AbiWriter.Word;

    private readonly ReadOnlySpan<byte> _data = data;
    private int _position;

    /// <summary>uint8 to uint128, and a uint256 that fits.</summary>
    public UInt128 Number()
    {
        ReadOnlySpan<byte> word = NextWord();
        if (word[..16].ContainsAnyExcept((byte)0)) throw new FormatException("a number has more than 128 bits");
        return BinaryPrimitives.ReadUInt128BigEndian(word[16..]);
    }

    public uint UInt32()
    {
        UInt128 number = Number();
        return number <= uint.MaxValue ? (uint)number : throw new FormatException("a number has more than 32 bits");
    }

    public bool Flag()
    {
        UInt128 number = Number();
        return number <= UInt128.One ? number == UInt128.One : throw new FormatException("a bool is neither 0 nor 1");
    }

    public Side Side()
    {
        UInt128 number = Number();
        return number <= UInt128.One ? (Side)(byte)number : throw new FormatException("a side is neither A nor B");
    }

    /// <summary>What the contract stores of one side.</summary>
    public SideWord SideWord()
    {
        ReadOnlySpan<byte> word = NextWord();
        return new SideWord(
            BinaryPrimitives.ReadUInt32BigEndian(word),
            BinaryPrimitives.ReadUInt128BigEndian(word[2..]) & Amounts.Max,
            BinaryPrimitives.ReadUInt128BigEndian(word[16..]) & Amounts.Max);
    }

    public Address Account()
    {
        ReadOnlySpan<byte> word = NextWord();
        if (word[..12].ContainsAnyExcept((byte)0)) throw new FormatException("an address has more than 160 bits");
        return Address.Read(word[12..]);
    }

    public Bytes32 Bytes32() => Core.Bytes32.Read(NextWord());

    /// <summary>bytes4, left in its word.</summary>
    public uint Selector() => BinaryPrimitives.ReadUInt32BigEndian(NextWord());

    public string Text() => Encoding.UTF8.GetString(Bytes());

    /// <summary>bytes or string, by the offset in the head.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        int start = Length();
        if (start > _data.Length - Word) throw new FormatException("an offset lies outside of the data");
        var tail = new AbiReader(_data[start..]);
        int length = tail.Length();
        int first = start + Word;
        return length <= _data.Length - first
            ? _data.Slice(first, length)
            : throw new FormatException("bytes are longer than the data");
    }

    private int Length()
    {
        UInt128 number = Number();
        return number <= int.MaxValue ? (int)number : throw new FormatException("a length is out of range");
    }

    private ReadOnlySpan<byte> NextWord()
    {
        if (_position > _data.Length - Word) throw new FormatException("the data ends too early");
        ReadOnlySpan<byte> word = _data.Slice(_position, Word);
        _position += Word;
        return word;
    }
}
