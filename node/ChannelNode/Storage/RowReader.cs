using System.Buffers.Binary;
using ChannelNode.Core;

namespace ChannelNode.Storage;

/// <summary>
/// Reads a row back field by field. Anything that this code did not write (an unknown version, a row too short or too
/// long, a flag that is neither 0 nor 1) throws <see cref="StoreException"/> naming the kind of row.
/// </summary>
internal ref struct RowReader
{
    private readonly string _kind;

    private ReadOnlySpan<byte> _rest;

    public RowReader(string kind, ReadOnlySpan<byte> row)
    {
        _kind = kind;
        _rest = row;
    }

    /// <summary>Reads the first byte too and insists on <paramref name="version"/>.</summary>
    public RowReader(string kind, ReadOnlySpan<byte> row, byte version)
        : this(kind, row)
    {
        byte found = Byte();
        if (found != version)
            throw new StoreException($"A {kind} row has version {found}; this program knows version {version}.");
    }

    /// <summary>The first byte of a row of which versions up to <paramref name="newest"/> lie on disks.</summary>
    public byte Version(byte newest)
    {
        byte found = Byte();
        return found >= 1 && found <= newest
            ? found
            : throw new StoreException($"A {_kind} row has version {found}; this program knows versions up to {newest}.");
    }

    public byte Byte() => Take(1)[0];

    /// <summary>A byte of flags, of which only those <paramref name="known"/> may be set.</summary>
    public byte Flags(byte known)
    {
        byte flags = Byte();
        return (flags & ~known) == 0
            ? flags
            : throw new StoreException($"A {_kind} row is corrupt: it has flags {flags}, of which {known} are known.");
    }

    public uint UInt32() => BinaryPrimitives.ReadUInt32BigEndian(Take(sizeof(uint)));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64BigEndian(Take(sizeof(ulong)));

    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Take(sizeof(long)));

    public UInt128 UInt128() => BinaryPrimitives.ReadUInt128BigEndian(Take(16));

    /// <summary>A byte of length, then that many bytes: as <see cref="RowWriter.Amount"/> leaves them, no others.</summary>
    public UInt128 Amount()
    {
        int size = Byte();
        ReadOnlySpan<byte> field = Take(size);
        if (size > 16 || (size > 0 && field[0] == 0))
            throw new StoreException($"A {_kind} row is corrupt: an amount of {size} bytes that is not in its shortest form.");
        Span<byte> whole = stackalloc byte[16];
        whole.Clear();
        field.CopyTo(whole[(16 - size)..]);
        return BinaryPrimitives.ReadUInt128BigEndian(whole);
    }

    public Address Address() => Core.Address.Read(Take(Core.Address.Size));

    public Bytes32 Bytes32() => Core.Bytes32.Read(Take(Core.Bytes32.Size));

    public Signature Signature() => Core.Signature.Read(Take(Core.Signature.Size));

    public ReadOnlySpan<byte> ShortBytes() => Take(Byte());

    /// <summary>Four bytes of length, then the bytes.</summary>
    public ReadOnlySpan<byte> LongBytes()
    {
        uint size = UInt32();
        return Take(size <= _rest.Length ? (int)size : int.MaxValue);
    }

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>All that is left.</summary>
    public ReadOnlySpan<byte> Rest() => Take(_rest.Length);

    /// <summary>Insists that nothing is left.</summary>
    public readonly void End()
    {
        if (!_rest.IsEmpty)
            throw new StoreException($"A {_kind} row is corrupt: {_rest.Length} bytes too long.");
    }

    private ReadOnlySpan<byte> Take(int size)
    {
        if (_rest.Length < size)
            throw new StoreException($"A {_kind} row is corrupt: {size - _rest.Length} bytes too short.");
        ReadOnlySpan<byte> field = _rest[..size];
        _rest = _rest[size..];
        return field;
    }
}
