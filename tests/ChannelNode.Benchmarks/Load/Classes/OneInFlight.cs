using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>Class 3: many peers over connections of their own, each of which waits for every acknowledgement.</summary>
internal static class OneInFlight
{
    private const int Peers = 64;

    public static async Task RunAsync(Bench bench)
    {
        Site site = await bench.SiteAsync();
        IReadOnlyList<PayingPeer> peers = await site.OpenAsync(Peers, 1);
        TapePlan[] plans = [.. peers.Select(peer => new TapePlan(peer.Stream, peer.Channels, ItemPlan.OnePayment))];
        double verifies = bench.Yardsticks.VerifiesPerSecond;
        Measurement run = await bench.MeasureAsync(
            site, plans, verifies / 3, lanes => ClosedLoop.RunAsync(lanes, frame: 1, window: 1));
        bench.Report.Add("3", $"{Peers} streams, one payment in flight each", run);
        bench.Report.Add(new Bar(
            "3", "64 streams, one payment in flight each", "at least 0.5 V", 0.5 * verifies, run.PerSecond, "/s", verifies, AtLeast: true));
    }
}
