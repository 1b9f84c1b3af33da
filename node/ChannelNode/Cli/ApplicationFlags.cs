using System.CommandLine;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>One flag for each of a node's options about applications that speak no gRPC.</summary>
internal sealed class ApplicationFlags
{
    private readonly Option<string> _jsonListen = Fields.Listen(
        "--json-listen", "Where JSON over HTTP and gRPC-Web are served; nowhere unless given. Port 0 takes a free one");
    private readonly Option<string[]> _jsonHosts = Fields.Texts(
        "--json-host", "A name, beside localhost and IP addresses, by which that port may be called; may be given several times", 16,
        "a host name without a port", "name", IsHostName);
    private readonly Option<string[]> _corsOrigins = Fields.Texts(
        "--cors-origin", "An origin whose pages may call that port from a browser; may be given several times", 64,
        "an origin such as https://shop.example", "origin", IsOrigin);

    public IEnumerable<Option> All() => [_jsonListen, _jsonHosts, _corsOrigins];

    public ApplicationOptions Read(ParseResult parsed) => new()
    {
        JsonListen = parsed.GetValue(_jsonListen) ?? string.Empty,
        JsonHosts = parsed.GetValue(_jsonHosts) is { Length: > 0 } hosts ? hosts : [],
        CorsOrigins = parsed.GetValue(_corsOrigins) is { Length: > 0 } origins ? origins : [],
    };

    private static bool IsHostName(string text) => Uri.CheckHostName(text) != UriHostNameType.Unknown;

    /// <summary>As a browser writes it: no path, no default port, lower case.</summary>
    private static bool IsOrigin(string text) =>
        Fields.IsUrl(text, "http", "https") && new Uri(text).GetLeftPart(UriPartial.Authority) == text && !text.Contains('@');
}
