using System.Globalization;
using System.Text.RegularExpressions;
using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Core;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>
/// Peers that rest or mean harm, as a process of their own: what they allocate and collect must not be taken for the node's
/// time by those who measure beside them.
/// </summary>
internal sealed partial class CrowdProcess : IAsyncDisposable
{
    private const int ConnectingAtATime = 16;

    /// <summary>Its own work would be done on other machines: what the node does for it is measured, and is done at the node's priority.</summary>
    private const string LowestPriority = "19";

    private static readonly TimeSpan ReadyMax = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(500);

    private readonly ChildProcess _process;

    private CrowdProcess(ChildProcess process) => _process = process;

    public static Task<CrowdProcess> StartIdleAsync(PeerContext context, int count) => StartAsync(context, "idle", count);

    public static Task<CrowdProcess> StartHostileAsync(PeerContext context, int count) => StartAsync(context, "hostile", count);

    private static async Task<CrowdProcess> StartAsync(PeerContext context, string kind, int count)
    {
        ChildProcess process = await ChildProcess.StartAsync(
            "the crowd", line => line.StartsWith("ready", StringComparison.Ordinal),
            "nice", "-n", LowestPriority, "dotnet", Path.Combine(AppContext.BaseDirectory, "ChannelNode.Benchmarks.dll"), "crowd", kind,
            count.ToString(CultureInfo.InvariantCulture), context.Url, context.ChainId.ToString(CultureInfo.InvariantCulture),
            context.Contract.ToString());
        await process.WhenReadyAsync(ReadyMax);
        return new CrowdProcess(process);
    }

    /// <summary>Of hostile ones, how often they were thrown out, or went, and came again; of idle ones, how many were ended.</summary>
    public long Count => CountLine().Matches(_process.Output) is { Count: > 0 } lines
        ? long.Parse(lines[^1].Groups[1].Value, CultureInfo.InvariantCulture)
        : 0;

    /// <summary>The process itself, until it is told to stop.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        int count = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        PeerContext context = new(
            arguments[2], ulong.Parse(arguments[3], CultureInfo.InvariantCulture),
            Address.TryParse(arguments[4], out Address contract) ? contract : throw new ArgumentException("no contract"));
        Func<long> counted = arguments[0] == "idle" ? await RestAsync(context, count) : Harm(context, count);
        Console.WriteLine("ready");
        for (long said = 0; ; await Task.Delay(ReportEvery))
        {
            if (counted() is var now && now != said) Console.WriteLine($"counted {said = now}");
        }
    }

    private static async Task<Func<long>> RestAsync(PeerContext context, int count)
    {
        PeerStream[] idle = [.. Enumerable.Range(0, count).Select(_ => new PeerStream(new LoadKey(), context))];
        await Parallel.ForEachAsync(
            idle, new ParallelOptions { MaxDegreeOfParallelism = ConnectingAtATime }, async (stream, _) => await stream.ConnectAsync());
        return () => idle.LongCount(stream => stream.Reading.IsCompleted);
    }

    /// <summary>As many of each kind.</summary>
    private static Func<long> Harm(PeerContext context, int count)
    {
        Hostility[] kinds = Enum.GetValues<Hostility>();
        HostilePeer[] hostile = [.. Enumerable.Range(0, count).Select(number => new HostilePeer(kinds[number % kinds.Length], context))];
        foreach (HostilePeer peer in hostile) _ = Task.Run(peer.RunAsync);
        return () => hostile.Sum(peer => peer.Rounds);
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    [GeneratedRegex("^counted (\\d+)", RegexOptions.Multiline)]
    private static partial Regex CountLine();
}
