using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class ChainViewTests
{
    [Fact]
    public void ChainThatGivesNoAnswer_IsKnownAtOnce_AndWhoAsksItIsAlive()
    {
        ChainView view = new(null, TimeProvider.System, TimeSpan.FromMinutes(1));
        ChainBatch seen = new(ChainMove.Stay, new ChainBlock(1, default, default, 1), [], IsCaughtUp: true);
        view.Advance(seen);
        Assert.Null(view.NoAnswer);
        Thread.Sleep(20);
        TimeSpan silent = view.SinceBeat;

        view.Miss("refused");
        view.Miss("no such host");

        Assert.Equal("no such host", view.NoAnswer?.Why); // The newest reason, since the first.
        Assert.True(view.SinceBeat < silent + view.NoAnswer!.Value.For, "a chain that gives no answer is no reason to be started again");
        Assert.True(view.IsCurrent);
        view.Advance(seen);
        Assert.Null(view.NoAnswer);
    }
}
