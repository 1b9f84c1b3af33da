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
    public static void Run(LoadOptions options, RunReport report, string folder)
    {
        Job job = Job.Default.WithToolchain(InProcessEmitToolchain.DontLogOutput)
            .WithWarmupCount(1)
            .WithIterationCount(options.Quick ? 2 : 10)
            .WithIterationTime(TimeInterval.FromMilliseconds(options.Quick ? 100 : 500));
        ManualConfig config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddLogger(NullLogger.Instance)
            .WithArtifactsPath(Path.Combine(folder, "parts"));
        Summary[] summaries = [BenchmarkRunner.Run<UpdateBenchmarks>(config), BenchmarkRunner.Run<FrameBenchmarks>(config)];
        string[] hotPath = [.. UpdateBenchmarks.HotPath, .. FrameBenchmarks.HotPath];
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
