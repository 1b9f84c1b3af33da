using System.Diagnostics;
using System.Runtime.InteropServices;
using ChannelNode.Benchmarks.Load.Classes;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;

namespace ChannelNode.Benchmarks.Load;

/// <summary>Measures the whole: a real chain, the real node as its own process, peers that pay it over gRPC.</summary>
internal static class LoadProgram
{
    private static volatile bool _isAbandoned;

    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        if (LoadOptions.Parse(arguments) is not { } options)
        {
            Console.Error.WriteLine(LoadOptions.Usage);
            return 2;
        }

        using RunReport report = new(options.Json);
        // Beside the program, so on the repository's disk: /tmp is memory on many machines.
        string folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, $"work-{Environment.ProcessId}")).FullName;
        using PosixSignalRegistration interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => Abandon(folder));
        using PosixSignalRegistration terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => Abandon(folder));
        try
        {
            await RunAsync(options, report, folder);
        }
        catch when (_isAbandoned)
        {
            await Task.Delay(Timeout.Infinite); // The end is near.
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        return options.Check && !report.AllMet ? 1 : 0;
    }

    /// <summary>Leaves no process and no file behind.</summary>
    private static void Abandon(string folder)
    {
        _isAbandoned = true;
        ChildProcess.StopAll();
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // The run itself was removing a part of it.
        }

        Environment.Exit(130);
    }

    private static async Task RunAsync(LoadOptions options, RunReport report, string folder)
    {
        long start = Stopwatch.GetTimestamp();
        Yardsticks yardsticks = Yardsticks.Measure(folder, options.Quick);
        Machine.Describe(options, yardsticks, folder, report);
        double cpuUs = 0;
        await using (Anvil anvil = await Anvil.StartAsync(Repository.PathOf("contracts/script/foundry.sh")))
        await using (Bench bench = new(options, report, yardsticks, anvil, folder))
        {
            await RunClassesAsync(bench);
            cpuUs = bench.DistinctCpuUs;
        }

        // A core for each: one process measures its allocations, the other the rivals' speed.
        using Process? rivals = options.Wants("rivals") ? Rivals.Start(options) : null;
        if (options.Wants("11"))
        {
            if (options.Quick) HotPathLook.Run(report);
            else HotPathParts.Run(report, folder);
        }

        if (rivals is not null) await Rivals.ReportAsync(rivals, report, cpuUs);
        report.Conclude();
        report.Say($"     all in {Stopwatch.GetElapsedTime(start).TotalSeconds:N0} s");
    }

    private static async Task RunClassesAsync(Bench bench)
    {
        LoadOptions options = bench.Options;
        DistinctChannels distinct = new(bench);
        if (options.Wants("1") || options.Wants("7") || options.Sweep) await distinct.RunAsync();
        if (options.Wants("3")) await OneInFlight.RunAsync(bench);
        if (options.Wants("4")) await OneChannel.RunAsync(bench);
        if (options.Wants("5")) await BatchedPayments.RunAsync(bench);
        if (options.Wants("6")) await IdleLatency.RunAsync(bench);
        if (options.Wants("7")) await distinct.RunHalfAsync();
        if (options.Wants("10")) await BadNeighbours.RunAsync(bench);
        if (options.Wants("13")) await Crowd.RunAsync(bench);
        if (options.Wants("12")) await StreamedPayments.RunAsync(bench);
        if (options.Wants("8")) await ManyChannels.RunAsync(bench);
        if (options.Wants("9")) await ManyUpdates.RunAsync(bench);
        if (options.Sweep) await new Sweep(bench, distinct).RunAsync();
    }
}
