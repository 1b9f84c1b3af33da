using System.Diagnostics;

namespace ChannelNode.Engine;

/// <summary>
/// What is traced: single payments through both nodes, what operators ask for, and jobs on chain. Nobody listens unless a
/// collector is named; then every span is null, and costs a look at an empty list.
/// </summary>
internal static class Tracing
{
    public const string SourceName = "ChannelNode";

    /// <summary>One call of Pay, from its arrival to its answer.</summary>
    public const string Pay = "Pay";

    /// <summary>What the payee does with its update, from its arrival to its acknowledgement.</summary>
    public const string Accept = "Accept";

    public static readonly ActivitySource Source = new(SourceName);

    /// <summary>
    /// A span for what somebody asks of this node, below the caller's own where it names one (W3C traceparent). Ends with the
    /// method that begins it, or later; whatever is begun by that method is below it.
    /// </summary>
    public static Activity? Begin(string name, string? traceparent)
    {
        if (!Source.HasListeners()) return null;
        Activity.Current = null; // The web server has begun one that nobody records.
        ActivityContext.TryParse(traceparent, null, isRemote: true, out ActivityContext caller);
        return Source.StartActivity(name, ActivityKind.Server, caller);
    }

    /// <summary>The same without a trace on the caller's thread: for those that serve many. To be ended by <see cref="End"/>.</summary>
    public static Activity? BeginBeside(string name, ActivityKind kind, ActivityContext parent)
    {
        if (!Source.HasListeners()) return null;
        Activity? current = Activity.Current;
        Activity.Current = null;
        Activity? span = Source.StartActivity(name, kind, parent);
        Activity.Current = current;
        return span;
    }

    public static void End(Activity span)
    {
        Activity? current = Activity.Current;
        span.Stop();
        Activity.Current = current;
    }
}

/// <summary>
/// A single payment that is traced. Only times are noted where it is decided, for that thread is everybody's; spans are made
/// of them when it is answered.
/// </summary>
internal sealed class PaymentTrace
{
    private readonly Activity _call;
    private readonly TimeProvider _time;
    private DateTimeOffset _decidedAt, _toldAt, _acknowledgedAt;

    private PaymentTrace(Activity call, TimeProvider time) => (_call, _time) = (call, time);

    /// <summary>What the payee's spans are below.</summary>
    public ActivityContext Context => _call.Context;

    /// <summary>Null where the payment is not to be traced.</summary>
    public static PaymentTrace? Begin(string channel, string? traceparent, TimeProvider time)
    {
        if (Tracing.Begin(Tracing.Pay, traceparent) is not { } call) return null;
        if (call.Recorded)
        {
            call.SetTag("channelnode.channel", channel);
            return new PaymentTrace(call, time);
        }

        call.Dispose();
        return null;
    }

    /// <summary>The channel's working state holds it.</summary>
    public void Decided() => _decidedAt = _time.GetUtcNow();

    /// <summary>It is on disk, and its update leaves.</summary>
    public void Told() => _toldAt = _time.GetUtcNow();

    public void Acknowledged() => _acknowledgedAt = _time.GetUtcNow();

    /// <summary>It is answered; to be called once, by the method that began it.</summary>
    public void End(PaymentOutcome? outcome)
    {
        Span("Pay.Queue", _call.StartTimeUtc, _decidedAt);
        Span("Pay.Commit", _decidedAt, _toldAt);
        Span("Pay.Acknowledge", _toldAt, _acknowledgedAt);
        if (outcome is { Refusal: Core.Refusal.None }) _call.SetStatus(ActivityStatusCode.Ok);
        else _call.SetStatus(ActivityStatusCode.Error, outcome?.Refusal.Name() ?? "not answered");
        _call.Dispose();
    }

    private void Span(string name, DateTimeOffset from, DateTimeOffset to)
    {
        if (from == default || to < from) return;
        using Activity? span = Tracing.Source.StartActivity(name, ActivityKind.Internal, _call.Context, startTime: from);
        span?.SetEndTime(to.UtcDateTime);
    }
}

/// <summary>That an update, with the total that it says, has a traced payment in it, and where its spans belong.</summary>
internal readonly record struct UpdateTrace(Core.ChannelId Channel, UInt128 Sent, ActivityContext Parent);
