using System.Diagnostics;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Simulation;
using Google.Protobuf;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// What travels of a trace, and what is believed of it. One by one with the other tests that listen: a listener hears, and
/// changes, all of the process.
/// </summary>
[Collection(DoorsCollection.Name)]
public sealed class UpdateTraceTests
{
    private const string Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    private static readonly ActivityContext Parent = ActivityContext.Parse(Traceparent, null);

    [Fact]
    public async Task TracedPayment_IsWrittenAsItsFieldSays_AndReadBack()
    {
        using ActivityListener listener = Listen(_ => { });
        await using LedgerRig rig = new();
        PaymentTrace trace = PaymentTrace.Begin("channel", Traceparent, TimeProvider.System)!;
        await rig.Ledger.EnqueueAsync(
            new AwaitedPayment(rig.Slot, 7, default, "", false, CancellationToken.None, trace), CancellationToken.None);
        await rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        Queue<byte[]> told = new();
        SimulatedWire.Take(rig.Session, told, _ => { });

        byte[] bytes = Assert.Single(told);
        Wire.UpdateTrace said = Assert.Single(Wire.ExchangeRequest.Parser.ParseFrom(bytes).Message.Frame.Traces);
        Assert.Equal(Parent.TraceId.ToString(), Convert.ToHexStringLower(said.TraceId.Span));
        Assert.Equal(trace.Context.SpanId.ToString(), Convert.ToHexStringLower(said.SpanId.Span));

        PeerFrame read = Frames.Of(Wire.ExchangeRequest.Parser.ParseFrom(bytes).Message.Frame);
        UpdateTrace found = read.TraceAt(read.Traces[0]);
        Assert.Equal((rig.Slot.Channel.Id, (UInt128)7, Parent.TraceId), (found.Channel, found.Sent, found.Parent.TraceId));
        trace.End(null);
    }

    [Fact]
    public async Task PeerThatTracesMoreThanIsBelieved_HasSpansOfAFewOnly()
    {
        int accepted = 0;
        using ActivityListener listener = Listen(span =>
        {
            if (span.OperationName == Tracing.Accept && span.TraceId == Parent.TraceId) Interlocked.Increment(ref accepted);
        });
        await using LedgerRig rig = new();
        for (int frame = 1; frame <= 40; frame++)
        {
            Wire.Frame said = new() { Updates = { Frames.Update(Side.B, (UInt128)frame, 0) } };
            for (int trace = 0; trace < 40; trace++) said.Traces.Add(Frames.Trace((UInt128)frame, Parent));
            await rig.AnswerAsync(Frames.Of(said));
        }

        Assert.Equal(40, rig.Ledger.Counts.UpdatesAccepted);
        Assert.InRange(accepted, 16, 200); // 20 in a second, and this takes less than ten.
    }

    /// <summary>Keys cost nothing: however many peers trace, a collector has so many spans of them and no more.</summary>
    [Fact]
    public void ManyPeersThatTrace_HaveSpansOfAFewTogether()
    {
        SimulatedTime time = new();
        TraceLimit all = new(time, TraceLimit.OfAllPeersMax);
        using ActivityListener listener = Listen(_ => { });
        int begun = 0;
        for (int peer = 0; peer < 100; peer++) begun += Begin(new BatchTraces(time, all));

        Assert.Equal(TraceLimit.OfAllPeersMax, begun);
        time.Advance(1_000);
        Assert.Equal(16, Begin(new BatchTraces(time, all))); // No more are read of a frame.

        static int Begin(BatchTraces traces)
        {
            Wire.Frame said = new() { Updates = { Frames.Update(Side.B, 1, 0) } };
            for (int trace = 0; trace < 40; trace++) said.Traces.Add(Frames.Trace(1, Parent));
            List<(UpdateTrace Trace, Activity Span)> spans = [];
            traces.Begin(Frames.Of(said), spans);
            int count = spans.Count;
            BatchTraces.End(spans, []);
            return count;
        }
    }

    [Theory]
    [InlineData(15, 8, "trace_id")]
    [InlineData(16, 9, "span_id")]
    public void TraceOfAnotherLength_IsMalformed_AndSaysWhichField(int traceBytes, int spanBytes, string field)
    {
        Wire.UpdateTrace said = Frames.Trace(1, Parent);
        said.TraceId = ByteString.CopyFrom(new byte[traceBytes]);
        said.SpanId = ByteString.CopyFrom(new byte[spanBytes]);

        RefusalException refusal = Assert.Throws<RefusalException>(() => Frames.Of(new Wire.Frame { Traces = { said } }));
        Assert.Equal((Refusal.InvalidArgument, field), (refusal.Refusal, refusal.Field));
    }

    private static ActivityListener Listen(Action<Activity> stopped)
    {
        ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == Tracing.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = stopped,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
