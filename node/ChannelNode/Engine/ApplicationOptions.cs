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

    /// <summary>Where payments received and events are posted to. At most 8.</summary>
    public IReadOnlyList<WebhookOptions> Webhooks { get; init; } = [];

    /// <summary>For how long one may take nothing before that is an alarm. 60 to 604,800 seconds.</summary>
    public uint WebhookAlarmSeconds { get; init; } = 900;
}

/// <summary>One endpoint: an http:// or https:// URL, and the file with the secret, or two, that its deliveries are signed with.</summary>
internal sealed record WebhookOptions(string Url, string SecretFile);

/// <summary>What an endpoint is told, each with a cursor of its own. Stored: append, never renumber.</summary>
internal enum WebhookTopic : byte
{
    Payments = 1,
    Events = 2,
}
