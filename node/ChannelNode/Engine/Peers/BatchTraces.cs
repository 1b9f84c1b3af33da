using System.Diagnostics;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The spans of a session's batches: of each traced update one, from its arrival to its acknowledgement. The peer says what is
/// traced, so only so many in a second are believed. Not for several threads, but each batch's part of it is its own.
/// </summary>
/// <param name="ofAll">Shared with the sessions of all other peers.</param>
internal sealed class BatchTraces(TimeProvider time, TraceLimit ofAll)
{
    private const int PerSecondMax = 20;

    private readonly TraceLimit _own = new(time, PerSecondMax);

    /// <summary>Begins the spans of a frame, where somebody listens.</summary>
    public void Begin(PeerFrame frame, List<(UpdateTrace Trace, Activity Span)> begun)
    {
        if (!Tracing.Source.HasListeners()) return;
        foreach (ref readonly FrameTrace said in frame.Traces)
        {
            UpdateTrace trace = frame.TraceAt(said);
            if (!_own.MayBegin() || !ofAll.MayBegin() || Tracing.BeginBeside(Tracing.Accept, ActivityKind.Server, trace.Parent) is not { } span) continue;
            span.SetTag("channelnode.channel", trace.Channel.ToString());
            begun.Add((trace, span));
        }
    }

    /// <summary>All of the batch is committed.</summary>
    public static void End(List<(UpdateTrace Trace, Activity Span)> begun, ReadOnlySpan<RefusedUpdate> refused)
    {
        foreach ((UpdateTrace trace, Activity span) in begun)
        {
            Refusal refusal = Refusal.None;
            foreach (ref readonly RefusedUpdate update in refused)
                if (update.Channel == trace.Channel && update.Sent == trace.Sent) refusal = update.Reason;
            if (refusal == Refusal.None) span.SetStatus(ActivityStatusCode.Ok);
            else span.SetStatus(ActivityStatusCode.Error, refusal.Name());
            Tracing.End(span);
        }

        begun.Clear();
    }
}

/// <summary>How many spans may begin in a second, whoever asks for them: a collector takes only so many. For any thread.</summary>
internal sealed class TraceLimit(TimeProvider time, int perSecondMax)
{
    /// <summary>Of all peers together.</summary>
    public const int OfAllPeersMax = 200;

    private readonly Lock _lock = new();
    private long _second;
    private int _inSecond;

    public bool MayBegin()
    {
        lock (_lock)
        {
            long second = time.GetUtcNow().ToUnixTimeSeconds();
            if (second != _second) (_second, _inSecond) = (second, 0);
            if (_inSecond >= perSecondMax) return false;
            _inSecond++;
            return true;
        }
    }
}
