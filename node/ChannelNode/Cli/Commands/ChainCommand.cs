using System.CommandLine;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>chain jobs, and what <see cref="ChainAuditCommands"/> adds.</summary>
internal static class ChainCommand
{
    private static readonly string[] Columns =
        ["#job", "kind", "status", "#age", "#nonce", "#offers", "#max fee", "#deadline", "problem", "about"];

    public static CliCommand Create(CommandShell shell) =>
        new("chain", "What the node does on chain, and what it knows of it.", "channelnode chain jobs")
        {
            Jobs(shell),
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
            else Show(known, terminal, (ulong)shell.Time.GetUtcNow().ToUnixTimeSeconds());
            return ExitCode.Done;
        });
    }

    private static void Show(ListJobsResponse known, Terminal terminal, ulong nowSeconds)
    {
        if (known.Jobs.Count == 0)
        {
            terminal.Line("no jobs");
            return;
        }

        var (table, leftOut) = Views.Fitting(
            terminal.Width, Columns, [.. known.Jobs.Select(job => Row(job, nowSeconds))], "#max fee", "#offers", "#nonce", "about");
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
        job.MaxFeeWei,
        Left(job.DeadlineSeconds, nowSeconds),
        job.Reason != Refusal.Unspecified ? $"{job.Reason}" : job.Problem != Refusal.Unspecified ? $"{job.Problem}" : "",
        job.ChannelIds.Count == 1 ? job.ChannelIds[0] : $"{job.ChannelIds.Count} channels",
    ];

    private static string Left(ulong deadlineSeconds, ulong nowSeconds) =>
        deadlineSeconds == 0 ? ""
        : deadlineSeconds > nowSeconds ? $"in {deadlineSeconds - nowSeconds} s"
        : "over";
}
