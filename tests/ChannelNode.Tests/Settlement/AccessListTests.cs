using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Settlement;

/// <summary>The same transactions through an RPC that knows access lists, and through one that does not.</summary>
[Collection(AnvilCollection.Name)]
public sealed class AccessListTests(AnvilFixture anvil, ITestOutputHelper output)
{
    private const string Method = "eth_createAccessList";

    [Fact]
    public async Task DepositOfTokens_CostsLessWithAList()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        await anvil.MintAsync(anvil.Keys[3].Address, 4_000);
        using RpcProxy without = Without();
        await using EthereumChain poorer = await ChainBench.ConnectAsync(without.Url, bench.Contract, anvil.Keys[3]);
        await poorer.DepositAsync(bench.NewChannel(inToken: true), Side.A, 1, null, default);

        TransactionReceipt plain = await poorer.DepositAsync(bench.NewChannel(inToken: true), Side.A, 1_000, null, default);
        await using EthereumChain richer = await ChainBench.ConnectAsync(anvil.HttpUrl, bench.Contract, anvil.Keys[3]);
        TransactionReceipt listed = await richer.DepositAsync(bench.NewChannel(inToken: true), Side.A, 1_000, null, default);

        output.WriteLine($"deposit of tokens: {plain.GasUsed} gas without, {listed.GasUsed} with a list");
        Assert.InRange(listed.GasUsed, plain.GasUsed - 1_000, plain.GasUsed - 200);
        Assert.Equal((0, 4), (await ListedAsync(plain), await ListedAsync(listed)));
    }

    [Fact]
    public async Task DepositOfEther_HasNothingToList()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");

        TransactionReceipt receipt = await bench.Alice.DepositAsync(bench.NewChannel(), Side.A, 1_000, null, default);

        Assert.Equal(0, await ListedAsync(receipt));
    }

    [Fact]
    public async Task ClaimOfManyChannels_ListsTheContractsOwnSlots()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        using RpcProxy without = Without();
        await using EthereumChain poorer = await ChainBench.ConnectAsync(without.Url, bench.Contract, anvil.Keys[3]);
        Channel[] channels = [.. Enumerable.Range(0, 100).Select(_ => bench.NewChannel(oneWay: true))];
        await bench.Alice.DepositManyAsync([.. channels.Select(channel => new ChannelDeposit(channel, Side.A, 50))], null, default);
        ClaimRow[] rows = [.. channels.Select(channel => Row(bench, channel, 40))];
        await bench.Bob.ClaimAsync([.. channels.Take(1).Select(channel => Row(bench, channel, 1))], null, default);

        string before = await anvil.RpcAsync<string>("evm_snapshot");
        TransactionReceipt plain = await poorer.ClaimAsync(rows, null, default);
        Assert.True(await anvil.RpcAsync<bool>("evm_revert", before));
        TransactionReceipt listed = await bench.Bob.ClaimAsync(rows, null, default);

        output.WriteLine($"claim of 100: {plain.GasUsed} gas without, {listed.GasUsed} with a list");
        Assert.InRange(listed.GasUsed, plain.GasUsed - 9_000, plain.GasUsed - 7_000);
        Assert.InRange(await ListedAsync(listed), 101, 110);
    }

    [Fact]
    public async Task List_ThatIsNoGain_IsNotSent()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        using var lying = new RpcProxy(anvil.HttpUrl, (method, request) => method != Method ? null : (200, JsonSerializer.Serialize(new
        {
            jsonrpc = "2.0",
            id = request.GetProperty("id"),
            result = new { accessList = new[] { new { address = bench.Token.ToString(), storageKeys = new[] { default(Bytes32).ToString() } } } },
        })));
        await using EthereumChain chain = await ChainBench.ConnectAsync(lying.Url, bench.Contract, anvil.Keys[3]);

        TransactionReceipt receipt = await chain.DepositAsync(bench.NewChannel(), Side.A, 1_000, null, default);

        Assert.Equal(0, await ListedAsync(receipt));
    }

    private RpcProxy Without() => new(
        anvil.HttpUrl,
        (method, request) => method == Method ? RpcProxy.Error(request, "the method does not exist") : null);

    /// <summary>Accounts and slots in a mined transaction's list.</summary>
    private async Task<int> ListedAsync(TransactionReceipt receipt)
    {
        JsonElement transaction = await anvil.RpcAsync<JsonElement>("eth_getTransactionByHash", receipt.Hash.ToString());
        return transaction.GetProperty("accessList").EnumerateArray()
            .Sum(entry => 1 + entry.GetProperty("storageKeys").GetArrayLength());
    }

    private static ClaimRow Row(ChainBench bench, Channel channel, UInt128 sent) =>
        new(channel, sent, bench.AliceSigns.Sign(new BalanceUpdate(channel.Id, sent, 0)));
}
