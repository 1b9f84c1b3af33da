using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace ChannelNode.Cli;

/// <summary>A command whose help ends with one example.</summary>
internal sealed class CliCommand(string name, string description, string example) : Command(name, description)
{
    public string Example { get; } = example;
}

/// <summary>The usual help, then the command's example and the exit codes.</summary>
internal sealed class HelpWithExample(HelpAction usual) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        usual.MaxWidth = 120;
        usual.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        if (parseResult.CommandResult.Command is CliCommand command)
        {
            output.WriteLine("Example:");
            output.WriteLine("  " + command.Example.ReplaceLineEndings(Environment.NewLine + "  "));
            output.WriteLine();
        }
        output.WriteLine(ExitCode.Help);
        return ExitCode.Done;
    }
}
