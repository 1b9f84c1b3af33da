using ChannelNode.Cli;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class ServiceManagerTests
{
    [Fact]
    public async Task WatchdogIsPinged_OnlyWhileTheNodeLives()
    {
        using NotifySocket socket = new();
        bool isAlive = true;
        int asked = 0;
        await using ServiceManager manager = new(socket.Address, TimeSpan.FromMilliseconds(60), TimeProvider.System);

        manager.Ready("doors", _ =>
        {
            Interlocked.Increment(ref asked);
            return Task.FromResult(Volatile.Read(ref isAlive));
        });
        await socket.UntilToldAsync("READY=1\nSTATUS=doors", "WATCHDOG=1", "WATCHDOG=1");
        Volatile.Write(ref isAlive, false);
        int before = Volatile.Read(ref asked);
        while (Volatile.Read(ref asked) < before + 5) await Task.Delay(5);
        manager.Stopping();

        int pings = 0;
        while (await socket.NextAsync(TestChain.Limit) is "WATCHDOG=1") pings++;
        Assert.InRange(pings, 0, before); // Those of before; of the five looks since then none.
        Assert.True(Volatile.Read(ref asked) >= before + 5);
    }

    /// <summary>One line, whatever is said: the next would be another word of the protocol.</summary>
    [Fact]
    public async Task StatusBeforeReady_IsTold()
    {
        using NotifySocket socket = new();

        ServiceManager.Status(socket.Address, "following the chain\nREADY=1");

        Assert.Equal("STATUS=following the chain READY=1", await socket.NextAsync(TestChain.Limit));
        ServiceManager.Status(null, "nobody listens");
    }

    [Fact]
    public async Task WithoutAManager_NothingHappens()
    {
        await using ServiceManager nobody = new(null, TimeSpan.FromMilliseconds(1), TimeProvider.System);
        await using ServiceManager gone = new("/nowhere/socket", null, TimeProvider.System);

        nobody.Ready("doors", _ => throw new InvalidOperationException("nobody asked"));
        gone.Ready("doors", _ => throw new InvalidOperationException("nobody asked"));
        gone.Stopping();
    }
}
