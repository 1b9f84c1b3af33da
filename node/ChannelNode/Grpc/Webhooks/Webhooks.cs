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
    private readonly List<WebhookEndpoint> _endpoints = [];
    private readonly List<WebhookStream> _streams = [];
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
            _endpoints.Add(endpoint);
            foreach (WebhookTopic topic in Enum.GetValues<WebhookTopic>())
            {
                ulong newest = topic == WebhookTopic.Payments ? node.Store.ReadReceivedCursor() : node.Store.ReadEventCursor();
                if (cursors.Read(webhook.Url, topic) is not { } cursor)
                {
                    cursor = newest;
                    cursors.Write(webhook.Url, topic, cursor);
                }

                _streams.Add(new WebhookStream(
                    node, endpoint, topic, Math.Min(cursor, newest), taken => cursors.Write(webhook.Url, topic, taken), log));
            }
        }
    }

    public void Start() => _running = Task.WhenAll(_streams.Select(stream => Task.Run(() => stream.RunAsync(_stopping.Token))));

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        foreach (WebhookEndpoint endpoint in _endpoints) endpoint.Dispose();
        _stopping.Dispose();
    }
}
