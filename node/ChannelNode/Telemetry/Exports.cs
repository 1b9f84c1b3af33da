using System.Diagnostics.Metrics;
using System.Reflection;
using ChannelNode.Core;
using ChannelNode.Engine;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace ChannelNode.Telemetry;

/// <summary>
/// What leaves the program for those who watch it: metrics at an address that Prometheus asks, metrics and traces to an
/// OpenTelemetry collector. Nothing is measured or traced that nobody wants: without either this does nothing.
/// </summary>
internal sealed class Exports : IAsyncDisposable
{
    private const string MeterName = "ChannelNode";

    /// <summary>The runtime's own: processor time, memory, garbage collection, thread pool.</summary>
    private const string RuntimeMeterName = "System.Runtime";

    private readonly List<IDisposable> _parts = [];
    private WebApplication? _door;

    /// <summary>Where Prometheus asks; null when it is not served.</summary>
    public string? MetricsUrl { get; private set; }

    /// <summary>To be called before the node's ledger is started. The door is the caller's to guard.</summary>
    public static Task<Exports> StartAsync(Node node, ILoggerFactory logs, Action<ListenOptions> configure, Action<WebApplication> guard) => StartAsync(
        node.Options, node.Us.Signer, logs, configure, guard,
        meter =>
        {
            AddCommon(meter, node.Overview);
            NodeInstruments.Add(meter, node);
        });

    /// <summary>The same of a watchtower.</summary>
    public static Task<Exports> StartAsync(
        Watchtower tower, Address signer, ILoggerFactory logs, Action<ListenOptions> configure, Action<WebApplication> guard) => StartAsync(
        tower.Options, signer, logs, configure, guard,
        meter =>
        {
            AddCommon(meter, tower.Overview);
            NodeInstruments.Add(meter, tower);
        });

    private static void AddCommon(Meter meter, Overview overview)
    {
        _ = new LedgerInstruments(meter, overview);
        ChainInstruments.Add(meter, overview);
        DoorInstruments.Add(meter, overview);
        SignerInstruments.Add(meter, overview);
    }

    private static async Task<Exports> StartAsync(
        NodeOptions options, Address signer, ILoggerFactory logs, Action<ListenOptions> configure, Action<WebApplication> guard,
        Action<Meter> measure)
    {
        Exports exports = new();
        bool isServed = options.MetricsListen.Length > 0, isPushed = options.OtlpEndpoint.Length > 0;
        if (!isServed && !isPushed) return exports;
        try
        {
            ResourceBuilder resource = ResourceBuilder.CreateEmpty().AddService("channelnode", serviceInstanceId: signer.ToString(), serviceVersion: Version);
            if (isPushed) exports.TraceTo(options, resource);
            Meter meter = exports.Own(new Meter(MeterName));
            measure(meter);
            MeterProviderBuilder metrics = Sdk.CreateMeterProviderBuilder()
                .SetResourceBuilder(resource).AddMeter(MeterName).AddMeter(RuntimeMeterName)
                // Gauges whose names end as those of histograms do: Prometheus complains of them.
                .AddView("dotnet.process.cpu.count", "dotnet.process.cpus")
                .AddView("dotnet.assembly.count", MetricStreamConfiguration.Drop)
                .AddView("dotnet.timer.count", MetricStreamConfiguration.Drop);
            if (isServed) metrics.AddPrometheusExporter();
            if (isPushed) metrics.AddOtlpExporter(otlp => PointTo(otlp, options.OtlpEndpoint, "v1/metrics"));
            MeterProvider provider = exports.Own(metrics.Build());
            if (isServed) await exports.ServeAsync(options.MetricsListen, configure, guard, provider, logs);
            return exports;
        }
        catch
        {
            await exports.DisposeAsync();
            throw;
        }
    }

    private static string Version => Assembly.GetExecutingAssembly().GetName().Version?.ToString(3) ?? "0";

    private void TraceTo(NodeOptions options, ResourceBuilder resource) => Own(Sdk.CreateTracerProviderBuilder()
        .SetResourceBuilder(resource)
        .SetSampler(new PaymentSampler(options.TracedPaymentsPerMillion))
        .AddSource(Tracing.SourceName)
        .AddOtlpExporter(otlp => PointTo(otlp, options.OtlpEndpoint, "v1/traces"))
        .Build());

    /// <summary>Whatever else the collector wants to be told is set by OpenTelemetry's own variables, OTEL_EXPORTER_OTLP_HEADERS and so on.</summary>
    private static void PointTo(OtlpExporterOptions otlp, string endpoint, string path)
    {
        bool isHttp = otlp.Protocol == OtlpExportProtocol.HttpProtobuf;
        otlp.Endpoint = isHttp ? new Uri(new Uri(endpoint.TrimEnd('/') + "/"), path) : new Uri(endpoint);
        // A collector stands beside the node; a proxy that is set for the web would only be in the way.
        otlp.HttpClientFactory = () => new HttpClient(new SocketsHttpHandler { UseProxy = false });
    }

    private async Task ServeAsync(
        string listen, Action<ListenOptions> configure, Action<WebApplication> guard, MeterProvider provider, ILoggerFactory logs)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(DoorAddress.Parse(listen).EndPoint, configure));
        builder.Services.AddSingleton(logs);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        _door = builder.Build();
        guard(_door);
        _door.UseOpenTelemetryPrometheusScrapingEndpoint(provider, null, "/metrics", null, null);
        try
        {
            await _door.StartAsync();
        }
        catch (IOException inUse)
        {
            throw new RefusalException(
                Refusal.InvalidArgument, $"--metrics-listen {listen} cannot be listened on: {inUse.Message}", inUse)
            {
                Field = "--metrics-listen",
            };
        }

        MetricsUrl = _door.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/metrics";
        logs.CreateLogger(MeterName).MetricsServed(MetricsUrl);
    }

    private T Own<T>(T part)
        where T : IDisposable
    {
        _parts.Add(part);
        return part;
    }

    /// <summary>The last figures leave first.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_door is not null) await _door.DisposeAsync();
        for (int index = _parts.Count - 1; index >= 0; index--) _parts[index].Dispose();
        _parts.Clear();
    }
}
