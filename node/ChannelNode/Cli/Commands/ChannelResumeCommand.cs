using System.CommandLine;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>channel resume</summary>
internal static class ChannelResumeCommand
{
    public static CliCommand Create(CommandShell shell)
    {
        Argument<string> channel = Fields.Channel();
        var command = new CliCommand(
            "resume",
            "Pays in a channel again after a restoring, where the lost database had paid what this one does not know. Whoever asks again for "
            + "a payment of that time pays it twice, also with its idempotency key: look first what the peer has received.",
            "channelnode channel resume 0x1a2b3c --yes") { channel };
        Confirmation confirmation = Confirmation.On(command);
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            string id = await node.ResolveAsync(parsed.GetValue(channel)!, cancel);
            confirmation.Require(parsed, terminal, $"Pay again in channel {Views.Short(id)}");
            ResumeChannelResponse answer = await node.Client.ResumeChannelAsync(new ResumeChannelRequest { ChannelId = id }, cancellationToken: cancel);
            if (terminal.Json)
            {
                terminal.Document(answer);
                return ExitCode.Done;
            }

            TokenUnit unit = await shell.UnitsOf(parsed, node).OfAsync(answer.Channel.Token, cancel);
            terminal.Line(answer.SentUnrecorded == "0"
                ? "nothing kept this channel from being paid in after a restoring"
                : $"channel {Views.Short(id)} is paid in again; {unit.Show(answer.SentUnrecorded)} stay sent without payments in the books");
            return ExitCode.Done;
        });
    }
}
