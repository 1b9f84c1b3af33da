using System.CommandLine;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>What all commands share: the global options, where they print, how they fail.</summary>
internal sealed class CommandShell(CliActions actions, TimeProvider time, TextWriter output, TextWriter error)
{
    public CliActions Actions { get; } = actions;

    public TimeProvider Time { get; } = time;

    public NodeFlags Node { get; } = new();

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Print JSON: one document, or one per line where there are many",
        Recursive = true,
    };

    /// <summary>The environment.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = Environment.GetEnvironmentVariables()
        .Cast<System.Collections.DictionaryEntry>()
        .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "");

    /// <summary>Where a file of settings is looked for.</summary>
    public string Folder { get; init; } = ".";

    public Option<TokenUnit[]> TokenInfo { get; } = TokenInfoOption();

    /// <summary>The units in which amounts of this call are read and shown.</summary>
    public TokenUnits UnitsOf(ParseResult parsed, NodeConnection node) => new(node, parsed.GetValue(TokenInfo) ?? []);

    public Terminal OpenTerminal(bool json) => new(output, error, json);

    /// <summary>Makes <paramref name="run"/> what the command does.</summary>
    public CliCommand Does(CliCommand command, Func<ParseResult, Terminal, CancellationToken, Task<int>> run)
    {
        command.SetAction(async (parsed, cancel) =>
        {
            Terminal terminal = OpenTerminal(parsed.GetValue(Json));
            try
            {
                return await run(parsed, terminal, cancel);
            }
            catch (Exception exception)
            {
                return Explain(exception, terminal, cancel);
            }
        });
        return command;
    }

    /// <summary>Makes <paramref name="ask"/>, which talks to a running node, what the command does.</summary>
    public CliCommand Asks(CliCommand command, Func<ParseResult, NodeConnection, Terminal, CancellationToken, Task<int>> ask) =>
        Does(
            command.MayExitWith(ExitCode.NodeUnreachable, ExitCode.ChainTrouble),
            (parsed, terminal, cancel) => AskAsync(parsed, node => ask(parsed, node, terminal, cancel), cancel));

    /// <summary>For a command that talks to a running node in one of its ways only.</summary>
    public async Task<T> AskAsync<T>(ParseResult parsed, Func<NodeConnection, Task<T>> ask, CancellationToken cancel)
    {
        using NodeConnection node = Node.Connect(parsed);
        try
        {
            return await ask(node);
        }
        catch (Exception exception) when (exception is RpcException or CommandException && node.FailureOf(exception, cancel) is { } failure)
        {
            if (parsed.GetValue(Json)) throw new CommandException(failure);
            throw new CommandException(failure with { Message = await UnitsOf(parsed, node).TryInAsync(failure.Message, cancel) });
        }
    }

    private static int Explain(Exception exception, Terminal terminal, CancellationToken cancel)
    {
        if (Failure.Of(exception, cancel) is { } failure)
        {
            terminal.Fail(failure);
            return failure.ExitCode;
        }
        terminal.Fail(new Failure(ExitCode.Refused, "INTERNAL", exception.Message));
        terminal.Trace(exception);
        return ExitCode.Refused;
    }

    private static Option<TokenUnit[]> TokenInfoOption()
    {
        Option<TokenUnit[]> option = Fields.TokenInfos(
            "--token-info", "How a token is called and divided; the node asks the token when not given");
        option.Recursive = true;
        return option;
    }
}
