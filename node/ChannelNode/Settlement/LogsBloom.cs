using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// A block's bloom filter over its logs: 2,048 bits, of which every address and topic sets three. It may say that one is
/// there when it is not, never the reverse.
/// </summary>
internal static class LogsBloom
{
    public const int Size = 256;

    private const int BitsPerValue = 3;

    /// <summary>False for what some chains leave empty, whatever the block holds.</summary>
    public static bool CanBeTrusted(ReadOnlySpan<byte> bloom, int transactionCount) =>
        bloom.Length == Size && (transactionCount == 0 || bloom.ContainsAnyExcept((byte)0));

    public static bool MayHold(ReadOnlySpan<byte> bloom, Address contract)
    {
        Span<int> bits = stackalloc int[BitsPerValue];
        Bits(contract.ToArray(), bits);
        foreach (int bit in bits)
            if ((bloom[Size - 1 - bit / 8] & (1 << (bit % 8))) == 0) return false;
        return true;
    }

    /// <summary>The filter over all logs of a block.</summary>
    public static byte[] Of(IEnumerable<ContractLog> logs)
    {
        var bloom = new byte[Size];
        foreach (ContractLog log in logs)
        {
            Add(bloom, log.Contract.ToArray());
            foreach (Bytes32 topic in log.Topics) Add(bloom, topic.ToArray());
        }

        return bloom;
    }

    private static void Add(byte[] bloom, byte[] value)
    {
        Span<int> bits = stackalloc int[BitsPerValue];
        Bits(value, bits);
        foreach (int bit in bits) bloom[Size - 1 - bit / 8] |= (byte)(1 << (bit % 8));
    }

    private static void Bits(byte[] value, Span<int> bits)
    {
        Span<byte> hash = stackalloc byte[Bytes32.Size];
        Keccak.Hash(value).Write(hash);
        for (int index = 0; index < bits.Length; index++) bits[index] = (hash[2 * index] << 8 | hash[2 * index + 1]) & 2_047;
    }
}
