namespace ChannelNode.Engine;

/// <summary>Looks at the node's own account now and then, also while there is nothing to send, for who watches what is left on it.</summary>
internal static class AccountWatch
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(50);

    public static async Task RunAsync(JobRunner runner, TimeProvider time, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                await TryLookAsync(runner, stopping);
                await Task.Delay(Every, time, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    private static async Task TryLookAsync(JobRunner runner, CancellationToken stopping)
    {
        try
        {
            await runner.LookAsync(stopping);
        }
        catch (RefusalException)
        {
            // The chain gives no answer, which the follower tells of.
        }
    }
}
