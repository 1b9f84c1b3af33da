using System.CommandLine;
using ChannelNode.Proto.V1;

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
            else await ShowAsync(known, shell.UnitsOf(parsed, node), terminal, shell.Time.GetUtcNow(), cancel);
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
            else Show(found.Channel, await shell.UnitsOf(parsed, node).OfAsync(found.Channel.Token, cancel), terminal, shell.Time.GetUtcNow());
            return ExitCode.Done;
        });
    }

    private static async Task ShowAsync(
        ListChannelsResponse known, TokenUnits units, Terminal terminal, DateTimeOffset now, CancellationToken cancel)
    {
        if (known.Channels.Count == 0)
        {
            terminal.Line("no channels");
            return;
        }
        var rows = new List<string[]>();
        foreach (Channel channel in known.Channels) rows.Add(Row(channel, await units.OfAsync(channel.Token, cancel), now));
        var (table, leftOut) = Views.Fitting(
            terminal.Width, Columns, rows, "kind", "token", "#received", "#sent", "peer");
        terminal.Show(table);
        if (leftOut.Count > 0)
            terminal.Line($"not shown for want of room: {string.Join(", ", leftOut)}; see 'channelnode channel show'");
    }

    private static string[] Row(Channel channel, TokenUnit unit, DateTimeOffset now) =>
    [
        channel.ChannelId,
        Status(channel) + Left(channel, now) + WhyNotPaid(channel),
        Kind(channel),
        unit.Name,
        unit.Show(channel.OurBalance),
        unit.Show(channel.TheirBalance),
        unit.Show(channel.Sent),
        unit.Show(channel.Received),
        channel.PeerConnected ? "connected" : "offline",
    ];

    private static void Show(Channel channel, TokenUnit unit, Terminal terminal, DateTimeOffset now)
    {
        terminal.Show(Views.Fields(
            ("channel", channel.ChannelId),
            ("status", Status(channel) + Left(channel, now)),
            ("kind", Kind(channel)),
            ("token", unit.IsEther ? "ether" : unit.IsKnown ? $"{channel.Token} ({unit.Symbol})" : channel.Token),
            ("we can send", Balance(channel.OurBalance, channel.OurUncredited, unit)),
            ("they can send", Balance(channel.TheirBalance, channel.TheirUncredited, unit)),
            ("sent", $"{unit.Show(channel.Sent)}, acknowledged {unit.Show(channel.Acknowledged)}, "
                + $"recorded on chain {unit.Show(channel.OurRecordedSent)}"),
            ("received", $"{unit.Show(channel.Received)}, recorded on chain {unit.Show(channel.TheirRecordedSent)}"),
            ("pots on chain", $"ours {unit.Show(channel.OurPot)}, theirs {unit.Show(channel.TheirPot)}"),
            ("owners", $"ours {channel.OurOwner}, theirs {channel.TheirOwner}"),
            ("peer", $"{channel.Peer}, {(channel.PeerConnected ? "connected" : "offline")}"),
            ("dispute window", $"{channel.DisputeWindowSeconds} s"),
            ("salt", channel.Salt)));
        if (channel.Status == ChannelStatus.Closed && NotTaken(channel) is var notTaken && notTaken > UInt128.Zero)
        {
            terminal.Line(
                $"{unit.Show(notTaken.ToString())} signed and not taken by the peer: nothing was paid for that. The peer may still take "
                + "it, and then has it of a next deposit");
        }
        else if (channel.PeerRefusal != Refusal.Unspecified)
        {
            string until = channel.PeerRefusalUntilSeconds > 0 ? $" until {Time(channel.PeerRefusalUntilSeconds)}" : "";
            terminal.Line($"the peer refuses our newest update: {Failure.ReasonOf(channel.PeerRefusal)}{until}");
        }

        if (channel.RestoredHeldUntilSeconds > 0)
        {
            terminal.Line(
                $"the database was restored from a backup: what the peer pays here is refused until the chain is past "
                + $"{Time(channel.RestoredHeldUntilSeconds)}, when no close that the lost one signed can be mined any more");
        }

        if (channel.RestoredUnconfirmed)
        {
            terminal.Line(
                "the database was restored from a backup, and the peer has not told since where the channel stands: nothing is paid in it "
                + "until it does");
        }

        if (channel.SentUnrecorded is not ("" or "0"))
        {
            terminal.Line(
                $"{Unrecorded(channel, unit)} were signed after the backup that the database was restored from: these "
                + "payments and their idempotency keys are not known here, the peer's books have them, and nothing is paid until "
                + "'channelnode channel resume' says so");
        }

        if (channel.PeerProves.Length > 0)
        {
            terminal.Line(
                $"the peer says that it can prove {unit.Show(channel.PeerProves)} sent by this node: its database is older than the truth, "
                + "and nothing is paid here");
        }
    }

    private static UInt128 NotTaken(Channel channel) =>
        UInt128.TryParse(channel.Sent, out UInt128 sent) && UInt128.TryParse(channel.Acknowledged, out UInt128 acknowledged) && sent > acknowledged
            ? sent - acknowledged
            : UInt128.Zero;

    /// <summary>An older node says nothing of what counts.</summary>
    private static string Balance(string balance, string uncredited, TokenUnit unit) => uncredited is "" or "0"
        ? unit.Show(balance)
        : $"{unit.Show(balance)}, of it {unit.Show(uncredited)} only when the deposit has more confirmations";

    private static string Time(ulong unixSeconds) => $"{DateTimeOffset.FromUnixTimeSeconds((long)unixSeconds):yyyy-MM-dd HH:mm:ss} UTC";

    private static string Status(Channel channel) => Failure.ReasonOf(channel.Status).ToLowerInvariant().Replace('_', '-');

    private static string Left(Channel channel, DateTimeOffset now)
    {
        if (channel.ClosesAtSeconds == 0) return "";
        long seconds = (long)channel.ClosesAtSeconds - now.ToUnixTimeSeconds();
        return seconds > 0 ? $", {TimeLeft(seconds)} left" : ", the dispute window is over";
    }

    /// <summary>What was sent and is not in the books, and by which totals a payee's books have it.</summary>
    public static string Unrecorded(Channel channel, TokenUnit unit)
    {
        bool isKnown = UInt128.TryParse(channel.Sent, out UInt128 sent) & UInt128.TryParse(channel.SentUnrecorded, out UInt128 unrecorded);
        string totals = isKnown && unrecorded <= sent ? $" (totals above {sent - unrecorded}, up to {sent})" : "";
        return $"{unit.Show(channel.SentUnrecorded)} sent{totals}";
    }

    /// <summary>After a loss, in two words; 'channel show' has the sentence.</summary>
    public static string WhyNotPaid(Channel channel) => channel switch
    {
        { PeerProves.Length: > 0 } => ", state lost",
        { SentUnrecorded: not ("" or "0") } => ", not resumed",
        { RestoredUnconfirmed: true } => ", not confirmed",
        { RestoredHeldUntilSeconds: > 0 } => ", held",
        _ => "",
    };

    /// <summary>The two largest units, rounded down: nobody shall think that there is more time than there is.</summary>
    public static string TimeLeft(long seconds) => seconds switch
    {
        >= 86_400 => $"{seconds / 86_400} d {seconds % 86_400 / 3_600} h",
        >= 3_600 => $"{seconds / 3_600} h {seconds % 3_600 / 60} min",
        >= 60 => $"{seconds / 60} min {seconds % 60} s",
        _ => $"{seconds} s",
    };

    private static string Kind(Channel channel) => (channel.OneWay, channel.OurSide) switch
    {
        (false, _) => "duplex",
        (true, "a") => "one-way, we pay",
        (true, _) => "one-way, we receive",
    };
}
