using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;

namespace ChannelNode.Cli;

/// <summary>The program's one entry: the daemon and the operator's commands.</summary>
internal static class CommandLine
{
    /// <summary>How long a command may take to end after Ctrl-C; a node ends its sessions and closes its database.</summary>
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Runs one command; SIGINT and SIGTERM cancel it. Answers the exit code.</summary>
    public static Task<int> RunAsync(string[] args, CliActions actions, CancellationToken cancel) =>
        RunAsync(args, new CommandShell(actions, TimeProvider.System, Console.Out, Console.Error), Console.Out, cancel);

    public static async Task<int> RunAsync(string[] args, CommandShell shell, TextWriter help, CancellationToken cancel)
    {
        ParseResult parsed = Root(shell).Parse(args, new ParserConfiguration
        {
            EnablePosixBundling = false,
            ResponseFileTokenReplacer = null,
        });
        if (parsed.Errors.Count > 0)
        {
            shell.OpenTerminal(args.Contains(shell.Json.Name)).Fail([.. Wrong(parsed)]);
            return ExitCode.WrongUsage;
        }
        return await parsed.InvokeAsync(
            new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TerminationTimeout,
                Output = help,
            },
            cancel);
    }

    public static RootCommand Root(CommandShell shell)
    {
        var root = new RootCommand("A payment channel node: runs one, and operates a running one.")
        {
            RunCommand.Create(shell),
            WatchtowerCommand.Create(shell),
            KeyCommand.Create(shell),
            ContractCommand.Create(shell),
            ChainCommand.Create(shell),
            InfoCommand.Create(shell),
            ChannelCommand.Create(shell),
            PayCommand.Create(shell),
            PaymentsCommand.Create(shell),
            EventsCommand.Create(shell),
            PolicyCommand.Create(shell),
            CompletionCommand.Create(shell),
        };
        root.Options.Add(shell.Node);
        root.Options.Add(shell.Json);
        root.Options.Add(shell.TokenInfo);
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExample((HelpAction)help.Action!, shell.Node, shell.TokenInfo);
        return root;
    }

    /// <summary>The field's own sentence; where the parser found the fault, also where to read on.</summary>
    private static IEnumerable<Failure> Wrong(ParseResult parsed)
    {
        // A mistyped command is also a missing one; to say so twice helps nobody.
        IEnumerable<ParseError> errors = parsed.UnmatchedTokens.Count == 0
            ? parsed.Errors
            : parsed.Errors.Where(error => !error.Message.StartsWith("Required command", StringComparison.Ordinal));
        foreach (ParseError error in errors)
        {
            string? field = FieldOf(error);
            string message = field is not null && error.Message.StartsWith(field + ":", StringComparison.Ordinal)
                ? error.Message
                : $"{error.Message.TrimEnd('.')}; see 'channelnode {PathOf(parsed)}--help'";
            yield return new Failure(ExitCode.WrongUsage, Failure.InvalidArgument, message, field);
        }
    }

    /// <summary>A missing option is an error of its command, so that only the message names it.</summary>
    private static string? FieldOf(ParseError error) =>
        Fields.NameOf(error.SymbolResult) ?? error.Message.Split('\'', ':').FirstOrDefault(part => part.StartsWith("--", StringComparison.Ordinal));

    private static string PathOf(ParseResult parsed)
    {
        var path = "";
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult { Command: CliCommand command }; at = at.Parent)
            path = command.Name + " " + path;
        return path;
    }
}
