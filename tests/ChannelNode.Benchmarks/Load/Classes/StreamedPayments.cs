using System.Diagnostics;
using System.Globalization;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>
/// Class 12: an application streams payments to a node, which pays another node; each is acknowledged when it is on both
/// disks. Three processes share the machine: there is no bar, for nothing else here is measured like that.
/// </summary>
internal static class StreamedPayments
{
    private const int Channels = 128;
    private const int PaymentsPerMessage = 256;
    private const int Window = 8_192;

    public static async Task RunAsync(Bench bench)
    {
        await using PayingNodes nodes = await PayingNodes.StartAsync(bench, bench.Options.Quick ? 1 : Channels);
        UInt128 paid = UInt128.Zero;
        paid = await RunAsync(bench, nodes, "one channel", nodes.Channels[..1], keyed: false, paid);
        paid = await PaymentsBesideBackups.RunAsync(bench, nodes, paid);
        if (bench.Options.Quick) return;
        paid = await RunAsync(bench, nodes, $"{Channels} channels", nodes.Channels, keyed: false, paid);
        await RunAsync(bench, nodes, "one channel, each with a key", nodes.Channels[..1], keyed: true, paid);
    }

    private static async Task<UInt128> RunAsync(
        Bench bench, PayingNodes nodes, string title, IReadOnlyList<string> channels, bool keyed, UInt128 paid)
    {
        PaymentClient client = new(nodes.Payer.Invoker, channels, PaymentsPerMessage, Window, keyed);
        long messages = await client.RunAsync(TimeSpan.FromSeconds(bench.Options.WarmUpSeconds));
        GC.Collect();
        Reading before = Reading.Now(nodes);
        long measured = await client.RunAsync(TimeSpan.FromSeconds(bench.Options.Seconds));
        Reading after = Reading.Now(nodes);
        paid += (UInt128)(ulong)(messages + measured) * client.AmountPerMessage;
        await nodes.CheckTotalsAsync(paid);
        Report(bench.Report, title, measured * PaymentsPerMessage, client.Latencies, before, after);
        return paid;
    }

    private static void Report(RunReport report, string title, long payments, Latencies latencies, Reading before, Reading after)
    {
        double seconds = Stopwatch.GetElapsedTime(before.At, after.At).TotalSeconds, perSecond = payments / seconds;
        double PerPayment(Func<Reading, double> of) => (of(after) - of(before)) / payments;
        double payerUs = 1e6 * PerPayment(it => it.Payer.CpuSeconds), payeeUs = 1e6 * PerPayment(it => it.Payee.CpuSeconds);
        double clientUs = 1e6 * PerPayment(it => it.Client.CpuSeconds), diskBytes = PerPayment(it => it.PayerDiskBytes);
        double p50 = latencies.PercentileMs(0.5), p99 = latencies.PercentileMs(0.99);
        report.Say(string.Create(
            CultureInfo.InvariantCulture,
            $"  12 client -> node -> node, {title}: {payments:N0} payments in {seconds:N1} s, {perSecond:N0}/s, p50 {p50:N2} ms, p99 {p99:N2} ms; "
            + $"CPU each: payer {payerUs:N2} us, payee {payeeUs:N2} us, client {clientUs:N2} us; payer's disk {diskBytes:N1} B, "
            + $"RSS {after.Payer.ResidentBytes >> 20:N0} MiB"));
        report.Write("streamed", new
        {
            Class = "12",
            Title = title,
            Count = payments,
            Seconds = seconds,
            PerSecond = perSecond,
            P50Ms = p50,
            P99Ms = p99,
            PayerCpuUs = payerUs,
            PayeeCpuUs = payeeUs,
            ClientCpuUs = clientUs,
            PayerDiskBytesEach = diskBytes,
            PayerResidentBytes = after.Payer.ResidentBytes,
        });
        report.Add(Bar.None("12", $"streamed payments, {title}", perSecond, "/s"));
    }

    private readonly record struct Reading(
        long At, ProcessReadings Payer, ProcessReadings Payee, ProcessReadings Client, long PayerDiskBytes)
    {
        public static Reading Now(PayingNodes nodes) => new(
            Stopwatch.GetTimestamp(),
            ProcessReadings.Of(nodes.Payer.ProcessId),
            ProcessReadings.Of(nodes.Payee.ProcessId),
            ProcessReadings.Of(Environment.ProcessId),
            Folders.BytesOf(nodes.Payer.DataFolder));
    }
}
