using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What leaves for a collector and for the log.</summary>
[Collection(DoorsCollection.Name)]
public sealed class ExportTests(AnvilFixture anvil)
{
    [Fact]
    public async Task Collector_IsToldMetricsAndTraces_AlsoWhatIsNewWhenTheNodeStops()
    {
        await using Collector collector = await Collector.StartAsync();
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode payee = await TestNode.StartAsync(chain);
        TestNode payer = await TestNode.StartAsync(
            chain, options => options with { OtlpEndpoint = collector.Url, TracedPaymentsPerMillion = 1_000_000 });
        await payer.PayAsync(await payer.OpenAsync(payee, "1000"), "5");
        await payer.StopAsync();

        string traces = collector.Told("/opentelemetry.proto.collector.trace.v1.TraceService/Export");
        Assert.All(
            (string[])["channelnode", "OpenChannel", "Job Deposit", "Pay.Queue", "Pay.Commit", "Pay.Acknowledge"],
            name => Assert.Contains(name, traces));
        string metrics = collector.Told("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export");
        Assert.All(
            (string[])["channelnode.payments.sent", "channelnode.acknowledgement.duration", "dotnet.process.cpu.time"],
            name => Assert.Contains(name, metrics));
    }

    [Fact]
    public async Task TenThousandPayments_AddNothingToTheLog_NotEvenToItsFinest()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        string[] finest = ["--log-level", "debug", "--log-format", "json", "--chain-silence", "3600"];
        await using NodeProcess payee = await NodeProcess.StartAsync(chain, finest);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain, finest);
        string id = await payer.OpenAsync(payee, "100000");
        await PayAsync(payer, id, 1);
        (int Payer, int Payee) before = await WhenQuietAsync(payer, payee); // For what the opening still says.

        await PayAsync(payer, id, 10_000);
        for (int index = 0; index < 20; index++)
            await payer.Api.PayAsync(new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = id, Amount = "1" } });

        Assert.Equal("10021", (await payer.UntilAsync(id, channel => channel.Acknowledged == channel.Sent)).Sent);
        (int Payer, int Payee) after = await WhenQuietAsync(payer, payee);
        Assert.InRange(after.Payer - before.Payer, 0, 19); // A connection that was lost on a slow machine; payments would be thousands.
        Assert.InRange(after.Payee - before.Payee, 0, 19);
        Assert.All(payer.Log, line =>
        {
            using var entry = System.Text.Json.JsonDocument.Parse(line);
            Assert.True(entry.RootElement.TryGetProperty("State", out _), line); // The values by name.
        });
        Assert.Contains(payer.Log, line => line.Contains("PeerConnected", StringComparison.Ordinal) || line.Contains("connected", StringComparison.Ordinal));
    }

    [Fact]
    public async Task PortForMetricsThatIsTaken_IsRefusedByTheFlagsName()
    {
        using TcpListener taken = new(IPAddress.Loopback, 0);
        taken.Start();
        await using TestChain chain = await TestChain.OpenAsync(anvil);

        RefusalException refusal = await Assert.ThrowsAsync<RefusalException>(() => TestNode.StartAsync(
            chain, options => options with { MetricsListen = taken.LocalEndpoint.ToString()! }));

        Assert.Equal((Refusal.InvalidArgument, "--metrics-listen"), (refusal.Refusal, refusal.Field));
    }

    /// <summary>The lines of their logs, when there were none for two seconds.</summary>
    private static async Task<(int Payer, int Payee)> WhenQuietAsync(NodeProcess payer, NodeProcess payee)
    {
        (int Payer, int Payee) lines = (payer.Log.Count, payee.Log.Count);
        CancellationToken limit = TestChain.Limit;
        for (int quiet = 0; quiet < 20; quiet++)
        {
            await Task.Delay(100, limit);
            if (lines == (payer.Log.Count, payee.Log.Count)) continue;
            lines = (payer.Log.Count, payee.Log.Count);
            quiet = 0;
        }

        return lines;
    }

    private static async Task PayAsync(NodeProcess payer, string id, int count)
    {
        using var call = payer.Api.StreamPayments();
        for (int left = count; left > 0; left -= 1_000)
        {
            Wire.StreamPaymentsRequest some = new();
            for (int index = 0; index < Math.Min(left, 1_000); index++) some.Payments.Add(new Wire.Payment { ChannelId = id, Amount = "1" });
            await call.RequestStream.WriteAsync(some);
        }

        await call.RequestStream.CompleteAsync();
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
            Assert.All(call.ResponseStream.Current.Results, result => Assert.Equal(Wire.Refusal.Unspecified, result.Refusal));
    }

    /// <summary>Takes what an OpenTelemetry exporter says over gRPC, and keeps its bytes.</summary>
    private sealed class Collector(WebApplication app, ConcurrentQueue<(string Path, string Body)> told) : IAsyncDisposable
    {
        public string Url => app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

        public string Told(string path) => string.Concat(told.Where(it => it.Path == path).Select(it => it.Body));

        public static async Task<Collector> StartAsync()
        {
            ConcurrentQueue<(string, string)> told = new();
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(
                kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
            WebApplication app = builder.Build();
            app.Run(async context =>
            {
                using MemoryStream body = new();
                await context.Request.Body.CopyToAsync(body);
                told.Enqueue((context.Request.Path, Encoding.Latin1.GetString(body.ToArray())));
                context.Response.ContentType = "application/grpc";
                context.Response.AppendTrailer("grpc-status", "0");
                await context.Response.Body.WriteAsync(new byte[5]); // An empty message.
            });
            await app.StartAsync();
            return new Collector(app, told);
        }

        public async ValueTask DisposeAsync() => await app.DisposeAsync();
    }
}
