using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;

namespace ChannelNode.Tests.Settlement.Comparison;

/// <summary>A call from anyone; one that only asks changes nothing.</summary>
internal sealed record ScriptCall(Address From, Call Call, bool Asks);

/// <summary>Calls at one time, after some accounts were made rich or given code.</summary>
internal sealed record ScriptBlock(
    ulong TimeSeconds, IReadOnlyList<(Address Account, UInt128? Wei, string? Code)> Changes, IReadOnlyList<ScriptCall> Calls);

/// <summary>What a call returned or reverted with, and its logs.</summary>
internal sealed record ScriptResult(bool Succeeded, byte[] Data, IReadOnlyList<JsonElement> Logs);

/// <summary>Executes blocks in order, and answers the results of their calls.</summary>
internal delegate Task<IReadOnlyList<IReadOnlyList<ScriptResult>>> ScriptChain(IReadOnlyList<ScriptBlock> blocks);

/// <summary>Two ways to have Anvil execute a script.</summary>
internal static class Chains
{
    private const string Gas = "0x4c4b40";

    /// <summary>In one request, from the chain's state as it is, and without a trace on it.</summary>
    public static async Task<IReadOnlyList<IReadOnlyList<ScriptResult>>> SimulateAsync(
        AnvilFixture anvil, IReadOnlyList<ScriptBlock> blocks)
    {
        object[] asked = [.. blocks.Select(block => new
        {
            stateOverrides = block.Changes.ToDictionary(
                change => change.Account.ToString(),
                change => new { balance = change.Wei is { } wei ? Quantity.Format(wei) : null, code = change.Code }),
            blockOverrides = new { time = Quantity.Format(block.TimeSeconds) },
            calls = block.Calls.Select(ToJson).ToArray(),
        })];
        JsonElement answer = await anvil.RpcAsync<JsonElement>(
            "eth_simulateV1", new { blockStateCalls = asked, validation = false }, "latest");
        return [.. answer.EnumerateArray().Select(block => (IReadOnlyList<ScriptResult>)
            [.. block.GetProperty("calls").EnumerateArray().Select(Read)])];
    }

    /// <summary>As mined transactions, one in each block; at the end the chain is as it was.</summary>
    public static async Task<IReadOnlyList<IReadOnlyList<ScriptResult>>> MineAsync(
        AnvilFixture anvil, IReadOnlyList<ScriptBlock> blocks)
    {
        string before = await anvil.RpcAsync<string>("evm_snapshot");
        var results = new List<IReadOnlyList<ScriptResult>>();
        foreach (ScriptBlock block in blocks)
        {
            foreach ((Address account, UInt128? wei, string? code) in block.Changes)
            {
                await anvil.RpcAsync<object?>("anvil_impersonateAccount", account.ToString());
                if (wei is { } rich) await anvil.RpcAsync<object?>("anvil_setBalance", account.ToString(), Quantity.Format(rich));
                if (code is not null) await anvil.RpcAsync<object?>("anvil_setCode", account.ToString(), code);
            }

            var inBlock = new List<ScriptResult>();
            foreach (ScriptCall call in block.Calls)
            {
                inBlock.Add(call.Asks
                    ? await AskAsync(anvil, call)
                    : await SendAsync(anvil, call, block.TimeSeconds));
            }

            results.Add(inBlock);
        }

        await anvil.RpcAsync<bool>("evm_revert", before);
        return results;
    }

    private static async Task<ScriptResult> AskAsync(AnvilFixture anvil, ScriptCall call) =>
        new(true, Hex.Parse(await anvil.RpcAsync<string>("eth_call", ToJson(call), "latest"))!, []);

    private static async Task<ScriptResult> SendAsync(AnvilFixture anvil, ScriptCall call, ulong timeSeconds)
    {
        // Several calls of a set-up share a time that only the last block has.
        if (await anvil.NowSecondsAsync() < timeSeconds)
            await anvil.RpcAsync<object?>("evm_setNextBlockTimestamp", Quantity.Format(timeSeconds));
        string hash = await anvil.RpcAsync<string>("eth_sendTransaction", new
        {
            from = call.From.ToString(),
            to = call.Call.To!.Value.ToString(),
            value = Quantity.Format(call.Call.Value),
            data = Hex.Format(call.Call.Data.Span),
            gas = Gas,
            gasPrice = "0x0",
        });
        JsonElement receipt = await ReceiptAsync(anvil, hash);
        JsonElement trace = await anvil.RpcAsync<JsonElement>(
            "debug_traceTransaction", hash, new { tracer = "callTracer" });
        return new ScriptResult(
            receipt.GetProperty("status").GetString() == "0x1",
            trace.TryGetProperty("output", out JsonElement output) ? Hex.Parse(output.GetString())! : [],
            [.. receipt.GetProperty("logs").EnumerateArray()]);
    }

    private static async Task<JsonElement> ReceiptAsync(AnvilFixture anvil, string hash)
    {
        for (int look = 0; look < 500; look++)
        {
            JsonElement receipt = await anvil.RpcAsync<JsonElement>("eth_getTransactionReceipt", hash);
            if (receipt.ValueKind == JsonValueKind.Object) return receipt;
            await Task.Delay(5);
        }

        throw new TimeoutException($"{hash} is not mined");
    }

    private static ScriptResult Read(JsonElement call) => new(
        call.GetProperty("status").GetString() == "0x1",
        Hex.Parse(call.GetProperty("returnData").GetString())!,
        [.. call.GetProperty("logs").EnumerateArray()]);

    private static object ToJson(ScriptCall call) => new
    {
        from = call.From.ToString(),
        to = call.Call.To!.Value.ToString(),
        value = Quantity.Format(call.Call.Value),
        data = Hex.Format(call.Call.Data.Span),
    };
}
