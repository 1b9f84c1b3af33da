using System.CommandLine;
using ChannelNode.Proto.V1;
using Google.Protobuf;

namespace ChannelNode.Cli;

/// <summary>token create, token narrow</summary>
internal sealed class AccessTokenMakeCommand
{
    public const uint RateMax = 1_000_000;
    public const uint HoursMax = 500_000;

    /// <summary>The largest that any node takes; the node that is asked has its own.</summary>
    public const uint MessageBytesMax = 64 << 20;

    private static readonly Dictionary<string, Scope> AnyScope = new()
    {
        ["read"] = Scope.Read,
        ["pay"] = Scope.Pay,
        ["channels"] = Scope.Channels,
        ["admin"] = Scope.Admin,
    };

    private readonly Option<string> _name = Fields.Text("--name", "What the token is for", 1, 64);
    private readonly Option<string[]> _methods =
        AccessTokenCommand.Many("--method", "Only this method, such as GetInfo; may be given several times", "name");

    private readonly Option<string[]> _from =
        AccessTokenCommand.Many("--from-ip", "Only from this address or network, such as 10.0.0.0/8; may be given several times", "ip");

    private readonly Option<string[]> _only = Fields.ChannelOptions(
        "--channel", "Only this channel, and nothing of others or of the whole node; its id, or the first 6 or more hex digits of it; may be given several times");

    private readonly Option<string[]> _caps = AccessTokenCommand.Many(
        "--cap",
        "What it may spend: 'ether:per-day=1 ETH', or '0xTOKEN:per-payment=1 USDC,per-day=9.5 USDC,per-peer-per-day=5 USDC,total=100 USDC'; "
        + "into channels: deposit-per-day and deposit-total; without a unit in smallest units; once for each currency",
        "cap");

    private readonly Option<bool> _uncapped = new("--uncapped") { Description = "It may pay without any cap" };
    private readonly Option<Scope[]> _scopes;
    private readonly Option<ulong> _hours;
    private readonly Option<uint> _rate;
    private readonly Option<uint> _streams;
    private readonly Option<uint> _bytes;
    private readonly Option<uint> _channels;

    private readonly Option<string?> _to = new("--to")
    {
        Description = "File to write the secret to, which must not exist, in place of printing it; only its owner can read it",
        HelpName = "path",
    };

    /// <param name="narrows">Of another one, whose limits hold where it has none of its own.</param>
    private AccessTokenMakeCommand(bool narrows)
    {
        string limit = narrows ? "0 for none but that of the token that this command uses" : "0 for the node's own limit";
        _name.Required = true;
        _scopes = Fields.Words(
            "--scope", "What it may do; may be given several times", narrows ? AnyScope.Where(word => word.Value != Scope.Admin).ToDictionary() : AnyScope);
        _hours = Fields.Number("--valid-hours", narrows ? "Hours for which it is good; 0 for as long as the token that this command uses" : "Hours for which it is good; 0 for ever", 0UL, HoursMax, 0UL);
        _rate = Fields.Number("--requests-per-second-max", $"Its calls in a second; {limit}", 0u, RateMax, 0u);
        _streams = Fields.Number("--streams-max", $"Its calls open at a time; {limit}", 0u, RateMax, 0u);
        _bytes = Fields.Bytes(
            "--message-bytes-max", $"The largest message that it may send; {limit}", Engine.AccessToken.MessageBytesMin, MessageBytesMax, 0);
        _channels = Fields.Number(
            "--channels-per-day-max", $"Channels that it may open in one day; {(narrows ? limit : "0 for any number")}", 0u, RateMax, 0u);
    }

    public static CliCommand Create(CommandShell shell)
    {
        AccessTokenMakeCommand made = new(narrows: false);
        var command = new CliCommand(
            "create", "Makes an access token and shows its secret, once.",
            "channelnode token create --name shop --scope read --scope pay \\\n"
            + "  --cap 'ether:per-payment=0.001 ETH,per-day=1 ETH' --valid-hours 720 --to shop.token")
        {
            made._name, made._scopes, made._methods, made._from, made._only, made._caps, made._uncapped, made._hours, made._rate,
            made._streams, made._bytes, made._channels, made._to,
        };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            CreateAccessTokenRequest request = await made.ReadAsync(shell, parsed, node, cancel);
            request.Uncapped = parsed.GetValue(made._uncapped);
            RequireCaps(request);
            return await made.TellAsync(
                parsed, terminal,
                async () => await node.Client.CreateAccessTokenAsync(request, cancellationToken: cancel),
                answer => (answer.AccessToken, answer.Secret),
                answer => answer.Secret = string.Empty);
        });
    }

    public static CliCommand Narrow(CommandShell shell)
    {
        AccessTokenMakeCommand made = new(narrows: true);
        var command = new CliCommand(
            "narrow",
            "Makes a narrower access token out of the one that this command uses, which need not be for admin, and shows its secret, once. "
            + "What is not given is as in that one (scopes are given where it is for admin), whose limits hold too. At most 4 caps; 100 tokens that come of one, "
            + "10 of one that is narrowed itself, 8 deep; those that ended count for an hour.",
            "channelnode token narrow --name kiosk --scope pay --cap 'ether:total=0.01 ETH' --valid-hours 24 \\\n"
            + "  --access-token-file shop.token --to kiosk.token")
        {
            made._name, made._scopes, made._methods, made._from, made._only, made._caps, made._hours, made._rate, made._streams,
            made._bytes, made._channels, made._to,
        };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            NarrowAccessTokenRequest request = new() { Narrowed = await made.ReadAsync(shell, parsed, node, cancel) };
            return await made.TellAsync(
                parsed, terminal,
                async () => await node.Client.NarrowAccessTokenAsync(request, cancellationToken: cancel),
                answer => (answer.AccessToken, answer.Secret),
                answer => answer.Secret = string.Empty);
        });
    }

    private async Task<CreateAccessTokenRequest> ReadAsync(
        CommandShell shell, ParseResult parsed, NodeConnection node, CancellationToken cancel)
    {
        CreateAccessTokenRequest request = new()
        {
            Name = parsed.GetValue(_name)!,
            ValidSeconds = parsed.GetValue(_hours) * 3_600,
            RequestsPerSecondMax = parsed.GetValue(_rate),
            StreamsMax = parsed.GetValue(_streams),
            MessageBytesMax = parsed.GetValue(_bytes),
            ChannelsPerDayMax = parsed.GetValue(_channels),
        };
        request.Scopes.AddRange(parsed.GetValue(_scopes) ?? []);
        request.Methods.AddRange((parsed.GetValue(_methods) ?? []).Select(KnownMethod));
        request.FromIps.AddRange(parsed.GetValue(_from) ?? []);
        request.Caps.AddRange(await SpendingCaps.ReadAsync(parsed.GetValue(_caps) ?? [], shell.UnitsOf(parsed, node), cancel));
        foreach (string channel in parsed.GetValue(_only) ?? []) request.ChannelIds.Add(await node.ResolveAsync(channel, cancel));
        return request;
    }

    /// <summary>Once the place of its secret is there: a token whose secret nobody has is one too many.</summary>
    private async Task<int> TellAsync<TAnswer>(
        ParseResult parsed, Terminal terminal, Func<Task<TAnswer>> ask, Func<TAnswer, (AccessToken Token, string Secret)> read, Action<TAnswer> forget)
        where TAnswer : IMessage
    {
        string? path = parsed.GetValue(_to);
        using SecretTarget? file = path is null ? null : SecretTarget.Open(path);
        TAnswer answer = await ask();
        (AccessToken token, string secret) = read(answer);
        Failure? unwritten = file?.Write(secret);
        bool isKept = file is not null && unwritten is null;
        if (isKept) forget(answer);
        if (terminal.Json) terminal.Document(answer);
        else terminal.Line(isKept
            ? $"access token {token.Number} written to {path}; keep it secret"
            : $"{secret}  access token {token.Number}; it is shown here and never again");
        return unwritten is null ? ExitCode.Done : throw new CommandException(unwritten);
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
}
