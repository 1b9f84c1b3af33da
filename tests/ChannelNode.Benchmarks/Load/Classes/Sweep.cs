using System.Globalization;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>The points of the plots: latency against load, throughput against channels. Over class 1's peers.</summary>
internal sealed class Sweep(Bench bench, DistinctChannels distinct)
{
    private const int Frame = 256;

    /// <summary>Updates under way in all, however many channels share them.</summary>
    private const int Window = 16_384;

    private static readonly double[] Shares = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
    private static readonly int[] Channels = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

    public async Task RunAsync()
    {
        foreach (double share in Shares)
        {
            Measurement run = await distinct.RunAtAsync(share, bench.Options.Seconds);
            string title = string.Create(CultureInfo.InvariantCulture, $"load: {share:P0} of class 1's rate");
            bench.Report.Add("7", title, run);
            bench.Report.Write("latencyAtLoad", new
            {
                Share = share,
                PerSecond = share * bench.DistinctPerSecond,
                P50Ms = run.Latencies.PercentileMs(0.5),
                P99Ms = run.Latencies.PercentileMs(0.99),
                P999Ms = run.Latencies.PercentileMs(0.999),
            });
        }

        double expected = bench.Yardsticks.VerifiesPerSecond;
        foreach (int channels in Channels)
        {
            Measurement run = await RunOverAsync(channels, expected);
            bench.Report.Add("4", $"{channels:N0} channels, {Window:N0} updates under way", run);
            bench.Report.Write("throughputOverChannels", new { Channels = channels, run.PerSecond, run.NodeCpuUs });
        }
    }

    private async Task<Measurement> RunOverAsync(int channels, double expected)
    {
        int peers = Math.Min(channels, distinct.PeersOpened.Count);
        TapePlan[] plans =
        [
            .. distinct.PeersOpened.Take(peers).Select(peer =>
                new TapePlan(peer.Stream, [.. peer.Channels.Take(channels / peers)], ItemPlan.OnePayment)),
        ];
        return await bench.MeasureAsync(
            await bench.SiteAsync(), plans, expected, lanes => ClosedLoop.RunAsync(lanes, Frame, Window / lanes.Count));
    }
}
