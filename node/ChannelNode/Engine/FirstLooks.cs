using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Asks the contract once for each channel that came to be known: its deposits, and maybe the start of its closing, may have
/// been mined before. From then on the events tell. A reorganisation takes the answer back like any other block, and then
/// it is asked again.
/// </summary>
internal sealed class FirstLooks(
    ChannelBook book, ChainIntake intake, IChain chain, NodeClock clock, ILogger<FirstLooks> log)
{
    /// <summary>Asked at a time; the follower waits meanwhile.</summary>
    private const int AtATime = 16;

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(5);

    /// <summary>Those that the contract did not know then: a deposit would be told by its event.</summary>
    private readonly HashSet<ChannelId> _blank = [];

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
        IReadOnlyList<ChannelId> unfunded = book.Unfunded.List();
        _blank.IntersectWith(unfunded);
        foreach (ChannelId[] some in unfunded.Where(id => !_blank.Contains(id)).Chunk(AtATime))
        {
            try
            {
                await intake.BetweenBatchesAsync(block => LookAsync(some, block, stopping), stopping);
            }
            catch (RefusalException refusal)
            {
                log.FirstLookFailed(some.Length, refusal.Message);
                await Task.Delay(PauseAfterFailure, clock.Time, stopping);
                return; // With the next tick.
            }
        }
    }

    private async Task LookAsync(ChannelId[] channels, ChainBlock? block, CancellationToken stopping)
    {
        if (block is null) return;
        Task<Pots>[] asking = [.. channels.Select(id => chain.SidesAsync(id, block.Hash, stopping))];
        Pots[] found;
        try
        {
            found = await Task.WhenAll(asking).WaitAsync(AnswerMax, clock.Time, stopping);
        }
        catch (TimeoutException error)
        {
            throw new RefusalException(Refusal.ChainUnavailable, "no answer in time", error);
        }

        List<(ChannelSlot Slot, Pots Pots)> known = [];
        for (int index = 0; index < channels.Length; index++)
        {
            if (found[index].IsBlank) _blank.Add(channels[index]);
            else if (book.Find(channels[index]) is { } slot) known.Add((slot, found[index]));
        }

        if (known.Count > 0) await intake.TakeStoredAsync(known, block, stopping);
    }
}
