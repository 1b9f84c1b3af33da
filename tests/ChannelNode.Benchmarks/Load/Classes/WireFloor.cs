using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>
/// What classes 6, 7 and 13 are compared with: the same generator, the same door, the same messages at the same times, and behind the
/// door nothing, or parts of what an update takes (<see cref="EchoWork"/>).
/// </summary>
internal static class WireFloor
{
    /// <summary>Until a new process has compiled better what it does often, on the cores that it needs for that.</summary>
    private const double NewProcessSeconds = 4;

    /// <summary>One message, an answer, a pause if any.</summary>
    public static async Task<Latencies> IdleAsync(Bench bench, EchoWork work, int pauseMs, long count)
    {
        await using EchoServer server = await EchoServer.StartAsync(work);
        using EchoStream stream = new(server.Url);
        foreach (bool isMeasured in (bool[])[false, true])
        {
            double atLeastSeconds = isMeasured ? 0 : WarmUpSeconds(bench, "6");
            stream.Begin(count);
            Before before = Before.Now(server, work);
            for (long sent = 0; isMeasured ? sent < count : before.Seconds < atLeastSeconds; sent++)
            {
                await stream.SendDueAsync([Stopwatch.GetTimestamp()]);
                await stream.WhenAnsweredAsync();
                if (pauseMs > 0) await Task.Delay(pauseMs);
            }

            if (isMeasured) Report(bench, "6", $"{work.Title}, {(pauseMs > 0 ? "at idle" : "none between")}", [stream], server, work, before);
        }

        return stream.Latencies;
    }

    /// <summary>By a schedule, as class 7's.</summary>
    public static async Task<Latencies> PacedAsync(
        Bench bench, string @class, EchoWork work, string title, int streams, double perSecond, double seconds)
    {
        await using EchoServer server = await EchoServer.StartAsync(work);
        EchoStream[] all = [.. Enumerable.Range(0, streams).Select(_ => new EchoStream(server.Url))];
        foreach (bool isMeasured in (bool[])[false, true])
        {
            double wanted = isMeasured ? seconds : WarmUpSeconds(bench, @class);
            foreach (EchoStream stream in all) stream.Begin((long)(perSecond * wanted / streams));
            Before before = Before.Now(server, work);
            await OpenLoop.RunAsync(all, perSecond);
            if (isMeasured) Report(bench, @class, $"{work.Title}, {title}", all, server, work, before);
        }

        foreach (EchoStream stream in all) stream.Dispose();
        return Latencies.Merge([.. all.Select(stream => stream.Latencies)]);
    }

    private static double WarmUpSeconds(Bench bench, string @class) => bench.Options.IsALook(@class)
        ? bench.Options.WarmUpSeconds
        : Math.Max(NewProcessSeconds, bench.Options.WarmUpSeconds);

    private static void Report(
        Bench bench, string @class, string title, IReadOnlyList<EchoStream> streams, EchoServer server, EchoWork work, Before before)
    {
        ProcessReadings after = ProcessReadings.Of(server.ProcessId), ownAfter = ProcessReadings.Of(Environment.ProcessId);
        bench.Report.Add(@class, title, new Measurement(
            streams.Sum(stream => stream.Count),
            before.Seconds,
            Latencies.Merge([.. streams.Select(stream => stream.Latencies)]),
            after.CpuSeconds - before.Server.CpuSeconds,
            ownAfter.CpuSeconds - before.Own.CpuSeconds,
            OtherCpuSeconds: double.NaN, work.DiskBytes - before.DiskBytes, after.WrittenBytes - before.Server.WrittenBytes, after.ResidentBytes));
    }

    private sealed record Before(long At, ProcessReadings Server, ProcessReadings Own, long DiskBytes)
    {
        public double Seconds => Stopwatch.GetElapsedTime(At).TotalSeconds;

        public static Before Now(EchoServer server, EchoWork work)
        {
            long disk = work.DiskBytes;
            ProcessReadings its = ProcessReadings.Of(server.ProcessId), own = ProcessReadings.Of(Environment.ProcessId);
            return new Before(Stopwatch.GetTimestamp(), its, own, disk);
        }
    }
}
