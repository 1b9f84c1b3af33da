using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ChannelNode.Signing;

/// <summary>
/// Bytes that nobody may see, such as a password. They lie outside the garbage collector's reach, so that it leaves no
/// copies, and are zeroed when disposed of. Never shown: not in text, not in exceptions.
/// </summary>
internal sealed unsafe class Secret : IDisposable
{
    private readonly byte* _bytes;
    private readonly int _capacity;
    private int _disposed;

    public Secret(int capacity)
    {
        _capacity = capacity;
        _bytes = (byte*)NativeMemory.AllocZeroed((nuint)Math.Max(capacity, 1));
    }

    /// <summary>Copies the bytes; the caller zeroes its own.</summary>
    public Secret(ReadOnlySpan<byte> bytes)
        : this(bytes.Length)
    {
        bytes.CopyTo(Room);
        Length = bytes.Length;
    }

    ~Secret() => Dispose();

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Bytes => Room[..Length];

    /// <summary>All that there is room for, to be filled; <see cref="Take"/> says how much of it counts.</summary>
    public Span<byte> Room
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed != 0, this);
            return new Span<byte>(_bytes, _capacity);
        }
    }

    public Secret Take(int length)
    {
        Length = length;
        return this;
    }

    public bool Equals(Secret other) => CryptographicOperations.FixedTimeEquals(Bytes, other.Bytes);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        CryptographicOperations.ZeroMemory(new Span<byte>(_bytes, _capacity));
        NativeMemory.Free(_bytes);
        GC.SuppressFinalize(this);
    }

    public override string ToString() => "secret";
}
