using ChannelNode.Core;
using Org.BouncyCastle.Crypto.Digests;

namespace ChannelNode.Engine;

/// <summary>Keccak-256 as Ethereum uses it (not SHA3-256). Allocates nothing after a thread's first call.</summary>
internal static class Keccak
{
    [ThreadStatic]
    private static KeccakDigest? _digest;

    public static Bytes32 Hash(ReadOnlySpan<byte> data)
    {
        Span<byte> hash = stackalloc byte[Bytes32.Size];
        Hash(data, hash);
        return Bytes32.Read(hash);
    }

    /// <summary>Writes the 32 bytes of the hash. <paramref name="target"/> may overlap <paramref name="data"/>.</summary>
    public static void Hash(ReadOnlySpan<byte> data, Span<byte> target)
    {
        KeccakDigest digest = _digest ??= new KeccakDigest(256);
        digest.BlockUpdate(data);
        digest.DoFinal(target);
    }
}

/// <summary>Signs a 32-byte digest with a key in this process. Safe for many threads.</summary>
internal delegate Signature DigestSigner(in Bytes32 digest);

/// <summary>
/// Signs the Keccak-256 hash of a message with the node's key, wherever that is. Refused by SignerUnavailable where no right
/// signature can be had. Safe for many threads.
/// </summary>
internal delegate ValueTask<Signature> MessageSigner(ReadOnlyMemory<byte> message, CancellationToken cancel);
