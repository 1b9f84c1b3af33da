using System.Runtime.CompilerServices;

namespace ChannelNode.Engine;

/// <summary>Tells, while the chain is read up to a block, where the reading is.</summary>
internal static class ReadingProgress
{
    /// <param name="read">As <see cref="IChain.ReadAsync"/>.</param>
    /// <param name="tell">A sentence for people, after each batch.</param>
    public static Func<IReadOnlyList<ChainBlock>, ulong, CancellationToken, IAsyncEnumerable<ChainBatch>> Of(
        Func<IReadOnlyList<ChainBlock>, ulong, CancellationToken, IAsyncEnumerable<ChainBatch>> read, Action<string> tell)
    {
        return ReadAsync;

        async IAsyncEnumerable<ChainBatch> ReadAsync(
            IReadOnlyList<ChainBlock> known, ulong lastBlock, [EnumeratorCancellation] CancellationToken cancel)
        {
            await foreach (ChainBatch batch in read(known, lastBlock, cancel))
            {
                if (batch.Cursor is { } cursor) tell($"reading the chain: block {cursor.Number} of {lastBlock}");
                yield return batch;
            }
        }
    }
}
