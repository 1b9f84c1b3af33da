using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>
/// Class 5: many payments under one signature, each with an amount and an item id of its own, in the journal when the
/// update is acknowledged. Afterwards a subscriber reads all of them back.
/// </summary>
internal static class BatchedPayments
{
    private const int Peers = 4;
    private const int PaymentsPerUpdate = 1_024;
    private const int Window = 16;
    private const double BarPerSecond = 1_500_000;

    public static async Task RunAsync(Bench bench)
    {
        Site site = await bench.SiteAsync();
        IReadOnlyList<PayingPeer> peers = await site.OpenAsync(Peers, 1);
        ItemPlan items = new(PaymentsPerUpdate);
        TapePlan[] plans = [.. peers.Select(peer => new TapePlan(peer.Stream, peer.Channels, items))];
        static Task PayAsync(IReadOnlyList<Lane> lanes) => ClosedLoop.RunAsync(lanes, frame: 1, Window);

        ulong cursor = await site.Node.ReceivedCursorAsync();
        double reading = 0;
        async Task ReadBackAsync(Measurement part)
        {
            JournalCheck check = new(items, peers.SelectMany(peer => peer.Channels), cursor);
            cursor += (ulong)(part.Updates * PaymentsPerUpdate);
            reading += await check.ReadAsync(site.Node, cursor);
        }

        double expected = BarPerSecond / PaymentsPerUpdate;
        Measurement run = await bench.MeasureAsync(site, plans, expected, PayAsync, bench.Options.CoalescedSeconds, ReadBackAsync);

        string title = $"{Peers} streams, {PaymentsPerUpdate:N0} payments a signature";
        bench.Report.Add("5", title, run, PaymentsPerUpdate);
        double perSecond = run.PerSecond * PaymentsPerUpdate;
        bench.Report.Add(new Bar(
            "5", "payments under one signature, journalled", "at least 1,500,000/s", BarPerSecond, perSecond, "/s", BarPerSecond, AtLeast: true));

        bench.Report.Say($"     a subscriber read all of them back in {reading:N1} s: none missing, none twice, in order");
    }
}
