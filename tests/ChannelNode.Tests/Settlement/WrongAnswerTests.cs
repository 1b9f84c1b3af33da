using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Engine.Jobs;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Settlement;

/// <summary>What no RPC and no token should answer is a refusal like any other: it ends one question, never the node.</summary>
[Collection(AnvilCollection.Name)]
public sealed class WrongAnswerTests(AnvilFixture anvil)
{
    private const string AllowanceSelector = "0xdd62ed3e";

    private static readonly Call SomeCall = new(new Address(1, 2, 3), 0, default);

    public static TheoryData<string, string> WrongAnswers => new()
    {
        { "eth_getLogs", "null" },
        { "eth_getLogs", "[null]" },
        { "eth_getLogs", "[{\"address\":\"0x01\"}]" },
        { "eth_getBlockReceipts", "[null]" },
        { "eth_getBlockReceipts", "[{\"logs\":null}]" },
        { "eth_getBlockReceipts", "[{\"logs\":[null]}]" },
        { "eth_feeHistory", "null" },
        { "eth_feeHistory", "{\"baseFeePerGas\":[null]}" },
        { "eth_createAccessList", "{\"accessList\":[null]}" },
        { "eth_getTransactionCount", "null" },
        { "eth_getCode", "null" },
        { "eth_call", "null" },
        { "eth_estimateGas", "null" },
    };

    [Theory, MemberData(nameof(WrongAnswers))]
    public async Task AnswerWithoutWhatWasAskedFor_IsRefusedByName(string method, string result)
    {
        using RpcProxy proxy = new(anvil.HttpUrl, (_, request) => Answer(request, result));
        await using RpcClient client = new(proxy.Url, TimeProvider.System, NullLogger.Instance);
        EthereumRpc rpc = new(client);

        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => AskAsync(rpc, method));

        Assert.Equal(Refusal.ChainUnavailable, refused.Refusal);
    }

    private static Task AskAsync(EthereumRpc rpc, string method) => method switch
    {
        "eth_getLogs" => rpc.LogsAsync(default, default(Bytes32), default),
        "eth_getBlockReceipts" => rpc.ReceiptLogsAsync(default, default),
        "eth_feeHistory" => rpc.NextBaseFeeAsync(default),
        "eth_createAccessList" => rpc.CreateAccessListAsync(default, SomeCall, default),
        "eth_getTransactionCount" => rpc.NextNonceAsync(default, null, default),
        "eth_getCode" => rpc.CodeAsync(default, default),
        "eth_call" => rpc.CallAsync(default, SomeCall, null, default),
        "eth_estimateGas" => rpc.EstimateGasAsync(default, SomeCall, [], default),
        _ => throw new ArgumentOutOfRangeException(nameof(method), method, "not asked here"),
    };

    private static (int, string) Answer(JsonElement request, string result) =>
        (200, $"{{\"jsonrpc\":\"2.0\",\"id\":{request.GetProperty("id").GetRawText()},\"result\":{result}}}");

    /// <summary>A deposit into it failed with what stops a node, and stopped it again after each start.</summary>
    [Theory]
    [InlineData("eth_call", "\"0x\"", Refusal.TransferFailed)]
    [InlineData("eth_estimateGas", "\"0xffffffffffffffff\"", Refusal.None)]
    public async Task TokenOrRpcThatAnswersNonsense_StopsItsDepositAndNoOther(string method, string result, Refusal refusal)
    {
        await using AnvilFixture own = await AnvilFixture.StartAsync(); // The bench mines by hand.
        Address token = await own.TokenAsync();
        bool isWrong = true;
        using RpcProxy proxy = new(own.HttpUrl, (asked, request) => Volatile.Read(ref isWrong) && asked == method
            && (method != "eth_call" || request.GetRawText().Contains(AllowanceSelector, StringComparison.Ordinal))
                ? Answer(request, result) : null);
        await using JobBench bench = await JobBench.StartAsync(own, options => options with { RpcUrl = proxy.Url });
        Task minting = own.MintAsync(token, bench.Key.Address, 1_000);
        for (; !minting.IsCompleted; await Task.Delay(50)) await own.MineAsync();
        JobEntry odd = await bench.DepositAsync(bench.NewChannel(token), 1_000);
        if (refusal != Refusal.None) Assert.Equal(refusal, (await JobBench.UntilAsync(odd, JobStatus.Failed)).Refusal);
        else await JobBench.UntilAsync(odd, _ => odd.Problem == Refusal.ChainUnavailable);
        Volatile.Write(ref isWrong, false);

        Channel other = bench.NewChannel();
        await bench.MineUntilAsync(await bench.DepositAsync(other, 7), JobStatus.Done);

        Assert.Equal((UInt128)7, await bench.PotAsync(other));
    }
}
