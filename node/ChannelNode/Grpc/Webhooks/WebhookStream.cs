using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc.Webhooks;

/// <summary>
/// One endpoint's payments, or its events: a subscription whose every response is a delivery. The next one is made when the last
/// was taken, and its cursor is on disk between the two; so after any death some may come again, and none is left out.
/// </summary>
internal sealed class WebhookStream(
    Node node, WebhookEndpoint endpoint, WebhookTopic topic, ulong cursor, Action<ulong> remember, ILogger log)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    private ulong _cursor = cursor;
    private ulong _missed;

    private IEnumerable<CursorGap> Gaps => GapsOf(node, topic);

    private static IEnumerable<CursorGap> GapsOf(Node node, WebhookTopic topic) =>
        node.Store.Restorations.Select(it => topic == WebhookTopic.Payments ? it.Received : it.Events);

    /// <summary>Payments, or events, that it has not taken.</summary>
    public ulong Waiting => WaitingBehind(node, topic, Volatile.Read(ref _cursor));

    public static ulong WaitingBehind(Node node, WebhookTopic topic, ulong taken)
    {
        ulong newest = topic == WebhookTopic.Payments ? node.Ledger.ReceivedCursor : node.Ledger.EventCursor;
        return newest <= taken ? 0 : CursorGap.CountBetween(GapsOf(node, topic), taken, newest);
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (RefusalException expired) when (expired.Refusal == Refusal.CursorExpired)
            {
                PassOver();
            }
            catch (Exception error)
            {
                log.WebhookBroke(endpoint.Place, topic, error);
                await Task.Delay(Pause, node.Clock.Time, CancellationToken.None);
            }
        }
    }

    private Task FollowAsync(CancellationToken stopping) => topic == WebhookTopic.Payments
        ? new PaymentSubscription(node, default, null, asRuns: false, new Responses<Wire.SubscribePaymentsResponse>(DeliverAsync))
            .RunAsync(_cursor, keptOnly: false, stopping)
        : new EventSubscription(node, default, null, [], new Responses<Wire.SubscribeEventsResponse>(DeliverAsync))
            .RunAsync(_cursor, keptOnly: false, stopping);

    private Task DeliverAsync(Wire.SubscribePaymentsResponse response, CancellationToken stopping) =>
        DeliverAsync(new Wire.WebhookDelivery { Payments = { response.Payments } }, response.Payments[^1].Cursor, stopping);

    private Task DeliverAsync(Wire.SubscribeEventsResponse response, CancellationToken stopping) =>
        DeliverAsync(new Wire.WebhookDelivery { Events = { response.Events } }, response.Events[^1].Cursor, stopping);

    private async Task DeliverAsync(Wire.WebhookDelivery delivery, ulong newest, CancellationToken stopping)
    {
        delivery.DeliveryId = Guid.NewGuid().ToString();
        delivery.Node = node.Us.Signer.ToString();
        delivery.AfterCursor = _cursor;
        delivery.Missed = _missed;
        await endpoint.DeliverAsync(delivery.DeliveryId, Encoding.UTF8.GetBytes(Json.Format(delivery)), stopping);
        remember(newest);
        Volatile.Write(ref _cursor, newest);
        _missed = 0;
    }

    /// <summary>The endpoint was away for longer than payments, or events, are kept: the next delivery says how many it will not get.</summary>
    private void PassOver()
    {
        ulong dropped = topic == WebhookTopic.Payments ? node.Store.ReadDroppedCursor() : node.Store.ReadDroppedEventCursor();
        if (dropped <= _cursor) return;
        ulong missed = CursorGap.CountBetween(Gaps, _cursor, dropped);
        log.WebhookMissed(endpoint.Place, missed, topic, _cursor);
        _missed += missed;
        Volatile.Write(ref _cursor, dropped);
    }

    private sealed class Responses<T>(Func<T, CancellationToken, Task> deliver) : IServerStreamWriter<T>
    {
        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(T message) => deliver(message, CancellationToken.None);

        public Task WriteAsync(T message, CancellationToken cancellationToken) => deliver(message, cancellationToken);
    }
}
