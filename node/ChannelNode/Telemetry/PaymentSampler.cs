using ChannelNode.Engine;
using OpenTelemetry.Trace;

namespace ChannelNode.Telemetry;

/// <summary>
/// What is rare, such as an opening or a transaction, is always traced. Of single payments that nobody else traces only a
/// share is; whoever calls, an application or the peer, may say that one is to be traced, or not.
/// </summary>
internal sealed class PaymentSampler(int perMillion) : Sampler
{
    private readonly TraceIdRatioBasedSampler _share = new(perMillion / 1_000_000.0);

    public override SamplingResult ShouldSample(in SamplingParameters parameters)
    {
        if (parameters.ParentContext.TraceId != default)
        {
            return new SamplingResult(
                parameters.ParentContext.TraceFlags.HasFlag(System.Diagnostics.ActivityTraceFlags.Recorded)
                    ? SamplingDecision.RecordAndSample
                    : SamplingDecision.Drop);
        }

        return parameters.Name == Tracing.Pay ? _share.ShouldSample(parameters) : new SamplingResult(SamplingDecision.RecordAndSample);
    }
}
