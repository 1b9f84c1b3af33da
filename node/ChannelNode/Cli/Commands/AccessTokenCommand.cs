using System.CommandLine;
using System.Globalization;
using ChannelNode.Core;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>token create, token show, token list, token update, token revoke</summary>
internal static class AccessTokenCommand
{
    public const uint RateMax = 1_000_000;
    public const uint HoursMax = 500_000;

    /// <summary>The largest that any node takes; the node that is asked has its own.</summary>
    public const uint MessageBytesMax = 64 << 20;

    private static readonly Dictionary<string, Scope> ScopeWords = new()
    {
        ["read"] = Scope.Read,
        ["pay"] = Scope.Pay,
        ["channels"] = Scope.Channels,
        ["admin"] = Scope.Admin,
    };

    public static CliCommand Create(CommandShell shell) =>
        new("token", "Access tokens: they say who may use a node's API, and for what.", "channelnode token create --name shop --scope pay --cap 'ether:per-day=1 ETH'")
        {
            Make(shell), Show(shell), List(shell), AccessTokenUpdateCommand.Create(shell), Revoke(shell),
        };

    private static CliCommand Make(CommandShell shell)
    {
        Option<string> name = Fields.Text("--name", "What the token is for", 1, 64);
        name.Required = true;
        Option<Scope[]> scopes = Fields.Words("--scope", "What it may do; may be given several times", ScopeWords);
        Option<string[]> methods = Many("--method", "Only this method, such as GetInfo; may be given several times", "name");
        Option<string[]> from = Many("--from-ip", "Only from this address or network, such as 10.0.0.0/8; may be given several times", "ip");
        Option<string[]> only = Fields.ChannelOptions(
            "--channel", "Only this channel, and nothing of others or of the whole node; its id, or the first 6 or more hex digits of it; may be given several times");
        Option<string[]> caps = Many(
            "--cap",
            "What it may spend: 'ether:per-day=1 ETH', or '0xTOKEN:per-payment=1 USDC,per-day=9.5 USDC,per-peer-per-day=5 USDC,total=100 USDC'; "
            + "into channels: deposit-per-day and deposit-total; without a unit in smallest units; once for each currency",
            "cap");
        Option<bool> uncapped = new("--uncapped") { Description = "It may pay without any cap" };
        Option<ulong> hours = Fields.Number("--valid-hours", "Hours for which it is good; 0 for ever", 0UL, HoursMax, 0UL);
        Option<uint> rate = Fields.Number("--requests-per-second-max", "Its calls in a second; 0 for the node's own limit", 0u, RateMax, 0u);
        Option<uint> streams = Fields.Number("--streams-max", "Its calls open at a time; 0 for the node's own limit", 0u, RateMax, 0u);
        Option<uint> bytes = Fields.Bytes(
            "--message-bytes-max", "The largest message that it may send; 0 for the node's own limit", Engine.AccessToken.MessageBytesMin, MessageBytesMax, 0);
        Option<uint> channels = Fields.Number("--channels-per-day-max", "Channels that it may open in one day; 0 for any number", 0u, RateMax, 0u);
        Option<string?> to = new("--to")
        {
            Description = "File to write the secret to, which must not exist, in place of printing it; only its owner can read it",
            HelpName = "path",
        };
        var command = new CliCommand(
            "create", "Makes an access token and shows its secret, once.",
            "channelnode token create --name shop --scope read --scope pay \\\n"
            + "  --cap 'ether:per-payment=0.001 ETH,per-day=1 ETH' --valid-hours 720 --to shop.token")
        {
            name, scopes, methods, from, only, caps, uncapped, hours, rate, streams, bytes, channels, to,
        };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            CreateAccessTokenRequest request = new()
            {
                Name = parsed.GetValue(name)!,
                Uncapped = parsed.GetValue(uncapped),
                ValidSeconds = parsed.GetValue(hours) * 3_600,
                RequestsPerSecondMax = parsed.GetValue(rate),
                StreamsMax = parsed.GetValue(streams),
                MessageBytesMax = parsed.GetValue(bytes),
                ChannelsPerDayMax = parsed.GetValue(channels),
            };
            request.Scopes.AddRange(parsed.GetValue(scopes) ?? []);
            request.Methods.AddRange((parsed.GetValue(methods) ?? []).Select(KnownMethod));
            request.FromIps.AddRange(parsed.GetValue(from) ?? []);
            request.Caps.AddRange(await SpendingCaps.ReadAsync(parsed.GetValue(caps) ?? [], shell.UnitsOf(parsed, node), cancel));
            RequireCaps(request);
            foreach (string channel in parsed.GetValue(only) ?? []) request.ChannelIds.Add(await node.ResolveAsync(channel, cancel));
            string? path = parsed.GetValue(to);
            using SecretTarget? file = path is null ? null : SecretTarget.Open(path);
            CreateAccessTokenResponse answer = await node.Client.CreateAccessTokenAsync(request, cancellationToken: cancel);
            Failure? unwritten = file?.Write(answer.Secret);
            if (file is not null && unwritten is null) answer.Secret = string.Empty;
            if (terminal.Json) terminal.Document(answer);
            else terminal.Line(answer.Secret.Length > 0
                ? $"{answer.Secret}  access token {answer.AccessToken.Number}; it is shown here and never again"
                : $"access token {answer.AccessToken.Number} written to {path}; keep it secret");
            return unwritten is null ? ExitCode.Done : throw new CommandException(unwritten);
        });
    }

    private static string KnownMethod(string name)
    {
        List<string> known = [.. NodeService.Descriptor.Methods.Select(method => method.Name).Order(StringComparer.Ordinal)];
        if (known.Contains(name)) return name;
        string nearest = known.MinBy(other => Spelling.Distance(name.ToUpperInvariant(), other.ToUpperInvariant()))!;
        throw NodeFlags.Wrong(
            "--method", $"--method: '{name}' is no method; the nearest is {nearest}; there are {string.Join(", ", known)}");
    }

    /// <summary>As the node does, in the words of the flags.</summary>
    private static void RequireCaps(CreateAccessTokenRequest request)
    {
        bool pays = request.Scopes.Contains(Scope.Pay) && !request.Scopes.Contains(Scope.Admin);
        bool hasCaps = request.Caps.Any(cap => (cap.PerPayment + cap.PerDay + cap.PerPeerPerDay + cap.Total).Length > 0);
        if (pays && !hasCaps && !request.Uncapped)
        {
            throw NodeFlags.Wrong(
                "--cap", "--cap: needed with --scope pay: how much may it spend? For example --cap 'ether:per-day=1 ETH' (one ether a "
                + "day); --uncapped makes one that may spend all that there is");
        }

        if (hasCaps && request.Uncapped) throw NodeFlags.Wrong("--uncapped", "--uncapped: goes without --cap: it has caps, or none");
    }

    private static CliCommand Show(CommandShell shell)
    {
        var command = new CliCommand(
            "show", "Shows the access token that this command uses: what it may do, and what it has spent.",
            "channelnode token show --access-token-file shop.token");
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            GetAccessTokenResponse answer = await node.Client.GetAccessTokenAsync(new GetAccessTokenRequest(), cancellationToken: cancel);
            if (terminal.Json) terminal.Document(answer.AccessToken);
            else await ShowAsync([answer.AccessToken], shell.UnitsOf(parsed, node), terminal, cancel);
            return ExitCode.Done;
        });
    }

    private static CliCommand List(CommandShell shell)
    {
        Option<bool> all = new("--all") { Description = "Those that were revoked or have expired too" };
        var command = new CliCommand("list", "Lists access tokens, and what they have spent.", "channelnode token list --all") { all };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            ListAccessTokensResponse answer = await node.Client.ListAccessTokensAsync(
                new ListAccessTokensRequest { All = parsed.GetValue(all) }, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(answer);
            else if (answer.AccessTokens.Count == 0) terminal.Line("no access tokens");
            else await ShowAsync(answer.AccessTokens, shell.UnitsOf(parsed, node), terminal, cancel);
            return ExitCode.Done;
        });
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
        Argument<ulong> number = new("number") { Description = "The token's number, as 'token list' shows it" };
        var command = new CliCommand(
            "revoke", "Takes an access token back; calls that are open with it end.", "channelnode token revoke 3") { number };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            RevokeAccessTokenResponse answer = await node.Client.RevokeAccessTokenAsync(
                new RevokeAccessTokenRequest { Number = parsed.GetValue(number) }, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(answer);
            else terminal.Line($"access token {answer.AccessToken.Number} \"{answer.AccessToken.Name}\" is good for nothing any more");
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
        if (token.ChannelIds.Count > 0) caps.Add($"only {string.Join(" ", token.ChannelIds.Select(Views.Short))}");
        IEnumerable<string> may = token.Methods.Count > 0 ? token.Methods : token.Scopes.Select(scope => scope.ToString().ToLowerInvariant());
        string until = token.RevokedAtMs != 0 ? "revoked"
            : token.ExpiresAtSeconds == 0 ? "for ever"
            : DateTimeOffset.FromUnixTimeSeconds((long)token.ExpiresAtSeconds).ToString("u", CultureInfo.InvariantCulture);
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
