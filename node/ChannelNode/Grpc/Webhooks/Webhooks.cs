using ChannelNode.Engine;

namespace ChannelNode.Grpc.Webhooks;

/// <summary>Where a webhook's cursors are kept. For any thread; on disk when <see cref="Write"/> returns.</summary>
internal sealed record WebhookCursors(Func<string, WebhookTopic, ulong?> Read, Action<string, WebhookTopic, ulong> Write);

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
