using System.Globalization;
using System.Text.RegularExpressions;
using ChannelNode.Tests.Telemetry;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Two running programs, asked as Prometheus asks.</summary>
[Collection(DoorsCollection.Name)]
public sealed partial class MetricsTests(AnvilFixture anvil) : IAsyncLifetime
{
    private readonly int _port = Ports.Free();
    private readonly int _towerPort = Ports.Free();
    private TestChain _chain = null!;
    private TowerProcess _tower = null!;
    private NodeProcess _payer = null!;
    private TestNode _payee = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _tower = await TowerProcess.StartAsync(_chain, "--metrics-listen", $"127.0.0.1:{_towerPort}");
        _payer = await NodeProcess.StartAsync(
            _chain, "--metrics-listen", $"127.0.0.1:{_port}", "--watchtower", _tower.Url, "--watchtower-every-ms", "50");
        _payee = await TestNode.StartAsync(_chain, options => options with { MetricsListen = "127.0.0.1:0" });
    }

    public async Task DisposeAsync()
    {
        await _payee.DisposeAsync();
        await _payer.DisposeAsync();
        await _tower.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [Fact]
    public async Task Scrape_TellsWhatHappened_PassesPromtool_AndHasAllThatDashboardAndAlertsAskFor()
    {
        string id = await _payer.OpenAsync(_payee.PeerUrl, "1000", oneWay: false);
        await _payee.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        for (int index = 0; index < 3; index++)
            await _payer.Api.PayAsync(new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = id, Amount = "5" } });
        await Assert.ThrowsAsync<RpcException>(async () =>
            await _payer.Api.PayAsync(new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = id, Amount = "5000" } }));
        await _payer.UntilAsync(id, channel => channel.Acknowledged == "15");
        await _payee.PayAsync(id, "2"); // Now the payer has something to lose, and its watchtower something to guard.
        using var call = _payer.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id });
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }

        Dictionary<string, double> payer = await ScrapeAsync($"http://127.0.0.1:{_port}/metrics");
        Dictionary<string, double> payee = await ScrapeAsync(_payee.Host.Exports.MetricsUrl!);
        Dictionary<string, double> tower = await ScrapeUntilGuardedAsync();

        Assert.Equal(3, payer["channelnode_payments_sent_total{outcome=\"paid\"}"]);
        Assert.Equal(1, payer["channelnode_payments_sent_total{outcome=\"refused\",reason=\"INSUFFICIENT_BALANCE\"}"]);
        Assert.Equal(0, payer["channelnode_payments_under_way"]);
        Assert.Equal(3, payer["channelnode_updates_told_total"]);
        Assert.Equal(3, payer["channelnode_updates_acknowledged_total"]);
        Assert.Equal(3, payer["channelnode_acknowledgement_duration_seconds_count"]);
        Assert.Equal(1, payer["channelnode_payments_received_total"]);
        Assert.Equal(1, payer["channelnode_peers_connected"]);
        Assert.Equal(1, payer["channelnode_channels{status=\"closing\",token=\"ether\"}"]);
        Assert.Equal(0, payer["channelnode_value_at_risk{token=\"ether\"}"]); // Presented with the close.
        Assert.InRange(payer["channelnode_deadline_time_left_seconds{kind=\"window\"}"], 1, 600);
        Assert.Equal(1, payer[$"channelnode_watchtower_connected{{watchtower=\"{_tower.Url}\"}}"]);
        Assert.InRange(payer["channelnode_connections{door=\"api\"}"], 1, 10);
        Assert.Equal(0, payer["channelnode_connections_closed_total{door=\"peers\",reason=\"address\"}"]);
        Assert.InRange(tower["channelnode_connections{door=\"nodes\"}"], 1, 10);
        Assert.InRange(payer["channelnode_messages_held_bytes{door=\"peers\"}"], 0, 100_000);
        Assert.Equal(0, payer["channelnode_calls_ended_total{door=\"peers\"}"]);
        Assert.Equal(0, tower["channelnode_calls_ended_total{door=\"nodes\"}"]);
        Assert.Equal(1, payer["channelnode_chain_current"]);
        Assert.InRange(payer["channelnode_account_balance"], 1, 1e23);
        Assert.InRange(payer["channelnode_gas_left{kind=\"ordinary\"}"], 1, payer["channelnode_gas_limit{kind=\"ordinary\"}"] - 1);
        Assert.InRange(payer["channelnode_store_size_bytes"], 1_000, 1e9);
        Assert.InRange(payer["channelnode_disk_free_bytes"], 1, payer["channelnode_disk_size_bytes"]);
        Assert.InRange(payer["dotnet_process_memory_working_set_bytes"], 1e6, 1e10);
        Assert.Equal(1, payer["channelnode_events_total{kind=\"channel_closing\",severity=\"warning\"}"]);

        Assert.Equal(3, payee["channelnode_updates_total{outcome=\"accepted\"}"]);
        Assert.Equal(0, payee["channelnode_updates_total{outcome=\"refused\"}"]);
        Assert.Equal(3, payee["channelnode_payments_received_total"]);
        Assert.InRange(payee["channelnode_commit_sync_duration_seconds_count"], 3, 1_000);

        Assert.Equal(1, tower["channelnode_guarded"]);

        string[] names = [.. payer.Keys.Concat(tower.Keys).Select(sample => sample.Split('{')[0]).Distinct()];
        IEnumerable<string> ofSome = WatchedNames.OfASigner().Concat(WatchedNames.OfWebhooks());
        Assert.Empty(WatchedNames.All().Except(ofSome).Except(names).Except(names.Select(name => name.Replace("_bucket", ""))));
    }

    /// <summary>The watchtower is told a moment after the payment.</summary>
    private async Task<Dictionary<string, double>> ScrapeUntilGuardedAsync()
    {
        for (int look = 0; ; look++)
        {
            Dictionary<string, double> tower = await ScrapeAsync($"http://127.0.0.1:{_towerPort}/metrics");
            if (look == 40 || tower.GetValueOrDefault("channelnode_guarded") == 1) return tower;
            await Task.Delay(500);
        }
    }

    private static async Task<Dictionary<string, double>> ScrapeAsync(string url)
    {
        using HttpClient http = new(new SocketsHttpHandler { UseProxy = false });
        string text = await http.GetStringAsync(url);
        await Promtool.CheckAsync(text, "check", "metrics");
        Dictionary<string, double> samples = [];
        foreach (string line in text.Split('\n').Where(line => line.Length > 0 && line[0] != '#'))
        {
            Match sample = Sample().Match(line);
            string[] labels =
            [
                .. sample.Groups["labels"].Value.Split(',')
                    .Where(label => label.Length > 0 && !label.StartsWith("otel_scope", StringComparison.Ordinal))
                    .Order(StringComparer.Ordinal),
            ];
            string name = sample.Groups["name"].Value + (labels.Length == 0 ? "" : $"{{{string.Join(',', labels)}}}");
            samples.Add(name, double.Parse(sample.Groups["value"].Value, CultureInfo.InvariantCulture));
        }

        return samples;
    }

    [GeneratedRegex(@"^(?<name>\w+)(\{(?<labels>.*)\})? (?<value>\S+)")]
    private static partial Regex Sample();
}
