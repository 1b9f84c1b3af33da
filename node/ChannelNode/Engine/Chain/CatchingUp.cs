using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>Tells how far a program is that follows the chain before it opens its doors: a long way is no standing still.</summary>
internal static class CatchingUp
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    /// <summary>Ends as <paramref name="caughtUp"/> does; <paramref name="status"/> is given a sentence each time.</summary>
    public static async Task WatchAsync(Task caughtUp, ChainView view, TimeProvider time, ILogger log, Action<string> status)
    {
        using CancellationTokenSource over = new();
        while (await Task.WhenAny(caughtUp, Task.Delay(Every, time, over.Token)) != caughtUp)
        {
            if (view.NoAnswer is var (why, _))
            {
                status($"waiting for the chain: {why}"); // The log has it already.
                continue;
            }

            ulong block = view.Cursor?.Number ?? 0, head = view.Head;
            Log.CatchingUp(log, block, head);
            status($"following the chain: block {block} of {head}");
        }

        await over.CancelAsync();
        await caughtUp;
    }
}
