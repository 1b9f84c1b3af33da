using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Settlement;

/// <summary>An RPC whose answers go on and on: no more of them is read than is allowed, and the node goes on.</summary>
[Collection(AnvilCollection.Name)]
public sealed class RpcAnswerLimitTests(AnvilFixture anvil)
{
    private const int BytesMax = 1_048_576;
    private const ulong BlocksMax = 7;

    [Theory]
    [InlineData("http")]
    [InlineData("ws")]
    public async Task AnswerWithoutAnEnd_IsRefusedWithItsLimit_AndTheNextQuestionIsAnswered(string transport)
    {
        using EndlessRpc endless = new(anvil.HttpUrl, transport, (method, _) => method == "eth_getCode" ? "\"0x\"" : null);
        await using RpcClient client = new(endless.Url, TimeProvider.System, NullLogger.Instance, BytesMax);
        EthereumRpc rpc = new(client);
        Assert.Equal(AnvilFixture.ChainId, await rpc.ChainIdAsync(default));

        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => rpc.CodeAsync(default, default));

        Assert.Equal(
            (Refusal.ChainUnavailable, "--rpc-answer-bytes-max", "more than 1048576", "1048576"),
            (refused.Refusal, refused.Field, refused.Value, refused.Limit));
        Assert.Contains("answers eth_getCode with more than 1048576 bytes", refused.Message);
        Assert.Equal(AnvilFixture.ChainId, await rpc.ChainIdAsync(default));
    }

    [Theory]
    [InlineData("http")]
    [InlineData("ws")]
    public async Task Follow_WhereTheLogsOfManyBlocksHaveNoEnd_AsksForFewerAndMissesNothing(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = bench.NewChannel();
        ulong first = await anvil.HeadAsync();
        for (ulong amount = 1; amount <= 3; amount++)
        {
            await bench.Alice.DepositAsync(channel, Side.A, amount, null, default);
            await anvil.MineAsync(20);
        }

        await anvil.MineAsync(128); // Only what is deep is read in ranges.
        using EndlessRpc endless = new(anvil.HttpUrl, transport, (method, parameters) => IsTooWide(method, parameters) ? "[]" : null);
        await using RpcClient client = new(endless.Url, TimeProvider.System, NullLogger.Instance, BytesMax);
        ChainFollower follower = new(
            new EthereumRpc(client), bench.Contract, first, 128, TimeSpan.FromMilliseconds(50), TimeProvider.System, NullLogger.Instance,
            linkedBlocksMax: 10);

        List<UInt128> pots = [];
        await foreach (ChainBatch batch in follower.FollowAsync([], TestChain.Limit))
        {
            pots.AddRange(batch.Events.OfType<ChainEvent.Deposited>().Where(it => it.Channel == channel.Id).Select(it => it.Pot));
            if (pots.Count == 3) break;
        }

        Assert.Equal([1, 3, 6], pots);
        Assert.InRange(endless.EndlessAnswers, 3, int.MaxValue);
    }

    /// <summary>Anybody can fill a block with logs: the contract's own are few, and asked for by the block's hash.</summary>
    [Theory]
    [InlineData("http")]
    [InlineData("ws")]
    public async Task Follow_WhereTheReceiptsOfABlockHaveNoEnd_ReadsItsLogsInstead(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = bench.NewChannel();
        ulong first = await anvil.HeadAsync();
        await bench.Alice.DepositAsync(channel, Side.A, 7, null, default);
        await anvil.MineAsync(3);
        using EndlessRpc endless = new(anvil.HttpUrl, transport, (method, _) => method == "eth_getBlockReceipts" ? "[]" : null);
        await using RpcClient client = new(endless.Url, TimeProvider.System, NullLogger.Instance, BytesMax);
        ChainFollower follower = new(
            new EthereumRpc(client), bench.Contract, first, 128, TimeSpan.FromMilliseconds(50), TimeProvider.System, NullLogger.Instance);

        await foreach (ChainBatch batch in follower.FollowAsync([], TestChain.Limit))
            if (batch.Events.OfType<ChainEvent.Deposited>().Any(it => it.Channel == channel.Id)) break;

        Assert.InRange(endless.EndlessAnswers, 1, int.MaxValue);
    }

    private static bool IsTooWide(string method, System.Text.Json.JsonElement parameters)
    {
        if (method != "eth_getLogs" || !parameters[0].TryGetProperty("fromBlock", out System.Text.Json.JsonElement from)) return false;
        ulong last = Quantity.ToUInt64(parameters[0].GetProperty("toBlock").GetString(), "last");
        return last - Quantity.ToUInt64(from.GetString(), "first") + 1 > BlocksMax;
    }
}
