using System.CommandLine;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>One flag for each of a node's options about applications that speak no gRPC.</summary>
internal sealed class ApplicationFlags
{
    private const int WebhooksMax = 8;

    private readonly Option<string> _jsonListen = Fields.Listen(
        "--json-listen", "Where JSON over HTTP and gRPC-Web are served; nowhere unless given. Port 0 takes a free one");
    private readonly Option<string[]> _jsonHosts = Fields.Texts(
        "--json-host", "A name, beside localhost and IP addresses, by which that port may be called; may be given several times", 16,
        "a host name without a port", "name", IsHostName);
    private readonly Option<string[]> _corsOrigins = Fields.Texts(
        "--cors-origin", "An origin whose pages may call that port from a browser; may be given several times", 64,
        "an origin such as https://shop.example", "origin", IsOrigin);

    private readonly Option<string[]> _webhookUrls = Fields.Urls(
        "--webhook-url", "Where payments received and events are posted to; may be given several times, up to 8", WebhooksMax, "http", "https");
    private readonly Option<string[]> _webhookSecretFiles = Fields.Texts(
        "--webhook-secret-file", "Signs what is posted to the --webhook-url at the same place; readable by its owner alone", WebhooksMax,
        "a file with one or two secrets of 16 to 256 bytes, one a line", "path", path => path.Length > 0);
    private readonly Option<uint> _webhookAlarm = Fields.Number(
        "--webhook-alarm-after", "Seconds for which a webhook may take nothing before that is an alarm", 60u, 604_800u,
        CommonFlags.Defaults.Applications.WebhookAlarmSeconds);

    public IEnumerable<Option> All() => [_jsonListen, _jsonHosts, _corsOrigins, _webhookUrls, _webhookSecretFiles, _webhookAlarm];

    public ApplicationOptions Read(ParseResult parsed) => new()
    {
        Webhooks = ReadWebhooks(parsed),
        WebhookAlarmSeconds = parsed.GetValue(_webhookAlarm),
        JsonListen = parsed.GetValue(_jsonListen) ?? string.Empty,
        JsonHosts = parsed.GetValue(_jsonHosts) is { Length: > 0 } hosts ? hosts : [],
        CorsOrigins = parsed.GetValue(_corsOrigins) is { Length: > 0 } origins ? origins : [],
    };

    /// <summary>Each URL once, with a file of its own.</summary>
    public IEnumerable<SettingFault> Wrong(ParseResult parsed)
    {
        string[] urls = parsed.GetValue(_webhookUrls) ?? [], files = parsed.GetValue(_webhookSecretFiles) ?? [];
        if (urls.Length != files.Length)
        {
            yield return new SettingFault(
                "--webhook-secret-file",
                $"--webhook-secret-file: {Plural.Of(files.Length, "was", "were")} given for {urls.Length} --webhook-url, expected one for each", "--webhook-url");
        }

        if (urls.FirstOrDefault(url => Uri.TryCreate(url, UriKind.Absolute, out Uri? parts) && parts.UserInfo.Length > 0) is not null)
        {
            yield return new SettingFault(
                "--webhook-url", "--webhook-url: one names a user or password, which are not sent: what is posted is signed with the --webhook-secret-file");
        }

        foreach (IGrouping<string, string> url in urls.GroupBy(url => url).Where(url => url.Count() > 1))
            yield return new SettingFault("--webhook-url", $"--webhook-url: {url.Key} was given {Plural.Of(url.Count(), "time")}, expected each once");
    }

    private IReadOnlyList<WebhookOptions> ReadWebhooks(ParseResult parsed)
    {
        string[] urls = parsed.GetValue(_webhookUrls) ?? [], files = parsed.GetValue(_webhookSecretFiles) ?? [];
        return urls.Length == 0 ? [] : [.. urls.Zip(files, (url, file) => new WebhookOptions(url, file))];
    }

    private static bool IsHostName(string text) => Uri.CheckHostName(text) != UriHostNameType.Unknown;

    /// <summary>As a browser writes it: no path, no default port, lower case.</summary>
    private static bool IsOrigin(string text) =>
        Fields.IsUrl(text, "http", "https") && new Uri(text).GetLeftPart(UriPartial.Authority) == text && !text.Contains('@');
}
