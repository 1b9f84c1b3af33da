using ChannelNode.Core;
using ChannelNode.Engine;
using StreamJsonRpc.Protocol;

namespace ChannelNode.Settlement;

/// <summary>
/// The contract's logs, from an RPC of which each answer may come from another machine: one that lags, has another
/// branch, repeats, reorders or leaves out. What is not surely whole is a ChainUnavailable refusal, to be asked again.
/// </summary>
internal sealed class BlockReader(EthereumRpc rpc, Address contract)
{
    /// <summary>How often a range is read until two answers in a row are the same.</summary>
    private const int RangeReadsMax = 5;

    private bool _hasReceipts = true;
    private bool _hasGivenReceipts;

    /// <summary>
    /// All logs of the contract in one block, by its hash. None without a question where the header says so. Else from
    /// all receipts of the block, which prove that they are whole: there is one for each transaction, their logs are
    /// numbered without a gap, and make the header's bloom filter.
    /// </summary>
    public async Task<IReadOnlyList<ContractLog>> LogsOfAsync(BlockHeader block, CancellationToken cancel)
    {
        if (!MayHoldLogs(block)) return [];
        return _hasReceipts && await TryReceiptsAsync(block, cancel) is { } whole ? whole : await AskTwiceAsync(block, cancel);
    }

    /// <summary>The same for one of many old blocks, where all receipts would be too much to ask for.</summary>
    public async Task<IReadOnlyList<ContractLog>> OldLogsOfAsync(BlockHeader block, CancellationToken cancel) =>
        MayHoldLogs(block) ? await AskTwiceAsync(block, cancel) : [];

    private bool MayHoldLogs(BlockHeader block)
    {
        if (block.TransactionCount == 0) return false;
        return !LogsBloom.CanBeTrusted(block.LogsBloom.Span, block.TransactionCount)
            || LogsBloom.MayHold(block.LogsBloom.Span, contract);
    }

    /// <summary>
    /// All logs of the contract in blocks that are too deep to change. An error answer, such as for too many at once, is
    /// an <see cref="RpcErrorException"/>.
    /// </summary>
    public async Task<IReadOnlyList<ContractLog>> LogsOfAsync(ulong first, ulong last, CancellationToken cancel)
    {
        List<ContractLog>? before = null;
        for (int read = 0; read < RangeReadsMax; read++)
        {
            List<ContractLog> logs = InOrder(await rpc.LogsAsync(contract, first, last, cancel));
            if (logs.Exists(log => log.BlockNumber < first || log.BlockNumber > last))
                throw Unsure($"logs of blocks {first} to {last} from other blocks");
            if (before is not null && Same(before, logs)) return logs;
            before = logs;
        }

        throw Unsure($"logs of blocks {first} to {last} that are others each time");
    }

    private async Task<List<ContractLog>?> TryReceiptsAsync(BlockHeader block, CancellationToken cancel)
    {
        List<List<ContractLog>>? receipts;
        try
        {
            receipts = await rpc.ReceiptLogsAsync(block.Hash, cancel);
        }
        catch (RpcErrorException error)
        {
            if (error.Code == (int)JsonRpcErrorCode.MethodNotFound) _hasReceipts = false;
            else if (_hasGivenReceipts) throw Unsure($"no receipts of block {block.Number}: {error.Message}");
            return null;
        }
        catch (RefusalException tooLarge) when (RpcAnswerLimit.IsTooLarge(tooLarge))
        {
            return null; // Whoever fills a block with logs must not blind us: ours are few.
        }

        // A machine that lags. Logs, which could be left out, are believed only where there are no receipts at all.
        if (receipts is null) throw Unsure($"no receipts of block {block.Number}, which it has shown");
        _hasGivenReceipts = true;
        if (receipts.Count != block.TransactionCount)
            throw Unsure($"{receipts.Count} receipts of the {block.TransactionCount} in block {block.Number}");
        List<ContractLog> all = InOrder(receipts.SelectMany(logs => logs));
        for (int index = 0; index < all.Count; index++)
        {
            if (all[index].Index != (ulong)index || all[index].BlockHash != block.Hash)
                throw Unsure($"receipts of block {block.Number} that miss logs or are of another block");
        }

        if (LogsBloom.CanBeTrusted(block.LogsBloom.Span, block.TransactionCount)
            && !block.LogsBloom.Span.SequenceEqual(LogsBloom.Of(all)))
            throw Unsure($"receipts of block {block.Number} whose logs are not those that the block says");
        all.RemoveAll(log => log.Contract != contract);
        return all;
    }

    /// <summary>By hash, so a machine that lags has to say that it does not know the block.</summary>
    private async Task<List<ContractLog>> AskTwiceAsync(BlockHeader block, CancellationToken cancel)
    {
        try
        {
            List<ContractLog> first = InOrder(await rpc.LogsAsync(contract, block.Hash, cancel));
            List<ContractLog> second = InOrder(await rpc.LogsAsync(contract, block.Hash, cancel));
            if (!Same(first, second) || first.Exists(log => log.BlockHash != block.Hash))
                throw Unsure($"logs of block {block.Number} that are others each time, or of another block");
            return first;
        }
        catch (RpcErrorException error)
        {
            throw new RefusalException(
                Refusal.ChainUnavailable, $"{rpc.Client.Name} gives no logs of block {block.Number}: {error.Message}", error);
        }
    }

    private List<ContractLog> InOrder(IEnumerable<ContractLog> logs)
    {
        List<ContractLog> ordered = [.. logs.OrderBy(log => log.BlockNumber).ThenBy(log => log.Index)];
        for (int index = ordered.Count - 1; index > 0; index--)
        {
            ContractLog log = ordered[index], before = ordered[index - 1];
            if (log.BlockNumber != before.BlockNumber || log.Index != before.Index) continue;
            if (!Same(log, before)) throw Unsure($"two logs in one place of block {log.BlockNumber}");
            ordered.RemoveAt(index); // Repeated.
        }

        return ordered;
    }

    private static bool Same(List<ContractLog> one, List<ContractLog> other) =>
        one.Count == other.Count && one.Zip(other).All(pair => Same(pair.First, pair.Second));

    private static bool Same(ContractLog one, ContractLog other) =>
        (one.BlockNumber, one.BlockHash, one.Index, one.Contract)
            == (other.BlockNumber, other.BlockHash, other.Index, other.Contract)
        && one.Topics.SequenceEqual(other.Topics)
        && one.Data.Span.SequenceEqual(other.Data.Span);

    private RefusalException Unsure(string what) => new(Refusal.ChainUnavailable, $"{rpc.Client.Name} gives {what}");
}
