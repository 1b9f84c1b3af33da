using System.CommandLine;
using ChannelNode.Proto.V1;
using AmountWords = ChannelNode.Engine.AmountWords;
using Plural = ChannelNode.Engine.Plural;

namespace ChannelNode.Cli;

/// <summary>chain jobs, and what <see cref="ChainCancelCommand"/> and <see cref="ChainAuditCommands"/> add.</summary>
internal static class ChainCommand
{
    private static readonly string[] Columns =
        ["#job", "kind", "status", "#age", "#nonce", "#offers", "#max fee per gas", "#paid", "#deadline", "problem", "about"];

    public static CliCommand Create(CommandShell shell) =>
        new("chain", "What the node does on chain, and what it knows of it.", "channelnode chain jobs")
        {
            Jobs(shell),
            ChainCancelCommand.Create(shell),
            ChainAuditCommands.Verify(shell),
            ChainAuditCommands.Rescan(shell),
        };

    private static CliCommand Jobs(CommandShell shell)
    {
        var all = new Option<bool>("--all") { Description = "Also those that have ended and are remembered" };
        var command = new CliCommand(
            "jobs", "Lists the transactions under way, newest first.", "channelnode chain jobs --all") { all };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            ListJobsResponse known = await node.Client.ListJobsAsync(
                new ListJobsRequest { All = parsed.GetValue(all) }, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(known);
            else if (known.Jobs.Count == 0) terminal.Line(await NoneAsync(node, parsed.GetValue(all), cancel));
            else Show(known, terminal, (ulong)shell.Time.GetUtcNow().ToUnixTimeSeconds());
            return ExitCode.Done;
        });
    }

    private static async Task<string> NoneAsync(NodeConnection node, bool all, CancellationToken cancel)
    {
        if (all) return "no jobs";
        ListJobsResponse ended = await node.Client.ListJobsAsync(new ListJobsRequest { All = true }, cancellationToken: cancel);
        return ended.Jobs.Count == 0
            ? "no jobs"
            : $"no jobs under way; --all shows {Plural.Of(ended.Jobs.Count, "that has ended", "that have ended")}";
    }

    private static void Show(ListJobsResponse known, Terminal terminal, ulong nowSeconds)
    {
        var (table, leftOut) = Views.Fitting(
            terminal.Width, Columns, [.. known.Jobs.Select(job => Row(job, nowSeconds))], "#max fee per gas", "#offers", "#nonce", "about");
        terminal.Show(table);
        if (leftOut.Count > 0)
            terminal.Line($"not shown for want of room: {string.Join(", ", leftOut)}; see 'channelnode chain jobs --json'");
    }

    private static string[] Row(Job job, ulong nowSeconds) =>
    [
        $"{job.Number}",
        $"{job.Kind}",
        $"{job.Status}",
        $"{(nowSeconds > job.CreatedAtSeconds ? nowSeconds - job.CreatedAtSeconds : 0)} s",
        job.HasNonce ? $"{job.Nonce}" : "",
        $"{job.Attempts}",
        job.MaxFeeWei.Length == 0 ? "" : AmountWords.Gwei(job.MaxFeeWei),
        job.SpentWei is "" or "0" ? "" : TokenUnit.Ether.Show(job.SpentWei),
        IsOver(job) ? "" : Left(job.DeadlineSeconds, nowSeconds),
        job.Reason != Refusal.Unspecified ? Failure.ReasonOf(job.Reason)
            : job.Problem != Refusal.Unspecified ? Failure.ReasonOf(job.Problem) : "",
        job.ChannelIds.Count == 1 ? job.ChannelIds[0] : Plural.Of(job.ChannelIds.Count, "channel"),
    ];

    private static bool IsOver(Job job) => job.Status is JobStatus.Done or JobStatus.Failed;

    private static string Left(ulong deadlineSeconds, ulong nowSeconds) =>
        deadlineSeconds == 0 ? ""
        : deadlineSeconds > nowSeconds ? $"in {deadlineSeconds - nowSeconds} s"
        : "over";
}
