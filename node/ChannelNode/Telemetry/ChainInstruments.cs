using System.Diagnostics.Metrics;
using System.Reflection;
using System.Runtime.InteropServices;
using ChannelNode.Engine;

namespace ChannelNode.Telemetry;

/// <summary>How the chain is followed, what is sent to it, and what stands below: the disk and the program.</summary>
internal static class ChainInstruments
{
    public static void Add(Meter meter, Overview overview)
    {
        AddView(meter, overview);
        AddJobs(meter, overview);
        AddDisk(meter, overview);
        AddProgram(meter, overview);
    }

    private static void AddView(Meter meter, Overview overview)
    {
        ChainView view = overview.View;
        meter.CreateObservableGauge(
            "channelnode.chain.block", () => (long)(view.Cursor?.Number ?? 0), "{block}", "Number of the newest block taken over");
        meter.CreateObservableGauge("channelnode.chain.head", () => (long)view.Head, "{block}", "Number of the newest block seen");
        meter.CreateObservableGauge(
            "channelnode.chain.blocks_behind", () => (long)view.BlocksBehind, "{block}", "Blocks seen and not taken over");
        meter.CreateObservableGauge(
            "channelnode.chain.silence", () => SecondsOrLifetime(overview), "s",
            "Time since the chain was seen and nothing was left to take over; since the start, while that was never so");
        meter.CreateObservableGauge(
            "channelnode.chain.silence.limit", () => (double)overview.Options.ChainSilenceSecondsMax, "s",
            "Silence after which nothing is paid or accepted");
        meter.CreateObservableGauge(
            "channelnode.chain.current", () => view.IsCurrent ? 1 : 0, "{bool}", "1 while the chain is followed closely enough to pay and accept");
        meter.CreateObservableGauge(
            "channelnode.chain.block.age", () => BlockAge(overview), "s", "Age of the newest block taken over, by its own time");
        meter.CreateObservableCounter(
            "channelnode.chain.reorganizations", () => (long)view.Reorganizations.Count, "{reorganization}", "Reorganisations that were followed");
        meter.CreateObservableCounter(
            "channelnode.chain.reorganized_blocks", () => (long)view.Reorganizations.Blocks, "{block}", "Blocks that they took back");
        meter.CreateObservableGauge(
            "channelnode.chain.reorganization.deepest", () => (long)view.Reorganizations.Deepest, "{block}", "Most blocks that one took back, since the start");
        meter.CreateObservableGauge(
            "channelnode.chain.reorganization.limit", () => (long)overview.Options.ReorgDepthMax, "{block}", "Blocks beyond which one stops the node");
    }

    private static double SecondsOrLifetime(Overview overview) =>
        overview.View.SinceCurrent?.TotalSeconds ?? (overview.Clock.NowMs - overview.StartedAtMs) / 1_000.0;

    private static double BlockAge(Overview overview) =>
        overview.View.Cursor is { } block ? Math.Max(0, overview.Clock.NowMs / 1_000.0 - block.TimestampSeconds) : 0;

    private static void AddJobs(Meter meter, Overview overview)
    {
        meter.CreateObservableGauge(
            "channelnode.jobs.pending",
            () => Enum.GetValues<JobKind>().GroupJoin(
                overview.PendingJobs(), kind => kind, pending => pending.Kind,
                (kind, pending) => new Measurement<int>(pending.Sum(it => it.Count), Labels.Of("kind", Labels.Lower(kind)))),
            "{job}", "Transactions under way");
        meter.CreateObservableGauge(
            "channelnode.jobs.oldest.age",
            () => Enum.GetValues<JobKind>().GroupJoin(
                overview.PendingJobs(), kind => kind, pending => pending.Kind,
                (kind, pending) => new Measurement<double>(
                    pending.Sum(it => (double)overview.Clock.NowSeconds - Math.Min(overview.Clock.NowSeconds, it.OldestCreatedAtSeconds)),
                    Labels.Of("kind", Labels.Lower(kind)))),
            "s", "Age of the oldest of them; 0 while there is none");
        meter.CreateObservableGauge(
            "channelnode.jobs.blocked", overview.JobsWithAProblem, "{job}", "Transactions under way that something keeps from going on");
        meter.CreateObservableGauge(
            "channelnode.account.balance",
            () => overview.AccountWei is { } wei ? [new Measurement<double>((double)wei)] : Enumerable.Empty<Measurement<double>>(),
            "{wei}", "What is on the node's own account, as it was seen last, within a minute unless the chain is silent");
        meter.CreateObservableGauge("channelnode.gas.left", () => GasLeft(overview), "{wei}", "Gas that the rest of the day's transactions may burn");
        meter.CreateObservableGauge("channelnode.gas.limit", () => GasLimit(overview), "{wei}", "The same of a day on which nothing was sent yet");
        meter.CreateObservableGauge(
            "channelnode.deadline.time_left",
            () => overview.Deadlines().Select(deadline => new Measurement<double>(
                overview.SecondsLeft(deadline), Labels.Of("kind", Labels.Lower(deadline.Kind)))),
            "s", "Time to the nearest deadline of a kind; nothing while there is none");
    }

    private static IEnumerable<Measurement<double>> GasLeft(Overview overview)
    {
        GasLeft left = overview.GasLeft();
        yield return new((double)left.Ordinary, Labels.Of("kind", "ordinary"));
        yield return new((double)left.Protective, Labels.Of("kind", "protective"));
    }

    private static IEnumerable<Measurement<double>> GasLimit(Overview overview)
    {
        double budget = overview.Options.GasBudgetWeiPerDay;
        yield return new(budget, Labels.Of("kind", "ordinary"));
        yield return new(budget + overview.Options.DisputeReserveWeiPerDay, Labels.Of("kind", "protective"));
    }

    private static void AddDisk(Meter meter, Overview overview)
    {
        meter.CreateObservableGauge("channelnode.store.size", () => (long)overview.Disk().StoreBytes, "By", "What the database takes of the disk");
        meter.CreateObservableGauge(
            "channelnode.journal.size", () => (long)overview.Disk().JournalBytes, "By", "Of it, and in memory, the journal of payments received");
        meter.CreateObservableGauge(
            "channelnode.journal.limit", () => (double)overview.Options.ReceivedBytesMax, "By", "Beyond it, the oldest payments received are let go of");
        meter.CreateObservableGauge("channelnode.disk.free", () => (long)overview.Disk().FreeBytes, "By", "Left of the disk that the database is on");
        meter.CreateObservableGauge("channelnode.disk.size", () => (long)overview.Disk().TotalBytes, "By", "Of that disk");
    }

    private static void AddProgram(Meter meter, Overview overview)
    {
        Measurement<int> build = new(
            1,
            Labels.Of("version", Assembly.GetExecutingAssembly().GetName().Version?.ToString(3) ?? "0"),
            Labels.Of("runtime", RuntimeInformation.FrameworkDescription));
        meter.CreateObservableGauge("channelnode.build_info", () => build, "{build}", "1; which program this is");
        meter.CreateObservableGauge(
            "channelnode.start_time", () => overview.StartedAtMs / 1_000.0, "s", "When it was started, Unix time");
    }
}
