using ChannelNode.Engine;

namespace ChannelNode.Grpc.Webhooks;

internal static partial class Log
{
    [LoggerMessage(110, LogLevel.Warning, "Webhook {Place}: a delivery failed ({Problem}); it is tried again for as long as it takes")]
    public static partial void WebhookFails(this ILogger log, string place, string problem);

    [LoggerMessage(111, LogLevel.Information, "Webhook {Place}: deliveries arrive again, after {Seconds} s")]
    public static partial void WebhookWorks(this ILogger log, string place, long seconds);

    [LoggerMessage(112, LogLevel.Warning,
        "Webhook {Place}: {Count} {Stream} after cursor {Cursor} are not kept any more and will never be told")]
    public static partial void WebhookMissed(this ILogger log, string place, ulong count, WebhookTopic stream, ulong cursor);

    [LoggerMessage(113, LogLevel.Error, "Webhook {Place}: its {Stream} are begun again")]
    public static partial void WebhookBroke(this ILogger log, string place, WebhookTopic stream, Exception error);

    [LoggerMessage(114, LogLevel.Information,
        "Webhook {Place} takes the place of {Old}, and goes on where that one stood: {Payments} payments and {Events} events wait for it")]
    public static partial void WebhookReplaced(this ILogger log, string place, string old, ulong payments, ulong events);

    [LoggerMessage(115, LogLevel.Information, "Webhook {Place} is new: it is told of what comes after payment {Cursor}")]
    public static partial void WebhookIsNew(this ILogger log, string place, ulong cursor);

    [LoggerMessage(116, LogLevel.Warning,
        "Webhook {Place} is not named any more: {Payments} payments after cursor {Cursor} were not taken, and go to nobody unless it is named again")]
    public static partial void WebhookLeft(this ILogger log, string place, ulong payments, ulong cursor);
}
