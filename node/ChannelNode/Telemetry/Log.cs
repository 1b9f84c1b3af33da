namespace ChannelNode.Telemetry;

internal static partial class Log
{
    [LoggerMessage(120, LogLevel.Information, "Metrics are served at {Url}")]
    public static partial void MetricsServed(this ILogger log, string url);
}
