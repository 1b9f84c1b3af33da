using System.CommandLine;
using System.Globalization;
using ChannelNode.Core;
using ChannelNode.Proto.V1;
using Google.Protobuf;

namespace ChannelNode.Cli;

/// <summary>token create, token narrow, token show, token list, token update, token revoke</summary>
internal static class AccessTokenCommand
{
    public static CliCommand Create(CommandShell shell) =>
        new("token", "Access tokens: they say who may use a node's API, and for what. Who made, changed or took back which is in 'policy audit export'.", "channelnode token create --name shop --scope pay --cap 'ether:per-day=1 ETH'")
        {
            AccessTokenMakeCommand.Create(shell), AccessTokenMakeCommand.Narrow(shell), Show(shell), List(shell),
            AccessTokenUpdateCommand.Create(shell), Revoke(shell),
        };

    private static CliCommand Show(CommandShell shell)
    {
        var command = new CliCommand(
            "show", "Shows the access token that this command uses: what it may do, and what it has spent. What was narrowed from it is in 'token list --narrowed'.",
            "channelnode token show --access-token-file shop.token");
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            GetAccessTokenResponse answer = await node.Client.GetAccessTokenAsync(new GetAccessTokenRequest(), cancellationToken: cancel);
            if (terminal.Json) terminal.Document(answer.AccessToken);
            else await ShowAsync([answer.AccessToken], shell.UnitsOf(parsed, node), terminal, cancel);
            if (!terminal.Json && answer.Narrowed.Count > 0)
                terminal.Line($"{answer.Narrowed.Count} narrowed from it: see 'channelnode token list --narrowed'");
            return ExitCode.Done;
        });
    }

    private static CliCommand List(CommandShell shell)
    {
        Option<bool> all = new("--all") { Description = "Those that were revoked or have expired too" };
        Option<bool> narrowed = new("--narrowed")
        {
            Description = "Those that are good and were narrowed from the token that this command uses, which need not be for admin",
        };
        var command = new CliCommand("list", "Lists access tokens, and what they have spent.",
            "channelnode token list --all\nchannelnode token list --narrowed --access-token-file shop.token") { all, narrowed };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            if (parsed.GetValue(all) && parsed.GetValue(narrowed)) throw NodeFlags.Wrong("--all", "--all: goes without --narrowed");
            ListAccessTokensResponse answer = parsed.GetValue(narrowed)
                ? await NarrowedAsync(node, cancel)
                : await ListAsync(node, parsed.GetValue(all), cancel);
            if (terminal.Json) terminal.Document(answer);
            else if (answer.AccessTokens.Count == 0) terminal.Line("no access tokens");
            else await ShowAsync(answer.AccessTokens, shell.UnitsOf(parsed, node), terminal, cancel);
            return ExitCode.Done;
        });
    }

    private static async Task<ListAccessTokensResponse> ListAsync(NodeConnection node, bool all, CancellationToken cancel)
    {
        ListAccessTokensResponse listed = new();
        ListAccessTokensRequest request = new() { All = all };
        do
        {
            ListAccessTokensResponse part = await node.Client.ListAccessTokensAsync(request, cancellationToken: cancel);
            listed.AccessTokens.Add(part.AccessTokens);
            request.AfterNumber = part.NextAfterNumber;
        }
        while (request.AfterNumber != 0);

        return listed;
    }

    private static async Task<ListAccessTokensResponse> NarrowedAsync(NodeConnection node, CancellationToken cancel)
    {
        GetAccessTokenResponse own = await node.Client.GetAccessTokenAsync(new GetAccessTokenRequest(), cancellationToken: cancel);
        return new ListAccessTokensResponse { AccessTokens = { own.Narrowed } };
    }

    public static async Task ShowAsync(
        IReadOnlyList<AccessToken> tokens, TokenUnits units, Terminal terminal, CancellationToken cancel)
    {
        List<string[]> rows = [];
        foreach (AccessToken token in tokens) rows.Add(await RowAsync(token, units, cancel));
        string[] columns = ["#number", "name", "may", "from", "good until", "caps", "spent"];
        var (table, leftOut) = Views.Fitting(terminal.Width, columns, rows, "spent", "caps");
        terminal.Show(table);
        if (leftOut.Count > 0) terminal.Line($"not shown for want of room: {string.Join(", ", leftOut)}; see 'channelnode token list --json'");
    }

    private static CliCommand Revoke(CommandShell shell)
    {
        Argument<ulong> number = new("number") { Description = "The token's number, as 'token list' and 'token show' show it" };
        Option<bool> narrowed = new("--narrowed") { Description = "One that was narrowed from the token that this command uses, which need not be for admin" };
        var command = new CliCommand(
            "revoke", "Takes an access token back, and all that was narrowed from it; calls that are open with them end.",
            "channelnode token revoke 3") { number, narrowed };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            IMessage answer;
            AccessToken revoked;
            if (parsed.GetValue(narrowed))
            {
                RevokeNarrowedAccessTokenRequest request = new() { Number = parsed.GetValue(number) };
                var answered = await node.Client.RevokeNarrowedAccessTokenAsync(request, cancellationToken: cancel);
                (answer, revoked) = (answered, answered.AccessToken);
            }
            else
            {
                RevokeAccessTokenRequest request = new() { Number = parsed.GetValue(number) };
                var answered = await node.Client.RevokeAccessTokenAsync(request, cancellationToken: cancel);
                (answer, revoked) = (answered, answered.AccessToken);
            }

            if (terminal.Json) terminal.Document(answer);
            else terminal.Line($"access token {revoked.Number} \"{revoked.Name}\" is good for nothing any more");
            return ExitCode.Done;
        });
    }

    private static async Task<string[]> RowAsync(AccessToken token, TokenUnits units, CancellationToken cancel)
    {
        List<string> caps = [], spent = [];
        foreach (SpendingCap cap in token.Caps) caps.Add(await SpendingCaps.ShowAsync(cap, units, cancel));
        foreach (var some in token.Spent.Where(it => it.Peer.Length == 0)) spent.Add(await SpendingCaps.ShowAsync(some, units, cancel));
        foreach (AccessTokenSpending some in token.Deposited) spent.Add("deposited " + await SpendingCaps.ShowAsync(some, units, cancel));
        if (token.ChannelsOpened > 0) spent.Add($"{token.ChannelsOpened} of {token.ChannelsPerDayMax} channels opened on its last day");
        if (token.ChannelsPerDayMax > 0) caps.Add($"{token.ChannelsPerDayMax} channels a day");
        if (token.RequestsPerSecondMax > 0) caps.Add($"{token.RequestsPerSecondMax} calls a second");
        if (token.StreamsMax > 0) caps.Add($"{token.StreamsMax} calls at a time");
        if (token.MessageBytesMax > 0) caps.Add($"messages of {ByteSize.Show(token.MessageBytesMax)}");
        if (token.Parent > 0) caps.Add($"all that limits token {token.Parent}");
        if (token.ChannelIds.Count > 0) caps.Add($"only {string.Join(" ", token.ChannelIds.Select(Views.Short))}");
        IEnumerable<string> may = token.Methods.Count > 0 ? token.Methods : token.Scopes.Select(scope => scope.ToString().ToLowerInvariant());
        string until = token.RevokedAtMs != 0 ? "revoked"
            : token.ExpiresAtSeconds == 0 ? token.Parent == 0 ? "for ever" : $"as token {token.Parent}"
            : DateTimeOffset.FromUnixTimeSeconds((long)token.ExpiresAtSeconds).ToString("u", CultureInfo.InvariantCulture)
                + (token.Parent == 0 ? "" : $", or with token {token.Parent}");
        return
        [
            token.Number.ToString(CultureInfo.InvariantCulture), token.Name, string.Join(" ", may),
            token.FromIps.Count == 0 ? "anywhere" : string.Join(" ", token.FromIps), until,
            string.Join("; ", caps), string.Join("; ", spent),
        ];
    }

    public static Option<string[]> Many(string name, string description, string helpName) => new(name)
    {
        Description = description,
        HelpName = helpName,
        Arity = ArgumentArity.ZeroOrMore,
    };
}
