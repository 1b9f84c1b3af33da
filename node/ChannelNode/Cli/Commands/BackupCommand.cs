using System.CommandLine;
using ChannelNode.Engine;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Spectre.Console;

namespace ChannelNode.Cli;

/// <summary>backup key new, backup create, backup verify, backup restore</summary>
internal static class BackupCommand
{
    private const string DefaultKeyFile = "backup.key";

    private const string Opening = "opening the backup";

    private static readonly string[] CountedRows = ["channels", "jobs", "events"];

    public static CliCommand Create(CommandShell shell) =>
        new(
            "backup", "Encrypted copies of a node's database. The signer's key is not in them: keep a copy of its file too.",
            "channelnode backup create --to node.backup --recipient age1...")
        {
            new CliCommand("key", "The key that opens backups.", "channelnode backup key new") { NewKey(shell) },
            Make(shell),
            Verify(shell),
            Restore(shell),
        };

    private static CliCommand NewKey(CommandShell shell)
    {
        var file = new Option<string>("--file")
        {
            Description = "Where to write it; must not exist. Keep it off the node's machine",
            HelpName = "path",
            DefaultValueFactory = _ => DefaultKeyFile,
        };
        CliCommand command = new(
            "new", "Makes a key that opens backups and prints the recipient to encrypt them to. age-keygen makes such keys too.",
            "channelnode backup key new --file backup.key") { file };
        return shell.Does(command, (parsed, terminal, _) =>
        {
            string path = parsed.GetValue(file)!, recipient = shell.Actions.Backups!.CreateKey(path);
            if (terminal.Json) terminal.Document(new { recipient, file = path });
            else terminal.Line($"{recipient}  key written to {path}; whoever has it can read backups made to this recipient");
            return Task.FromResult(ExitCode.Done);
        });
    }

    private static CliCommand Make(CommandShell shell)
    {
        var to = new Option<string>("--to") { Description = "The file; must not exist, but with --force", HelpName = "path", Required = true };
        var force = new Option<bool>("--force") { Description = "Replace the file that is there, once the new one is whole" };
        var recipients = new Option<string[]>("--recipient")
        {
            Description = "Whose key opens it, as 'backup key new' prints it; may be given several times",
            HelpName = "age1...",
            Required = true,
        };
        CliCommand command = new(
            "create", "Has the running node copy its database while it goes on, and writes it encrypted: whole or not at all.",
            "channelnode backup create --to node.backup --recipient age1...") { to, force, recipients };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            string path = parsed.GetValue(to)!;
            bool replaces = parsed.GetValue(force);
            if (Directory.Exists(path) || (System.IO.File.Exists(path) && !replaces))
                throw NodeFlags.Wrong("--to", $"--to: {path} {(Directory.Exists(path) ? "is a folder, expected a file" : "exists; --force replaces it")}");
            await using AtomicFile file = AtomicFile.Create(path, replaces);
            CreateBackupRequest request = new() { Recipients = { parsed.GetValue(recipients)! } };
            using AsyncServerStreamingCall<CreateBackupResponse> call = node.Client.CreateBackup(request, cancellationToken: cancel);
            BackupSummary summary = await ReceiveAsync(call, file, terminal, cancel) ?? throw new CommandException(new(
                ExitCode.Refused, "BACKUP_DAMAGED", "the node ended the backup before it was whole; nothing was written"));
            long bytes = file.Content.Length;
            await file.FinishAsync(cancel);
            Show(terminal, path, bytes, summary);
            return ExitCode.Done;
        });
    }

    private static async Task<BackupSummary?> ReceiveAsync(
        AsyncServerStreamingCall<CreateBackupResponse> call, AtomicFile file, Terminal terminal, CancellationToken cancel)
    {
        BackupSummary? summary = null;
        await WithProgressAsync(terminal, async shown =>
        {
            ulong expected = 0, written = 0;
            while (await call.ResponseStream.MoveNext(cancel))
            {
                CreateBackupResponse part = call.ResponseStream.Current;
                if (part.BytesExpected > 0) expected = part.BytesExpected;
                await file.Content.WriteAsync(part.Data.Memory, cancel);
                written += (ulong)part.Data.Length;
                summary = part.Summary;
                shown($"{written:N0} of about {Math.Max(expected, written):N0} bytes");
            }
        });
        return summary;
    }

    private static async Task WithProgressAsync(Terminal terminal, Func<Action<string>, Task> work)
    {
        if (!terminal.Live) await work(_ => { });
        else await terminal.Screen.Status().StartAsync("copying", status => work(text => status.Status = text));
    }

    private static void Show(Terminal terminal, string path, long bytes, BackupSummary summary)
    {
        if (terminal.Json)
        {
            terminal.Document(new
            {
                file = path,
                bytes,
                atMs = summary.AtMs,
                channels = summary.Channels,
                block = summary.BlockNumber,
                receivedCursor = summary.ReceivedCursor,
            });
            return;
        }

        terminal.Line(
            $"{path}: {bytes:N0} bytes with {Plural.Of(summary.Channels, "channel")}, up to block {summary.BlockNumber} and payment "
            + $"{summary.ReceivedCursor}; 'backup verify' reads it back");
    }

    private static Argument<string> File() => new("file") { Description = "The backup" };

    private static Option<string> Identity() => new("--identity")
    {
        Description = "File with the key that opens it, as 'backup key new' or age-keygen writes it",
        HelpName = "path",
        DefaultValueFactory = _ => DefaultKeyFile,
    };

    private static CliCommand Verify(CommandShell shell)
    {
        Argument<string> file = File();
        Option<string> identity = Identity(), rpcUrl = RunCommand.RpcUrl();
        rpcUrl.Required = false;
        rpcUrl.Description = "JSON-RPC of the chain to compare the database with; the chain is not asked when not given";
        Option<ulong> fromBlock = Fields.Number("--from-block", "Block at which to start reading events", 0ul, ulong.MaxValue, 0ul);
        CliCommand command = new(
            "verify",
            "Decrypts a backup, checks every byte and reads every row of the database in it, in a temporary folder; exit code 1 "
            + "where the chain says something else.",
            "channelnode backup verify node.backup --identity backup.key") { file, identity, rpcUrl, fromBlock };
        return shell.Does(command.MayExitWith(ExitCode.ChainTrouble), async (parsed, terminal, cancel) =>
        {
            (BackupFound found, ChainAuditReport? chain) = await SlowWork.RunAsync(
                terminal, shell.Time, Opening, tell => shell.Actions.Backups!.Verify(
                    parsed.GetValue(file)!, parsed.GetValue(identity)!, parsed.GetValue(rpcUrl), parsed.GetValue(fromBlock), tell, cancel));
            Show(terminal, found, null);
            if (chain is null) return ExitCode.Done;
            ChainAuditCommands.Print(terminal, chain);
            return chain.Differences.Count > 0 ? ExitCode.Refused : ExitCode.Done;
        });
    }

    private static CliCommand Restore(CommandShell shell)
    {
        Argument<string> file = File();
        Option<string> identity = Identity();
        var dataDirectory = new Option<string>("--data-dir")
        {
            Description = "Folder that becomes the node's database; must be empty or not there",
            HelpName = "path",
            Required = true,
        };
        Option<bool> keepTokens = Fields.Switch(
            "--keep-access-tokens", "Access tokens of the backup go on, also those that were revoked after it; else none is good any more");
        CliCommand command = new(
            "restore",
            "Makes a backup a node's database. What happened after the backup is not in it: the node pays in each channel only "
            + "when its peer has told where it stands. Never run it while the database that it was made of is still in use.",
            "channelnode backup restore node.backup --data-dir alice --identity backup.key") { file, identity, dataDirectory, keepTokens };
        return shell.Does(command, async (parsed, terminal, cancel) =>
        {
            string folder = parsed.GetValue(dataDirectory)!;
            BackupFound found = await SlowWork.RunAsync(
                terminal, shell.Time, Opening, tell => shell.Actions.Backups!.Restore(
                    parsed.GetValue(file)!, parsed.GetValue(identity)!, folder, parsed.GetValue(keepTokens), tell, cancel));
            Show(terminal, found, folder, parsed.GetValue(keepTokens));
            return ExitCode.Done;
        });
    }

    private static void Show(Terminal terminal, BackupFound found, string? folder, bool keepsTokens = false)
    {
        if (terminal.Json)
        {
            terminal.Document(new
            {
                createdAt = found.CreatedAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", null),
                signer = found.Signer,
                chainId = found.ChainId,
                contract = found.Contract,
                schema = found.Schema,
                block = found.Block,
                receivedCursor = found.ReceivedCursor,
                rows = found.Rows,
                dataDir = folder,
            });
            return;
        }

        terminal.Line(
            $"whole: made {found.CreatedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, signer {found.Signer}, chain {found.ChainId}, "
            + $"contract {found.Contract}");
        terminal.Line(
            $"  up to block {found.Block} and payment {found.ReceivedCursor}; "
            + string.Join(", ", CountedRows.Select(kind => $"{found.Rows.GetValueOrDefault(kind)} {kind}")));
        if (folder is null) return;
        terminal.Line($"  restored to {folder}: nothing is paid in a channel until its peer has told where it stands ('info' counts them), "
            + "and for about an hour what peers pay in these channels is refused");
        terminal.Line("  payments of after the backup come again, with other cursors: shops know them by channel and total ('totalReceived')");
        terminal.Line("  payments that this node has made after the backup, and their idempotency keys, are not known: let nobody ask for them again, "
            + "before 'channel show' of their channel has said what it knows");
        terminal.Line("  before asking for a deposit of after the backup again, look whether it was made ('chain jobs', the chain)");
        terminal.Line(keepsTokens
            ? "  access tokens that were revoked after the backup are good again: revoke them before others reach the API ('token list')"
            : "  none of its access tokens is good any more: make new ones ('token create')");
        terminal.Line("  peers that were denied, limited or moved to another tier after the backup are so no more ('policy show')");
    }
}
