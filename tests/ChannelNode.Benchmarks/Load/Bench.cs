using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Signing;

namespace ChannelNode.Benchmarks.Load;

/// <summary>What the classes of one run share.</summary>
internal sealed class Bench(LoadOptions options, RunReport report, Yardsticks yardsticks, Anvil anvil, string folder) : IAsyncDisposable
{
    /// <summary>Of all tapes of a run together.</summary>
    private const long TapeBytesMax = 3L << 29;

    private Site? _site;
    private int _folders;

    public LoadOptions Options => options;

    public RunReport Report => report;

    public Yardsticks Yardsticks => yardsticks;

    public Anvil Anvil => anvil;

    /// <summary>Updates a second of class 1, for those that are measured at a part of it.</summary>
    public double DistinctPerSecond { get; set; }

    /// <summary>And the node's CPU for each, microseconds.</summary>
    public double DistinctCpuUs { get; set; }

    /// <summary>The node of the classes that need none of their own.</summary>
    public async Task<Site> SiteAsync() => _site ??= await NewSiteAsync();

    /// <summary>A node with an empty database; the caller ends it.</summary>
    public async Task<Site> NewSiteAsync(params string[] moreFlags) => await Site.StartAsync(await NewNodeAsync(), anvil, moreFlags);

    /// <summary>One that does not run yet.</summary>
    public Task<NodeUnderTest> NewNodeAsync() =>
        NodeUnderTest.CreateAsync(options.Node ?? NodeUnderTest.BuiltHere, NewFolder(), anvil);

    public string NewFolder() => Path.Combine(folder, $"node-{++_folders}");

    /// <summary>
    /// A warm-up as long as it takes to know the rate, drained; then tapes of as many updates as the node should manage
    /// in the wanted time, and the clock from the first update to the last acknowledgement. Where that is more than
    /// memory should hold it is several such runs, each drained, and the clock stands in between.
    /// </summary>
    public async Task<Measurement> MeasureAsync(
        Site site, IReadOnlyList<TapePlan> plans, double expectedPerSecond, Func<IReadOnlyList<Lane>, Task> load,
        double? runSeconds = null, Func<Measurement, Task>? afterEach = null)
    {
        double inAll = runSeconds ?? options.Seconds;
        Measurement warmUp = await RunAsync(site, plans, (long)(expectedPerSecond * options.WarmUpSeconds), load);
        if (afterEach is not null) await afterEach(warmUp);
        double wanted = warmUp.PerSecond * inAll;
        long most = TapeBytesMax / plans[0].Bytes;
        List<Measurement> runs = [];
        for (double seconds = 0; seconds < 0.9 * inAll; seconds = runs.Sum(run => run.Seconds))
        {
            runs.Add(await RunAsync(site, plans, (long)Math.Min(most, wanted), load));
            wanted = runs[^1].PerSecond * Math.Max(0.2 * inAll, inAll - seconds - runs[^1].Seconds);
            if (afterEach is not null) await afterEach(runs[^1]);
        }

        return Measurement.Sum(runs);
    }

    /// <summary>Tapes of <paramref name="updates"/> in all, then the load over them; the node's totals are checked after it.</summary>
    public async Task<Measurement> RunAsync(
        Site site, IReadOnlyList<TapePlan> plans, long updates, Func<IReadOnlyList<Lane>, Task> load, bool timed = true)
    {
        Dictionary<PeerStream, Latencies> latencies = [];
        List<Lane> lanes = [];
        TypedData typed = site.Context.Typed;
        try
        {
            foreach (TapePlan plan in plans)
            {
                if (!latencies.TryGetValue(plan.Stream, out Latencies? times)) latencies[plan.Stream] = times = new Latencies();
                lanes.Add(new Lane(plan.Stream, plan.Make(updates / plans.Count, typed), timed ? times : null));
            }

            Measurement run = await Measurement.TakeAsync(
                site.Node, lanes, [.. latencies.Values], () => load(lanes), 120 + (10 * options.Seconds));
            await site.CheckTotalsAsync(plans.SelectMany(plan => plan.Channels));
            return run;
        }
        finally
        {
            foreach (Lane lane in lanes) lane.Tape.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_site is not null) await _site.DisposeAsync();
    }
}

/// <summary>The channels of one lane and what each of its updates carries.</summary>
internal sealed record TapePlan(PeerStream Stream, IReadOnlyList<PaidChannel> Channels, ItemPlan Items)
{
    /// <summary>Of one update on the wire, about.</summary>
    public int Bytes => 150 + Items.FieldBytes;

    /// <summary>Whole rounds, at least one.</summary>
    public Tape Make(long updates, TypedData typed) =>
        new(Channels, Math.Max(1, updates / Channels.Count) * Channels.Count, typed, Items);
}
