using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;
using static ChannelNode.Tests.Engine.GuardRig;

namespace ChannelNode.Tests.Engine;

/// <summary>What a watchtower has on disk when it answers.</summary>
public sealed class GuardBookTests : IAsyncDisposable
{
    private readonly GuardRig _rig = new();

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Fact]
    public async Task FrameOfUpdates_IsSyncedOnceBeforeItIsAnswered()
    {
        GuardClient client = _rig.Guards.Join(Sample.PartyA.Signer);
        long before = Syncs();

        GuardAnswer answer = await _rig.TakeAsync(client, Request(1, 10), Request(2, 10));
        Assert.Equal((2, before + 1), (answer.Stored.Count, Syncs()));
        await _rig.TakeAsync(client, Request(1, 20), Request(2, 9));
        Assert.Equal(before + 2, Syncs());
        await _rig.TakeAsync(client, Request(1, 20), Request(2, 9)); // Nothing in it is new.
        Assert.Equal(before + 2, Syncs());
        Assert.Equal([10, 20], _rig.Guards.Holdings(client).Select(totals => (int)totals.Sent).Order());
    }

    [Fact]
    public async Task SignerThatLeavesNothing_IsForgotten_AndOneThatLeavesSomethingIsNot()
    {
        GuardClient nothing = _rig.Guards.Join(Sample.PartyB.Signer), something = _rig.Guards.Join(Sample.PartyA.Signer);
        await _rig.TakeAsync(something, Request(1, 10));
        _rig.Guards.Leave(nothing);
        _rig.Guards.Leave(something);

        Assert.NotSame(nothing, _rig.Guards.Join(Sample.PartyB.Signer));
        Assert.Same(something, _rig.Guards.Join(Sample.PartyA.Signer));
    }

    [Fact]
    public async Task ChannelOfWhichBothSidesAreGuarded_IsCountedOnce()
    {
        await _rig.TakeAsync(_rig.Guards.Join(Sample.PartyA.Signer), Request(1, 10));
        await _rig.TakeAsync(_rig.Guards.Join(Sample.PartyB.Signer), OtherSide(1, 10));

        Assert.Equal((1ul, 2), (_rig.Store.ChannelCount, _rig.Guards.GuardedCount));
    }

    [Fact]
    public async Task FrameWhoseSessionEnds_WhileItIsOnItsWayToDisk_IsStoredAndAnswered()
    {
        await using GuardRig rig = new(options => options with { Node = options.Node with { LedgerQueueMax = 1 } });
        GuardClient client = rig.Guards.Join(Sample.PartyA.Signer);
        using ManualResetEventSlim begun = new(), disk = new();
        Task busy = rig.Ledger.RunAsync(
            _ =>
            {
                begun.Set();
                return disk.Wait(TimeSpan.FromSeconds(30));
            },
            CancellationToken.None);
        Assert.True(begun.Wait(TimeSpan.FromSeconds(30)));
        Task waits = rig.Ledger.RunAsync(_ => true, CancellationToken.None);
        using CancellationTokenSource ending = new();

        Task<GuardAnswer> taking = rig.Guards.TakeAsync(client, [Request(1, 10)], ending.Token);
        await ending.CancelAsync();
        disk.Set();

        Assert.Single((await taking).Stored);
        await Task.WhenAll(busy, waits);
        Assert.Single(rig.Guards.Holdings(client));
    }

    private long Syncs()
    {
        string line = _rig.Disk.GetStatisticsString().Split('\n').Single(line => line.StartsWith("rocksdb.wal.synced "));
        return long.Parse(line[(line.IndexOf(':') + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }
}
