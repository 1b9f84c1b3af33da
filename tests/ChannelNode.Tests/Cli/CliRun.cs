using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Tests.Cli;

/// <summary>One call of the command line in this process: its exit code and what it printed.</summary>
internal sealed record CliRun(int ExitCode, string Output, string Error)
{
    public static readonly KeyActions NoKeys = new(
        (_, _, _) => throw new InvalidOperationException("not for this test"),
        (_, _, _, _) => throw new InvalidOperationException("not for this test"),
        (_, _, _) => throw new InvalidOperationException("not for this test"),
        (_, _, _) => throw new InvalidOperationException("not for this test"));

    public static readonly CliActions NoActions = new(
        (_, _) => throw new InvalidOperationException("not for this test"),
        (_, _) => throw new InvalidOperationException("not for this test"),
        NoKeys,
        (_, _, _) => throw new InvalidOperationException("not for this test"),
        (_, _, _, _, _) => throw new InvalidOperationException("not for this test"),
        (_, _, _, _, _, _) => throw new InvalidOperationException("not for this test"));

    public string[] OutputLines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public JsonElement ErrorDocument => JsonDocument.Parse(Error).RootElement.GetProperty("error");

    public static Task<CliRun> AsyncOf(params string[] args) => WithActionsAsync(NoActions, args);

    public static Task<CliRun> AskAsync(FakeNode node, params string[] args) => AsyncOf([.. args, "--node", node.Url]);

    public static async Task<CliRun> WithActionsAsync(
        CliActions actions, string[] args, CancellationToken cancel = default, StringWriter? into = null)
    {
        StringWriter output = into ?? new StringWriter();
        output.NewLine = "\n";
        var error = new StringWriter { NewLine = "\n" };
        var shell = new CommandShell(actions, TimeProvider.System, output, error);
        int exitCode = await CommandLine.RunAsync(args, shell, output, cancel);
        return new CliRun(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>The options with which "watchtower" would start one.</summary>
    public static async Task<(CliRun Run, WatchtowerOptions? Options)> RunWatchtowerAsync(params string[] args)
    {
        WatchtowerOptions? options = null;
        var actions = NoActions with
        {
            RunWatchtower = (given, _) =>
            {
                options = given;
                return Task.FromResult(0);
            },
        };
        return (await WithActionsAsync(actions, ["watchtower", .. args]), options);
    }

    /// <summary>The options with which "run" would start a node.</summary>
    public static async Task<(CliRun Run, NodeOptions? Options)> RunNodeAsync(params string[] args)
    {
        NodeOptions? options = null;
        var actions = NoActions with
        {
            RunNode = (given, _) =>
            {
                options = given;
                return Task.FromResult(0);
            },
        };
        return (await WithActionsAsync(actions, ["run", .. args]), options);
    }
}
