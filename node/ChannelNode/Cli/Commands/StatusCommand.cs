using ChannelNode.Proto.V1;
using Spectre.Console;
using Plural = ChannelNode.Engine.Plural;

namespace ChannelNode.Cli;

/// <summary>status</summary>
internal static class StatusCommand
{
    public static CliCommand Create(CommandShell shell) =>
        shell.Asks(
            new CliCommand(
                "status", "Shows how a node stands, on one screen: chain, channels, money, deadlines, transactions, peers, alarms.",
                "channelnode status\nchannelnode status --json"),
            async (parsed, node, terminal, cancel) =>
            {
                GetStatusResponse status = await node.Client.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancel);
                if (terminal.Json) terminal.Document(status);
                else await ShowAsync(status, shell.UnitsOf(parsed, node), terminal, cancel);
                return ExitCode.Done;
            });

    private static async Task ShowAsync(GetStatusResponse status, TokenUnits units, Terminal terminal, CancellationToken cancel)
    {
        terminal.Show(Views.Fields([.. Fields(status)]));
        await ShowChannelsAsync(status, units, terminal, cancel);
        ShowJobs(status, terminal);
        ShowWatchtowers(status, terminal);
        ShowWebhooks(status, terminal);
        await ShowAlarmsAsync(status, units, terminal, cancel);
    }

    private static IEnumerable<(string, string)> Fields(GetStatusResponse status)
    {
        Counts counts = status.Counts;
        yield return ("node", $"{status.Signer}, version {status.Version}, up for {Span(status.NowMs - status.StartedAtMs)}");
        if (status.ExternalSigner is { } signer) yield return ("signer", Signer(signer));
        yield return ("chain", Chain(status.Chain, status.NowMs));
        yield return ("peers", $"{status.PeersConnected} connected of {status.PeersKnown} known");
        yield return ("payments", $"received {counts.PaymentsReceived}, sent {counts.PaymentsPaid}, under way {counts.PaymentsUnderWay}, "
            + $"refused {Sum(counts.PaymentsRefused)}");
        yield return ("peers' updates", $"accepted {counts.UpdatesAccepted}, coalesced {counts.UpdatesCoalesced}, "
            + $"refused {Sum(counts.UpdatesRefused)}");
        foreach (Deadline deadline in status.Deadlines) yield return Line(deadline);
        yield return ("account", status.Gas.AccountWei.Length == 0 ? "not seen yet" : Ether(status.Gas.AccountWei));
        yield return ("gas left today", $"{Ether(status.Gas.LeftWei)} of {Ether(status.Gas.LimitWei)}; for disputes "
            + $"{Ether(status.Gas.ProtectiveLeftWei)} of {Ether(status.Gas.ProtectiveLimitWei)}");
        yield return ("disk", $"database {Bytes(status.Disk.StoreBytes)}, of it payments received {Bytes(status.Disk.JournalBytes)}; "
            + $"free {Bytes(status.Disk.FreeBytes)} of {Bytes(status.Disk.SizeBytes)}"
            + (status.Disk.Low ? ", LESS THAN --disk-reserve: nothing is paid, accepted or opened" : ""));
        yield return ("last 24 hours", $"{Plural.Of(status.Alarms.Alarms, "alarm")}, {Plural.Of(status.Alarms.Warnings, "warning")}");
    }

    private static string Chain(ChainStatus chain, long nowMs)
    {
        ulong behind = chain.HeadNumber - Math.Min(chain.HeadNumber, chain.BlockNumber);
        long ageMs = Math.Max(0, nowMs - (long)chain.BlockTimeSeconds * 1_000);
        string state = chain switch
        {
            { Current: true, HasAwayMs: true } =>
                $"NO ANSWER for {Span((long)chain.AwayMs)} ({chain.Problem}); {Until(chain)}",
            { Current: true } => chain.SilentMs < 1_000 ? "followed" : $"followed, heard {Span((long)chain.SilentMs)} ago",
            { HasSilentMs: true } => $"SILENT for {Span((long)chain.SilentMs)}: nothing is paid or accepted{Why(chain)}",
            _ => $"CATCHING UP: nothing is paid or accepted{Why(chain)}",
        };
        string reorganized = chain.Reorganizations == 0 ? ""
            : $", reorganised {Plural.Of(chain.Reorganizations, "time")}, by {Plural.Of(chain.DeepestReorganization, "block")} at most";
        return $"{chain.ChainId}, block {chain.BlockNumber}, {Span(ageMs)} old, {behind} behind, {state}{reorganized}";
    }

    /// <summary>What is seen of a chain may count for a while longer.</summary>
    private static string Until(ChainStatus chain) => chain.SilentMs < chain.SilentMsMax
        ? $"if that lasts {Span((long)(chain.SilentMsMax - chain.SilentMs))} more, nothing is paid or accepted"
        : "nothing is paid or accepted";

    private static string Why(ChainStatus chain) => chain.Problem.Length == 0 ? "" : $" ({chain.Problem})";

    private static string Signer(SignerStatus signer)
    {
        string state = signer.Reachable ? "signs"
            : $"AWAY for {Span((long)signer.AwayMs)}: nothing is paid, no dispute can be signed ({signer.Problem})";
        return $"{signer.Url}, {state}; answered {signer.Answered}, failed {signer.Failed}";
    }

    private static (string, string) Line(Deadline deadline) => deadline.Kind switch
    {
        DeadlineKind.Protection => ("TO DISPUTE OR CLAIM", $"{Left(deadline)}, channel {deadline.ChannelId}"),
        DeadlineKind.Window => ("next window ends", $"{Left(deadline)}, channel {deadline.ChannelId}"),
        _ => ("next job ends", $"{Left(deadline)}, job {deadline.JobNumber}"),
    };

    private static string Left(Deadline deadline) =>
        deadline.SecondsLeft == 0 ? "over" : $"in {Span((long)deadline.SecondsLeft * 1_000)}";

    private static string Ether(string wei) => TokenUnit.Ether.Show(wei);

    private static async Task ShowChannelsAsync(
        GetStatusResponse status, TokenUnits units, Terminal terminal, CancellationToken cancel)
    {
        if (status.Channels.Count == 0)
        {
            terminal.Line("no channels");
            return;
        }

        string[] heads = ["token", "channels", "#number", "#we can send", "#they can send", "#at risk", "#not credited yet"];
        List<string[]> rows = [];
        foreach (ChannelTotals totals in status.Channels)
        {
            TokenUnit unit = await units.OfAsync(totals.Token, cancel);
            rows.Add(
            [
                unit.Name, Word(totals.Status), $"{totals.Count}", unit.Show(totals.OurBalance), unit.Show(totals.TheirBalance),
                unit.Show(totals.AtRisk), unit.Show(totals.Uncredited),
            ]);
        }

        Show(terminal, heads, rows, "#not credited yet", "#they can send");
        foreach (ChannelTotals totals in status.Channels.Where(totals => totals.NotResumed > 0))
        {
            TokenUnit unit = await units.OfAsync(totals.Token, cancel);
            terminal.Line(
                $"{Plural.Of((long)totals.NotResumed, $"{Word(totals.Status)} channel")} NOT RESUMED, {unit.Show(totals.SentUnrecorded)} sent and in no "
                + "book here: nothing is paid there before 'channelnode channel resume'");
        }
    }

    private static void ShowJobs(GetStatusResponse status, Terminal terminal)
    {
        if (status.Jobs.Count == 0) return;
        Show(
            terminal, ["transactions under way", "#number", "#oldest"],
            status.Jobs.Select(jobs => new[] { Word(jobs.Kind), $"{jobs.Count}", Span((long)jobs.OldestSeconds * 1_000) }));
        if (status.JobsBlocked > 0)
            terminal.Line($"{status.JobsBlocked} of them cannot go on for now; see 'channelnode chain jobs'");
    }

    private static void ShowWatchtowers(GetStatusResponse status, Terminal terminal)
    {
        if (status.Watchtowers.Count == 0) return;
        Show(
            terminal, ["watchtower", "connected", "#guards", "#lags behind", "#for", "#refuses"],
            status.Watchtowers.Select(tower => new[]
            {
                tower.Url, tower.Connected ? "yes" : "no", $"{tower.ChannelsGuarded}", $"{tower.ChannelsLagging}",
                Span((long)tower.LaggingMs), $"{tower.ChannelsRefused}",
            }));
    }

    private static void ShowWebhooks(GetStatusResponse status, Terminal terminal)
    {
        if (status.Webhooks.Count == 0) return;
        Show(
            terminal, ["webhook", "takes", "#payments waiting", "#events waiting", "problem"],
            status.Webhooks.Select(webhook => new[]
            {
                webhook.Url, webhook.HasFailingMs ? $"nothing for {Span((long)webhook.FailingMs)}" : "yes", $"{webhook.PaymentsWaiting}",
                $"{webhook.EventsWaiting}", webhook.Problem,
            }));
    }

    private static async Task ShowAlarmsAsync(
        GetStatusResponse status, TokenUnits units, Terminal terminal, CancellationToken cancel)
    {
        foreach (OperatorEvent what in status.Alarms.Newest)
        {
            DateTimeOffset at = DateTimeOffset.FromUnixTimeMilliseconds(what.TimeMs);
            terminal.Line($"{at:yyyy-MM-dd HH:mm:ss}  {what.Severity.ToString().ToUpperInvariant(),-7}  {await units.InAsync(what.Sentence, cancel)}");
        }

        if (status.Alarms.Alarms + status.Alarms.Warnings > status.Alarms.Newest.Count)
            terminal.Line("earlier ones: 'channelnode events'");
    }

    private static void Show(Terminal terminal, string[] heads, IEnumerable<string[]> rows, params string[] expendable)
    {
        (Table table, IReadOnlyList<string> leftOut) = Views.Fitting(terminal.Width, heads, [.. rows], expendable);
        terminal.Show(table);
        if (leftOut.Count > 0) terminal.Line($"not shown for want of room: {string.Join(", ", leftOut)}; see 'channelnode status --json'");
    }

    private static string Word<T>(T value)
        where T : struct, Enum => Failure.ReasonOf(value).ToLowerInvariant().Replace('_', '-');

    public static ulong Sum(IEnumerable<RefusalCount> refusals) => refusals.Aggregate(0UL, (sum, it) => sum + it.Count);

    /// <summary>Two units, the larger first.</summary>
    public static string Span(long ms)
    {
        TimeSpan span = TimeSpan.FromMilliseconds(ms);
        return span.TotalDays >= 1 ? $"{(int)span.TotalDays} d {span.Hours} h"
            : span.TotalHours >= 1 ? $"{span.Hours} h {span.Minutes} min"
            : span.TotalMinutes >= 1 ? $"{span.Minutes} min {span.Seconds} s"
            : $"{span.Seconds} s";
    }

    private static string Bytes(ulong bytes) => bytes switch
    {
        >= 1UL << 40 => $"{bytes >> 40} TiB",
        >= 1UL << 33 => $"{bytes >> 30} GiB",
        >= 1UL << 20 => $"{bytes >> 20} MiB",
        _ => $"{bytes >> 10} KiB",
    };
}
