using System.Diagnostics.Metrics;
using ChannelNode.Engine;

namespace ChannelNode.Telemetry;

/// <summary>Whether the key can sign. With the key in this process it always can, and there is nothing else to tell.</summary>
internal static class SignerInstruments
{
    public static void Add(Meter meter, Overview overview)
    {
        SignerHealth? signer = overview.Signer;
        meter.CreateObservableGauge(
            "channelnode.signer.up", () => signer is not { IsThere: false } ? 1 : 0, "{bool}",
            "1 while the key can sign: it is in this program, or the signer that holds it answers");
        if (signer is null) return;

        meter.CreateObservableGauge(
            "channelnode.signer.away", () => signer.AwayFor?.TotalSeconds ?? 0, "s", "For how long the signer has not signed");
        meter.CreateObservableCounter(
            "channelnode.signer.requests", () => Requests(signer), "{request}", "Signatures asked of the signer, each try, by what became of them");
        Histogram<double> took = meter.CreateHistogram(
            "channelnode.signer.request.duration", "s", "From a question to the signer to its right signature",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
            });
        signer.Watcher = time => took.Record(time.TotalSeconds);
    }

    private static IEnumerable<Measurement<long>> Requests(SignerHealth signer)
    {
        yield return new(signer.Answered, Labels.Of("outcome", "answered"));
        yield return new(signer.Failed, Labels.Of("outcome", "failed"));
    }
}
