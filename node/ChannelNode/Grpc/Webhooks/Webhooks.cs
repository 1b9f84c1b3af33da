using ChannelNode.Engine;

namespace ChannelNode.Grpc.Webhooks;

/// <summary>
/// Where webhooks' cursors are kept: of those named now, and of those that were. For any thread; on disk when <see cref="Write"/> or
/// <see cref="Move"/>, which gives one's cursors to another, returns.
/// </summary>
internal sealed record WebhookCursors(
    Func<string, WebhookTopic, ulong?> Read, Action<string, WebhookTopic, ulong> Write, Func<IReadOnlyList<string>> Urls,
    Action<string, string> Move);

/// <summary>
/// Tells sites over HTTP of what they would otherwise subscribe to. Each endpoint has its payments and its events, each with a
/// cursor and a pace of its own: one that is away holds up nobody else. All of it reads what is on disk, beside the node's work.
/// </summary>
internal sealed class Webhooks : IAsyncDisposable
{
    private readonly List<(WebhookEndpoint Endpoint, WebhookStream Payments, WebhookStream Events)> _all = [];
    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;

    /// <summary>
    /// A new endpoint is told of what comes from here on. Throws <see cref="RefusalException"/> where a secret cannot be used.
    /// </summary>
    public Webhooks(Node node, WebhookCursors cursors, TimeProvider time, ILoggerFactory logs)
    {
        ILogger log = logs.CreateLogger<Webhooks>();
        ApplicationOptions options = node.Options.Applications;
        Replace(node, cursors, [.. options.Webhooks.Select(webhook => webhook.Url)], log);
        foreach (WebhookOptions webhook in options.Webhooks)
        {
            WebhookEndpoint endpoint = new(
                webhook, TimeSpan.FromSeconds(options.WebhookAlarmSeconds), node.Ledger.TellAsync, time, log);
            _all.Add((endpoint, Stream(WebhookTopic.Payments), Stream(WebhookTopic.Events)));

            WebhookStream Stream(WebhookTopic topic)
            {
                ulong newest = topic == WebhookTopic.Payments ? node.Store.ReadReceivedCursor() : node.Store.ReadEventCursor();
                if (cursors.Read(webhook.Url, topic) is not { } cursor)
                {
                    cursor = newest;
                    cursors.Write(webhook.Url, topic, cursor);
                }

                return new WebhookStream(
                    node, endpoint, topic, Math.Min(cursor, newest), taken => cursors.Write(webhook.Url, topic, taken), log);
            }
        }
    }

    /// <summary>
    /// A URL was wrong, or has changed: what the old one has not taken is the new one's, where there is one of each. Else it is said what
    /// nobody will get.
    /// </summary>
    private static void Replace(Node node, WebhookCursors cursors, IReadOnlyList<string> named, ILogger log)
    {
        IReadOnlyList<string> known = cursors.Urls();
        string[] gone = [.. known.Except(named)], fresh = [.. named.Except(known).Distinct()];
        if (gone is [var old] && fresh is [var url])
        {
            ulong payments = Waiting(old, WebhookTopic.Payments), events = Waiting(old, WebhookTopic.Events);
            cursors.Move(old, url);
            log.WebhookReplaced(WebhookEndpoint.PlaceOf(url), WebhookEndpoint.PlaceOf(old), payments, events);
            return;
        }

        foreach (string it in fresh) log.WebhookIsNew(WebhookEndpoint.PlaceOf(it), node.Store.ReadReceivedCursor());
        foreach (string it in gone)
        {
            if (Waiting(it, WebhookTopic.Payments) is > 0 and var waiting)
                log.WebhookLeft(WebhookEndpoint.PlaceOf(it), waiting, cursors.Read(it, WebhookTopic.Payments) ?? 0);
        }

        ulong Waiting(string url, WebhookTopic topic) => WebhookStream.WaitingBehind(node, topic, cursors.Read(url, topic) ?? ulong.MaxValue);
    }

    public void Start() => _running = Task.WhenAll(_all
        .SelectMany(it => (IEnumerable<WebhookStream>)[it.Payments, it.Events])
        .Select(stream => Task.Run(() => stream.RunAsync(_stopping.Token))));

    /// <summary>In the order of the settings.</summary>
    public IReadOnlyList<WebhookHealth> Health() => [.. _all.Select(it => it.Endpoint.Health(it.Payments.Waiting, it.Events.Waiting))];

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        foreach ((WebhookEndpoint endpoint, _, _) in _all) endpoint.Dispose();
        _stopping.Dispose();
    }
}
