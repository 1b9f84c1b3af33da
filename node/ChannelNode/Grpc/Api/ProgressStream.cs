using System.Diagnostics;
using System.Threading.Channels;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// Tells the steps of a job as they happen. The job itself is not bound to the call: a caller that goes away stops
/// watching, while a transaction on its way is still brought to its end, until the node stops.
/// </summary>
internal sealed class ProgressStream(CancellationToken stopping, Drain drain)
{
    /// <summary>W3C trace context of the caller.</summary>
    public const string TraceHeader = "traceparent";

    public async Task RunAsync<TResponse>(
        Func<OperationWatcher, CancellationToken, Task> job,
        Func<Wire.Progress, TResponse> wrap,
        IServerStreamWriter<TResponse> responses,
        ServerCallContext call)
    {
        Channel<OperationStep> steps = System.Threading.Channels.Channel.CreateUnbounded<OperationStep>(
            new UnboundedChannelOptions { SingleReader = true });
        Task working = WorkAsync(job, steps.Writer, call);
        await drain.RunAsync(
            async cancel =>
            {
                await foreach (OperationStep step in steps.Reader.ReadAllAsync(cancel))
                    await responses.WriteAsync(wrap(NodeWire.Write(step)), cancel);
            },
            call.CancellationToken);
        await working;
    }

    private async Task WorkAsync(
        Func<OperationWatcher, CancellationToken, Task> job, ChannelWriter<OperationStep> steps, ServerCallContext call)
    {
        using Activity? span = Tracing.Begin(call.Method[(call.Method.LastIndexOf('/') + 1)..], call.RequestHeaders.GetValue(TraceHeader));
        try
        {
            await job(Watch, stopping);
            span?.SetStatus(ActivityStatusCode.Ok);
        }
        catch (OperationCanceledException error) when (stopping.IsCancellationRequested)
        {
            throw new RefusalException(Refusal.NotReady, "the node is stopping", error);
        }
        catch (RefusalException refusal)
        {
            span?.SetStatus(ActivityStatusCode.Error, refusal.Refusal.Name());
            throw;
        }
        finally
        {
            steps.TryComplete();
        }

        void Watch(OperationStep step)
        {
            if (step.Channel is { } channel) span?.SetTag("channelnode.channel", channel.ToString());
            span?.AddEvent(new ActivityEvent(step.Stage.ToString()));
            steps.TryWrite(step);
        }
    }
}
