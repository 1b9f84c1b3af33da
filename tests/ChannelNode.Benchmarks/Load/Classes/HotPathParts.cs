using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Filters;
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
    public static void Run(LoadOptions options, RunReport report, string folder)
    {
        // BenchmarkDotNet itself allocates some 5 kB while it measures: only of 10,000 updates and more nothing is left of them.
        Job job = Job.Default.WithToolchain(InProcessEmitToolchain.DontLogOutput)
            .WithWarmupCount(1)
            .WithEvaluateOverhead(false)
            .WithIterationCount(options.Quick ? 1 : 10)
            .WithIterationTime(TimeInterval.FromMilliseconds(options.Quick ? 500 : 1_000));
        string[] hotPath = [.. UpdateBenchmarks.HotPath, .. FrameBenchmarks.HotPath];
        ManualConfig config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddLogger(NullLogger.Instance)
            .AddFilter(new NameFilter(name => !options.Quick || hotPath.Contains(name)))
            .WithArtifactsPath(Path.Combine(folder, "parts"));
        Summary[] summaries = [BenchmarkRunner.Run<UpdateBenchmarks>(config), BenchmarkRunner.Run<FrameBenchmarks>(config)];
        foreach (BenchmarkReport part in summaries.SelectMany(summary => summary.Reports))
        {
            string name = part.BenchmarkCase.Descriptor.WorkloadMethod.Name;
            double nanoseconds = part.ResultStatistics?.Median ?? double.NaN;
            long bytes = part.GcStats.GetBytesAllocatedPerOperation(part.BenchmarkCase) ?? -1;
            report.Say($"  11 {name,-38} {nanoseconds,12:N0} ns   {bytes,6:N0} bytes allocated");
            report.Write("part", new { Class = "11", Name = name, Nanoseconds = nanoseconds, AllocatedBytes = bytes });
            if (!hotPath.Contains(name)) continue;
            report.Add(new Bar(
                "11", $"{name}: allocated for each update", "0 bytes", 0, bytes < 0 ? double.NaN : bytes, "bytes", 1, AtLeast: false));
        }
    }
}
