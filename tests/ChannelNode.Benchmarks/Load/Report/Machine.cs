using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Rig;

namespace ChannelNode.Benchmarks.Load.Report;

/// <summary>On what, and of which commit, a run was made.</summary>
internal static class Machine
{
    public static void Describe(LoadOptions options, Yardsticks yardsticks, string folder, RunReport report)
    {
        string cpu = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
            ?.Split(':')[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
        string commit = Run("git", "-C", Repository.Root, "rev-parse", "--short=12", "HEAD");
        bool changed = Run("git", "-C", Repository.Root, "status", "--porcelain", "--untracked-files=no") is not ("" or "unknown");
        string disk = Run("stat", "-f", "-c", "%T", folder);
        string date = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
        string load = File.ReadAllText("/proc/loadavg").Split(' ')[0];
        report.Say($"commit {commit}{(changed ? " with changes" : "")}, {date}, {(options.Quick ? "quick" : "full")} mode");
        report.Say($"{Environment.ProcessorCount} x {cpu}, .NET {Environment.Version}, load before the run {load}, database on {disk}");
        report.Say($"node {options.Node ?? "built here"}; flags beside its defaults: {string.Join(' ', NodeUnderTest.Flags)}");
        report.Say(string.Create(
            CultureInfo.InvariantCulture,
            $"V = {yardsticks.VerifiesPerSecond:N0} verifies/s on one core ({yardsticks.VerifyCpuUs:N1} us of CPU each; all cores at once {yardsticks.VerifiesPerSecondAllCores:N0}/s)"));
        report.Say(string.Create(
            CultureInfo.InvariantCulture,
            $"F = {yardsticks.SyncMs:N2} ms for a RocksDB write of 256 bytes with its log synced (p99 {yardsticks.SyncP99Ms:N2}; write and fdatasync of a file {yardsticks.FileSyncMs:N2})"));
        report.Say("");
        report.Write("machine", new
        {
            Commit = commit,
            Changed = changed,
            Date = date,
            options.Quick,
            Cpu = cpu,
            Cores = Environment.ProcessorCount,
            Runtime = Environment.Version.ToString(),
            LoadAverage = load,
            FileSystem = disk,
            Node = options.Node is null ? "built here" : Path.GetFileName(options.Node),
            NodeFlags = NodeUnderTest.Flags,
            yardsticks.VerifiesPerSecond,
            yardsticks.VerifyCpuUs,
            yardsticks.VerifiesPerSecondAllCores,
            yardsticks.SyncMs,
            yardsticks.SyncP99Ms,
            yardsticks.FileSyncMs,
        });
    }

    /// <summary>"unknown" where the tool is missing or fails: a copy of the files without git can be measured too.</summary>
    private static string Run(params string[] command)
    {
        ProcessStartInfo start = new(command[0]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in command[1..]) start.ArgumentList.Add(argument);
        try
        {
            using Process process = Process.Start(start)!;
            string output = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : "unknown";
        }
        catch (Win32Exception)
        {
            return "unknown";
        }
    }
}
