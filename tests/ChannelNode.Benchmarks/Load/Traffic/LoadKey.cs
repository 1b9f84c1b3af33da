using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Signing;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>
/// A throw-away key that signs fast. ECDSA's costly part is the point k * G: here k is one and the same for all
/// signatures of a key, so that a signature costs one addition and one multiplication modulo the group's order (about
/// 0.3 us instead of 30). Everybody who sees two such signatures can compute the key, which holds nothing but a test
/// chain's coins. Each signature is a valid one over its own digest, and costs as much to verify as any other.
/// </summary>
internal sealed unsafe class LoadKey
{
    private static readonly BigInteger Order = BigInteger.Parse(
        "0FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", NumberStyles.HexNumber);

    private static readonly Bytes32 HalfOrder = new(
        0x7fffffffffffffff, 0xffffffffffffffff, 0x5d576e7357a4501d, 0xdfe92f46681b20a0);

    private readonly Bytes32 _r;
    private readonly byte _v;
    private readonly Bytes32 _rd;
    private readonly Bytes32 _inverseOfK;

    public LoadKey()
    {
        byte[] key = RandomNumberGenerator.GetBytes(32), k = RandomNumberGenerator.GetBytes(32);
        Key = new PrivateKey(key);
        RawPublicKey = PublicKeyOf(key);
        byte[] point = Compress(PublicKeyOf(k));

        // r is the x of k * G; it is above the order with a probability of 2^-128.
        _r = Bytes32.Read(point.AsSpan(1));
        _v = (byte)(27 + (point[0] & 1));
        BigInteger r = Number(_r.ToArray());
        _rd = Bytes(r * Number(key) % Order);
        _inverseOfK = Bytes(BigInteger.ModPow(Number(k), Order - 2, Order));
    }

    public PrivateKey Key { get; }

    public Address Address => Key.Address;

    /// <summary>libsecp256k1's opaque 64 bytes.</summary>
    public byte[] RawPublicKey { get; }

    /// <summary>s = (digest + r * key) / k.</summary>
    public Signature Sign(in Bytes32 digest)
    {
        byte* s = stackalloc byte[32];
        byte* tweak = stackalloc byte[32];
        _rd.Write(new Span<byte>(s, 32));
        digest.Write(new Span<byte>(tweak, 32));
        int done = RawSecp256k1.TweakAdd(RawSecp256k1.Context, s, tweak);
        _inverseOfK.Write(new Span<byte>(tweak, 32));
        done &= RawSecp256k1.TweakMul(RawSecp256k1.Context, s, tweak);
        if (done != 1) throw new CryptographicException("a digest that no test meets in its life");
        byte v = _v;
        Bytes32 value = Bytes32.Read(new ReadOnlySpan<byte>(s, 32));
        if (value.CompareTo(HalfOrder) <= 0) return new Signature(_r, value, v);
        RawSecp256k1.Negate(RawSecp256k1.Context, s);
        return new Signature(_r, Bytes32.Read(new ReadOnlySpan<byte>(s, 32)), (byte)(27 + 28 - v));
    }

    private static byte[] PublicKeyOf(byte[] key)
    {
        var publicKey = new byte[64];
        fixed (byte* keyPointer = key, target = publicKey)
        {
            if (RawSecp256k1.PubkeyCreate(RawSecp256k1.Context, target, keyPointer) != 1)
                throw new CryptographicException("not a private key");
        }

        return publicKey;
    }

    private static byte[] Compress(byte[] publicKey)
    {
        const uint compressed = 258;
        var point = new byte[33];
        nuint size = 33;
        fixed (byte* source = publicKey, target = point)
            RawSecp256k1.PubkeySerialize(RawSecp256k1.Context, target, &size, source, compressed);
        return point;
    }

    private static BigInteger Number(byte[] bytes) => new(bytes, isUnsigned: true, isBigEndian: true);

    private static Bytes32 Bytes(BigInteger number)
    {
        Span<byte> bytes = stackalloc byte[32];
        bytes.Clear();
        int size = number.GetByteCount(isUnsigned: true);
        number.TryWriteBytes(bytes[(32 - size)..], out _, isUnsigned: true, isBigEndian: true);
        return Bytes32.Read(bytes);
    }
}
