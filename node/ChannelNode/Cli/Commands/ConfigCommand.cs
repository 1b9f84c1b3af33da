using System.CommandLine;
using System.CommandLine.Parsing;

namespace ChannelNode.Cli;

/// <summary>config check, config show</summary>
internal static class ConfigCommand
{
    private const string About =
        "The settings of 'run' and 'watchtower'. A flag's value may also stand in a file, appsettings.json, under the flag's name "
        + "(\"poll-ms\": 500, \"fee-max\": \"200 gwei\"; lists as [..]), or in the environment (CHANNELNODE_POLL_MS=500; lists with commas). A flag counts "
        + "before the environment, that before the file, that before --network's presets.";

    public static CliCommand Create(CommandShell shell) =>
        new("config", About, "channelnode config check --config /etc/channelnode/appsettings.json")
        {
            Check(shell), Show(shell),
        };

    private static CliCommand Check(CommandShell shell)
    {
        CliCommand command = new(
            "check",
            "Reads all settings as 'run' (or the command that is named) would and tells every wrong one at once, with its "
            + "value, its limit and where it came from; files and folders that they name, too, for the user who asks. Makes nothing. "
            + "Takes the same flags. Exit code 2 where something is wrong.",
            "channelnode config check --config appsettings.json\nchannelnode config check watchtower --data-dir tower")
        {
            ReadsSettings = true,
        };
        TakeTheRest(command);
        return shell.Does(command, (parsed, terminal, _) =>
        {
            Settings settings = Read(shell, Given(parsed, shell), FileLook.Check);
            if (settings.Wrong.Count > 0) return Fail(terminal, settings);
            if (terminal.Json) terminal.Document(new { command = settings.Command, file = settings.Sources.File, wrong = 0 });
            else terminal.Line($"the settings of '{settings.Command}' are right ({settings.Sources.File ?? "no file"})");
            return Task.FromResult(ExitCode.Done);
        });
    }

    private static CliCommand Show(CommandShell shell)
    {
        CliCommand command = new(
            "show",
            "Prints every setting of 'run' (or the command that is named): its value, where that came from, its unit, default "
            + "and range; amounts with their unit, with --json in smallest units. Takes the same flags. Keys and passwords are no settings: only where their files are.",
            "channelnode config show --network base\nchannelnode config show watchtower --json")
        {
            ReadsSettings = true,
        };
        TakeTheRest(command);
        return shell.Does(command, (parsed, terminal, _) =>
        {
            Settings settings = Read(shell, Given(parsed, shell), FileLook.None);
            List<Failure> wrong = [.. settings.Wrong.Where(failure => !failure.IsMissing)]; // What is not set is shown as such.
            if (wrong.Count > 0) return Fail(terminal, settings with { Wrong = wrong });
            if (terminal.Json) terminal.Document(Document(settings));
            else Print(terminal, settings);
            return Task.FromResult(ExitCode.Done);
        });
    }

    private static Task<int> Fail(Terminal terminal, Settings settings)
    {
        terminal.Fail(settings.Wrong);
        return Task.FromResult(ExitCode.WrongUsage);
    }

    private sealed record Settings(string Command, ParseResult Parsed, SettingSources Sources, IReadOnlyList<Failure> Wrong);

    /// <summary>Everything behind the command is what "run" would be given.</summary>
    private static void TakeTheRest(CliCommand command)
    {
        Argument<string[]> rest = new("flags")
        {
            Description = "run (unless given) or watchtower, and any of its flags",
            Arity = ArgumentArity.ZeroOrMore,
        };
        command.Arguments.Add(rest);
        command.TreatUnmatchedTokensAsErrors = false;
    }

    /// <summary>As it was typed: some flags of 'run' are also called as those of commands that ask a node, which would take them.</summary>
    private static string[] Given(ParseResult parsed, CommandShell shell) =>
    [
        .. parsed.Tokens.SkipWhile(token => token != parsed.CommandResult.IdentifierToken).Skip(1)
            .Where(token => token.Value != shell.Json.Name).Select(token => token.Value),
    ];

    private static Settings Read(CommandShell shell, string[] given, FileLook files)
    {
        string[] args = given is ["run" or "watchtower", ..] ? given : ["run", .. given];
        (ParseResult parsed, SettingSources? sources, IReadOnlyList<Failure> wrong) = CommandLine.Parse(args, shell, files);
        if (sources is null)
            throw new CommandException(new(ExitCode.WrongUsage, Failure.InvalidArgument, "no settings are known for that"));
        return new Settings(args[0], parsed, sources, wrong);
    }

    private static IReadOnlyList<string> ValuesOf(Settings settings, Flag flag) =>
        settings.Parsed.GetResult(flag.Option) is { Implicit: false } result
            ? result.Tokens.Count == 0 && flag.IsSwitch ? ["true"] : [.. result.Tokens.Select(it => it.Value)]
            : flag.Default.Length > 0 ? [flag.Default] : [];

    private static string SourceOf(Settings settings, Flag flag) =>
        settings.Sources.SourceOf(flag.Option.Name)?.Name
        ?? (settings.Parsed.GetResult(flag.Option) is { Implicit: false } ? "flag" : flag.Option.Required ? "missing" : "default");

    private static object Document(Settings settings) => new
    {
        command = settings.Command,
        file = settings.Sources.File,
        network = settings.Sources.Network?.Name,
        tokens = (settings.Sources.Network?.Tokens ?? [])
            .Select(token => new { symbol = token.Symbol, decimals = token.Decimals, address = token.Address }),
        settings = settings.Sources.All.Select(flag => new
        {
            name = flag.Key,
            value = ValuesOf(settings, flag).Select(flag.Plain),
            source = SourceOf(settings, flag),
            unit = flag.Unit,
            @default = flag.Default,
            range = flag.Limit,
            description = flag.Option.Description,
            variable = flag.Variable,
        }),
    };

    private static void Print(Terminal terminal, Settings settings)
    {
        string[] columns = ["setting", "value", "source", "unit", "default", "range"];
        List<string[]> rows = [.. settings.Sources.All.Select(flag => (string[])
        [
            flag.Key, string.Join(", ", ValuesOf(settings, flag).Select(flag.Shown)), SourceOf(settings, flag), flag.ShownUnit, flag.Shown(flag.Default), flag.Limit,
        ])];
        var (table, leftOut) = Views.Fitting(terminal.Width, columns, rows, "range", "default", "unit");
        terminal.Show(table);
        if (leftOut.Count > 0) terminal.Line($"not shown for want of room: {string.Join(", ", leftOut)}; see --json");
        foreach (KnownToken token in settings.Sources.Network?.Tokens ?? [])
            terminal.Line($"{token.Symbol} on {settings.Sources.Network!.Name}: {token.Address}, {token.Decimals} decimals");
    }
}
