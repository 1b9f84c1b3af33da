using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>The program's one entry: the daemon and the operator's commands.</summary>
internal static class CommandLine
{
    /// <summary>
    /// How long a command may take to end after Ctrl-C: longer than the longest --drain-seconds; then a node ends its sessions and
    /// closes its database.
    /// </summary>
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(330);

    /// <summary>Runs one command; SIGINT and SIGTERM cancel it. Answers the exit code.</summary>
    public static Task<int> RunAsync(string[] args, CliActions actions, CancellationToken cancel) =>
        RunAsync(args, new CommandShell(actions, TimeProvider.System, Console.Out, Console.Error), Console.Out, cancel);

    public static async Task<int> RunAsync(string[] args, CommandShell shell, TextWriter help, CancellationToken cancel)
    {
        (ParseResult parsed, _, IReadOnlyList<Failure> wrong) = Parse(args, shell, FileLook.Start);
        if (wrong.Count > 0)
        {
            shell.OpenTerminal(args.Contains(shell.Json.Name)).Fail(wrong);
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

    /// <summary>
    /// What was typed and, for a command that takes settings from elsewhere too, what they say; with all that is wrong with
    /// any of it, by the place that it came from. And, as <paramref name="files"/> says, with the files that they name.
    /// </summary>
    public static (ParseResult Parsed, SettingSources? Sources, IReadOnlyList<Failure> Wrong) Parse(
        string[] args, CommandShell shell, FileLook files)
    {
        RootCommand root = Root(shell);
        ParserConfiguration configuration = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };
        ParseResult typed = root.Parse(args, configuration);
        if (typed.CommandResult.Command is not CliCommand command || typed.Action is HelpWithExample) return (typed, null, [.. Wrong(typed)]);
        List<Command> withSettings = [.. root.Subcommands.Where(other => other is CliCommand { CheckSettings: not null })];
        List<Failure> variables = [.. Spelling.WrongVariables(shell.Variables, withSettings)];
        if (command.CheckSettings is null) return (typed, null, command.ReadsSettings ? [.. Wrong(typed)] : [.. Wrong(typed), .. variables]);
        SettingSources sources = SettingSources.Read(typed, shell, withSettings);
        ParseResult all = root.Parse([.. args, .. sources.Arguments], configuration);
        List<Failure> alone = [.. Wrong(all)];
        HashSet<string> unread = [.. sources.Wrong.Concat(alone).Select(failure => failure.Field).OfType<string>()];
        IEnumerable<Failure> together = WrongTogether(shell, all, configuration, unread, files);
        return (all, sources, [.. variables, .. sources.Wrong, .. alone.Concat(together).Select(failure => WithSource(failure, sources))]);
    }

    /// <summary>
    /// What is wrong with settings beside each other, as far as they can be read: <paramref name="unread"/> are those that cannot,
    /// or are missing.
    /// </summary>
    private static IEnumerable<Failure> WrongTogether(
        CommandShell shell, ParseResult all, ParserConfiguration configuration, HashSet<string> unread, FileLook files)
    {
        CliCommand command = (CliCommand)all.CommandResult.Command;
        if (unread.Count == 0) return FaultsOf(command, all).Select(Failure.Of);
        IEnumerable<string> typed = command.Options.Where(option => !unread.Contains(option.Name)).SelectMany(Typed);
        RootCommand root = Root(shell);
        CliCommand lenient = (CliCommand)root.Subcommands.Single(other => other.Name == command.Name);
        foreach (Option option in lenient.Options) option.Required = false; // Else what is missing could not even be asked for.
        return FaultsOf(lenient, root.Parse([command.Name, .. typed], configuration))
            .Where(fault => !unread.Contains(fault.Field) && !fault.Beside.Any(unread.Contains))
            .Select(Failure.Of);

        IEnumerable<SettingFault> FaultsOf(CliCommand of, ParseResult read) => files == FileLook.None
            ? of.CheckSettings!(read)
            : of.CheckSettings!(read).Concat(of.CheckFiles!(read).Where(fault => files == FileLook.Check || !fault.IsBearable));

        IEnumerable<string> Typed(Option option) =>
            all.GetResult(option) is not { Implicit: false } result ? []
            : result.Tokens.Count == 0 ? [option.Name]
            : result.Tokens.Select(token => $"{option.Name}={token.Value}");
    }

    private static Failure WithSource(Failure failure, SettingSources sources)
    {
        if (sources.SourceOf(failure.Field) is { } source) return failure with { Message = $"{source.Name}: {failure.Message}" };
        return failure.IsMissing && failure.Field == "--contract" && sources.Network is { } network
            ? failure with { Message = $"{failure.Message}; {network.AboutContract}" }
            : failure;
    }

    public static RootCommand Root(CommandShell shell)
    {
        var root = new RootCommand("A payment channel node: runs one, and operates a running one.")
        {
            RunCommand.Create(shell),
            WatchtowerCommand.Create(shell),
            KeyCommand.Create(shell),
            ConfigCommand.Create(shell),
            ContractCommand.Create(shell),
            ChainCommand.Create(shell),
            InfoCommand.Create(shell),
            StatusCommand.Create(shell),
            TopCommand.Create(shell),
            ChannelCommand.Create(shell),
            PayCommand.Create(shell),
            PaymentsCommand.Create(shell),
            EventsCommand.Create(shell),
            AccessTokenCommand.Create(shell),
            BackupCommand.Create(shell),
            PolicyCommand.Create(shell),
            CompletionCommand.Create(shell),
        };
        foreach (Option option in shell.Node.All) root.Options.Add(option);
        root.Options.Add(shell.Json);
        root.Options.Add(shell.TokenInfo);
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExample((HelpAction)help.Action!, [.. shell.Node.All, shell.TokenInfo]);
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
            if (SwitchOf(parsed, error) is { } found)
            {
                yield return new Failure(
                    ExitCode.WrongUsage, Failure.InvalidArgument, $"{found.Switch.Name}: '{found.Text}' is not {found.Switch.Limit}", found.Switch.Name);
                continue;
            }

            string? unknown = parsed.UnmatchedTokens.FirstOrDefault(text => error.Message.Contains($"'{text}'", StringComparison.Ordinal));
            if (unknown is not null && !unknown.StartsWith('-') && unknown != parsed.UnmatchedTokens[0]) continue; // It belongs to what was told.
            string? field = FieldOf(error);
            string further = unknown is not null && Typos.Meant(unknown, parsed.CommandResult) is { } near ? $": did you mean {near}? See" : "; see";
            string message = field is not null && error.Message.StartsWith(field + ":", StringComparison.Ordinal)
                ? error.Message
                : $"{error.Message.TrimEnd('.')}{further} 'channelnode {PathOf(parsed)}--help'";
            yield return new Failure(ExitCode.WrongUsage, Failure.InvalidArgument, message, field);
        }
    }

    /// <summary>The parser leaves what is no truth value behind a switch for an argument, which then none is.</summary>
    private static (Setting<bool> Switch, string Text)? SwitchOf(ParseResult parsed, ParseError error)
    {
        for (int i = 1; i < parsed.Tokens.Count; i++)
        {
            string text = parsed.Tokens[i].Value, name = parsed.Tokens[i - 1].Value;
            if (!parsed.UnmatchedTokens.Contains(text) || !error.Message.Contains($"'{text}'", StringComparison.Ordinal)) continue;
            if (parsed.CommandResult.Command.Options.FirstOrDefault(option => option.Name == name) is Setting<bool> found) return (found, text);
        }

        return null;
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

/// <summary>Which of the faults of files and folders are looked for.</summary>
internal enum FileLook
{
    None,

    /// <summary>Those with which nothing starts.</summary>
    Start,

    /// <summary>All.</summary>
    Check,
}
