using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>A command whose help ends with one example.</summary>
internal sealed class CliCommand(string name, string description, string example) : Command(name, description)
{
    /// <summary>The example of the program itself, which no <see cref="CliCommand"/> stands for.</summary>
    public static string ExampleOf(Command command) => command is CliCommand own ? own.Example : HelpWithExample.RootExample;

    private readonly HashSet<int> _exitCodes = [];

    public string Example { get; } = example;

    /// <summary>
    /// All that is wrong with settings beside each other, where those that cannot be read count as not given; null where flags come
    /// from the command line only.
    /// </summary>
    public Func<ParseResult, IEnumerable<SettingFault>>? CheckSettings { get; private set; }

    /// <summary>All that is wrong with the files and folders that they name.</summary>
    public Func<ParseResult, IEnumerable<SettingFault>>? CheckFiles { get; private set; }

    /// <summary>
    /// Flags also come from a file and the environment; <paramref name="check"/> looks at them together, and
    /// <paramref name="checkFiles"/> at what they name.
    /// </summary>
    public CliCommand TakesSettings(
        Func<ParseResult, IEnumerable<SettingFault>> check, Func<ParseResult, IEnumerable<SettingFault>> checkFiles)
    {
        (CheckSettings, CheckFiles) = (check, checkFiles);
        return this;
    }

    /// <summary>Whether it reads the settings of another command, variables among them.</summary>
    public bool ReadsSettings { get; init; }

    /// <summary>Names exit codes beside those of every command, for its help.</summary>
    public CliCommand MayExitWith(params ReadOnlySpan<int> codes)
    {
        foreach (int code in codes) _exitCodes.Add(code);
        return this;
    }

    /// <summary>The exit codes of a command and of those below it, beside those of every command.</summary>
    public static HashSet<int> ExitCodesOf(Command command)
    {
        HashSet<int> codes = command is CliCommand own ? [.. own._exitCodes] : [];
        foreach (Command below in command.Subcommands) codes.UnionWith(ExitCodesOf(below));
        return codes;
    }
}

/// <summary>The usual help, then the command's example and the exit codes.</summary>
internal sealed class HelpWithExample(HelpAction usual, IReadOnlyList<Option> ofNode) : SynchronousCommandLineAction
{
    /// <summary>The root command can be no <see cref="CliCommand"/>.</summary>
    public const string RootExample =
        """
        channelnode channel open --peer http://127.0.0.1:9812 --amount '1 ETH' --yes
        channelnode pay 0x1a2b3c '0.001 ETH' --item article-17
        """;

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        Command command = parseResult.CommandResult.Command;
        HashSet<int> exitCodes = CliCommand.ExitCodesOf(command);
        foreach (Option option in ofNode)
            option.Hidden = !exitCodes.Contains(ExitCode.NodeUnreachable); // They mean nothing to a command that asks no node.
        usual.MaxWidth = 120;
        usual.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        output.WriteLine("Example:");
        output.WriteLine("  " + CliCommand.ExampleOf(command).ReplaceLineEndings(Environment.NewLine + "  "));
        output.WriteLine();
        output.WriteLine(ExitCode.Help(exitCodes));
        return ExitCode.Done;
    }
}
