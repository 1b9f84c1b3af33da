using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>What a rescan calls different from a database, and what not.</summary>
public sealed class ChainAuditDifferencesTests
{
    private static readonly ChainBlock Newest = new(2, new Bytes32(2, 0, 0, 1), new Bytes32(1, 0, 0, 1), 1_002);

    private static async Task<IReadOnlyList<ChainDifference>> VerifyAsync(ChannelState state, params ChainEvent[] told)
    {
        SimulatedStore store = new(new SimulatedDisk());
        IStoreBatch batch = store.NewBatch();
        batch.PutChannel(Sample.Channel());
        batch.PutState(Sample.Id, state);
        batch.PutBlock(Newest);
        store.Commit(batch, durable: true);
        ChainBatch[] batches = [new(ChainMove.Next, Newest, told, IsCaughtUp: true)];
        return (await new ChainAudit(store, (_, _, _) => batches.ToAsyncEnumerable(), 32).VerifyAsync(default)).Differences;
    }

    [Fact]
    public async Task ChannelThatWasEmptiedUnusedBeforeItWasKnown_IsNone()
    {
        IReadOnlyList<ChainDifference> found = await VerifyAsync(
            default, new ChainEvent.Deposited(Sample.Id, Side.A, 5), new ChainEvent.Settled(Sample.Id, new Pots(5, 0, 0, 0, 0)));

        Assert.Empty(found);
    }

    [Fact]
    public async Task DepositThatTheDatabaseDoesNotKnow_IsOne() =>
        Assert.Single(await VerifyAsync(default, new ChainEvent.Deposited(Sample.Id, Side.A, 5)));

    [Fact]
    public async Task PotThatTheChainDoesNotKnow_IsOne() => Assert.Single(await VerifyAsync(Sample.Funded(5, 0)));
}
