using System.CommandLine;
using ChannelNode.Proto.V1;
using Address = ChannelNode.Core.Address;

namespace ChannelNode.Cli;

/// <summary>channel list, channel show</summary>
internal static class ChannelViewCommands
{
    private static readonly Dictionary<string, ChannelStatus> Statuses = new()
    {
        ["proposed"] = ChannelStatus.Proposed,
        ["open"] = ChannelStatus.Open,
        ["close-agreed"] = ChannelStatus.CloseAgreed,
        ["closing"] = ChannelStatus.Closing,
        ["closed"] = ChannelStatus.Closed,
    };

    private static readonly string[] Columns =
        ["channel", "status", "kind", "token", "#we can send", "#they can send", "#sent", "#received", "peer"];

    public static CliCommand List(CommandShell shell)
    {
        Option<ChannelStatus> status = Fields.Word("--status", "Only channels of this status", Statuses);
        var command = new CliCommand("list", "Lists channels.", "channelnode channel list --status open") { status };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            var request = new ListChannelsRequest { Status = parsed.GetValue(status) };
            var known = new ListChannelsResponse();
            await foreach (Channel found in node.ListAsync(request, cancel)) known.Channels.Add(found);
            if (terminal.Json) terminal.Document(known);
            else Show(known, terminal);
            return ExitCode.Done;
        });
    }

    public static CliCommand Show(CommandShell shell)
    {
        Argument<string> channel = Fields.Channel();
        var command = new CliCommand("show", "Shows one channel.", "channelnode channel show 0x1a2b3c") { channel };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            var request = new GetChannelRequest { ChannelId = await node.ResolveAsync(parsed.GetValue(channel)!, cancel) };
            GetChannelResponse found = await node.Client.GetChannelAsync(request, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(found.Channel);
            else Show(found.Channel, terminal, shell.Time.GetUtcNow());
            return ExitCode.Done;
        });
    }

    private static void Show(ListChannelsResponse known, Terminal terminal)
    {
        if (known.Channels.Count == 0)
        {
            terminal.Line("no channels");
            return;
        }
        var (table, leftOut) = Views.Fitting(
            terminal.Width, Columns, [.. known.Channels.Select(Row)], "kind", "token", "#received", "#sent", "peer");
        terminal.Show(table);
        if (leftOut.Count > 0)
            terminal.Line($"not shown for want of room: {string.Join(", ", leftOut)}; see 'channelnode channel show'");
    }

    private static string[] Row(Channel channel) =>
    [
        channel.ChannelId,
        Status(channel),
        Kind(channel),
        IsEther(channel) ? "ether" : channel.Token,
        channel.OurBalance,
        channel.TheirBalance,
        channel.Sent,
        channel.Received,
        channel.PeerConnected ? "connected" : "offline",
    ];

    private static void Show(Channel channel, Terminal terminal, DateTimeOffset now)
    {
        terminal.Show(Views.Fields(
            ("channel", channel.ChannelId),
            ("status", Status(channel) + Left(channel, now)),
            ("kind", Kind(channel)),
            ("token", IsEther(channel) ? "ether" : channel.Token),
            ("we can send", channel.OurBalance),
            ("they can send", channel.TheirBalance),
            ("sent", $"{channel.Sent}, acknowledged {channel.Acknowledged}, recorded on chain {channel.OurRecordedSent}"),
            ("received", $"{channel.Received}, recorded on chain {channel.TheirRecordedSent}"),
            ("pots on chain", $"ours {channel.OurPot}, theirs {channel.TheirPot}"),
            ("owners", $"ours {channel.OurOwner}, theirs {channel.TheirOwner}"),
            ("peer", $"{channel.Peer}, {(channel.PeerConnected ? "connected" : "offline")}"),
            ("dispute window", $"{channel.DisputeWindowSeconds} s"),
            ("salt", channel.Salt)));
        if (channel.PeerRefusal != Refusal.Unspecified)
            terminal.Line($"the peer refuses our newest update: {Failure.ReasonOf(channel.PeerRefusal)}");
        if (channel.RestoredUnconfirmed)
        {
            terminal.Line(
                "the database was restored from a backup, and the peer has not told since where the channel stands: nothing is paid in it "
                + "until it does");
        }

        if (channel.PeerProves.Length > 0)
        {
            terminal.Line(
                $"the peer says that it can prove {channel.PeerProves} sent by this node: its database is older than the truth, "
                + "and nothing is paid here");
        }
    }

    private static string Status(Channel channel) => Failure.ReasonOf(channel.Status).ToLowerInvariant().Replace('_', '-');

    private static string Left(Channel channel, DateTimeOffset now)
    {
        if (channel.ClosesAtSeconds == 0) return "";
        long seconds = (long)channel.ClosesAtSeconds - now.ToUnixTimeSeconds();
        return seconds > 0 ? $", {seconds} s of the dispute window left" : ", the dispute window is over";
    }

    private static string Kind(Channel channel) => (channel.OneWay, channel.OurSide) switch
    {
        (false, _) => "duplex",
        (true, "a") => "one-way, we pay",
        (true, _) => "one-way, we receive",
    };

    private static bool IsEther(Channel channel) => Address.TryParse(channel.Token, out Address token) && token.IsZero;
}
