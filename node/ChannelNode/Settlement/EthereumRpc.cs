using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// A block's header, as far as the node looks at it. <paramref name="LogsBloom"/> is empty where the chain keeps none.
/// </summary>
internal sealed record BlockHeader(
    ulong Number, Bytes32 Hash, Bytes32 Parent, ulong TimestampSeconds, ReadOnlyMemory<byte> LogsBloom, int TransactionCount);

/// <summary>One log of a contract, in its place in the chain.</summary>
internal sealed record ContractLog(
    Address Contract, ulong BlockNumber, Bytes32 BlockHash, ulong Index, IReadOnlyList<Bytes32> Topics,
    ReadOnlyMemory<byte> Data);

/// <summary>What a call or transaction does, before nonce, gas and fees.</summary>
internal sealed record Call(Address? To, UInt128 Value, ReadOnlyMemory<byte> Data);

/// <summary>
/// The JSON-RPC methods that the node uses, with values instead of JSON. Where an error answer says something about
/// the call it is an <see cref="RpcErrorException"/> (call, estimate, send, logs, priority fee); elsewhere it is a
/// ChainUnavailable refusal.
/// </summary>
internal sealed class EthereumRpc(RpcClient client)
{
    private const string Latest = "latest";
    private const string Pending = "pending";

    public RpcClient Client => client;

    public async Task<ulong> ChainIdAsync(CancellationToken cancel) =>
        Quantity.ToUInt64(await AskAsync<string>("eth_chainId", [], cancel), "chain id");

    public async Task<ulong> BlockNumberAsync(CancellationToken cancel) =>
        Quantity.ToUInt64(await AskAsync<string>("eth_blockNumber", [], cancel), "block number");

    /// <summary>Null where the RPC does not know it.</summary>
    public Task<BlockHeader?> BlockAsync(ulong number, CancellationToken cancel) =>
        BlockAsync("eth_getBlockByNumber", Quantity.Format(number), cancel);

    /// <summary>As <see cref="BlockAsync(ulong, CancellationToken)"/>, whatever the branch that it is on.</summary>
    public Task<BlockHeader?> BlockAsync(Bytes32 hash, CancellationToken cancel) =>
        BlockAsync("eth_getBlockByHash", hash.ToString(), cancel);

    public async Task<BlockHeader> LatestBlockAsync(CancellationToken cancel) =>
        await BlockAsync("eth_getBlockByNumber", Latest, cancel)
            ?? throw new RefusalException(Refusal.ChainUnavailable, "the RPC does not know its own newest block");

    /// <summary>Null where the chain has no block of that tag, or does not know the tag.</summary>
    public async Task<ulong?> TaggedBlockAsync(string tag, CancellationToken cancel)
    {
        try
        {
            BlockJson? block = await client.CallAsync<BlockJson?>("eth_getBlockByNumber", [tag, false], cancel);
            return block is null ? null : Quantity.ToUInt64(block.Number, "block number");
        }
        catch (RpcErrorException)
        {
            return null;
        }
    }

    private async Task<BlockHeader?> BlockAsync(string method, string block, CancellationToken cancel)
    {
        BlockJson? json = await AskAsync<BlockJson?>(method, [block, false], cancel);
        return json is null
            ? null
            : new BlockHeader(
                Quantity.ToUInt64(json.Number, "block number"),
                Quantity.ToBytes32(json.Hash, "block hash"),
                Quantity.ToBytes32(json.ParentHash, "block's parent"),
                Quantity.ToUInt64(json.Timestamp, "block timestamp"),
                json.LogsBloom is null ? default : Quantity.ToBytes(json.LogsBloom, "block's logs bloom"),
                json.Transactions?.Length ?? 0);
    }

    public async Task<byte[]> CodeAsync(Address account, CancellationToken cancel) => Quantity.ToBytes(
        await AskAsync<string?>("eth_getCode", [account.ToString(), Latest], cancel), "code");

    /// <summary>Wei.</summary>
    public async Task<UInt128> BalanceAsync(Address account, CancellationToken cancel) =>
        Quantity.ToUInt128(
            await AskAsync<string>("eth_getBalance", [account.ToString(), Latest], cancel), "balance");

    /// <summary>The next nonce after a block; without one, what waits to be mined included.</summary>
    public async Task<ulong> NextNonceAsync(Address account, ulong? block, CancellationToken cancel)
    {
        string at = block is { } number ? Quantity.Format(number) : Pending;
        return Quantity.ToUInt64(
            await AskAsync<string>("eth_getTransactionCount", [account.ToString(), at], cancel), "nonce");
    }

    /// <summary>At <paramref name="block"/>, or the latest.</summary>
    public async Task<byte[]> CallAsync(Address from, Call call, ulong? block, CancellationToken cancel)
    {
        object?[] arguments = [ToJson(from, call), block is { } number ? Quantity.Format(number) : Latest];
        return Quantity.ToBytes(await client.CallAsync<string>("eth_call", arguments, cancel), "result of a call");
    }

    /// <summary>A view of the latest state; <paramref name="whereItFails"/> is the refusal for an error.</summary>
    public async Task<byte[]> AskContractAsync(
        Address from, Address contract, byte[] data, Refusal whereItFails, CancellationToken cancel)
    {
        try
        {
            return await CallAsync(from, new Call(contract, 0, data), null, cancel);
        }
        catch (RpcErrorException error)
        {
            throw new RefusalException(whereItFails, $"{contract} cannot be asked: {error.Message}", error);
        }
    }

    /// <summary>A view of the state after the block of this hash (EIP-1898).</summary>
    public async Task<byte[]> AskContractAsync(
        Address from, Address contract, byte[] data, Bytes32 blockHash, CancellationToken cancel)
    {
        object?[] arguments =
            [ToJson(from, new Call(contract, 0, data)), new Dictionary<string, string> { ["blockHash"] = blockHash.ToString() }];
        return Quantity.ToBytes(await AskAsync<string>("eth_call", arguments, cancel), "result of a call");
    }

    /// <summary>On the latest state, not the pool's: there, a transaction that waits has already done what it is to do again.</summary>
    public async Task<ulong> EstimateGasAsync(
        Address from, Call call, IReadOnlyList<AccessListEntry> accessList, CancellationToken cancel)
    {
        CallJson json = ToJson(from, call);
        if (accessList.Count > 0) json = json with { AccessList = [.. accessList.Select(ToJson)] };
        return Quantity.ToUInt64(await client.CallAsync<string>("eth_estimateGas", [json, Latest], cancel), "gas estimate");
    }

    /// <summary>Everything that the call would touch, beside its own two accounts.</summary>
    public async Task<IReadOnlyList<AccessListEntry>> CreateAccessListAsync(
        Address from, Call call, CancellationToken cancel)
    {
        AccessListJson? created = await client.CallAsync<AccessListJson?>(
            "eth_createAccessList", [ToJson(from, call), Latest], cancel);
        return [.. (created?.AccessList ?? []).Select(ToEntry)];
    }

    /// <summary>Wei per gas that the next block will burn.</summary>
    public async Task<UInt128> NextBaseFeeAsync(CancellationToken cancel)
    {
        FeeHistoryJson? history = await AskAsync<FeeHistoryJson?>(
            "eth_feeHistory", ["0x1", Latest, Array.Empty<int>()], cancel);
        return Quantity.ToUInt128(history?.BaseFeePerGas is [.., var next] ? next : null, "base fee");
    }

    /// <summary>Wei per gas that block makers expect on top.</summary>
    public async Task<UInt128> PriorityFeeAsync(CancellationToken cancel) =>
        Quantity.ToUInt128(await client.CallAsync<string>("eth_maxPriorityFeePerGas", [], cancel), "priority fee");

    public Task SendRawAsync(ReadOnlyMemory<byte> raw, CancellationToken cancel) =>
        client.CallAsync<string>("eth_sendRawTransaction", [Hex.Format(raw.Span)], cancel);

    /// <summary>Null while it is not mined.</summary>
    public async Task<MinedTransaction?> MinedAsync(Bytes32 hash, CancellationToken cancel)
    {
        ReceiptJson? receipt = await AskAsync<ReceiptJson?>(
            "eth_getTransactionReceipt", [hash.ToString()], cancel);
        if (receipt?.BlockNumber is null) return null;
        return new MinedTransaction(
            new TransactionReceipt(
                hash,
                Quantity.ToUInt64(receipt.BlockNumber, "receipt's block number"),
                Quantity.ToUInt64(receipt.GasUsed, "receipt's gas")),
            Quantity.ToUInt64(receipt.Status, "receipt's status") == 1,
            Quantity.ToUInt128(receipt.EffectiveGasPrice, "receipt's price of gas"),
            receipt.ContractAddress is null ? null : Quantity.ToAddress(receipt.ContractAddress, "receipt's contract"));
    }

    /// <summary>The logs of <paramref name="contract"/> in these blocks, both included, as the RPC gives them.</summary>
    public async Task<List<ContractLog>> LogsAsync(Address contract, ulong first, ulong last, CancellationToken cancel)
    {
        const string method = "eth_getLogs";
        try
        {
            return ToLogs(await client.CallAsync<LogJson?[]?>(
                method,
                [new FilterJson(contract.ToString()) { FromBlock = Quantity.Format(first), ToBlock = Quantity.Format(last) }],
                cancel));
        }
        catch (RefusalException tooLarge) when (RpcAnswerLimit.IsTooLarge(tooLarge))
        {
            // As where the RPC itself says that it is too much at once: of fewer blocks there is less.
            throw new RpcErrorException(method, HttpMessageHandler.AnswerTooLarge, tooLarge.Message, []);
        }
    }

    /// <summary>Those of one block, whatever the branch that it is on. An error where the RPC does not know it.</summary>
    public async Task<List<ContractLog>> LogsAsync(Address contract, Bytes32 block, CancellationToken cancel) =>
        ToLogs(await client.CallAsync<LogJson?[]?>(
            "eth_getLogs", [new FilterJson(contract.ToString()) { BlockHash = block.ToString() }], cancel));

    /// <summary>
    /// Of each transaction in a block, all its logs. Null where the RPC does not know the block.
    /// </summary>
    public async Task<List<List<ContractLog>>?> ReceiptLogsAsync(Bytes32 block, CancellationToken cancel)
    {
        ReceiptLogsJson?[]? receipts = await client.CallAsync<ReceiptLogsJson?[]?>(
            "eth_getBlockReceipts", [block.ToString()], cancel);
        return receipts is null ? null : [.. receipts.Select(receipt => ToLogs(receipt?.Logs))];
    }

    /// <summary>Any other method. An error answer is a ChainUnavailable refusal.</summary>
    public async Task<T> AskAsync<T>(string method, object?[] arguments, CancellationToken cancel)
    {
        try
        {
            return await client.CallAsync<T>(method, arguments, cancel);
        }
        catch (RpcErrorException error)
        {
            throw new RefusalException(Refusal.ChainUnavailable, $"{client.Name} answers {error.Message}", error);
        }
    }

    /// <summary>No list is not an empty one: whoever leaves it out may leave out logs.</summary>
    private static List<ContractLog> ToLogs(LogJson?[]? logs)
    {
        if (logs is null) throw new RefusalException(Refusal.ChainUnavailable, "the RPC's logs are not a list: null");
        var read = new List<ContractLog>(logs.Length);
        foreach (LogJson? log in logs)
        {
            if (log is null) throw new RefusalException(Refusal.ChainUnavailable, "the RPC's log is null");
            if (!log.Removed) read.Add(ToLog(log));
        }

        return read;
    }

    private static ContractLog ToLog(LogJson log)
    {
        string?[] said = log.Topics ?? throw new RefusalException(Refusal.ChainUnavailable, "the RPC's log has no topics");
        var topics = new Bytes32[said.Length];
        for (int i = 0; i < topics.Length; i++) topics[i] = Quantity.ToBytes32(said[i], "log's topic");
        return new ContractLog(
            Quantity.ToAddress(log.Address, "log's address"),
            Quantity.ToUInt64(log.BlockNumber, "log's block number"),
            Quantity.ToBytes32(log.BlockHash, "log's block hash"),
            Quantity.ToUInt64(log.LogIndex, "log's index"),
            topics,
            Quantity.ToBytes(log.Data, "log's data"));
    }

    private static AccessListEntry ToEntry(AccessListEntryJson? entry) => new(
        Quantity.ToAddress(entry?.Address, "access list's address"),
        [.. (entry?.StorageKeys ?? []).Select(key => Quantity.ToBytes32(key, "access list's slot"))]);

    private static AccessListEntryJson ToJson(AccessListEntry entry) => new(
        entry.Account.ToString(), [.. entry.Slots.Select(slot => slot.ToString())]);

    private static CallJson ToJson(Address from, Call call) => new(
        from.ToString(),
        call.To?.ToString(),
        call.Value == UInt128.Zero ? null : Quantity.Format(call.Value),
        Hex.Format(call.Data.Span));

    private sealed record CallJson(string From, string? To, string? Value, string Data)
    {
        public AccessListEntryJson[]? AccessList { get; init; }
    }

    private sealed record AccessListJson(AccessListEntryJson?[]? AccessList);

    private sealed record AccessListEntryJson(string? Address, string[]? StorageKeys);

    private sealed record FilterJson(string Address)
    {
        public string? FromBlock { get; init; }

        public string? ToBlock { get; init; }

        public string? BlockHash { get; init; }
    }

    private sealed record BlockJson(
        string? Number, string? Hash, string? ParentHash, string? Timestamp, string? LogsBloom, string[]? Transactions);

    private sealed record ReceiptLogsJson(LogJson?[]? Logs);

    private sealed record FeeHistoryJson(string[]? BaseFeePerGas);

    private sealed record ReceiptJson(
        string? BlockNumber, string? GasUsed, string? EffectiveGasPrice, string? Status, string? ContractAddress);

    private sealed record LogJson(
        string? Address, string? BlockNumber, string? BlockHash, string? LogIndex, string?[]? Topics, string? Data, bool Removed);
}
