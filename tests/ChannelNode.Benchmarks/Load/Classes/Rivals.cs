using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ChannelNode.Benchmarks.Load.Report;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>What a user would pick instead, from npm, per core; in memory, while the node's figure is durable.</summary>
internal static class Rivals
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Its output is small and waits in the pipe.</summary>
    public static Process Start(LoadOptions options)
    {
        string seconds = options.Quick ? "1" : "10";
        ProcessStartInfo start = new("node") { RedirectStandardOutput = true };
        start.ArgumentList.Add(Repository.PathOf("tests/ChannelNode.Benchmarks/js/rivals.mjs"));
        start.ArgumentList.Add(seconds);
        return Process.Start(start)!;
    }

    /// <summary><paramref name="nodeCpuUs"/>: the node's CPU for each update of class 1; 0 where that was not measured.</summary>
    public static async Task ReportAsync(Process process, RunReport report, double nodeCpuUs)
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            Rival rival = JsonSerializer.Deserialize<Rival>(line, Json)!;
            string ratio = nodeCpuUs == 0
                ? ""
                : string.Create(CultureInfo.InvariantCulture, $"; this node, durable: {1e6 / nodeCpuUs:N0}, {1e6 / nodeCpuUs / rival.PerSecond:N0} times as many");
            report.Say(string.Create(
                CultureInfo.InvariantCulture, $"     {rival.Package}: {rival.PerSecond:N0} updates/s for each core, in memory{ratio}"));
            report.Write("rival", new { rival.Name, rival.Package, PerSecondAndCore = rival.PerSecond });
        }

        await process.WaitForExitAsync();
        if (process.ExitCode != 0) throw new InvalidOperationException("the comparison failed: is npm ci done in its folder?");
    }

    private sealed record Rival(string Name, double PerSecond, string Package);
}
