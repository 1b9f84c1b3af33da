using System.CommandLine;
using ChannelNode.Proto.V1;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>channel close, start-close, settle, claim</summary>
internal static class ChannelClosingCommands
{
    public static CliCommand Close(CommandShell shell) => OfChannel(
        shell,
        new("close", "Closes with the peer's consent, or not at all: both are paid in one transaction. 'start-close' needs no consent.", "channelnode channel close 0x1a2b3c --yes"),
        (client, id, cancel) => client.CloseChannel(new CloseChannelRequest { ChannelId = id }, cancellationToken: cancel),
        step => step.Progress);

    public static CliCommand StartClose(CommandShell shell) => OfChannel(
        shell,
        new("start-close", "Starts the dispute window without the peer; the node settles when it is over. What this node has paid since "
            + "the chain's record counts only if the peer, or its watchtower, presents it in that time.",
            "channelnode channel start-close 0x1a2b3c --yes"),
        (client, id, cancel) => client.StartClose(new StartCloseRequest { ChannelId = id }, cancellationToken: cancel),
        step => step.Progress);

    public static CliCommand Settle(CommandShell shell) => OfChannel(
        shell,
        new("settle", "Pays both sides after the dispute window.", "channelnode channel settle 0x1a2b3c --yes"),
        (client, id, cancel) => client.SettleChannel(new SettleChannelRequest { ChannelId = id }, cancellationToken: cancel),
        step => step.Progress);

    public static CliCommand Claim(CommandShell shell)
    {
        Argument<string[]> channels = Fields.Channels(
            "Channels, by id or the first 6 or more hex digits of it; all that owe something when none");
        CliCommand command = new(
            "claim", "Takes what one-way channels have paid to this node, without closing them.",
            "channelnode channel claim --yes") { channels };
        Confirmation confirmation = Confirmation.On(command);
        Waiting waiting = Waiting.On(command);
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            var request = new ClaimChannelsRequest();
            foreach (string channel in parsed.GetValue(channels) ?? [])
                request.ChannelIds.Add(await node.ResolveAsync(channel, cancel));
            string what = request.ChannelIds.Count == 0 ? "all channels that owe something" : $"{request.ChannelIds.Count} channel(s)";
            confirmation.Require(parsed, terminal, $"Claim from {what}");

            // With --wait false too when there are several transactions: the first one sent says that the rest follow.
            return await terminal.FollowAsync(
                node.Client.ClaimChannels(request, cancellationToken: cancel), step => step.Progress, shell.UnitsOf(parsed, node), cancel,
                waiting.UntilConfirmed(parsed));
        });
    }

    private static CliCommand OfChannel<T>(
        CommandShell shell,
        CliCommand command,
        Func<NodeService.NodeServiceClient, string, CancellationToken, AsyncServerStreamingCall<T>> ask,
        Func<T, Progress> progressOf)
    {
        Argument<string> channel = Fields.Channel();
        command.Arguments.Add(channel);
        Confirmation confirmation = Confirmation.On(command);
        Waiting waiting = Waiting.On(command);
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            string id = await node.ResolveAsync(parsed.GetValue(channel)!, cancel);
            confirmation.Require(parsed, terminal, $"'{command.Name}' channel {Views.Short(id)}");
            return await terminal.FollowAsync(
                ask(node.Client, id, cancel), progressOf, shell.UnitsOf(parsed, node), cancel, waiting.UntilConfirmed(parsed));
        });
    }
}
