using System.Globalization;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>Class 6: nothing else to do, one payment, then a pause.</summary>
internal static class IdleLatency
{
    private const int PauseMs = 5;

    public static async Task RunAsync(Bench bench)
    {
        Site site = await bench.SiteAsync();
        PayingPeer peer = (await site.OpenAsync(1, 1))[0];
        double sync = bench.Yardsticks.SyncMs;
        TapePlan[] plans = [new TapePlan(peer.Stream, peer.Channels, ItemPlan.OnePayment)];
        double perSecond = 1_000 / (PauseMs + 1 + (2 * sync));
        await bench.RunAsync(site, plans, (long)(perSecond * bench.Options.WarmUpSeconds), PayAsync);
        double seconds = bench.Options.TailSecondsOf("6");
        Measurement run = await bench.RunAsync(site, plans, (long)(perSecond * seconds), PayAsync);
        bench.Report.Add("6", "one payment at a time, at idle", run);
        Latencies wire = await WireFloor.IdleAsync(bench, PauseMs, run.Updates / 2);
        Latencies syncs = Yardsticks.SyncRocks(bench.NewFolder(), (int)(run.Updates / 2), PauseMs);
        bench.Report.Add(new Bar(
            "6", "latency of one payment at idle: p50", "at most 2 F", 2 * sync, run.Latencies.PercentileMs(0.5), "ms", sync, AtLeast: false)
        {
            Beside = Beside(wire, syncs, 0.5),
        });
        bench.Report.Add(new Bar(
            "6", "latency of one payment at idle: p99", "at most 6 F", 6 * sync, run.Latencies.PercentileMs(0.99), "ms", sync, AtLeast: false)
        {
            Doubt = bench.Options.DoubtOf(seconds, "6"),
            Beside = Beside(wire, syncs, 0.99),
        });
    }

    /// <summary>The bars are multiples of the disk's sync alone; this says how much of the rest is the wire's.</summary>
    public static string Beside(Latencies wire, double share) =>
        string.Create(CultureInfo.InvariantCulture, $"the wire alone takes {wire.PercentileMs(share):N2} ms");

    /// <summary>A synced write after a pause takes longer than one after the other, which F is.</summary>
    private static string Beside(Latencies wire, Latencies syncs, double share) => string.Create(
        CultureInfo.InvariantCulture, $"{Beside(wire, share)}, a sync after such a pause {syncs.PercentileMs(share):N2} ms");

    private static async Task PayAsync(IReadOnlyList<Lane> lanes)
    {
        Lane lane = lanes[0];
        while (!lane.IsDone)
        {
            await lane.SendAsync(1);
            while (lane.Waiting > 0) await lane.Stream.WhenAnsweredAsync();
            await Task.Delay(PauseMs);
        }
    }
}
