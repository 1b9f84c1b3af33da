using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Which of some channels the contract knows, where a watchtower has no room for those that it does not: a deposit is what
/// tells a node from a stranger. Asked beside the follower, and only to let in: what is taken over is for <see cref="FirstLooks"/>.
/// </summary>
internal sealed class GuardAdmission(StoredSides sides, ChainView view)
{
    /// <summary>After the newest block followed; none where the chain does not answer.</summary>
    public async Task<HashSet<ChannelId>> FundedAsync(IReadOnlyList<ChannelId> channels, CancellationToken cancel)
    {
        if (view.Cursor is not { } block) return [];
        try
        {
            Pots[] found = await sides.AskAsync(channels, block, cancel);
            return [.. channels.Where((_, index) => !found[index].IsBlank)];
        }
        catch (RefusalException)
        {
            return []; // The node asks again.
        }
    }
}
