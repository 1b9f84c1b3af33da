using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>What a node did between two answers to GetStatus: rates per second, and quantiles of what took time. Pure.</summary>
internal sealed record TopFigures
{
    public required DateTimeOffset At { get; init; }

    /// <summary>Of the node, where it was started again in between: then the figures are of its life so far.</summary>
    public bool IsFresh { get; init; }

    public double UpdatesAccepted { get; init; }

    public double UpdatesCoalesced { get; init; }

    public double UpdatesRefused { get; init; }

    public double UpdatesTold { get; init; }

    public double PaymentsReceived { get; init; }

    public double PaymentsPaid { get; init; }

    public double PaymentsRefused { get; init; }

    public double Commits { get; init; }

    /// <summary>Updates, payments and other commands in one of them, on average.</summary>
    public double CommandsPerCommit { get; init; }

    /// <summary>Milliseconds; null where nothing was acknowledged.</summary>
    public double? AcknowledgementMsMedian { get; init; }

    public double? AcknowledgementMs99 { get; init; }

    public double? SyncMsMedian { get; init; }

    public double? SyncMs99 { get; init; }

    public ulong PaymentsUnderWay { get; init; }

    public uint QueueLength { get; init; }

    public uint QueueMax { get; init; }

    public uint PeersConnected { get; init; }

    public ulong BlocksBehind { get; init; }

    public bool ChainIsCurrent { get; init; }

    /// <summary>Why the chain's RPC gives no answer; empty while it answers.</summary>
    public string ChainProblem { get; init; } = "";

    public static TopFigures Between(GetStatusResponse before, GetStatusResponse after)
    {
        bool isFresh = before.StartedAtMs != after.StartedAtMs;
        Counts was = isFresh ? new Counts() : before.Counts, now = after.Counts;
        double seconds = Math.Max(1, after.NowMs - (isFresh ? after.StartedAtMs : before.NowMs)) / 1_000.0;
        double commits = now.Commits - was.Commits;
        List<(ulong UpToUs, ulong Count)> acknowledgements = Difference(was.Acknowledgements, now.Acknowledgements);
        List<(ulong UpToUs, ulong Count)> syncs = Difference(was.Syncs, now.Syncs);
        return new TopFigures
        {
            At = DateTimeOffset.FromUnixTimeMilliseconds(after.NowMs),
            IsFresh = isFresh,
            UpdatesAccepted = (now.UpdatesAccepted - was.UpdatesAccepted) / seconds,
            UpdatesCoalesced = (now.UpdatesCoalesced - was.UpdatesCoalesced) / seconds,
            UpdatesRefused = (StatusCommand.Sum(now.UpdatesRefused) - StatusCommand.Sum(was.UpdatesRefused)) / seconds,
            UpdatesTold = (now.UpdatesTold - was.UpdatesTold) / seconds,
            PaymentsReceived = (now.PaymentsReceived - was.PaymentsReceived) / seconds,
            PaymentsPaid = (now.PaymentsPaid - was.PaymentsPaid) / seconds,
            PaymentsRefused = (StatusCommand.Sum(now.PaymentsRefused) - StatusCommand.Sum(was.PaymentsRefused)) / seconds,
            Commits = commits / seconds,
            CommandsPerCommit = commits > 0 ? (now.CommandsCommitted - was.CommandsCommitted) / commits : 0,
            AcknowledgementMsMedian = Quantile(acknowledgements, 50),
            AcknowledgementMs99 = Quantile(acknowledgements, 99),
            SyncMsMedian = Quantile(syncs, 50),
            SyncMs99 = Quantile(syncs, 99),
            PaymentsUnderWay = now.PaymentsUnderWay,
            QueueLength = now.LedgerQueueLength,
            QueueMax = now.LedgerQueueMax,
            PeersConnected = after.PeersConnected,
            BlocksBehind = after.Chain.HeadNumber - Math.Min(after.Chain.HeadNumber, after.Chain.BlockNumber),
            ChainIsCurrent = after.Chain.Current,
            ChainProblem = after.Chain.Problem,
        };
    }

    private static List<(ulong UpToUs, ulong Count)> Difference(IEnumerable<DurationCount> was, IEnumerable<DurationCount> now)
    {
        Dictionary<ulong, ulong> before = was.ToDictionary(it => it.UpToUs, it => it.Count);
        return
        [
            .. now.Select(it => (it.UpToUs, Count: it.Count - before.GetValueOrDefault(it.UpToUs)))
                .Where(it => it.Count > 0).OrderBy(it => it.UpToUs),
        ];
    }

    /// <summary>What so many of a hundred did not exceed, in milliseconds.</summary>
    private static double? Quantile(List<(ulong UpToUs, ulong Count)> counts, ulong percent)
    {
        ulong all = counts.Aggregate(0UL, (sum, it) => sum + it.Count), sofar = 0;
        foreach ((ulong upToUs, ulong count) in counts)
        {
            sofar += count;
            if (sofar * 100 >= all * percent) return upToUs / 1_000.0;
        }

        return null;
    }
}
