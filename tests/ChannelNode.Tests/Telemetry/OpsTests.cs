using System.Text.Json;
using System.Text.RegularExpressions;
using ChannelNode.Tests.Tidy;
using Xunit;

namespace ChannelNode.Tests.Telemetry;

/// <summary>The alert rules and the dashboard, by Prometheus' own parser. That a node has what they name, a scrape shows.</summary>
public sealed partial class OpsTests
{
    private const string Rules = "node/ops/prometheus/channelnode.rules.yml";
    private const string RuleTests = "node/ops/prometheus/channelnode.test.yml";
    private const string Dashboard = "node/ops/grafana/channelnode.json";

    [Fact]
    public async Task Rules_AreRight_AndFireAsTheirTestsSay()
    {
        await Promtool.CheckAsync("", "check", "config", Repository.PathOf("node/ops/prometheus/prometheus.yml"));
        await Promtool.CheckAsync("", "test", "rules", Repository.PathOf(RuleTests));
    }

    [Fact]
    public void EachAlert_IsSeenToFireInATest()
    {
        string[] alerts = [.. Alert().Matches(File.ReadAllText(Repository.PathOf(Rules))).Select(match => match.Groups[1].Value)];
        string[] fired = [.. Fired().Matches(File.ReadAllText(Repository.PathOf(RuleTests))).Select(match => match.Groups[1].Value)];

        Assert.NotEmpty(alerts);
        Assert.Empty(alerts.Except(fired));
    }

    /// <summary>Who is called for alarms alone must not miss one that is named otherwise.</summary>
    [Fact]
    public void SeveritiesAreThoseThatTheHeadOfTheFileExplains() =>
        Assert.Equal(
            ["alarm", "warning"],
            File.ReadAllLines(Repository.PathOf(Rules))
                .SelectMany(line => Severity().Matches(line)).Select(match => match.Groups[1].Value).Distinct().Order());

    [Fact]
    public async Task QueriesOfTheDashboard_AreRight()
    {
        using JsonDocument dashboard = JsonDocument.Parse(await File.ReadAllTextAsync(Repository.PathOf(Dashboard)));
        string[] queries =
        [
            .. dashboard.RootElement.GetProperty("panels").EnumerateArray()
                .Where(panel => panel.TryGetProperty("targets", out _))
                .SelectMany(panel => panel.GetProperty("targets").EnumerateArray())
                .Select(target => target.GetProperty("expr").GetString()!.Replace("$__rate_interval", "5m")),
        ];
        string file = Path.GetTempFileName();
        try
        {
            IEnumerable<string> rules = queries.Select((query, index) => $"      - record: query_{index}\n        expr: {JsonSerializer.Serialize(query)}");
            await File.WriteAllTextAsync(file, $"groups:\n  - name: dashboard\n    rules:\n{string.Join('\n', rules)}\n");
            await Promtool.CheckAsync("", "check", "rules", file);
        }
        finally
        {
            File.Delete(file);
        }

        Assert.InRange(queries.Length, 40, 200);
        Assert.All(queries, query => Assert.Contains("instance=~\"$instance\"", query)); // Of the nodes that are chosen.
    }

    [GeneratedRegex(@"labels: \{ severity: (\w+)")]
    private static partial Regex Severity();

    [GeneratedRegex(@"- alert: (\w+)")]
    private static partial Regex Alert();

    [GeneratedRegex(@"alertname: (\w+)\s+exp_alerts:\s+- exp_labels")]
    private static partial Regex Fired();
}
