namespace ChannelNode.Engine;

/// <summary>
/// How an endpoint takes what it is told. <paramref name="Place"/>: its scheme, host and port. <paramref name="FailingFor"/>: since its
/// first attempt in a row that was not taken, null while it takes; <paramref name="Problem"/> is why the newest was not. Attempts are
/// counted since the start.
/// </summary>
internal sealed record WebhookHealth(
    string Place, ulong PaymentsWaiting, ulong EventsWaiting, TimeSpan? FailingFor, string Problem, long Taken, long Failed)
{
    public ulong Waiting(WebhookTopic topic) => topic == WebhookTopic.Payments ? PaymentsWaiting : EventsWaiting;
}
