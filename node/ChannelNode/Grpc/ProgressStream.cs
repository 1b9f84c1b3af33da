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
    public async Task RunAsync<TResponse>(
        Func<OperationWatcher, CancellationToken, Task> job,
        Func<Wire.Progress, TResponse> wrap,
        IServerStreamWriter<TResponse> responses,
        CancellationToken watching)
    {
        Channel<OperationStep> steps = System.Threading.Channels.Channel.CreateUnbounded<OperationStep>(
            new UnboundedChannelOptions { SingleReader = true });
        Task working = WorkAsync(job, steps.Writer);
        await drain.RunAsync(
            async cancel =>
            {
                await foreach (OperationStep step in steps.Reader.ReadAllAsync(cancel))
                    await responses.WriteAsync(wrap(NodeWire.Write(step)), cancel);
            },
            watching);
        await working;
    }

    private async Task WorkAsync(
        Func<OperationWatcher, CancellationToken, Task> job, ChannelWriter<OperationStep> steps)
    {
        try
        {
            await job(step => steps.TryWrite(step), stopping);
        }
        catch (OperationCanceledException error) when (stopping.IsCancellationRequested)
        {
            throw new RefusalException(Refusal.NotReady, "the node is stopping", error);
        }
        finally
        {
            steps.TryComplete();
        }
    }
}
