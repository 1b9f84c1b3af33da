using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelNode.Settlement;

namespace ChannelNode.Tests.Settlement;

/// <summary>
/// A real RPC as the worst providers would serve it, each fault switched on by its property. Two machines behind one
/// address: half of the questions go to one that lags, where <see cref="LagBlocks"/> says so.
/// </summary>
internal sealed class PoorRpc : IDisposable
{
    private readonly RpcProxy _proxy;
    private readonly HttpClient _upstream = new();
    private readonly string _upstreamUrl;
    private readonly Random _random = new(7);
    private readonly Lock _lock = new();

    public PoorRpc(string upstreamUrl)
    {
        _upstreamUrl = upstreamUrl;
        _proxy = new RpcProxy(upstreamUrl, Answer);
    }

    public string Url => _proxy.Url;

    /// <summary>No block above it exists; null: the real head.</summary>
    public ulong? HeldHead { get; set; }

    /// <summary>How far the lagging machine is behind. It knows no newer block, and has no logs of such a range.</summary>
    public ulong LagBlocks { get; set; }

    /// <summary>Blocks that one eth_getLogs may ask for; 0 for any number.</summary>
    public ulong RangeMax { get; set; }

    public bool RepeatsLogs { get; set; }

    public bool ReordersLogs { get; set; }

    /// <summary>Leaves out a log of every third answer that has any.</summary>
    public bool DropsLogs { get; set; }

    public bool HasBlockReceipts { get; set; } = true;

    /// <summary>Of a hundred questions.</summary>
    public int ErrorsPerHundred { get; set; }

    /// <summary>Of a hundred questions: half of them are passed on first, so that what was sent is sent.</summary>
    public int DisconnectsPerHundred { get; set; }

    public TimeSpan Delay { get; set; }

    public int FaultCount { get; private set; }

    public void Dispose()
    {
        _proxy.Dispose();
        _upstream.Dispose();
    }

    private (int, string)? Answer(string method, JsonElement request)
    {
        if (Delay > TimeSpan.Zero) Thread.Sleep(Delay);
        lock (_lock)
        {
            if (_random.Next(100) < ErrorsPerHundred) return Fault((502, "bad gateway"));
            if (_random.Next(100) < DisconnectsPerHundred)
            {
                if (_random.Next(2) == 0) RpcProxy.PassOn(_upstreamUrl, request);
                return Fault((RpcProxy.Disconnect, ""));
            }

            return method switch
            {
                "eth_blockNumber" or "eth_getBlockByNumber" or "eth_getBlockByHash" => AnswerBlock(method, request),
                "eth_getLogs" => AnswerLogs(request),
                "eth_getBlockReceipts" when !HasBlockReceipts => RpcProxy.Error(request, "no such method", -32601),
                "eth_getBlockReceipts" => AnswerReceipts(request),
                _ => null,
            };
        }
    }

    private (int, string) Fault((int, string) answer)
    {
        FaultCount++;
        return answer;
    }

    private ulong? HeadOf(bool lagging)
    {
        if (HeldHead is { } held) return held;
        if (!lagging) return null;
        ulong head = Quantity.ToUInt64((string)Ask("eth_blockNumber")!, "head");
        return head < LagBlocks ? 0 : head - LagBlocks;
    }

    private bool IsLagging => LagBlocks > 0 && _random.Next(2) == 0;

    private (int, string)? AnswerBlock(string method, JsonElement request)
    {
        if (HeadOf(IsLagging) is not { } head) return null;
        FaultCount++;
        if (method == "eth_blockNumber") return Result(request, Quantity.Format(head));
        JsonElement parameters = request.GetProperty("params");
        string which = parameters[0].GetString()!;
        JsonNode? block = Ask(method, which == "latest" ? Quantity.Format(head) : which, false);
        bool isThere = block is not null && Quantity.ToUInt64((string)block["number"]!, "number") <= head;
        return Result(request, isThere ? block : null);
    }

    private (int, string)? AnswerLogs(JsonElement request)
    {
        JsonNode filter = JsonNode.Parse(request.GetProperty("params")[0].GetRawText())!;
        if ((string?)filter["toBlock"] is { } last)
        {
            ulong from = Quantity.ToUInt64((string)filter["fromBlock"]!, "from"), to = Quantity.ToUInt64(last, "to");
            if (RangeMax > 0 && to - from + 1 > RangeMax)
                return Fault(RpcProxy.Error(request, $"query returned more than {RangeMax} blocks"));
            if (HeadOf(IsLagging) is { } head && to > head) return Fault(Result(request, new JsonArray()));
        }

        return Result(request, Spoil((JsonArray)Ask("eth_getLogs", filter)!));
    }

    private (int, string)? AnswerReceipts(JsonElement request)
    {
        if (Ask("eth_getBlockReceipts", request.GetProperty("params")[0].GetString()!) is not JsonArray receipts)
            return Result(request, null);
        if (HeadOf(IsLagging) is { } head && receipts.Count > 0
            && Quantity.ToUInt64((string)receipts[0]!["blockNumber"]!, "number") > head) return Fault(Result(request, null));
        foreach (JsonNode? receipt in receipts) receipt!["logs"] = Spoil((JsonArray)receipt["logs"]!.DeepClone());
        return Result(request, receipts);
    }

    private JsonArray Spoil(JsonArray logs)
    {
        List<JsonNode> all = [.. logs.Select(log => log!.DeepClone())];
        if (DropsLogs && all.Count > 0 && _random.Next(3) == 0) all.RemoveAt(_random.Next(all.Count));
        if (RepeatsLogs) all.AddRange([.. all.Select(log => log.DeepClone())]);
        if (ReordersLogs) all = [.. all.OrderBy(_ => _random.Next())];
        if (all.Count != logs.Count || ReordersLogs) FaultCount++;
        return new JsonArray([.. all]);
    }

    private JsonNode? Ask(string method, params object?[] parameters)
    {
        string body = JsonSerializer.Serialize(new { jsonrpc = "2.0", id = 1, method, @params = parameters });
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = _upstream.Send(
            new HttpRequestMessage(HttpMethod.Post, _upstreamUrl) { Content = content });
        using Stream stream = response.Content.ReadAsStream();
        return JsonNode.Parse(stream)!["result"]?.DeepClone();
    }

    private static (int, string) Result(JsonElement request, JsonNode? result) =>
        (200, $$"""{"jsonrpc":"2.0","id":{{request.GetProperty("id")}},"result":{{result?.ToJsonString() ?? "null"}}}""");
}
