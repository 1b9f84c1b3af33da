using System.CommandLine;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>The flags of a certificate, which a node and a watchtower have in common.</summary>
internal sealed class TlsFlags
{
    public const int DomainsMax = 32;

    private readonly Option<string> _certificate = new("--tls-cert")
    {
        Description = "Certificate to serve TLS with, and those above it, in PEM; read anew when the file changes. One is made and "
            + "kept in --data-dir when none is given",
        HelpName = "path",
    };
    private readonly Option<string> _key = new("--tls-key") { Description = "Its key, in PEM", HelpName = "path" };
    private readonly Option<string[]> _domains = new("--tls-domain")
    {
        Description = "A name by which callers know this machine, for a certificate that is made; may be given several times",
        HelpName = "name",
        Arity = ArgumentArity.ZeroOrMore,
        CustomParser = result =>
        {
            if (result.Tokens.Count > DomainsMax) result.AddError($"--tls-domain: {result.Tokens.Count} were given, at most {DomainsMax} can be");
            foreach (var token in result.Tokens)
            {
                if (Uri.CheckHostName(token.Value) == UriHostNameType.Unknown)
                    result.AddError($"--tls-domain: '{token.Value}' is not a host name or an address");
            }

            return [.. result.Tokens.Select(token => token.Value)];
        },
    };

    public IEnumerable<Option> All() => [_certificate, _key, _domains];

    public NodeOptions Read(ParseResult parsed, NodeOptions options) => options with
    {
        TlsCertificate = parsed.GetValue(_certificate) ?? "",
        TlsKey = parsed.GetValue(_key) ?? "",
        TlsDomains = parsed.GetValue(_domains) is { Length: > 0 } names ? names : [],
    };
}

/// <summary>The flags of a node's two doors: who comes in, and how many.</summary>
internal sealed class DoorFlags
{
    private readonly TlsFlags _tls = new();
    private readonly Option<string> _apiListen = Fields.Door(
        "--api-listen", "Where applications and operators call; port 0 takes a free one. Beyond this machine only with --api-tls",
        CommonFlags.Defaults.ApiListen);
    private readonly Option<string> _peerListen = Fields.Listen(
        "--peer-listen", "Where peers call; port 0 takes a free one", CommonFlags.Defaults.PeerListen);
    private readonly Option<bool> _apiTls = Fields.Switch("--api-tls", "Serve the API over TLS 1.3");
    private readonly Option<bool> _peerTls = Fields.Switch("--peer-tls", "Serve peers over TLS 1.3: they dial https://");
    private readonly Option<bool?> _tokenRequired = Fields.Choice(
        "--access-token-required", "Let nobody call the API, or read metrics, without a token; false: whoever is on this machine may do "
        + "everything. Unless given the API asks, but at a unix socket, and metrics on this machine do not; beyond it all do. The data folder's api.sock never asks");
    private readonly Option<int> _requestsMax = Fields.Number(
        "--api-requests-per-second-max", "Calls of the API in a second by one token, or by one address without", 1, 1_000_000,
        CommonFlags.Defaults.ApiRequestsPerSecondMax, "per second");
    private readonly Option<int> _streamsMax = Fields.Number(
        "--api-streams-max", "Calls of the API that are open at a time by one token, or by one address without", 1, 1_000_000,
        CommonFlags.Defaults.ApiStreamsMax);
    private readonly Option<int> _apiConnectionsMax = Fields.Number(
        "--api-connections-max", "Connections to the API at a time", 1, 1_000_000, CommonFlags.Defaults.ApiConnectionsMax);
    private readonly Option<int> _peerConnectionsMax = Fields.Number(
        "--peer-connections-max", "Connections of peers at a time", 1, 1_000_000, CommonFlags.Defaults.PeerConnectionsMax);
    private readonly Option<int> _peerSessionsMax = Fields.Number(
        "--peer-sessions-max", "Sessions that peers have opened, at a time", 1, 1_000_000, CommonFlags.Defaults.PeerSessionsMax);
    private readonly Option<int> _handshakesMax = Fields.Number(
        "--peer-handshakes-max", "Peers that may be proving who they are at a time", 1, 100_000, CommonFlags.Defaults.PeerHandshakesMax);
    private readonly Option<int> _handshakesPerSecondMax = Fields.Number(
        "--peer-handshakes-per-second-max", "Sessions that one address may begin in a second", 1, 100_000,
        CommonFlags.Defaults.PeerHandshakesPerSecondMax, "per second");
    private readonly Option<int> _channelsMax = Fields.Number(
        "--channels-max", "Channels of all peers, in any state, beyond which peers can open none", 1, 1_000_000_000,
        CommonFlags.Defaults.ChannelsMax);

    private readonly Option<int> _channelsPerPeerMax = Fields.Number(
        "--channels-per-peer-max", "Channels of one peer that are not closed, beyond which it can open none", 1, 1_000_000_000,
        CommonFlags.Defaults.ChannelsPerPeerMax);

    public IEnumerable<Option> All() =>
    [
        _apiListen, _peerListen, _apiTls, _peerTls, .. _tls.All(), _tokenRequired, _requestsMax, _streamsMax, _apiConnectionsMax,
        _peerConnectionsMax, _peerSessionsMax, _handshakesMax, _handshakesPerSecondMax, _channelsMax,
        _channelsPerPeerMax,
    ];

    /// <summary>Connections of each door.</summary>
    public IEnumerable<Option<int>> Connections => [_peerConnectionsMax, _apiConnectionsMax];

    public IEnumerable<SettingFault> Wrong(ParseResult parsed, Option<int> unfundedMax, Option<int> unfundedPerPeerMax)
    {
        const string OfAll = "that is how many all peers may have together";
        return
        [
            .. Overruled.Above(parsed, _channelsPerPeerMax, _channelsMax, OfAll),
            .. Overruled.Above(parsed, unfundedPerPeerMax, unfundedMax, OfAll),
            .. Overruled.Above(parsed, unfundedPerPeerMax, _channelsPerPeerMax, "one that waits for a deposit is a channel too"),
            .. Overruled.Above(parsed, unfundedMax, _channelsMax, "one that waits for a deposit is a channel too"),
        ];
    }

    public NodeOptions Read(ParseResult parsed, NodeOptions options) => _tls.Read(parsed, options) with
    {
        ApiListen = parsed.GetValue(_apiListen)!,
        PeerListen = parsed.GetValue(_peerListen)!,
        ApiTls = parsed.GetValue(_apiTls),
        PeerTls = parsed.GetValue(_peerTls),
        AccessTokenRequired = parsed.GetValue(_tokenRequired),
        ApiRequestsPerSecondMax = parsed.GetValue(_requestsMax),
        ApiStreamsMax = parsed.GetValue(_streamsMax),
        ApiConnectionsMax = parsed.GetValue(_apiConnectionsMax),
        PeerConnectionsMax = parsed.GetValue(_peerConnectionsMax),
        PeerSessionsMax = parsed.GetValue(_peerSessionsMax),
        PeerHandshakesMax = parsed.GetValue(_handshakesMax),
        ChannelsMax = parsed.GetValue(_channelsMax),
        ChannelsPerPeerMax = parsed.GetValue(_channelsPerPeerMax),
        PeerHandshakesPerSecondMax = parsed.GetValue(_handshakesPerSecondMax),
    };
}
