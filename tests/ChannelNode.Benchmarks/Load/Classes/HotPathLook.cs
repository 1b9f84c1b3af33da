using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Report;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>
/// Class 11 in a quick look: the same parts as <see cref="HotPathParts"/>, and what the runtime counts of this thread's
/// allocations, instead of BenchmarkDotNet, which takes three seconds and more to begin with each.
/// </summary>
internal sealed class HotPathLook(RunReport report)
{
    private const int WarmUps = 2;

    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(100);

    /// <summary>The runtime compiles better what is hot only when nothing new has run for a while, and then again.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(150);

    private static readonly TimeSpan Time = TimeSpan.FromMilliseconds(300);

    private bool _done;

    public static void Run(RunReport report)
    {
        HotPathLook look = new(report);
        UpdateBenchmarks updates = new();
        updates.Setup();
        look.Measure(nameof(updates.Verify), 1, () => look._done = updates.Verify());
        look.Measure(nameof(updates.Accept), 1, () => look._done = updates.Accept() == Core.Refusal.None);
        FrameBenchmarks frames = new();
        frames.Setup();
        look.Measure(nameof(frames.DistinctChannels), FrameBenchmarks.Updates, () => look._done = frames.DistinctChannels() == FrameBenchmarks.Updates);
        look.Measure(nameof(frames.OneChannel), FrameBenchmarks.Updates, () => look._done = frames.OneChannel() == 1);
        frames.Cleanup();
    }

    private void Measure(string name, int updatesEach, Action part)
    {
        for (int round = 0; round < WarmUps; round++)
        {
            Repeat(part, WarmUp);
            Thread.Sleep(Pause);
        }

        if (!_done) throw new InvalidOperationException($"{name} refuses its own updates");
        long before = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
        long updates = Repeat(part, Time) * updatesEach;
        double nanoseconds = Stopwatch.GetElapsedTime(start).TotalNanoseconds / updates;
        double bytes = (double)(GC.GetAllocatedBytesForCurrentThread() - before) / updates;
        HotPathParts.Report(report, name, nanoseconds, bytes, isHot: true);
    }

    private static long Repeat(Action part, TimeSpan time)
    {
        const int before = 32; // As many between two looks at the clock.
        long start = Stopwatch.GetTimestamp(), count = 0;
        for (; Stopwatch.GetElapsedTime(start) < time; count += before)
        {
            for (int index = 0; index < before; index++) part();
        }

        return count;
    }
}
