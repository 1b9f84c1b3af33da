using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>The engine's jobs in NodeService's words.</summary>
internal static class JobWire
{
    private const int JobsMax = 1_000;

    public static Wire.ListJobsResponse Read(JobBook jobs, CallerChannels seen, Wire.ListJobsRequest request)
    {
        Wire.ListJobsResponse response = new();
        foreach (JobEntry entry in jobs.All)
        {
            if (response.Jobs.Count == JobsMax) break;
            if ((request.All || entry.Job.IsActive) && seen.ContainsAll(entry.Job.Channels)) response.Jobs.Add(Write(entry));
        }

        return response;
    }

    public static Wire.Job Write(JobEntry entry)
    {
        Job job = entry.Job;
        JobAttempt? newest = job.Attempts.Count == 0 ? null : job.Attempts[^1];
        Wire.Job wire = new()
        {
            Number = job.Number,
            Kind = (Wire.JobKind)job.Kind,
            Status = (Wire.JobStatus)job.Status,
            Purpose = job.Purpose,
            CreatedAtSeconds = job.CreatedAtSeconds,
            DeadlineSeconds = job.DeadlineSeconds,
            TransactionHash = (job.Receipt?.Hash ?? newest?.Hash)?.ToString() ?? string.Empty,
            MaxFeeWei = newest?.Fees.MaxFee.ToString() ?? string.Empty,
            TipWei = newest?.Fees.Tip.ToString() ?? string.Empty,
            Attempts = (uint)job.Attempts.Count,
            SpentWei = job.SpentWei.ToString(),
            Problem = (Wire.Refusal)entry.Problem,
            Reason = (Wire.Refusal)job.Refusal,
            Message = job.Message,
        };
        if (job.Nonce is { } nonce) wire.Nonce = nonce;
        foreach (Core.ChannelId channel in job.Channels) wire.ChannelIds.Add(channel.ToString());
        return wire;
    }
}
