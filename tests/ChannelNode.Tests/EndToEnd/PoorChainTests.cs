using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.Settlement;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a node may believe of a chain, and of whoever tells of it.</summary>
[Collection(AnvilCollection.Name)]
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
        Assert.InRange(rpc.FaultCount, 20, int.MaxValue);
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
