using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Measuring;

/// <summary>One run over prepared tapes, from its first update to its last acknowledgement.</summary>
internal sealed record Measurement(
    long Updates, double Seconds, Latencies Latencies, double NodeCpuSeconds, double OwnCpuSeconds,
    double OtherCpuSeconds, long DiskBytes, long WrittenBytes, long ResidentBytes)
{
    public double PerSecond => Updates / Seconds;

    /// <summary>Share of all cores that neither the node nor the load had: other work, or a host that took it away.</summary>
    public double OtherShare => OtherCpuSeconds / (Seconds * Environment.ProcessorCount);

    public double NodeCpuUs => NodeCpuSeconds / Updates * 1e6;

    /// <summary>Several runs, one after the other, as one.</summary>
    public static Measurement Sum(IReadOnlyList<Measurement> runs) => new(
        runs.Sum(run => run.Updates),
        runs.Sum(run => run.Seconds),
        Measuring.Latencies.Merge([.. runs.Select(run => run.Latencies)]),
        runs.Sum(run => run.NodeCpuSeconds),
        runs.Sum(run => run.OwnCpuSeconds),
        runs.Sum(run => run.OtherCpuSeconds),
        runs.Sum(run => run.DiskBytes),
        runs.Sum(run => run.WrittenBytes),
        runs.Max(run => run.ResidentBytes));

    /// <summary>Runs the load; afterwards everything on the lanes' tapes must be acknowledged.</summary>
    public static async Task<Measurement> TakeAsync(
        NodeUnderTest node, IReadOnlyList<Lane> lanes, IReadOnlyList<Latencies> latencies, Func<Task> load, double secondsMax)
    {
        GC.Collect(); // What was left by preparing is not to be collected while the clock runs.
        long disk = Folders.BytesOf(node.DataFolder);
        ProcessReadings before = ProcessReadings.Of(node.ProcessId), own = ProcessReadings.Of(Environment.ProcessId);
        MachineReadings machine = MachineReadings.Now();
        long start = Stopwatch.GetTimestamp();
        await load().WaitAsync(TimeSpan.FromSeconds(secondsMax));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        ProcessReadings after = ProcessReadings.Of(node.ProcessId), ownAfter = ProcessReadings.Of(Environment.ProcessId);
        MachineReadings machineAfter = MachineReadings.Now();
        double nodeCpu = after.CpuSeconds - before.CpuSeconds, ownCpu = ownAfter.CpuSeconds - own.CpuSeconds;
        double others = machineAfter.BusySeconds - machine.BusySeconds - nodeCpu - ownCpu
            + machineAfter.StolenSeconds - machine.StolenSeconds;
        if (!lanes.All(lane => lane.IsDone)) throw new InvalidOperationException("the run ended before all was acknowledged");
        return new Measurement(
            lanes.Sum(lane => lane.Tape.Count),
            seconds,
            Measuring.Latencies.Merge(latencies),
            nodeCpu,
            ownCpu,
            Math.Max(0, others),
            Folders.BytesOf(node.DataFolder) - disk,
            after.WrittenBytes - before.WrittenBytes,
            after.ResidentBytes);
    }
}
