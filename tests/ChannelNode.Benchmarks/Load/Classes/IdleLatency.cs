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
        await RunAsync(bench, site, peer, PauseMs, "one payment at a time, at idle", "at idle");
        if (bench.Options.IsALook("6")) return;
        await RunAsync(bench, site, peer, pauseMs: 0, "one payment at a time, none between", "alone, one after the other");
    }

    /// <summary>F is of writes one after the other, so the same is measured of payments, beside what a pause does to both.</summary>
    private static async Task RunAsync(Bench bench, Site site, PayingPeer peer, int pauseMs, string title, string when)
    {
        double sync = bench.Yardsticks.SyncMs;
        TapePlan[] plans = [new TapePlan(peer.Stream, peer.Channels, ItemPlan.OnePayment)];
        double perSecond = 1_000 / (pauseMs + 1 + (2 * sync));
        await bench.RunAsync(site, plans, (long)(perSecond * bench.Options.WarmUpSeconds), lanes => PayAsync(lanes, pauseMs));
        double seconds = bench.Options.TailSecondsOf("6");
        Measurement run = await bench.RunAsync(site, plans, (long)(perSecond * seconds), lanes => PayAsync(lanes, pauseMs));
        bench.Report.Add("6", title, run);
        long writes = run.Updates / 2;
        Latencies wire = await WireFloor.IdleAsync(bench, new EchoWork(), pauseMs, writes);
        Latencies syncs = Yardsticks.SyncRocks(bench.NewFolder(), (int)writes, pauseMs, overZeros: true);
        Latencies? all = bench.Options.IsALook("6")
            ? null
            : await WireFloor.IdleAsync(bench, new EchoWork(Verifies: true, bench.NewFolder()), pauseMs, writes);
        string BesideAt(double share) => Beside(share, ("the wire alone takes", wire), ("a sync as the node's", syncs), ("wire, verification and sync", all));
        bench.Report.Add(new Bar(
            "6", $"latency of one payment {when}: p50", "at most 2 F", 2 * sync, run.Latencies.PercentileMs(0.5), "ms", sync, AtLeast: false)
        {
            Beside = BesideAt(0.5),
        });
        bench.Report.Add(new Bar(
            "6", $"latency of one payment {when}: p99", "at most 6 F", 6 * sync, run.Latencies.PercentileMs(0.99), "ms", sync, AtLeast: false)
        {
            Doubt = bench.Options.DoubtOf(seconds, "6"),
            Beside = BesideAt(0.99),
        });
    }

    /// <summary>
    /// The bars are multiples of the disk's sync alone, one after the other; this says what its parts take by themselves, as far as they
    /// were measured.
    /// </summary>
    public static string Beside(double share, params IEnumerable<(string What, Latencies? Times)> parts) => string.Join(
        ", ", parts.Where(part => part.Times is not null).Select(part => string.Create(
            CultureInfo.InvariantCulture, $"{part.What} {part.Times!.PercentileMs(share):N2} ms")));

    private static async Task PayAsync(IReadOnlyList<Lane> lanes, int pauseMs)
    {
        Lane lane = lanes[0];
        while (!lane.IsDone)
        {
            await lane.SendAsync(1);
            while (lane.Waiting > 0) await lane.Stream.WhenAnsweredAsync();
            if (pauseMs > 0) await Task.Delay(pauseMs);
        }
    }
}
