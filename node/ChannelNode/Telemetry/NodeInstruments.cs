using System.Diagnostics.Metrics;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Telemetry;

/// <summary>A node's channels, peers and watchtowers; what a watchtower guards.</summary>
internal static class NodeInstruments
{
    public static void Add(Meter meter, Node node)
    {
        AddChannels(meter, node);
        meter.CreateObservableGauge("channelnode.peers.connected", () => node.Peers.List().Count(peer => peer.Connected), "{peer}", "Peers with a session");
        meter.CreateObservableGauge("channelnode.peers.known", () => node.Peers.List().Count, "{peer}", "The same, and those whose URL is known");
        AddTowers(meter, node.Watchtowers);
        AddBackups(meter, node);
        AddWebhooks(meter, node);
    }

    private static void AddBackups(Meter meter, Node node)
    {
        meter.CreateObservableGauge(
            "channelnode.backup.age", () => node.Options.BackupTo.Length == 0 ? 0 : node.Overview.BackupAge()?.TotalSeconds ?? double.PositiveInfinity, "s",
            "Age of the newest backup that this node has made in --backup-to; infinite where there is none, 0 without --backup-to");
        meter.CreateObservableGauge(
            "channelnode.backup.period", () => node.Options.BackupTo.Length == 0 ? 0 : TimeSpan.FromHours(node.Options.BackupEveryHours).TotalSeconds, "s",
            "How often one is made; 0 without --backup-to");
    }

    private static void AddChannels(Meter meter, Node node)
    {
        meter.CreateObservableGauge(
            "channelnode.channels",
            () => node.Survey.Totals().Select(totals => new Measurement<long>(
                (long)totals.Channels, Token(totals), Labels.Of("status", Labels.Lower(totals.Status)))),
            "{channel}", "Channels by token and status");
        meter.CreateObservableGauge(
            "channelnode.balance",
            () => node.Survey.Totals().GroupBy(Token).SelectMany(token => (IEnumerable<Measurement<double>>)
            [
                new(Sum(token, totals => totals.OurBalance), token.Key, Labels.Of("side", "ours")),
                new(Sum(token, totals => totals.TheirBalance), token.Key, Labels.Of("side", "theirs")),
            ]),
            "{unit}", "What each side can still send, in the token's smallest units");
        meter.CreateObservableGauge(
            "channelnode.value_at_risk", () => PerToken(node, totals => totals.AtRisk), "{unit}",
            "What the contract would pay this node too little if all channels were paid out as the chain has them, in smallest units");
        meter.CreateObservableGauge(
            "channelnode.deposits.uncredited", () => PerToken(node, totals => totals.Uncredited), "{unit}",
            "Of the deposits on both sides, what is too young to count, in smallest units");
        meter.CreateObservableGauge(
            "channelnode.channels.not_resumed",
            () => node.Survey.Totals().GroupBy(Token).Select(token => new Measurement<long>(
                token.Sum(totals => (long)totals.NotResumed), token.Key)),
            "{channel}", "Channels in which nothing is paid before an operator resumes them: a lost database had paid there");
        meter.CreateObservableGauge(
            "channelnode.sent_unrecorded", () => PerToken(node, totals => totals.SentUnrecorded), "{unit}",
            "What a lost database had paid in channels that are not resumed, in smallest units");
        meter.CreateObservableGauge(
            "channelnode.payouts.waiting",
            () => Waiting(node).Select(credit => new Measurement<double>((double)credit.Amount, Token(credit.Token))),
            "{unit}", "Payouts that could not be pushed to the owner and wait in the contract, in smallest units, as seen within a minute");
    }

    private static IEnumerable<Credit> Waiting(Node node) => node.CreditWatch.Waiting is var waiting && waiting.Any(credit => credit.Token.IsZero)
        ? waiting
        : waiting.Append(new Credit(Address.Zero, UInt128.Zero));

    private static IEnumerable<Measurement<double>> PerToken(Node node, Func<TokenTotals, UInt128> amount) =>
        node.Survey.Totals().GroupBy(Token).Select(token => new Measurement<double>(Sum(token, amount), token.Key));

    /// <summary>A figure for people and alerts; only the ledger is exact.</summary>
    private static double Sum(IEnumerable<TokenTotals> totals, Func<TokenTotals, UInt128> amount) =>
        totals.Sum(one => (double)amount(one));

    private static KeyValuePair<string, object?> Token(TokenTotals totals) => Token(totals.Token);

    private static KeyValuePair<string, object?> Token(Address token) => Labels.Of("token", token.IsZero ? "ether" : token.ToString());

    /// <summary>By their places alone: what is behind the host may be a secret of the receiver's.</summary>
    private static void AddWebhooks(Meter meter, Node node)
    {
        meter.CreateObservableGauge(
            "channelnode.webhook.waiting",
            () => node.Webhooks().SelectMany(webhook => Enum.GetValues<WebhookTopic>().Select(topic => new Measurement<double>(
                webhook.Waiting(topic), Labels.Of("webhook", webhook.Place), Labels.Of("topic", Labels.Lower(topic))))),
            "{item}", "Payments, or events, that it has not taken");
        meter.CreateObservableGauge(
            "channelnode.webhook.failing",
            () => node.Webhooks().Select(webhook => new Measurement<double>(webhook.FailingFor?.TotalSeconds ?? 0, Labels.Of("webhook", webhook.Place))),
            "s", "For how long it has taken nothing that it was told; 0 while it takes");
        meter.CreateObservableCounter(
            "channelnode.webhook.attempts",
            () => node.Webhooks().SelectMany(webhook => (IEnumerable<Measurement<long>>)
            [
                new(webhook.Taken, Labels.Of("webhook", webhook.Place), Labels.Of("outcome", "taken")),
                new(webhook.Failed, Labels.Of("webhook", webhook.Place), Labels.Of("outcome", "failed")),
            ]),
            "{attempt}", "Deliveries that it was asked to take, those asked again counted");
    }

    /// <summary>The operator names them, eight at most.</summary>
    private static void AddTowers(Meter meter, Watchtowers towers)
    {
        Gauge("connected", "{bool}", "1 while a session with it is up", tower => tower.IsConnected ? 1 : 0);
        Gauge("guarded", "{channel}", "Channels of which it has an update", tower => tower.Guarded);
        Gauge("lagging", "{channel}", "Channels of which it lacks the newest update", tower => tower.Lagging);
        Gauge("lag", "s", "For how long it has lacked one of them", tower => tower.LaggingMs / 1_000.0);
        Gauge("refused", "{channel}", "Channels that it refuses to guard", tower => tower.Refused);

        void Gauge(string name, string unit, string description, Func<WatchtowerStatus, double> figure) =>
            meter.CreateObservableGauge(
                $"channelnode.watchtower.{name}",
                () => towers.List().Select(tower => new Measurement<double>(figure(tower), Labels.Of("watchtower", tower.Url))),
                unit, description);
    }

    public static void Add(Meter meter, Watchtower tower) =>
        meter.CreateObservableGauge("channelnode.guarded", () => tower.Guards.GuardedCount, "{side}", "Sides of channels that are guarded");
}
