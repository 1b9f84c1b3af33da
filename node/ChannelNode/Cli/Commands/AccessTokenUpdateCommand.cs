using System.CommandLine;
using System.Globalization;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>token update: a living token's limits, under the same secret</summary>
internal static class AccessTokenUpdateCommand
{
    private const string None = "none";

    public static CliCommand Create(CommandShell shell)
    {
        Argument<ulong> number = new("number") { Description = "The token's number, as 'token list' shows it" };
        Option<string[]> caps = AccessTokenCommand.Many(
            "--cap",
            "What it may spend and deposit, as with 'token create'; of each currency limits that are not named stay, and none takes one away: "
            + "'ether:per-day=2 ETH,total=none'; once for each currency",
            "cap");
        Option<string[]> only = Fields.ChannelOptions(
            "--channel", "Only this channel from now on, in place of those that it had; may be given several times, all of them");
        Option<bool> any = new("--any-channel") { Description = "All channels, and the whole node, from now on" };
        Option<bool> uncapped = new("--uncapped") { Description = "It may pay without any cap: needed where the last one is taken away" };
        Option<string> hours = Fields.CountOrNone("--valid-hours", "Hours from now for which it is good; none for ever", AccessTokenMakeCommand.HoursMax);
        Option<string> rate = Fields.CountOrNone(
            "--requests-per-second-max", "Its calls in a second; none for the node's own limit", AccessTokenMakeCommand.RateMax);
        Option<string> streams = Fields.CountOrNone("--streams-max", "Its calls open at a time; none for the node's own limit", AccessTokenMakeCommand.RateMax);
        Option<string> bytes = Fields.BytesOrNone(
            "--message-bytes-max", "The largest message that it may send; none for the node's own limit", Engine.AccessToken.MessageBytesMin,
            AccessTokenMakeCommand.MessageBytesMax);
        Option<string> channels = Fields.CountOrNone(
            "--channels-per-day-max", "Channels that it may open in one day; none for any number", AccessTokenMakeCommand.RateMax);
        var command = new CliCommand(
            "update", "Changes the limits of an access token, under the same secret; what is not named stays, and 'none' takes a limit away. What it "
            + "has spent stays counted. It holds from the next payment and call on.",
            "channelnode token update 3 --cap 'ether:per-day=2 ETH,total=none' --valid-hours 720\n"
            + "channelnode token update 3 --valid-hours none --message-bytes-max 64KiB")
        {
            number, caps, only, any, uncapped, hours, rate, streams, bytes, channels,
        };
        command.Validators.Add(result =>
        {
            Option[] changes = [caps, only, any, hours, rate, streams, bytes, channels];
            if (changes.All(change => result.GetResult(change) is null))
                result.AddError("number: say what changes of it; for example --cap 'ether:per-day=2 ETH'");
        });
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            UpdateAccessTokenRequest request = new() { Number = parsed.GetValue(number), Uncapped = parsed.GetValue(uncapped) };
            if (parsed.GetValue(hours) is { } valid) request.ValidSeconds = Count(valid) * 3_600UL;
            if (parsed.GetValue(rate) is { } calls) request.RequestsPerSecondMax = Count(calls);
            if (parsed.GetValue(streams) is { } open) request.StreamsMax = Count(open);
            if (parsed.GetValue(bytes) is { } size) request.MessageBytesMax = ByteSize.TryParse(size, out uint largest) ? largest : 0;
            if (parsed.GetValue(channels) is { } opened) request.ChannelsPerDayMax = Count(opened);
            request.AnyChannel = parsed.GetValue(any);
            foreach (string channel in parsed.GetValue(only) ?? []) request.ChannelIds.Add(await node.ResolveAsync(channel, cancel));
            TokenUnits units = shell.UnitsOf(parsed, node);
            request.Caps.AddRange(await SpendingCaps.ReadChangesAsync(parsed.GetValue(caps) ?? [], units, cancel));
            UpdateAccessTokenResponse answer = await node.Client.UpdateAccessTokenAsync(request, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(answer);
            else await AccessTokenCommand.ShowAsync([answer.AccessToken], units, terminal, cancel);
            return ExitCode.Done;
        });
    }

    /// <summary>The option has looked at its form.</summary>
    private static uint Count(string text) => text == None ? 0 : uint.Parse(text, CultureInfo.InvariantCulture);
}
