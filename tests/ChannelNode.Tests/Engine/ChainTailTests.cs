using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class ChainTailTests
{
    private static ChainBlock Block(ulong number) =>
        new(number, new Bytes32(number, 0, 0, 1), new Bytes32(number - 1, 0, 0, 1), 1_700_000_000 + number);

    /// <summary>A block that was not synced is missing after a power cut, and the next, which was, is there.</summary>
    [Fact]
    public void BlocksAfterAGap_AreFoundByTheirNumbers_AndThoseBeforeItAreTooOld()
    {
        ChainTail tail = new(depthMax: 128, [Block(5), Block(6), Block(8), Block(9)]);

        Assert.Equal(Block(8), tail.Oldest);
        Assert.Equal(Block(9), tail.Find(9));
        Assert.Equal(Block(8), tail.WithConfirmations(2));
        Assert.Null(tail.Find(6));
        Assert.Null(tail.Find(7));
        tail.Add(Block(10));
        Assert.Equal(Block(10), tail.Find(10));
    }
}
