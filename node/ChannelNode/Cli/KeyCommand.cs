using System.CommandLine;
using ChannelNode.Core;

namespace ChannelNode.Cli;

/// <summary>key new</summary>
internal static class KeyCommand
{
    public const string DefaultFile = "channelnode.key";

    public static CliCommand Create(CommandShell shell) =>
        new("key", "The key that signs for this node.", "channelnode key new") { New(shell) };

    private static CliCommand New(CommandShell shell)
    {
        var file = new Option<string>("--file")
        {
            Description = "Where to write it; must not exist",
            HelpName = "path",
            DefaultValueFactory = _ => DefaultFile,
        };
        var command = new CliCommand("new", "Makes a key and prints its address.", "channelnode key new --file alice.key") { file };
        return shell.Does(command, (parsed, terminal, _) =>
        {
            string path = parsed.GetValue(file)!;
            Address address = shell.Actions.CreateKey(path);
            if (terminal.Json) terminal.Document(new { address = address.ToString(), file = path });
            else terminal.Line($"{address}  key written to {path}; keep it secret, and safe: without it a channel cannot be used");
            return Task.FromResult(ExitCode.Done);
        });
    }
}
