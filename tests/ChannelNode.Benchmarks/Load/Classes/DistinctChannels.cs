using System.Globalization;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>
/// Classes 1 and 2, and 7 over the same channels: no channel ever has two updates waiting, so the node has to verify
/// every single one.
/// </summary>
internal sealed class DistinctChannels(Bench bench)
{
    private const int Peers = 8;
    private const int ChannelsPerLane = 64;

    private readonly int _lanesPerPeer = bench.Options.Quick ? 2 : 4;
    private IReadOnlyList<PayingPeer> _peers = [];

    public IReadOnlyList<PayingPeer> PeersOpened => _peers;

    public async Task RunAsync()
    {
        Site site = await bench.SiteAsync();
        _peers = await site.OpenAsync(Peers, _lanesPerPeer * ChannelsPerLane);
        TapePlan[] plans =
        [
            .. _peers.SelectMany(peer => peer.Channels.Chunk(ChannelsPerLane)
                .Select(some => new TapePlan(peer.Stream, some, ItemPlan.OnePayment))),
        ];
        double verifies = bench.Yardsticks.VerifiesPerSecond;
        List<double> verifyCpuUs = [];
        Measurement run = await bench.MeasureAsync(
            site, plans, verifies,
            async lanes => verifyCpuUs.Add(
                await Yardsticks.VerifyBesideAsync(() => ClosedLoop.RunAsync(lanes, ChannelsPerLane, ChannelsPerLane))));
        (bench.DistinctPerSecond, bench.DistinctCpuUs) = (run.PerSecond, run.NodeCpuUs);
        bench.Report.Add("1", $"{Peers} streams x {_peers[0].Channels.Count} channels, each verified", run);
        if (!bench.Options.Wants("1")) return;
        bench.Report.Add(new Bar(
            "1", "distinct channels, each update verified", "at least 1.2 V", 1.2 * verifies, run.PerSecond, "/s", verifies, AtLeast: true));
        double cpuUs = verifyCpuUs.Skip(1).Average(); // The first was the warm-up's.
        bench.Report.Add(new Bar(
            "2", "node CPU per verified update", "at most 1.25 verifies", 1.25 * cpuUs, run.NodeCpuUs, "us", cpuUs, AtLeast: false)
        {
            Beside = string.Create(
                CultureInfo.InvariantCulture,
                $"a verification took {cpuUs:N1} us during this run, and {bench.Yardsticks.VerifyCpuUs:N1} us at the start, on one core"),
        });
    }

    /// <summary>Class 7: half of class 1's rate, by schedule.</summary>
    public async Task RunHalfAsync()
    {
        double seconds = bench.Options.TailSecondsOf("7");
        Measurement run = await RunAtAsync(0.5, seconds);
        double sync = bench.Yardsticks.SyncMs;
        bench.Report.Add("7", "half of class 1's rate, open loop", run);
        Latencies wire = await FloorAsync(new EchoWork(), seconds);
        Latencies? verifying = bench.Options.IsALook("7") ? null : await FloorAsync(new EchoWork(Verifies: true), seconds);
        bench.Report.Add(new Bar(
            "7", "latency at half load, open loop: p99", "at most 12 F", 12 * sync, run.Latencies.PercentileMs(0.99), "ms", sync, AtLeast: false)
        {
            Doubt = bench.Options.DoubtOf(seconds, "7"),
            Beside = IdleLatency.Beside(0.99, ("the wire alone takes", wire), ("with a verification each", verifying)),
        });
    }

    private Task<Latencies> FloorAsync(EchoWork work, double seconds) =>
        WireFloor.PacedAsync(bench, "7", work, "at that rate", _peers.Count, 0.5 * bench.DistinctPerSecond, seconds);

    /// <summary>A share of class 1's rate, by schedule, over the same channels.</summary>
    public async Task<Measurement> RunAtAsync(double share, double seconds)
    {
        Site site = await bench.SiteAsync();
        double perSecond = share * bench.DistinctPerSecond;
        TapePlan[] plans = [.. _peers.Select(peer => new TapePlan(peer.Stream, peer.Channels, ItemPlan.OnePayment))];
        await bench.RunAsync(site, plans, (long)(perSecond * bench.Options.WarmUpSeconds), lanes => OpenLoop.RunAsync(lanes, perSecond));
        return await bench.RunAsync(
            site, plans, (long)(perSecond * seconds), lanes => OpenLoop.RunAsync(lanes, perSecond));
    }
}
