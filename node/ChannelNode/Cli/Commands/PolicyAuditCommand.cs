using System.CommandLine;
using System.Text.Json;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>policy audit export</summary>
internal static class PolicyAuditCommand
{
    private const string Columns = "cursor,time,kind,peer,channel,token,tier,rule,value,limit,count,detail,actor";

    public static CliCommand Create(CommandShell shell) =>
        new("audit", "The log of every decision of the policies, and of access tokens made, changed and taken back.", "channelnode policy audit export --format csv") { Export(shell) };

    private static CliCommand Export(CommandShell shell)
    {
        Option<ulong> after = Fields.Number(
            "--after", "The newest cursor already exported; all that are kept when not given", 0ul, ulong.MaxValue, (ulong?)null);
        Option<string> format = Fields.OneOf("--format", "CSV with a line of names, or a JSON document in each line; text when not given", "csv", "jsonl");
        var file = new Option<string>("--output") { Description = "Write to a new file; must not exist", HelpName = "path" };
        var command = new CliCommand(
            "export", "Prints the audit log in the order of its cursors, and ends. Times are UTC; in CSV and JSON value and limit are smallest units, and detail is a sentence.",
            "channelnode policy audit export --format csv --output audit.csv\nchannelnode policy audit export --format jsonl --after 1200")
        { after, format, file };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            bool csv = parsed.GetValue(format) == "csv", json = parsed.GetValue(format) == "jsonl" || terminal.Json;
            await using StreamWriter? output = parsed.GetValue(file) is { } path
                ? new StreamWriter(new FileStream(path, FileMode.CreateNew, FileAccess.Write))
                : null;
            if (csv) Write(Columns);
            TokenUnits units = shell.UnitsOf(parsed, node);
            ulong newest = 0;
            using var call = node.Client.ReadPolicyAudit(
                new ReadPolicyAuditRequest { AfterCursor = parsed.GetValue(after) }, cancellationToken: cancel);
            while (await call.ResponseStream.MoveNext(cancel))
            {
                foreach (PolicyAuditEntry entry in call.ResponseStream.Current.Entries)
                {
                    Write(csv ? Csv(entry) : json ? Terminal.Written(entry) : await TextAsync(entry, units, cancel));
                    newest = entry.Cursor;
                }
            }

            if (output is not null && !terminal.Json) terminal.Line($"exported up to cursor {newest}");
            return ExitCode.Done;

            void Write(string line)
            {
                if (output is null) terminal.RawLine(line);
                else output.Write(line + "\n");
            }
        });
    }

    public static async Task PrintAsync(PolicyAuditEntry entry, TokenUnits units, Terminal terminal, CancellationToken cancel) =>
        terminal.Line(await TextAsync(entry, units, cancel));

    private static async Task<string> TextAsync(PolicyAuditEntry entry, TokenUnits units, CancellationToken cancel)
    {
        TokenUnit unit = await units.TryOfAsync(entry.Token, cancel);
        string[] parts =
        [
            $"{entry.Cursor}", $"{At(entry):yyyy-MM-dd HH:mm:ss}", Kind(entry), entry.Peer, entry.Tier,
            entry.Rule.Length == 0 ? "" : $"by {entry.Rule}, value {PolicyViewCommands.InUnit(entry.Rule, entry.Value, unit)}, "
                + $"limit {PolicyViewCommands.InUnit(entry.Rule, entry.Limit, unit)}",
            entry.Count == 1 ? "" : $"{entry.Count} times", await units.TryInAsync(entry.Detail, cancel),
            entry.Actor.Length == 0 ? "" : $"asked for by {entry.Actor}",
        ];
        return Terminal.Printable(string.Join("  ", parts.Where(part => part.Length > 0)));
    }

    private static string Csv(PolicyAuditEntry entry) => string.Join(
        ',',
        new[]
        {
            $"{entry.Cursor}", $"{At(entry):yyyy-MM-dd'T'HH:mm:ss.fff'Z'}", Kind(entry), entry.Peer, entry.ChannelId, entry.Token,
            entry.Tier, entry.Rule, entry.Value, entry.Limit, $"{entry.Count}", entry.Detail, entry.Actor,
        }.Select(Cell));

    /// <summary>
    /// Quoted where it must be (RFC 4180). Text that a spreadsheet would take for a formula is not one: comments are anybody's.
    /// </summary>
    private static string Cell(string text)
    {
        text = Terminal.Printable(text);
        if (text.Length > 0 && "=+-@".Contains(text[0])) text = "'" + text;
        return text.AsSpan().IndexOfAny(",\"'") < 0 ? text : $"\"{text.Replace("\"", "\"\"")}\"";
    }

    private static string Kind(PolicyAuditEntry entry) => JsonNamingPolicy.KebabCaseLower.ConvertName(entry.Kind.ToString());

    private static DateTimeOffset At(PolicyAuditEntry entry) => DateTimeOffset.FromUnixTimeMilliseconds((long)entry.TimeMs);
}
