using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.Settlement;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a node may believe of a chain, and of whoever tells of it.</summary>
[Collection(ChainCollection.Name)]
public sealed class PoorChainTests(AnvilFixture anvil)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task EventThroughALaggingRpc_IsNotMissed(bool hasBlockReceipts)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        ulong first = await anvil.HeadAsync();
        using PoorRpc rpc = new(anvil.HttpUrl)
        {
            LagBlocks = 3,
            ErrorsPerHundred = 5,
            RepeatsLogs = true,
            ReordersLogs = true,
            DropsLogs = hasBlockReceipts,
            HasBlockReceipts = hasBlockReceipts,
            Delay = TimeSpan.FromMilliseconds(1),
        };
        await using RpcClient client = new(rpc.Url, TimeProvider.System, NullLogger.Instance);
        ChainFollower follower = new(
            new EthereumRpc(client), bench.Contract, first, 128, TimeSpan.FromMilliseconds(5), TimeProvider.System,
            NullLogger.Instance);
        Channel[] channels = [bench.NewChannel(), bench.NewChannel()];
        Dictionary<ChannelId, List<UInt128>> pots = channels.ToDictionary(channel => channel.Id, _ => new List<UInt128>());
        Task depositing = Task.Run(async () =>
        {
            for (ulong round = 0; round < 8; round++)
                await bench.Alice.DepositAsync(channels[round % 2], Side.A, 10, null, default);
        });

        await foreach (ChainBatch batch in follower.FollowAsync([], TestChain.Limit))
        {
            foreach (ChainEvent.Deposited seen in batch.Events.OfType<ChainEvent.Deposited>())
                if (pots.TryGetValue(seen.Channel, out List<UInt128>? known)) known.Add(seen.Pot);
            if (pots.Values.All(seen => seen.Count == 4)) break;
        }

        await depositing;
        Assert.All(pots.Values, seen => Assert.Equal([10, 20, 30, 40], seen));
        Assert.InRange(rpc.FaultCount, 1, int.MaxValue);
    }

    /// <summary>It has the block and not its receipts yet, and would leave its logs out.</summary>
    [Fact]
    public async Task MachineThatLacksTheReceipts_IsNotBelievedAboutTheLogs()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Dictionary<string, int> asked = [];
        using RpcProxy proxy = new(anvil.HttpUrl, (method, request) => method switch
        {
            "eth_getBlockReceipts" when IsEarly(request) => (200, $$"""{"jsonrpc":"2.0","id":{{request.GetProperty("id")}},"result":null}"""),
            "eth_getLogs" => (200, $$"""{"jsonrpc":"2.0","id":{{request.GetProperty("id")}},"result":[]}"""),
            _ => null,
        });
        await using RpcClient client = new(proxy.Url, TimeProvider.System, NullLogger.Instance);
        Channel channel = bench.NewChannel();
        ulong first = await anvil.HeadAsync() + 1;
        await bench.Alice.DepositAsync(channel, Side.A, 10, null, default);
        ChainFollower follower = new(
            new EthereumRpc(client), bench.Contract, first, 128, TimeSpan.FromMilliseconds(5), TimeProvider.System,
            NullLogger.Instance);

        List<ChainEvent> seen = [];
        await foreach (ChainBatch batch in follower.FollowAsync([], TestChain.Limit))
        {
            seen.AddRange(batch.Events);
            if (batch.IsCaughtUp) break;
        }

        Assert.Equal([new ChainEvent.Deposited(channel.Id, Side.A, 10)], seen);

        bool IsEarly(System.Text.Json.JsonElement request)
        {
            string block = request.GetProperty("params")[0].GetString()!;
            lock (asked) return (asked[block] = asked.GetValueOrDefault(block) + 1) < 3;
        }
    }

    /// <summary>It has every function, and answers each question about ids as the real one would.</summary>
    [Fact]
    public async Task FakeContractWithTheSameAbi_IsRefused()
    {
        byte[] code = ContractArtifact.PaymentChannels.Bytecode.ToArray();
        code[^1] ^= 1;
        Address fake = await anvil.DeployAsync(code);
        await using TestChain chain = await TestChain.OpenAsync(anvil);

        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(
            () => TestNode.StartAsync(chain, options => options with { Contract = fake }));

        Assert.Equal(Refusal.WrongContract, refused.Refusal);
        Assert.Contains("code has hash", refused.Message, StringComparison.Ordinal);
    }
}
