using System.CommandLine;
using System.Text.Json;
using ChannelNode.Proto.V1;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>events</summary>
internal static class EventsCommand
{
    /// <summary>channel-opened for EVENT_KIND_CHANNEL_OPENED.</summary>
    private static readonly Dictionary<string, EventKind> Kinds = Enum.GetValues<EventKind>()
        .Where(kind => kind != EventKind.Unspecified)
        .ToDictionary(kind => JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString()));

    public static CliCommand Create(CommandShell shell)
    {
        Option<ulong> after = Fields.Number(
            "--after", "The newest cursor already handled; all that are kept when not given", 0ul, ulong.MaxValue, (ulong?)null);
        var follow = new Option<bool>("--follow") { Description = "Goes on with new ones as they come" };
        Option<EventKind[]> kinds = Fields.Words("--kind", "Only this kind; may be given several times", Kinds);
        Option<string> channel = Fields.ChannelOption("--channel", "Only events about this channel");
        var command = new CliCommand(
            "events", "Prints what has happened that operators care about, the old first: alarms, channels, transactions. Times are UTC.",
            "channelnode events --follow\n"
            + "channelnode events --after 1200 --follow --json --kind channel-closing --kind window-ending")
        { after, follow, kinds, channel };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            SubscribeEventsRequest request = new()
            {
                AfterCursor = parsed.GetResult(after) is null
                    ? (await node.Client.GetInfoAsync(new GetInfoRequest(), cancellationToken: cancel)).DroppedEventCursor
                    : parsed.GetValue(after),
                ChannelId = parsed.GetValue(channel) is { } given ? await node.ResolveAsync(given, cancel) : "",
                KeptOnly = !parsed.GetValue(follow),
            };
            request.Kinds.AddRange(parsed.GetValue(kinds) ?? []);
            using AsyncServerStreamingCall<SubscribeEventsResponse> call =
                node.Client.SubscribeEvents(request, cancellationToken: cancel);
            TokenUnits units = shell.UnitsOf(parsed, node);
            while (await call.ResponseStream.MoveNext(cancel))
                foreach (OperatorEvent what in call.ResponseStream.Current.Events) await PrintAsync(what, units, terminal, cancel);
            return ExitCode.Done;
        });
    }

    private static async Task PrintAsync(OperatorEvent what, TokenUnits units, Terminal terminal, CancellationToken cancel)
    {
        if (terminal.Json)
        {
            terminal.Document(what);
            return;
        }

        DateTimeOffset at = DateTimeOffset.FromUnixTimeMilliseconds(what.TimeMs);
        string severity = what.Severity.ToString().ToUpperInvariant();
        terminal.Line($"{what.Cursor}  {at:yyyy-MM-dd HH:mm:ss}  {severity,-7}  {await units.InAsync(what.Sentence, cancel)}");
    }
}
