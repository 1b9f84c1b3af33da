using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Signing;

/// <summary>A parsed public key in libsecp256k1's own form: opaque, never stored or sent.</summary>
[InlineArray(64)]
internal struct PublicKey
{
    private byte _first;
}

/// <summary>
/// libsecp256k1 over values. Nothing here throws for bad input that can come from a peer; all of it is safe for many
/// threads, because the one context is made and randomized (against side channels) before its first use and then only
/// read.
/// </summary>
internal static unsafe partial class Secp256k1
{
    private const int CompactSize = 64;
    private const int OpaqueRecoverableSize = 65;
    private const int UncompressedSize = 65;

    private static readonly nint Context = CreateContext();

    private static readonly Bytes32 Order = new(
        0xffffffffffffffff, 0xfffffffffffffffe, 0xbaaedce6af48a03b, 0xbfd25e8cd0364141);

    /// <summary>Half of the group's order: a larger s is the malleated twin of a signature, and no signature here.</summary>
    private static readonly Bytes32 HalfOrder = new(
        0x7fffffffffffffff, 0xffffffffffffffff, 0x5d576e7357a4501d, 0xdfe92f46681b20a0);

    /// <summary>v 27 or 28 and s in the lower half; r and s are checked by the library.</summary>
    public static bool IsWellFormed(in Signature signature) =>
        signature.V is 27 or 28 && signature.S.CompareTo(HalfOrder) <= 0;

    public static bool IsPrivateKey(ReadOnlySpan<byte> key)
    {
        if (key.Length != Bytes32.Size) return false;
        fixed (byte* keyPointer = key) return Native.SeckeyVerify(Context, keyPointer) == 1;
    }

    /// <summary>Deterministic (RFC 6979), low-s, with its v. <paramref name="key"/> was checked before.</summary>
    public static Signature Sign(in Bytes32 digest, ReadOnlySpan<byte> key)
    {
        byte* digestBytes = stackalloc byte[Bytes32.Size];
        byte* opaque = stackalloc byte[OpaqueRecoverableSize];
        byte* compact = stackalloc byte[CompactSize];
        int recoveryId;
        digest.Write(new Span<byte>(digestBytes, Bytes32.Size));
        fixed (byte* keyPointer = key)
        {
            if (Native.SignRecoverable(Context, opaque, digestBytes, keyPointer, 0, 0) != 1)
                throw new CryptographicException("libsecp256k1 could not sign");
        }

        Native.SerializeRecoverable(Context, compact, &recoveryId, opaque);
        var bytes = new ReadOnlySpan<byte>(compact, CompactSize);
        return new Signature(Bytes32.Read(bytes), Bytes32.Read(bytes[32..]), (byte)(27 + recoveryId));
    }

    /// <summary>Looks at r and s only.</summary>
    public static bool Verify(in Bytes32 digest, in Signature signature, in PublicKey key)
    {
        byte* digestBytes = stackalloc byte[Bytes32.Size];
        byte* compact = stackalloc byte[CompactSize];
        byte* opaque = stackalloc byte[CompactSize];
        digest.Write(new Span<byte>(digestBytes, Bytes32.Size));
        WriteCompact(signature, compact);
        fixed (PublicKey* keyPointer = &key)
        {
            return Native.ParseCompact(Context, opaque, compact) == 1
                && Native.Verify(Context, opaque, digestBytes, (byte*)keyPointer) == 1;
        }
    }

    /// <summary>The key under which a well-formed signature is right, with <paramref name="v"/> in place of its own.</summary>
    public static bool TryRecover(in Bytes32 digest, in Signature signature, byte v, out PublicKey key)
    {
        byte* digestBytes = stackalloc byte[Bytes32.Size];
        byte* compact = stackalloc byte[CompactSize];
        byte* opaque = stackalloc byte[OpaqueRecoverableSize];
        digest.Write(new Span<byte>(digestBytes, Bytes32.Size));
        WriteCompact(signature, compact);
        key = default;
        fixed (PublicKey* keyPointer = &key)
        {
            return Native.ParseRecoverable(Context, opaque, compact, v - 27) == 1
                && Native.Recover(Context, (byte*)keyPointer, opaque, digestBytes) == 1;
        }
    }

    /// <summary>
    /// Brings a signature from elsewhere into the only form that is used here, low s and the v that recovers to its signer;
    /// false where it is not that signer's. Its own v does not count: programs write it in several ways.
    /// </summary>
    public static bool TryMakeCanonical(in Signature given, in Bytes32 digest, Address signer, out Signature signature)
    {
        signature = given with { S = given.S.CompareTo(HalfOrder) <= 0 ? given.S : Subtract(Order, given.S), V = 27 };
        if (given.S.CompareTo(Order) >= 0) return false;
        foreach (byte v in (ReadOnlySpan<byte>)[27, 28])
        {
            if (!TryRecover(digest, signature, v, out PublicKey recovered) || AddressOf(recovered) != signer) continue;
            signature = signature with { V = v };
            return true;
        }

        return false;
    }

    /// <summary>a - b, where that is not negative.</summary>
    private static Bytes32 Subtract(in Bytes32 a, in Bytes32 b)
    {
        UInt128 low = new UInt128(a.W2, a.W3), lowTaken = new UInt128(b.W2, b.W3);
        UInt128 lower = unchecked(low - lowTaken);
        UInt128 upper = unchecked(new UInt128(a.W0, a.W1) - new UInt128(b.W0, b.W1) - (lowTaken > low ? UInt128.One : UInt128.Zero));
        return new Bytes32((ulong)(upper >> 64), (ulong)upper, (ulong)(lower >> 64), (ulong)lower);
    }

    public static Address AddressOf(ReadOnlySpan<byte> privateKey)
    {
        PublicKey key = default;
        fixed (byte* privatePointer = privateKey)
        {
            if (Native.PubkeyCreate(Context, (byte*)&key, privatePointer) != 1)
                throw new CryptographicException("not a private key");
        }

        return AddressOf(key);
    }

    public static Address AddressOf(in PublicKey key)
    {
        byte* serialized = stackalloc byte[UncompressedSize];
        nuint size = UncompressedSize;
        fixed (PublicKey* keyPointer = &key)
            Native.PubkeySerialize(Context, serialized, &size, (byte*)keyPointer, Native.Uncompressed);

        Span<byte> hash = stackalloc byte[Bytes32.Size];
        Keccak.Hash(new ReadOnlySpan<byte>(serialized + 1, UncompressedSize - 1), hash);
        return Address.Read(hash[12..]);
    }

    private static void WriteCompact(in Signature signature, byte* target)
    {
        signature.R.Write(new Span<byte>(target, Bytes32.Size));
        signature.S.Write(new Span<byte>(target + Bytes32.Size, Bytes32.Size));
    }

    private static nint CreateContext()
    {
        nint context;
        try
        {
            context = Native.ContextCreate(Native.ContextNone);
        }
        catch (DllNotFoundException missing)
        {
            throw new DllNotFoundException(
                "libsecp256k1 is not installed (Debian and Ubuntu: apt-get install libsecp256k1-1)", missing);
        }

        Span<byte> seed = stackalloc byte[32];
        RandomNumberGenerator.Fill(seed);
        fixed (byte* seedPointer = seed)
        {
            if (Native.ContextRandomize(context, seedPointer) != 1)
                throw new CryptographicException("libsecp256k1 could not be randomized");
        }

        CryptographicOperations.ZeroMemory(seed);
        return context;
    }
}
