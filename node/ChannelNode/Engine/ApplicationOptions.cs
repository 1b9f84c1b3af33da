namespace ChannelNode.Engine;

/// <summary>How applications that speak no gRPC are served, and told.</summary>
internal sealed record ApplicationOptions
{
    /// <summary>
    /// host:port of the API as JSON over HTTP/1.1 and gRPC-Web. Empty, the default, for none: it is the one port that the pages
    /// of a browser on this machine can reach. Port 0 takes a free one.
    /// </summary>
    public string JsonListen { get; init; } = string.Empty;

    /// <summary>Names, without a port, under which that port may be called beside localhost and IP addresses. At most 16.</summary>
    public IReadOnlyList<string> JsonHosts { get; init; } = [];

    /// <summary>Origins, such as https://shop.example, whose pages may call that port; no others may. At most 64.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];
}
