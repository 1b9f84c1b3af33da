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
            Channel known = (await node.Client.GetChannelAsync(new GetChannelRequest { ChannelId = id }, cancellationToken: cancel)).Channel;
            TokenUnit unit = await shell.UnitsOf(parsed, node).OfAsync(known.Token, cancel);
            string unrecorded = known.SentUnrecorded;
            confirmation.Require(
                parsed, terminal,
                $"Pay again in channel {Views.Short(id)}, where {ChannelViewCommands.Unrecorded(known, unit)} are in no book here");
            ResumeChannelResponse answer = await node.Client.ResumeChannelAsync(
                new ResumeChannelRequest { ChannelId = id, SentUnrecorded = unrecorded }, cancellationToken: cancel);
            if (terminal.Json)
            {
                terminal.Document(answer);
                return ExitCode.Done;
            }

            string still = ChannelViewCommands.WhyNotPaid(answer.Channel);
            terminal.Line((unrecorded == "0"
                ? "nothing kept this channel from being paid in after a restoring"
                : $"channel {Views.Short(id)} is paid in again; {ChannelViewCommands.Unrecorded(known, unit)} stay in no book here")
                + (still.Length > 0 ? $"; it is still{still[1..]}: see 'channelnode channel show'" : ""));
            return ExitCode.Done;
        });
    }
}
