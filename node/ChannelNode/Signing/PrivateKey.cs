using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Signing;

/// <summary>
/// The node's signing key. Its bytes lie outside the garbage collector's reach, so that it leaves no copies, and are
/// zeroed when disposed of. It never shows itself: not in text, not in exceptions.
/// </summary>
internal sealed unsafe class PrivateKey : ISigner
{
    public const int Size = 32;

    private readonly byte* _bytes;
    private int _disposed;

    /// <summary>Copies the key; the caller zeroes its own. Throws for 0 and for anything at or above the group's order.</summary>
    public PrivateKey(ReadOnlySpan<byte> key)
    {
        if (!Secp256k1.IsPrivateKey(key)) throw new CryptographicException("not a secp256k1 private key");
        _bytes = (byte*)NativeMemory.Alloc(Size);
        key.CopyTo(new Span<byte>(_bytes, Size));
        Address = Secp256k1.AddressOf(key);
    }

    ~PrivateKey() => Dispose();

    public Address Address { get; }

    /// <summary>Deterministic (RFC 6979) and low-s.</summary>
    public Signature Sign(in Bytes32 digest)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        Signature signature = Secp256k1.Sign(digest, Bytes);
        GC.KeepAlive(this);
        return signature;
    }

    bool ISigner.IsThere => true;

    /// <summary>Of a message's Keccak-256 hash; at once.</summary>
    public ValueTask<Signature> SignAsync(ReadOnlyMemory<byte> message, CancellationToken cancel) =>
        new(Sign(Keccak.Hash(message.Span)));

    public void Dispose()
    {
        if (_bytes == null || Interlocked.Exchange(ref _disposed, 1) != 0) return;
        CryptographicOperations.ZeroMemory(Bytes);
        NativeMemory.Free(_bytes);
        GC.SuppressFinalize(this);
    }

    public override string ToString() => $"key of {Address}";

    /// <summary>A new key from the system's random source.</summary>
    public static PrivateKey Generate()
    {
        Span<byte> bytes = stackalloc byte[Size];
        try
        {
            do RandomNumberGenerator.Fill(bytes);
            while (!Secp256k1.IsPrivateKey(bytes));
            return new PrivateKey(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    /// <summary>For the keystore alone: its 32 bytes, which the caller zeroes.</summary>
    internal void CopyTo(Span<byte> target) => Bytes.CopyTo(target);

    /// <summary>For the key file alone: 64 hex digits as ASCII.</summary>
    internal void WriteHex(Span<byte> target) => Convert.TryToHexStringLower(Bytes, target, out _);

    private Span<byte> Bytes => new(_bytes, Size);
}
