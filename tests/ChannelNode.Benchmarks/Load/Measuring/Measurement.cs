using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Measuring;

/// <summary>One run over prepared tapes, from its first update to its last acknowledgement.</summary>
internal sealed record Measurement(
    long Updates, double Seconds, Latencies Latencies, double NodeCpuSeconds, double OwnCpuSeconds,
    long DiskBytes, long WrittenBytes, long ResidentBytes)
{
    public double PerSecond => Updates / Seconds;

    public double NodeCpuUs => NodeCpuSeconds / Updates * 1e6;

    /// <summary>Runs the load; afterwards everything on the lanes' tapes must be acknowledged.</summary>
    public static async Task<Measurement> TakeAsync(
        NodeUnderTest node, IReadOnlyList<Lane> lanes, IReadOnlyList<Latencies> latencies, Func<Task> load, double secondsMax)
    {
        GC.Collect();
        long disk = Folders.BytesOf(node.DataFolder);
        ProcessReadings before = ProcessReadings.Of(node.ProcessId), own = ProcessReadings.Of(Environment.ProcessId);
        long start = Stopwatch.GetTimestamp();
        await load().WaitAsync(TimeSpan.FromSeconds(secondsMax));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        ProcessReadings after = ProcessReadings.Of(node.ProcessId), ownAfter = ProcessReadings.Of(Environment.ProcessId);
        if (!lanes.All(lane => lane.IsDone)) throw new InvalidOperationException("the run ended before all was acknowledged");
        return new Measurement(
            lanes.Sum(lane => lane.Tape.Count),
            seconds,
            Latencies.Merge(latencies),
            after.CpuSeconds - before.CpuSeconds,
            ownAfter.CpuSeconds - own.CpuSeconds,
            Folders.BytesOf(node.DataFolder) - disk,
            after.WrittenBytes - before.WrittenBytes,
            after.ResidentBytes);
    }
}
