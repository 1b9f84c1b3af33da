using System.Reflection;
using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>GetStatus: what there is to see of a node, in NodeService's words.</summary>
internal static class StatusWire
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    public static Wire.GetStatusResponse Read(Node node, NodeIdentity identity, bool brief)
    {
        Overview overview = node.Overview;
        IReadOnlyList<PeerStatus> peers = node.Peers.List();
        Wire.GetStatusResponse status = new()
        {
            Version = Assembly.GetExecutingAssembly().GetName().Version?.ToString(3) ?? "0",
            Signer = identity.Us.Signer.ToString(),
            Owner = identity.Us.Owner.ToString(),
            Contract = identity.Contract.ToString(),
            StartedAtMs = overview.StartedAtMs,
            NowMs = overview.Clock.NowMs,
            Chain = Write(overview, identity.ChainId),
            Gas = WriteGas(overview),
            PeersConnected = (uint)peers.Count(peer => peer.Connected),
            PeersKnown = (uint)peers.Count,
            JobsBlocked = (uint)overview.JobsWithAProblem(),
            Counts = WriteCounts(overview),
        };
        if (overview.Signer is { } signer) status.ExternalSigner = Write(signer);
        if (brief) return status;

        status.Channels.AddRange(node.Survey.Totals().Select(Write));
        status.Deadlines.AddRange(overview.Deadlines().Select(deadline => Write(deadline, overview.SecondsLeft(deadline))));
        status.Jobs.AddRange(overview.PendingJobs().Select(jobs => Write(jobs, overview.Clock.NowSeconds)));
        status.Watchtowers.AddRange(node.Watchtowers.List().Select(NodeWire.Write));
        status.Webhooks.AddRange(node.Webhooks().Select(Write));
        status.Alarms = Write(overview.Alarms(Day));
        status.Disk = Write(overview.Disk(), overview.DiskIsLow);
        return status;
    }

    private static Wire.ChainStatus Write(Overview overview, ulong chainId)
    {
        ChainView view = overview.View;
        Wire.ChainStatus chain = new()
        {
            ChainId = chainId,
            BlockNumber = view.Cursor?.Number ?? 0,
            BlockTimeSeconds = overview.Clock.ChainSeconds,
            HeadNumber = view.Head,
            Current = view.IsCurrent,
            SilentMsMax = overview.Options.ChainSilenceSecondsMax * 1_000UL,
            Reorganizations = view.Reorganizations.Count,
            DeepestReorganization = view.Reorganizations.Deepest,
        };
        if (view.SinceCurrent is { } silence) chain.SilentMs = (ulong)silence.TotalMilliseconds;
        if (view.NoAnswer is var (why, away)) (chain.Problem, chain.AwayMs) = (why, (ulong)away.TotalMilliseconds);
        return chain;
    }

    private static Wire.SignerStatus Write(SignerHealth signer)
    {
        Wire.SignerStatus status = new()
        {
            Url = signer.Url,
            Reachable = signer.IsThere,
            Problem = signer.Reason,
            Answered = (ulong)signer.Answered,
            Failed = (ulong)signer.Failed,
        };
        if (signer.AwayFor is { } away) status.AwayMs = (ulong)away.TotalMilliseconds;
        return status;
    }

    private static Wire.WebhookStatus Write(WebhookHealth webhook)
    {
        Wire.WebhookStatus status = new()
        {
            Url = webhook.Place,
            PaymentsWaiting = webhook.PaymentsWaiting,
            EventsWaiting = webhook.EventsWaiting,
            Problem = webhook.Problem,
            Taken = (ulong)webhook.Taken,
            Failed = (ulong)webhook.Failed,
        };
        if (webhook.FailingFor is { } failing) status.FailingMs = (ulong)failing.TotalMilliseconds;
        return status;
    }

    private static Wire.ChannelTotals Write(TokenTotals totals) => new()
    {
        Token = totals.Token.ToString(),
        Status = NodeWire.Write(totals.Status),
        Count = totals.Channels,
        OurBalance = totals.OurBalance.ToString(),
        TheirBalance = totals.TheirBalance.ToString(),
        AtRisk = totals.AtRisk.ToString(),
        Uncredited = totals.Uncredited.ToString(),
        NotResumed = totals.NotResumed,
        SentUnrecorded = totals.SentUnrecorded.ToString(),
    };

    private static Wire.Deadline Write(Deadline deadline, ulong secondsLeft) => new()
    {
        Kind = (Wire.DeadlineKind)deadline.Kind,
        AtSeconds = deadline.AtSeconds,
        SecondsLeft = secondsLeft,
        ChannelId = deadline.Channel?.ToString() ?? string.Empty,
        JobNumber = deadline.Job,
    };

    private static Wire.PendingJobs Write(PendingJobs jobs, ulong nowSeconds) => new()
    {
        Kind = (Wire.JobKind)jobs.Kind,
        Count = (uint)jobs.Count,
        OldestSeconds = nowSeconds - Math.Min(nowSeconds, jobs.OldestCreatedAtSeconds),
    };

    private static Wire.GasStatus WriteGas(Overview overview)
    {
        GasLeft left = overview.GasLeft();
        UInt128 budget = overview.Options.GasBudgetWeiPerDay;
        return new Wire.GasStatus
        {
            LeftWei = left.Ordinary.ToString(),
            LimitWei = budget.ToString(),
            ProtectiveLeftWei = left.Protective.ToString(),
            ProtectiveLimitWei = (budget + overview.Options.DisputeReserveWeiPerDay).ToString(),
            AccountWei = overview.AccountWei?.ToString() ?? string.Empty,
        };
    }

    private static Wire.AlarmSummary Write(AlarmSummary alarms)
    {
        Wire.AlarmSummary wire = new() { Alarms = (uint)alarms.Alarms, Warnings = (uint)alarms.Warnings };
        wire.Newest.AddRange(alarms.Newest.Select(EventWire.Write));
        return wire;
    }

    private static Wire.DiskStatus Write(DiskUse disk, bool isLow) => new()
    {
        StoreBytes = disk.StoreBytes,
        JournalBytes = disk.JournalBytes,
        FreeBytes = disk.FreeBytes,
        SizeBytes = disk.TotalBytes,
        Low = isLow,
    };

    private static Wire.Counts WriteCounts(Overview overview)
    {
        LedgerCounts counts = overview.Counts;
        Wire.Counts wire = new()
        {
            UpdatesAccepted = (ulong)counts.UpdatesAccepted,
            UpdatesCoalesced = (ulong)counts.UpdatesCoalesced,
            UpdatesTold = (ulong)counts.UpdatesTold,
            UpdatesAcknowledged = (ulong)counts.UpdatesAcknowledged,
            PaymentsReceived = (ulong)counts.PaymentsReceived,
            PaymentsPaid = (ulong)counts.PaymentsPaid,
            PaymentsUnderWay = (ulong)counts.PaymentsUnderWay,
            Commits = (ulong)counts.Commits,
            SyncedCommits = (ulong)counts.SyncedCommits,
            CommandsCommitted = (ulong)counts.CommandsCommitted,
            LedgerQueueLength = (uint)overview.LedgerQueueLength,
            LedgerQueueMax = (uint)overview.Options.LedgerQueueMax,
        };
        wire.UpdatesRefused.AddRange(Write(counts.UpdatesRefused));
        wire.UpdatesRefusedByPeers.AddRange(Write(counts.OffersRefused));
        wire.PaymentsRefused.AddRange(Write(counts.PaymentsRefused));
        wire.Acknowledgements.AddRange(Write(counts.Acknowledgements));
        wire.Syncs.AddRange(Write(counts.Syncs));
        return wire;
    }

    private static IEnumerable<Wire.RefusalCount> Write(RefusalCounts counts) => counts.List()
        .Select(it => new Wire.RefusalCount { Reason = (Wire.Refusal)it.Reason, Count = (ulong)it.Count });

    private static IEnumerable<Wire.DurationCount> Write(DurationCounts counts) => counts.List()
        .Select(it => new Wire.DurationCount { UpToUs = (ulong)it.UpToUs, Count = (ulong)it.Count });
}
