using ChannelNode.Core;

namespace ChannelNode.Signing;

/// <summary>Who signs with the node's key: the key itself in this process, or another program that holds it.</summary>
internal interface ISigner : IDisposable
{
    Address Address { get; }

    /// <summary>Whether a signature can be had now, as far as is known.</summary>
    bool IsThere { get; }

    /// <summary>
    /// Signs the Keccak-256 hash of a message: low s, and the v under which it recovers to <see cref="Address"/>. Refused by
    /// SignerUnavailable. Safe for many threads.
    /// </summary>
    ValueTask<Signature> SignAsync(ReadOnlyMemory<byte> message, CancellationToken cancel);
}
