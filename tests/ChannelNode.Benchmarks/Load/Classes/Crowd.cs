using System.Globalization;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>
/// Class 13: what an honest peer at a modest rate notices of a thousand sessions that rest and of a hundred peers that mean
/// harm, what memory they cost the node, and whether it is as fast as before when they are gone. No limit of the node is
/// raised for it.
/// </summary>
internal sealed class Crowd(Bench bench)
{
    private const int Idle = 1_000;
    private const int Hostile = 100;
    private const int HonestChannels = 32;
    private const double HonestPerSecond = 400;
    private const double FullRateSecondsMax = 5;
    private const double ResidentBytesMax = 500 << 20;

    public static Task RunAsync(Bench bench) => new Crowd(bench).MeasureAsync();

    private async Task MeasureAsync()
    {
        await using Site site = await bench.NewSiteAsync();
        PayingPeer honest = (await site.OpenAsync(1, HonestChannels))[0];
        await PayAsync(site, honest, bench.Options.WarmUpSeconds);
        await FullRateAsync(site, honest);
        Measurement alone = await PayAsync(site, honest, bench.Options.Seconds);
        double before = await FullRateAsync(site, honest);
        double wireAlone = await WireMsAsync("with nobody else");

        await using CrowdProcess idle = await CrowdProcess.StartIdleAsync(site.Context, Idle);
        Measurement amongIdle = await PayAsync(site, honest, bench.Options.Seconds);
        await using CrowdProcess hostile = await CrowdProcess.StartHostileAsync(site.Context, Hostile);
        await PayAsync(site, honest, bench.Options.WarmUpSeconds); // They have come, each at its own time.
        long rounds = hostile.Count;
        Measurement among = await PayAsync(site, honest, bench.Options.Seconds);
        rounds = hostile.Count - rounds;
        double wireAmong = await WireMsAsync("beside all of them");
        await hostile.DisposeAsync();

        long peak = ProcessReadings.PeakResidentBytesOf(site.Node.ProcessId);
        if (idle.Count > 0) throw new InvalidDataException($"{idle.Count} of {Idle} idle sessions were ended");
        await idle.DisposeAsync();
        double after = await FullRateAsync(site, honest);
        Measurement aloneAgain = await PayAsync(site, honest, bench.Options.Seconds);
        bench.Report.Add("13", "an honest peer by itself", alone);
        bench.Report.Add("13", $"among {Idle:N0} idle peers", amongIdle);
        bench.Report.Add("13", $"and {Hostile} hostile ones", among);
        bench.Report.Add("13", "by itself again, when they are gone", aloneAgain);
        bench.Report.Say(
            $"     meanwhile the hostile ones were thrown out, or went, and came again {rounds / among.Seconds:N0} times a second; "
            + $"at full rate {before:N0} updates/s before, {after:N0} after");
        // Before and after: by itself the same figure differs by more than a half from one minute to the next.
        Report(
            Latencies.Merge([alone.Latencies, aloneAgain.Latencies]).PercentileMs(0.99), among.Latencies.PercentileMs(0.99),
            string.Create(CultureInfo.InvariantCulture, $"the wire alone takes {wireAmong:N2} ms, {wireAlone:N2} without them"), peak, after / before);
    }

    /// <summary>What the crowd, whose own work needs the same cores, costs who sends messages like an honest peer's to another server.</summary>
    private async Task<double> WireMsAsync(string title) =>
        (await WireFloor.PacedAsync(bench, "13", new EchoWork(), title, 1, HonestPerSecond, bench.Options.Seconds)).PercentileMs(0.99);

    private void Report(double aloneMs, double amongMs, string wire, long peak, double afterToBefore)
    {
        string crowd = $"{Idle:N0} idle and {Hostile} hostile peers";
        bench.Report.Add(new Bar(
            "13", $"memory with {crowd}", "below 500 MiB", ResidentBytesMax, peak, "bytes", ResidentBytesMax, AtLeast: false));
        bench.Report.Add(new Bar(
            "13", "an honest peer's p99 among them", "less than 2 x its own", 2 * aloneMs, amongMs, "ms", aloneMs, AtLeast: false)
        {
            Beside = wire,
        });
        bench.Report.Add(Bar.None("13", "its full rate when they are gone, to that before", afterToBefore, ""));
    }

    private Task<Measurement> PayAsync(Site site, PayingPeer honest, double seconds) => bench.RunAsync(
        site,
        [new TapePlan(honest.Stream, honest.Channels, ItemPlan.OnePayment)],
        (long)(HonestPerSecond * seconds),
        lanes => OpenLoop.RunAsync(lanes, HonestPerSecond));

    /// <summary>As many updates as the node should verify in the time, one waiting in each channel.</summary>
    private async Task<double> FullRateAsync(Site site, PayingPeer honest) => (await bench.RunAsync(
        site,
        [new TapePlan(honest.Stream, honest.Channels, ItemPlan.OnePayment)],
        (long)(bench.Yardsticks.VerifiesPerSecond * Math.Min(FullRateSecondsMax, bench.Options.Seconds)),
        lanes => ClosedLoop.RunAsync(lanes, HonestChannels, HonestChannels))).PerSecond;
}
