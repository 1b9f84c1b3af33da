using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What the contract stores of channels, asked for while the follower waits.</summary>
/// <param name="sidesOf">As <see cref="IChain.SidesAsync"/>.</param>
internal sealed class StoredSides(Func<ChannelId, Bytes32, CancellationToken, Task<Pots>> sidesOf, NodeClock clock)
{
    /// <summary>Asked for at a time.</summary>
    public const int AtATime = 16;

    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(5);

    /// <summary>After this very block, of each in their order. ChainUnavailable where there is no answer in time.</summary>
    public async Task<Pots[]> AskAsync(IReadOnlyCollection<ChannelId> channels, ChainBlock block, CancellationToken cancel)
    {
        List<Pots> found = new(channels.Count);
        try
        {
            foreach (ChannelId[] some in channels.Chunk(AtATime))
            {
                found.AddRange(await Task.WhenAll(some.Select(id => sidesOf(id, block.Hash, cancel)))
                    .WaitAsync(AnswerMax, clock.Time, cancel));
            }
        }
        catch (TimeoutException error)
        {
            throw new RefusalException(Refusal.ChainUnavailable, "no answer in time", error);
        }

        return [.. found];
    }
}
