using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Settlement;

/// <summary>A chain that ends below what was seen of it: a machine that lags, or one that was begun anew.</summary>
[Collection(AnvilCollection.Name)]
public sealed class ChainBehindTests(AnvilFixture anvil)
{
    [Theory]
    [InlineData(false, "it lags, or serves another chain")]
    [InlineData(true, "and that is another one than was there before: it serves another chain, or a shorter branch")]
    public async Task ChainThatStaysBelowWhatWasSeen_IsNotSilentlyWaitedFor(bool isAnother, string why)
    {
        await anvil.MineAsync(3);
        using PoorRpc rpc = new(anvil.HttpUrl) { HeldHead = await anvil.HeadAsync() - 2 };
        ulong end = rpc.HeldHead.Value;
        await using RpcClient client = new(rpc.Url, TimeProvider.System, NullLogger.Instance);
        EthereumRpc reading = new(client);
        BlockHeader last = await reading.LatestBlockAsync(default);
        List<ChainBlock> known =
        [
            new(end, isAnother ? Of(1) : last.Hash, last.Parent, last.TimestampSeconds),
            new(end + 1, Of(2), isAnother ? Of(1) : last.Hash, last.TimestampSeconds + 1),
        ];
        ChainFollower follower = new(
            reading, await anvil.PaymentChannelsAsync(), 0, 128, TimeSpan.FromMilliseconds(50), new HurriedTime(), NullLogger.Instance);

        await foreach (ChainBatch batch in follower.FollowAsync(known, TestChain.Limit))
        {
            Assert.False(batch.IsCaughtUp);
            if (batch.NoAnswer is null) continue;
            Assert.Equal(
                $"{client.Name} ends with block {end}, below {end + 1}, which this node has seen; {why}", batch.NoAnswer);
            return;
        }
    }

    private static Bytes32 Of(byte value) => Bytes32.Read([.. Enumerable.Repeat(value, Bytes32.Size)]);

    /// <summary>Its clock runs twenty times as fast; its timers do not.</summary>
    private sealed class HurriedTime : TimeProvider
    {
        public override long GetTimestamp() => base.GetTimestamp() * 20;
    }
}
