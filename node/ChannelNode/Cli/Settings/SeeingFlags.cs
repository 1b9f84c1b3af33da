using System.CommandLine;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>What leaves a node or a watchtower for those who watch it: metrics, traces, the log.</summary>
internal sealed class SeeingFlags
{
    private static readonly Dictionary<string, LogFormat> Formats = new() { ["text"] = LogFormat.Text, ["json"] = LogFormat.Json };

    private static readonly Dictionary<string, LogLevel> Levels = new()
    {
        ["debug"] = LogLevel.Debug,
        ["information"] = LogLevel.Information,
        ["warning"] = LogLevel.Warning,
        ["error"] = LogLevel.Error,
        ["critical"] = LogLevel.Critical,
        ["none"] = LogLevel.None,
    };

    private readonly Option<string> _metricsListen = Fields.Listen(
        "--metrics-listen", "Where Prometheus asks for /metrics; not served when not given; port 0 takes a free one. Beyond this machine only "
        + "with --api-tls, and to who shows an access token with the scope to read; a watchtower's not at all", example: "127.0.0.1:9805");
    private readonly Option<string> _otlpEndpoint = Fields.Url(
        "--otlp-endpoint", "An OpenTelemetry collector for metrics and traces, such as http://127.0.0.1:4317; none when not given", "http",
        "https");
    private readonly Option<int> _tracedPayments = Fields.Number(
        "--traced-payments", "With a collector: of a million single payments, how many are traced if the caller does not say", 0,
        1_000_000, CommonFlags.Defaults.TracedPaymentsPerMillion, "per million");
    private readonly Option<LogFormat> _logFormat = Fields.Word("--log-format", "How the log's lines are written; text unless given", Formats);
    private readonly Option<LogLevel> _logLevel = Fields.Word("--log-level", "The least that is logged; information unless given", Levels);

    public IEnumerable<Option> All() => [_metricsListen, _otlpEndpoint, _tracedPayments, _logFormat, _logLevel];

    public NodeOptions Read(ParseResult parsed, NodeOptions options) => options with
    {
        MetricsListen = parsed.GetValue(_metricsListen) ?? string.Empty,
        OtlpEndpoint = parsed.GetValue(_otlpEndpoint) ?? string.Empty,
        TracedPaymentsPerMillion = parsed.GetValue(_tracedPayments),
        LogFormat = parsed.GetValue(_logFormat),
        LogLevel = parsed.GetResult(_logLevel) is null ? options.LogLevel : parsed.GetValue(_logLevel),
    };
}
