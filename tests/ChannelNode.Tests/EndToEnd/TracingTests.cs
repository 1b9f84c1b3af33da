using System.Collections.Concurrent;
using System.Diagnostics;
using ChannelNode.Engine;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Two whole nodes, and somebody who listens to both.</summary>
[Collection(DoorsCollection.Name)]
public sealed class TracingTests(AnvilFixture anvil) : IAsyncLifetime
{
    private readonly ConcurrentQueue<Activity> _ended = new();
    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;
    private string _channel = "";

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _alice = await TestNode.StartAsync(_chain);
        _bob = await TestNode.StartAsync(_chain);
    }

    public async Task DisposeAsync()
    {
        await _bob.DisposeAsync();
        await _alice.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [Fact]
    public async Task ChannelsLife_IsOneTraceForEachThingAsked_AndAPaymentsGoesThroughBothNodes()
    {
        using ActivityListener listener = Listen();
        ActivityTraceId ours = ActivityTraceId.CreateRandom();
        ActivitySpanId caller = ActivitySpanId.CreateRandom();

        _channel = await _alice.OpenAsync(_bob, "1000");
        await PayAsync("1", $"00-{ours}-{caller}-01");
        await PayAsync("2", $"00-{ActivityTraceId.CreateRandom()}-{caller}-00"); // Its caller does not want to know.
        await StreamAsync("3");
        using (var call = _alice.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = _channel }))
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
        await _bob.UntilAsync(_channel, channel => channel.Status == Wire.ChannelStatus.Closed);

        Activity[] ended = await EndedAsync("Accept", "Pay", "CloseChannel");
        Activity pay = Assert.Single(ended, span => IsOurs(span, Tracing.Pay));
        Assert.Equal(ours, pay.TraceId);
        Assert.Equal(caller, pay.ParentSpanId);
        Assert.Equal(
            ["Accept", "Pay.Acknowledge", "Pay.Commit", "Pay.Queue"],
            ended.Where(span => span.TraceId == ours && span.ParentSpanId == pay.SpanId).Select(span => span.OperationName).Order());
        Activity accept = Assert.Single(ended, span => IsOurs(span, Tracing.Accept));
        Assert.True(accept.HasRemoteParent); // It came over the wire, from the other node.
        Assert.Equal(ActivityStatusCode.Ok, accept.Status);
        Assert.InRange(accept.StartTimeUtc, pay.StartTimeUtc, pay.StartTimeUtc + pay.Duration);

        AssertJobBelow("OpenChannel", "Job Deposit");
        AssertJobBelow("CloseChannel", "Job Close");

        void AssertJobBelow(string operation, string job)
        {
            Activity asked = Assert.Single(ended, span => IsOurs(span, operation));
            Activity done = Assert.Single(ended, span => span.OperationName == job && span.ParentSpanId == asked.SpanId);
            Assert.Equal(ActivityStatusCode.Ok, done.Status);
            Assert.Contains(asked.Events, step => step.Name == nameof(OperationStage.Confirmed));
            Assert.Contains(done.Events, step => step.Name == nameof(JobStatus.Done));
        }
    }

    [Fact]
    public async Task WhileNobodyListens_NothingOfATraceTravels()
    {
        _channel = await _alice.OpenAsync(_bob, "1000");
        await PayAsync("1", $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-01");

        using ActivityListener listener = Listen();
        await PayAsync("2", $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-01");

        Assert.Equal(1, (await EndedAsync("Accept")).Count(span => IsOurs(span, Tracing.Accept)));
    }

    /// <summary>Tests of other classes run beside this one, and are heard too.</summary>
    private bool IsOurs(Activity span, string name) =>
        span.OperationName == name && (string?)span.GetTagItem("channelnode.channel") == _channel;

    private ActivityListener Listen()
    {
        ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == Tracing.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> options) =>
                options.Parent.TraceId == default || options.Parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded)
                    ? ActivitySamplingResult.AllDataAndRecorded
                    : ActivitySamplingResult.None,
            ActivityStopped = _ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    /// <summary>All spans that have ended, when there are some of these names.</summary>
    private async Task<Activity[]> EndedAsync(params string[] names)
    {
        for (int look = 0; look < 1_200 && !names.All(name => _ended.Any(span => IsOurs(span, name))); look++) await Task.Delay(50);
        return [.. _ended];
    }

    private async Task PayAsync(string amount, string traceparent) => await _alice.Api.PayAsync(
        new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = _channel, Amount = amount } },
        new Metadata { { "traceparent", traceparent } });

    private async Task StreamAsync(string amount)
    {
        using var call = _alice.Api.StreamPayments();
        await call.RequestStream.WriteAsync(
            new Wire.StreamPaymentsRequest { Payments = { new Wire.Payment { ChannelId = _channel, Amount = amount } } });
        await call.RequestStream.CompleteAsync();
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
    }
}
