using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Asks the contract once for each channel that came to be known: its deposits, and maybe the start of its closing, may have
/// been mined before. From then on the events tell. A reorganisation takes the answer back like any other block, and then
/// it is asked again.
/// </summary>
internal sealed class FirstLooks(
    ChannelBook book, ChainIntake intake, NodeClock clock, ILogger<FirstLooks> log)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(5);

    public async Task RunAsync(CancellationToken stopping)
    {
        using PeriodicTimer timer = new(LookEvery, clock.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping)) await LookAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private async Task LookAsync(CancellationToken stopping)
    {
        // A few at a time; the follower waits meanwhile.
        foreach (ChannelId[] some in book.Unfunded.Unasked().Chunk(StoredSides.AtATime))
        {
            try
            {
                await intake.LookAsync(some, stopping);
            }
            catch (RefusalException refusal)
            {
                log.FirstLookFailed(some.Length, refusal.Message);
                await Task.Delay(PauseAfterFailure, clock.Time, stopping);
                return; // With the next tick.
            }
        }
    }
}
