using System.CommandLine;

namespace ChannelNode.Cli;

/// <summary>
/// How long a command about a transaction stays: until it is mined and confirmed, or only until it is sent. The job itself
/// goes on in the node either way.
/// </summary>
internal sealed class Waiting
{
    private const string Usually =
        "Wait until the transaction is mined and confirmed; with 'false' only until it is sent ('channelnode chain jobs' shows it)";

    private readonly Option<bool> _wait = new("--wait") { DefaultValueFactory = _ => true };

    /// <param name="description">Where it waits for something else.</param>
    public static Waiting On(CliCommand command, string description = Usually)
    {
        Waiting waiting = new();
        waiting._wait.Description = description;
        command.Options.Add(waiting._wait);
        return waiting;
    }

    public bool UntilConfirmed(ParseResult parsed) => parsed.GetValue(_wait);
}
