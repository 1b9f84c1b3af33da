using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>What operators hear of a chain that is out of sight: once that it is, and once that it is back.</summary>
public sealed class ChainNoticeTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(1);
    private static readonly ChainBatch CaughtUp = new(ChainMove.Stay, null, [], IsCaughtUp: true);

    private static EventKind[] Told(LedgerRig rig) => [.. rig.Store.ReadEvents(0, 100).Select(what => what.Kind)];

    private static async Task UntilSilentAsync(ChainView view)
    {
        while (view.IsCurrent) await Task.Delay(5);
    }

    [Fact]
    public async Task ChainThatIsOutOfSight_IsAnAlarmThatSaysWhy_Once_AndSoIsThatItIsBack()
    {
        await using LedgerRig rig = new(silenceMax: SilenceMax);
        using CancellationTokenSource stop = new();
        ChainNotice notice = new(rig.View, rig.Ledger, TimeProvider.System);
        rig.View.Advance(CaughtUp);
        rig.View.Miss("no such host");
        Task noticing = notice.RunAsync(stop.Token);

        await rig.Ledger.WhenHappenedAsync(0, stop.Token).WaitAsync(Limit);
        await Task.Delay(2 * SilenceMax);
        OperatorEvent silent = Assert.Single(rig.Store.ReadEvents(0, 100));
        Assert.Equal(
            (EventKind.ChainSilent, EventSeverity.Alarm, Refusal.ChainUnavailable), (silent.Kind, silent.Severity, silent.Refusal));
        Assert.Contains(" s: no such host. Nothing is paid or accepted", silent.Sentence);

        await AssertBackIsToldAsync(rig, noticing, stop);
    }

    /// <summary>One answer now and then is no chain that is back: operators would hear of it for ever.</summary>
    [Fact]
    public async Task ChainThatComesAndGoes_IsToldOnce_UntilItStays()
    {
        await using LedgerRig rig = new(silenceMax: SilenceMax);
        using CancellationTokenSource stop = new();
        rig.View.Advance(CaughtUp);
        Task noticing = new ChainNotice(rig.View, rig.Ledger, TimeProvider.System, settled: 3 * SilenceMax).RunAsync(stop.Token);
        await rig.Ledger.WhenHappenedAsync(0, stop.Token).WaitAsync(Limit);

        rig.View.Advance(CaughtUp);
        await UntilSilentAsync(rig.View);
        await Task.Delay(SilenceMax);
        Assert.Equal([EventKind.ChainSilent], Told(rig));

        await AssertBackIsToldAsync(rig, noticing, stop);
    }

    [Fact]
    public async Task ChainThatWasNeverSeen_IsNotToldOf()
    {
        await using LedgerRig rig = new();
        ChainView view = new(null, TimeProvider.System, SilenceMax);
        using CancellationTokenSource stop = new();
        Task noticing = new ChainNotice(view, rig.Ledger, TimeProvider.System).RunAsync(stop.Token);

        await Task.Delay(SilenceMax);
        Assert.Empty(Told(rig));
        Task told = rig.Ledger.WhenHappenedAsync(0, stop.Token);
        for (int look = 0; look < 30 && !told.IsCompleted; look++) // A machine that stands still may not see it in time.
        {
            view.Advance(CaughtUp);
            await Task.WhenAny(told, Task.Delay(4 * SilenceMax));
        }

        await told.WaitAsync(Limit);
        Assert.Equal(EventKind.ChainSilent, Told(rig)[0]);

        await stop.CancelAsync();
        await noticing;
    }

    private static async Task AssertBackIsToldAsync(LedgerRig rig, Task noticing, CancellationTokenSource stop)
    {
        Task seeing = SeeAsync(rig.View, stop.Token);
        await rig.Ledger.WhenHappenedAsync(1, stop.Token).WaitAsync(Limit);
        Assert.Equal([EventKind.ChainSilent, EventKind.ChainBack], Told(rig).Take(2)); // A machine that stands still may lose it again.

        await stop.CancelAsync();
        await Task.WhenAll(noticing, seeing);
    }

    /// <summary>As if blocks came.</summary>
    private static async Task SeeAsync(ChainView view, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            view.Advance(CaughtUp);
            await Task.Delay(5, CancellationToken.None);
        }
    }
}
