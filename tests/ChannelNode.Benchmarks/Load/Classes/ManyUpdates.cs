using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>
/// Class 9: does the database grow with the updates, or only with channels and what the journal keeps? A node of its
/// own takes a great number of them over 1,000 channels (200 in a quick look), and its folder is looked at on the way.
/// </summary>
internal static class ManyUpdates
{
    private const int Peers = 10;
    private const int Looks = 10;
    private const int Burst = 256;

    /// <summary>What this class lets the journal take; the smallest that the node allows, so that the bound shows early.</summary>
    private const long JournalBytesMax = 64L << 20;

    /// <summary>The write-ahead log and the memtables on their way, as the node has them.</summary>
    private const long LogBytesMax = 352L << 20;

    private const long ChannelBytesMax = 1_000;

    public static async Task RunAsync(Bench bench)
    {
        await using Site site = await bench.NewSiteAsync("--received-bytes-max", $"{JournalBytesMax}");
        IReadOnlyList<PayingPeer> peers = await site.OpenAsync(Peers, bench.Options.Quick ? 20 : 100);
        // Each channel a lane of its own, so that its updates wait together.
        TapePlan[] plans =
        [
            .. peers.SelectMany(peer => peer.Channels.Select(channel => new TapePlan(peer.Stream, [channel], ItemPlan.OnePayment))),
        ];
        long updates = bench.Options.Quick ? 250_000 : 100_000_000;
        List<long> sizes = [];
        double seconds = 0, cpuSeconds = 0;
        for (int look = 0; look < Looks; look++)
        {
            Measurement part = await bench.RunAsync(
                site, plans, updates / Looks, lanes => ClosedLoop.RunAsync(lanes, Burst, 4 * Burst), timed: false);
            seconds += part.Seconds;
            cpuSeconds += part.NodeCpuSeconds;
            sizes.Add(Folders.BytesOf(site.Node.DataFolder));
        }

        long limit = JournalBytesMax + (plans.Length * ChannelBytesMax) + LogBytesMax;
        bench.Report.Say(
            $"   9 {updates:N0} updates over {plans.Length:N0} channels in {seconds:N0} s ({updates / seconds:N0}/s, node {cpuSeconds / updates * 1e6:N2} us each); "
            + $"database, MiB, after each tenth: {string.Join(' ', sizes.Select(size => size >> 20))}");
        bench.Report.Write("growth", new { Class = "9", Updates = updates, Channels = plans.Length, Seconds = seconds, Bytes = sizes });
        bench.Report.Add(new Bar(
            "9", $"{updates:N0} updates, {plans.Length:N0} channels: database", "journal kept + channels + log", limit, sizes.Max(), "bytes", limit, AtLeast: false));
    }
}
