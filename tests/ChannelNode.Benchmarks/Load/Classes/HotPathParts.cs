using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using ChannelNode.Benchmarks.Load.Report;
using Perfolizer.Horology;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>Class 11: what the parts of the hot path allocate, by BenchmarkDotNet in this process.</summary>
internal static class HotPathParts
{
    public static void Run(RunReport report, string folder)
    {
        // BenchmarkDotNet itself allocates some 5 kB while it measures: only of 10,000 updates and more nothing is left of them.
        Job job = Job.Default.WithToolchain(InProcessEmitToolchain.DontLogOutput)
            .WithWarmupCount(1)
            .WithEvaluateOverhead(false)
            .WithIterationCount(10)
            .WithIterationTime(TimeInterval.FromMilliseconds(1_000));
        string[] hotPath = [.. UpdateBenchmarks.HotPath, .. FrameBenchmarks.HotPath];
        ManualConfig config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddLogger(NullLogger.Instance)
            .WithArtifactsPath(Path.Combine(folder, "parts"));
        Summary[] summaries = [BenchmarkRunner.Run<UpdateBenchmarks>(config), BenchmarkRunner.Run<FrameBenchmarks>(config)];
        foreach (BenchmarkReport part in summaries.SelectMany(summary => summary.Reports))
        {
            string name = part.BenchmarkCase.Descriptor.WorkloadMethod.Name;
            double nanoseconds = part.ResultStatistics?.Median ?? double.NaN;
            double bytes = part.GcStats.GetBytesAllocatedPerOperation(part.BenchmarkCase) ?? double.NaN;
            Report(report, name, nanoseconds, bytes, hotPath.Contains(name));
        }
    }

    /// <summary>Nanoseconds and bytes are those of one update.</summary>
    public static void Report(RunReport report, string name, double nanoseconds, double bytes, bool isHot)
    {
        report.Say(string.Create(
            CultureInfo.InvariantCulture, $"  11 {name,-38} {nanoseconds,12:N0} ns   {bytes,6:0.###} bytes allocated"));
        report.Write("part", new { Class = "11", Name = name, Nanoseconds = nanoseconds, AllocatedBytes = bytes });
        if (!isHot) return;
        report.Add(new Bar("11", $"{name}: allocated for each update", "0 bytes", 0, bytes, "bytes", 1, AtLeast: false));
    }
}
