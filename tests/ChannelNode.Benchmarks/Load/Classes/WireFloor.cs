using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>
/// What classes 6, 7 and 13 could come to at best: the same generator, the same door, the same messages at the same times,
/// and behind the door nothing, or the least that an update takes (<see cref="EchoWork"/>).
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
            long messages = isMeasured ? count : count / 2;
            stream.Begin(messages);
            ProcessReadings before = ProcessReadings.Of(server.ProcessId), own = ProcessReadings.Of(Environment.ProcessId);
            long start = Stopwatch.GetTimestamp();
            for (long sent = 1; sent <= messages; sent++)
            {
                await stream.SendDueAsync([Stopwatch.GetTimestamp()]);
                await stream.WhenAnsweredAsync();
                if (pauseMs > 0) await Task.Delay(pauseMs);
            }

            if (isMeasured) Report(bench, "6", $"{work.Title}, {(pauseMs > 0 ? "at idle" : "none between")}", [stream], start, server, before, own);
        }

        return stream.Latencies;
    }

    /// <summary>By a schedule, as class 7's.</summary>
    public static async Task<Latencies> PacedAsync(
        Bench bench, string @class, EchoWork work, string title, int streams, double perSecond, double seconds)
    {
        await using EchoServer server = await EchoServer.StartAsync(work);
        EchoStream[] all = [.. Enumerable.Range(0, streams).Select(_ => new EchoStream(server.Url))];
        double warmUp = bench.Options.IsALook(@class) ? bench.Options.WarmUpSeconds : Math.Max(NewProcessSeconds, bench.Options.WarmUpSeconds);
        foreach (bool isMeasured in (bool[])[false, true])
        {
            double wanted = isMeasured ? seconds : warmUp;
            foreach (EchoStream stream in all) stream.Begin((long)(perSecond * wanted / streams));
            ProcessReadings before = ProcessReadings.Of(server.ProcessId), own = ProcessReadings.Of(Environment.ProcessId);
            long start = Stopwatch.GetTimestamp();
            await OpenLoop.RunAsync(all, perSecond);
            if (isMeasured) Report(bench, @class, $"{work.Title}, {title}", all, start, server, before, own);
        }

        foreach (EchoStream stream in all) stream.Dispose();
        return Latencies.Merge([.. all.Select(stream => stream.Latencies)]);
    }

    private static void Report(
        Bench bench, string @class, string title, IReadOnlyList<EchoStream> streams, long start, EchoServer server,
        ProcessReadings before, ProcessReadings own)
    {
        ProcessReadings after = ProcessReadings.Of(server.ProcessId), ownAfter = ProcessReadings.Of(Environment.ProcessId);
        bench.Report.Add(@class, title, new Measurement(
            streams.Sum(stream => stream.Count),
            Stopwatch.GetElapsedTime(start).TotalSeconds,
            Latencies.Merge([.. streams.Select(stream => stream.Latencies)]),
            after.CpuSeconds - before.CpuSeconds,
            ownAfter.CpuSeconds - own.CpuSeconds,
            OtherCpuSeconds: double.NaN, DiskBytes: 0, WrittenBytes: 0, after.ResidentBytes));
    }
}
