using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Signing;

/// <summary>Who signs with the node's key: the key itself in this process, or another program that holds it.</summary>
internal interface ISigner : IDisposable
{
    Address Address { get; }

    /// <summary>Whether a signature can be had now, as far as is known.</summary>
    bool IsThere { get; }

    /// <summary>How the other program does its work; null where the key is in this process.</summary>
    SignerHealth? Health => null;

    /// <summary>
    /// Signs the Keccak-256 hash of a message: low s, and the v under which it recovers to <see cref="Address"/>. Refused by
    /// SignerUnavailable. Safe for many threads.
    /// </summary>
    ValueTask<Signature> SignAsync(ReadOnlyMemory<byte> message, CancellationToken cancel);
}
