using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>Class 4: one channel, frame after frame, so that the node may let the newest of what waits stand for all.</summary>
internal static class OneChannel
{
    private const int Frame = 256;
    private const int Window = 64 * Frame;

    public static async Task RunAsync(Bench bench)
    {
        Site site = await bench.SiteAsync();
        PayingPeer peer = (await site.OpenAsync(1, 1))[0];
        double verifies = bench.Yardsticks.VerifiesPerSecond;
        Measurement run = await bench.MeasureAsync(
            site,
            [new TapePlan(peer.Stream, peer.Channels, ItemPlan.OnePayment)],
            5 * verifies,
            lanes => ClosedLoop.RunAsync(lanes, Frame, Window),
            bench.Options.CoalescedSeconds);
        bench.Report.Add("4", $"one channel, frames of {Frame}", run);
        bench.Report.Add(new Bar(
            "4", "one channel, pipelined, coalesced", "at least 25 V", 25 * verifies, run.PerSecond, "/s", verifies, AtLeast: true));
    }
}
