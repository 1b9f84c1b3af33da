using System.CommandLine;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>chain verify, chain rescan: on the folder of a node that is stopped, so that both say what is exact.</summary>
internal static class ChainAuditCommands
{
    private const string ExampleFlags = "--data-dir alice --rpc-url ws://127.0.0.1:8545";

    public static CliCommand Verify(CommandShell shell) => Make(
        shell, "verify",
        "Reads the chain again, compares it with the database and prints what differs; exit code 1 where something does.",
        shell.Actions.VerifyChain);

    public static CliCommand Rescan(CommandShell shell) => Make(
        shell, "rescan",
        "Sets the database to what the chain said 128 blocks ago, read again; the node follows the "
        + "rest when it starts. What was signed and accepted stays. Prints what it changed, also of these last blocks.",
        shell.Actions.RescanChain);

    private static CliCommand Make(
        CommandShell shell, string name, string description,
        Func<string, string, ulong, CancellationToken, Task<ChainAuditReport>> run)
    {
        Option<string> dataDirectory = new("--data-dir")
        {
            Description = "Folder of the database; its node must be stopped",
            HelpName = "path",
            Required = true,
        };
        Option<string> rpcUrl = RunCommand.RpcUrl();
        Option<ulong> fromBlock = Fields.Number("--from-block", "Block at which to start reading events", 0ul, ulong.MaxValue, 0ul);
        var command = new CliCommand(name, description, $"channelnode chain {name} {ExampleFlags}") { dataDirectory, rpcUrl, fromBlock };
        return shell.Does(command.MayExitWith(ExitCode.ChainTrouble), async (parsed, terminal, cancel) =>
        {
            ChainAuditReport report = await run(
                parsed.GetValue(dataDirectory)!, parsed.GetValue(rpcUrl)!, parsed.GetValue(fromBlock), cancel);
            Print(terminal, report);
            return name == "verify" && report.Differences.Count > 0 ? ExitCode.Refused : ExitCode.Done;
        });
    }

    private static void Print(Terminal terminal, ChainAuditReport report)
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

        terminal.Line($"{report.Channels} channels up to block {report.Block}: {report.Differences.Count} differ");
    }
}
