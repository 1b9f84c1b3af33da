using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// Several machines behind one address, as JSON: each question goes to any of them. While <see cref="IsPoor"/> they lag,
/// stay on blocks that are gone, fail, repeat, reorder and leave out.
/// </summary>
internal sealed class SimulatedRpc(SimulatedChain chain, Random random, bool hasReceipts)
    : RpcClient("http://127.0.0.1:1", TimeProvider.System, NullLogger.Instance)
{
    private const int Machines = 3;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private readonly SimulatedBlock[] _heads = [chain.Head, chain.Head, chain.Head];

    public bool IsPoor { get; set; }

    /// <summary>The block that the chain calls finalized.</summary>
    public ulong FinalBlock => chain.Head.Number < 40 ? 0 : chain.Head.Number - 40;

    /// <summary>Some machines hear of the newest block, some stay where they are.</summary>
    public void Spread()
    {
        for (int machine = 0; machine < Machines; machine++)
            if (!IsPoor || random.Next(2) == 0) _heads[machine] = chain.Head;
    }

    public override Task<T> CallAsync<T>(string method, object?[] arguments, CancellationToken cancel)
    {
        if (IsPoor && random.Next(12) == 0)
            throw new RefusalException(Refusal.ChainUnavailable, "the connection was lost");
        SimulatedBlock head = _heads[random.Next(Machines)];
        object? answer = method switch
        {
            "eth_getBlockByNumber" => Write(ByNumber(head, (string)arguments[0]!)),
            "eth_getBlockByHash" => Write(ByHash(head, (string)arguments[0]!)),
            "eth_getBlockReceipts" when hasReceipts => Receipts(ByHash(head, (string)arguments[0]!)),
            "eth_getLogs" => Logs(head, JsonSerializer.SerializeToElement(arguments[0], Json)),
            _ => throw new RpcErrorException(method, -32601, "no such method", []),
        };
        return Task.FromResult(JsonSerializer.SerializeToElement(answer, Json).Deserialize<T>(Json)!);
    }

    /// <summary>On the branch of the machine's own head.</summary>
    private SimulatedBlock? ByNumber(SimulatedBlock head, string which) => which == "latest"
        ? head
        : chain.BranchTo(head, Quantity.ToUInt64(which, "number")).LastOrDefault();

    /// <summary>A machine keeps the branches that it has left.</summary>
    private SimulatedBlock? ByHash(SimulatedBlock head, string hash)
    {
        SimulatedBlock? block = chain.Find(Quantity.ToBytes32(hash, "hash"));
        return block is null || block.Number > head.Number ? null : block;
    }

    private object? Receipts(SimulatedBlock? block)
    {
        if (block is null) return null;
        ContractLog? left = IsPoor && random.Next(4) == 0 ? LogToLeaveOut(block) : null;
        List<object> receipts =
            [.. block.Transactions.Select(logs => new { logs = Repeat([.. logs.Where(log => log != left).Select(Write)]) })];
        if (IsPoor && receipts.Count > 0 && random.Next(8) == 0) receipts.RemoveAt(random.Next(receipts.Count));
        return receipts;
    }

    /// <summary>Never one that nobody could miss: a block's last log, where the others set all of its bits as well.</summary>
    private ContractLog? LogToLeaveOut(SimulatedBlock block)
    {
        List<ContractLog> all = [.. block.Transactions.SelectMany(logs => logs)];
        if (all.Count == 0) return null;
        ContractLog left = all[random.Next(all.Count)];
        bool canBeMissed = left != all[^1]
            || (!block.Header.LogsBloom.IsEmpty && !LogsBloom.Of(all[..^1]).AsSpan().SequenceEqual(block.Header.LogsBloom.Span));
        return canBeMissed ? left : null;
    }

    private object Logs(SimulatedBlock head, JsonElement filter)
    {
        if (filter.TryGetProperty("blockHash", out JsonElement hash))
        {
            SimulatedBlock block = ByHash(head, hash.GetString()!)
                ?? throw new RpcErrorException("eth_getLogs", -32000, "unknown block", []);
            return Repeat([.. Ours([block]).Select(Write)]);
        }

        ulong first = Quantity.ToUInt64(filter.GetProperty("fromBlock").GetString(), "from");
        ulong last = Quantity.ToUInt64(filter.GetProperty("toBlock").GetString(), "to");
        if (last - first > 60) throw new RpcErrorException("eth_getLogs", -32005, "more than 60 blocks", []);
        return Repeat([.. Ours(chain.BranchTo(head, first).Where(block => block.Number <= last).Reverse()).Select(Write)]);
    }

    private static IEnumerable<ContractLog> Ours(IEnumerable<SimulatedBlock> blocks) => blocks
        .SelectMany(block => block.Transactions).SelectMany(logs => logs).Where(log => log.Contract == SimulatedChain.Contract);

    private List<object> Repeat(List<object> logs)
    {
        if (!IsPoor || random.Next(3) > 0) return logs;
        logs.AddRange([.. logs]);
        return [.. logs.OrderBy(_ => random.Next())];
    }

    private static object? Write(SimulatedBlock? block) => block is null ? null : new
    {
        number = Quantity.Format(block.Number),
        hash = block.Header.Hash.ToString(),
        parentHash = block.Header.Parent.ToString(),
        timestamp = Quantity.Format(block.Header.TimestampSeconds),
        logsBloom = block.Header.LogsBloom.IsEmpty ? null : Hex.Format(block.Header.LogsBloom.Span),
        transactions = block.Transactions.Select(_ => "0x").ToArray(),
    };

    private static object Write(ContractLog log) => new
    {
        address = log.Contract.ToString(),
        blockNumber = Quantity.Format(log.BlockNumber),
        blockHash = log.BlockHash.ToString(),
        logIndex = Quantity.Format(log.Index),
        topics = log.Topics.Select(topic => topic.ToString()).ToArray(),
        data = Hex.Format(log.Data.Span),
    };
}
