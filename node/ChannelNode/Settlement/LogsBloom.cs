using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// A block's bloom filter over its logs: 2,048 bits, of which every address sets three. It may say that an address is
/// there when it is not, never the reverse.
/// </summary>
internal static class LogsBloom
{
    public const int Size = 256;

    public static bool MayHold(ReadOnlySpan<byte> bloom, Address contract)
    {
        Span<byte> hash = stackalloc byte[Bytes32.Size];
        Keccak.Hash(contract.ToArray()).Write(hash);
        for (int pair = 0; pair < 6; pair += 2)
        {
            int bit = (hash[pair] << 8 | hash[pair + 1]) & 2_047;
            if ((bloom[Size - 1 - bit / 8] & (1 << (bit % 8))) == 0) return false;
        }

        return true;
    }

    /// <summary>False for what some chains leave empty, whatever the block holds.</summary>
    public static bool CanBeTrusted(ReadOnlySpan<byte> bloom, int transactionCount) =>
        bloom.Length == Size && (transactionCount == 0 || bloom.ContainsAnyExcept((byte)0));
}
