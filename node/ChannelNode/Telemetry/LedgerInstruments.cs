using System.Diagnostics.Metrics;
using ChannelNode.Engine;

namespace ChannelNode.Telemetry;

/// <summary>
/// What the ledger has done. Its counts are read when somebody collects; pushed is only what a histogram needs, three values
/// for each commit, however many updates are in it.
/// </summary>
internal sealed class LedgerInstruments
{
    private readonly Histogram<double> _acknowledgement;
    private readonly Histogram<double> _sync;
    private readonly Histogram<int> _size;

    public LedgerInstruments(Meter meter, Overview overview)
    {
        _acknowledgement = meter.CreateHistogram(
            "channelnode.acknowledgement.duration", "s",
            "From the commit of an own update to its acknowledgement; of each commit that shows some acknowledged, the slowest",
            advice: Buckets(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10));
        _sync = meter.CreateHistogram(
            "channelnode.commit.sync.duration", "s", "What a commit with fsync took",
            advice: Buckets(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1));
        _size = meter.CreateHistogram(
            "channelnode.commit.size", "{command}", "Updates, payments and other commands in one commit",
            advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096] });
        overview.Watcher = Note;

        LedgerCounts counts = overview.Counts;
        meter.CreateObservableCounter("channelnode.updates", () => Updates(counts), "{update}", "Updates of peers, by what became of them");
        meter.CreateObservableCounter(
            "channelnode.peer.refusals", () => Refusals(counts), "{update}",
            $"Updates refused, by peer: the first {PeerCounts.PeersMax} by name, all others together");
        meter.CreateObservableCounter(
            "channelnode.updates.told", () => counts.UpdatesTold, "{update}", "Own updates handed to sessions");
        meter.CreateObservableCounter(
            "channelnode.updates.acknowledged", () => counts.UpdatesAcknowledged, "{update}", "Own updates that peers have acknowledged");
        meter.CreateObservableCounter(
            "channelnode.updates.refused_by_peers", () => ByReason(counts.OffersRefused), "{update}", "Own updates that peers refused");
        meter.CreateObservableCounter(
            "channelnode.payments.received", () => counts.PaymentsReceived, "{payment}", "Payments of peers that are on disk");
        meter.CreateObservableCounter(
            "channelnode.payments.sent", () => Sent(counts), "{payment}", "Payments asked of this node, by what became of them");
        meter.CreateObservableGauge(
            "channelnode.payments.under_way", () => counts.PaymentsUnderWay, "{payment}",
            "Payments that are signed and not acknowledged, those of channels that were paid out without them aside");
        meter.CreateObservableCounter("channelnode.commits", () => Commits(counts), "{commit}", "Group commits");
        meter.CreateObservableGauge(
            "channelnode.ledger.queue.length", () => overview.LedgerQueueLength, "{command}", "Commands that wait for the ledger");
        meter.CreateObservableGauge(
            "channelnode.ledger.queue.limit", () => overview.Options.LedgerQueueMax, "{command}", "Commands that may wait before callers do");
        meter.CreateObservableCounter("channelnode.events", () => Events(counts), "{event}", "What operators were told");
    }

    private static InstrumentAdvice<double> Buckets(params double[] boundaries) => new() { HistogramBucketBoundaries = boundaries };

    private void Note(in CommitFigures commit)
    {
        _size.Record(commit.Weight);
        if (commit.Sync > TimeSpan.Zero) _sync.Record(commit.Sync.TotalSeconds);
        if (commit.SlowestAcknowledgement > TimeSpan.Zero) _acknowledgement.Record(commit.SlowestAcknowledgement.TotalSeconds);
    }

    private static IEnumerable<Measurement<long>> Updates(LedgerCounts counts)
    {
        yield return new(counts.UpdatesAccepted, Labels.Of("outcome", "accepted"));
        yield return new(counts.UpdatesCoalesced, Labels.Of("outcome", "coalesced"));
        if (counts.UpdatesRefused.Total == 0) yield return new(0, Labels.Of("outcome", "refused"));
        foreach (var (reason, count) in counts.UpdatesRefused.List())
            yield return new(count, Labels.Of("outcome", "refused"), Labels.Of("reason", Labels.Upper(reason)));
    }

    private static IEnumerable<Measurement<long>> Refusals(LedgerCounts counts)
    {
        bool hasOthers = false;
        foreach (var (peer, count) in counts.RefusedByPeer.List())
        {
            hasOthers |= peer is null;
            yield return new(count, Labels.Of("peer", peer?.ToString() ?? "others"));
        }

        if (!hasOthers) yield return new(0, Labels.Of("peer", "others"));
    }

    private static IEnumerable<Measurement<long>> ByReason(RefusalCounts counts)
    {
        if (counts.Total == 0) yield return new(0);
        foreach (var (reason, count) in counts.List()) yield return new(count, Labels.Of("reason", Labels.Upper(reason)));
    }

    private static IEnumerable<Measurement<long>> Sent(LedgerCounts counts)
    {
        yield return new(counts.PaymentsPaid, Labels.Of("outcome", "paid"));
        if (counts.PaymentsRefused.Total == 0) yield return new(0, Labels.Of("outcome", "refused"));
        foreach (var (reason, count) in counts.PaymentsRefused.List())
            yield return new(count, Labels.Of("outcome", "refused"), Labels.Of("reason", Labels.Upper(reason)));
    }

    private static IEnumerable<Measurement<long>> Commits(LedgerCounts counts)
    {
        yield return new(counts.SyncedCommits, Labels.Of("synced", "true"));
        yield return new(counts.Commits - counts.SyncedCommits, Labels.Of("synced", "false"));
    }

    /// <summary>Every kind is there as an alarm from the beginning, so that the first one is a step.</summary>
    private static IEnumerable<Measurement<long>> Events(LedgerCounts counts)
    {
        HashSet<EventKind> quiet = [.. Enum.GetValues<EventKind>()];
        foreach (var (kind, severity, count) in counts.Events.List())
        {
            if (severity == EventSeverity.Alarm) quiet.Remove(kind);
            yield return new(count, Labels.Of("kind", Labels.Lower(kind)), Labels.Of("severity", Labels.Lower(severity)));
        }

        foreach (EventKind kind in quiet)
            yield return new(0, Labels.Of("kind", Labels.Lower(kind)), Labels.Of("severity", Labels.Lower(EventSeverity.Alarm)));
    }
}
