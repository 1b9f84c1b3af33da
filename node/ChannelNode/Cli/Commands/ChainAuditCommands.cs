using System.CommandLine;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>chain verify, of a running node or on the folder of a stopped one; chain rescan, on a folder only.</summary>
internal static class ChainAuditCommands
{
    private const string Reading = "reading the chain";

    private const string FolderFlags = "--data-dir alice --rpc-url ws://127.0.0.1:8545";

    public static CliCommand Verify(CommandShell shell)
    {
        Option<string> dataDirectory = DataDirectory("Folder of the database of a stopped node; the running node is asked when not given");
        Option<string> rpcUrl = RunCommand.RpcUrl();
        rpcUrl.Required = false;
        Option<ulong> fromBlock = FromBlock();
        CliCommand command = new(
            "verify",
            "Reads the chain again, compares it with the database and prints what differs; exit code 1 where something does. "
            + "A running node does that beside its work, from its own --from-block on.",
            $"channelnode chain verify\nchannelnode chain verify {FolderFlags}")
        { dataDirectory, rpcUrl, fromBlock };
        command.Validators.Add(result =>
        {
            bool isFolder = result.GetResult(dataDirectory) is not null;
            if (isFolder && result.GetResult(rpcUrl) is null) result.AddError("--rpc-url: needed with --data-dir");
            if (!isFolder && result.GetResult(rpcUrl) is not null)
                result.AddError("--rpc-url: goes with --data-dir; a running node asks its own");
            if (!isFolder && result.GetResult(fromBlock) is { Implicit: false })
                result.AddError("--from-block: goes with --data-dir; a running node has its own");
        });
        command.MayExitWith(ExitCode.NodeUnreachable, ExitCode.ChainTrouble);
        return shell.Does(command, async (parsed, terminal, cancel) =>
        {
            ChainAuditReport report = await SlowWork.RunAsync(terminal, shell.Time, Reading, tell => parsed.GetValue(dataDirectory) is { } folder
                ? shell.Actions.VerifyChain(folder, parsed.GetValue(rpcUrl)!, parsed.GetValue(fromBlock), tell, cancel)
                : shell.AskAsync(parsed, node => AskAsync(node, cancel), cancel));
            Print(terminal, report);
            return report.Differences.Count > 0 ? ExitCode.Refused : ExitCode.Done;
        });
    }

    public static CliCommand Rescan(CommandShell shell)
    {
        Option<string> dataDirectory = DataDirectory("Folder of the database; its node must be stopped");
        dataDirectory.Required = true;
        Option<string> rpcUrl = RunCommand.RpcUrl();
        Option<ulong> fromBlock = FromBlock();
        Option<uint> depth = Fields.Number(
            "--reorg-depth", "As the node runs with it: so many blocks can be undone", 128u, 8_192u, CommonFlags.Defaults.ReorgDepthMax);
        CliCommand command = new(
            "rescan",
            "Sets the database to what the chain said --reorg-depth blocks ago, read again; the node follows the "
            + "rest when it starts. What was signed and accepted stays. Prints what was wrong and is right now.",
            $"channelnode chain rescan {FolderFlags}")
        { dataDirectory, rpcUrl, fromBlock, depth };
        return shell.Does(command.MayExitWith(ExitCode.ChainTrouble), async (parsed, terminal, cancel) =>
        {
            PrintRescan(terminal, await SlowWork.RunAsync(terminal, shell.Time, Reading, tell => shell.Actions.RescanChain(
                parsed.GetValue(dataDirectory)!, parsed.GetValue(rpcUrl)!, parsed.GetValue(fromBlock), parsed.GetValue(depth), tell, cancel)));
            return ExitCode.Done;
        });
    }

    private static Option<string> DataDirectory(string description) =>
        new("--data-dir") { Description = description, HelpName = "path" };

    private static Option<ulong> FromBlock() =>
        Fields.Number("--from-block", "Block at which to start reading events", 0ul, ulong.MaxValue, 0ul);

    private static async Task<ChainAuditReport> AskAsync(NodeConnection node, CancellationToken cancel)
    {
        ChainAuditReport report = new(0, 0, []);
        List<ChainDifference> differences = [];
        using AsyncServerStreamingCall<Wire.VerifyChainResponse> call =
            node.Client.VerifyChain(new Wire.VerifyChainRequest(), cancellationToken: cancel);
        while (await call.ResponseStream.MoveNext(cancel))
        {
            Wire.VerifyChainResponse part = call.ResponseStream.Current;
            foreach (Wire.ChainDifference it in part.Differences)
                differences.Add(new ChainDifference(ChannelId.TryParse(it.ChannelId, out ChannelId id) ? id : null, it.Database, it.Chain));
            report = new ChainAuditReport(part.BlockNumber, part.Channels, differences);
        }

        return report;
    }

    public static void Print(Terminal terminal, ChainAuditReport report)
    {
        if (terminal.Json)
        {
            terminal.Document(new
            {
                block = report.Block,
                channels = report.Channels,
                differences = report.Differences.Select(it => new { channelId = it.Channel?.ToString(), it.Database, it.Chain }),
            });
            return;
        }

        foreach (ChainDifference it in report.Differences)
        {
            terminal.Line($"{it.Channel?.ToString() ?? "newest block"}");
            terminal.Line($"  database  {it.Database}");
            terminal.Line($"  chain     {it.Chain}");
        }

        terminal.Line($"{Plural.Of(report.Channels, "channel")} up to block {report.Block}: {report.Differences.Count} differ");
    }

    private static void PrintRescan(Terminal terminal, ChainAuditReport report)
    {
        if (terminal.Json)
        {
            terminal.Document(new
            {
                block = report.Block,
                channels = report.Channels,
                differences = report.Differences.Select(it => new { channelId = it.Channel?.ToString(), it.Database, it.Chain }),
                setBack = report.SetBack.Select(id => id.ToString()),
            });
            return;
        }

        foreach (ChainDifference it in report.Differences)
        {
            terminal.Line($"{it.Channel}");
            terminal.Line($"  was       {it.Database}");
            terminal.Line($"  is        {it.Chain}");
        }

        terminal.Line(report.Differences.Count == 0
            ? $"{Plural.Of(report.Channels, "channel")}: nothing was wrong"
            : $"{Plural.Of(report.Channels, "channel")}: {report.Differences.Count} put right");
        terminal.Line(
            $"set back to block {report.Block}, which changes {Plural.Of(report.SetBack.Count, "channel")} until the node has followed the chain again");
    }
}
