using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// An event of a channel that is known here. <paramref name="IsStored"/>: the contract did not tell it, but it says what the
/// contract stores.
/// </summary>
internal readonly record struct SeenEvent(ChannelSlot Slot, ChainEvent What, bool IsStored = false);

/// <summary>
/// The first events of channels that had deposits, or whole lives, before they were known here: a deposit tells of one pot
/// and hides all else. Before such a channel's first event is taken, the contract is asked what it stores.
/// </summary>
internal sealed class FirstEvents(UnfundedChannels unfunded, StoredSides sides)
{
    /// <summary>
    /// The events to be taken over instead. Where the contract gives no answer, a channel's deposits are left out until an
    /// event tells all, or <see cref="FirstLooks"/> has asked.
    /// </summary>
    /// <param name="seen">Of a batch, in order.</param>
    /// <param name="block">The batch's last.</param>
    public async Task<List<SeenEvent>> CompleteAsync(List<SeenEvent> seen, ChainBlock block, CancellationToken cancel)
    {
        ChannelId[] unasked = [.. seen.Select(it => it.What.Channel).Where(unfunded.IsUnasked).Distinct()];
        if (unasked.Length == 0) return seen;
        Pots[]? stored = await TryAskAsync(unasked, block, cancel);
        for (int index = 0; index < unasked.Length; index++)
            seen = stored is null ? WithoutHiding(seen, unasked[index]) : Complete(seen, unasked[index], stored[index]);
        return seen;
    }

    private async Task<Pots[]?> TryAskAsync(ChannelId[] channels, ChainBlock block, CancellationToken cancel)
    {
        try
        {
            return await sides.AskAsync(channels, block, cancel);
        }
        catch (RefusalException)
        {
            return null; // Of a block that is long past, it may never be given.
        }
    }

    private static List<SeenEvent> WithoutHiding(List<SeenEvent> seen, ChannelId id)
    {
        int whole = seen.FindIndex(it => it.What.Channel == id && it.What is not ChainEvent.Deposited);
        return [.. seen.Where((it, index) => it.What.Channel != id || (whole >= 0 && index >= whole))];
    }

    /// <summary>As they were told, where they are all that ever happened in the channel.</summary>
    private static List<SeenEvent> Complete(List<SeenEvent> seen, ChannelId id, Pots stored)
    {
        Pots alone = default;
        foreach (SeenEvent it in seen)
            if (it.What.Channel == id) alone = Lifecycle.PotsAfter(alone, it.What);
        if (alone == stored) return seen;
        int first = seen.FindIndex(it => it.What.Channel == id);
        ChannelSlot slot = seen[first].Slot;
        List<SeenEvent> complete = [.. seen.Where(it => it.What.Channel != id)];
        complete.InsertRange(first, Of(slot, stored));
        return complete;
    }

    /// <summary>Events that leave what the contract stores of the channel.</summary>
    public static IEnumerable<SeenEvent> Of(ChannelSlot slot, Pots stored) =>
        Lifecycle.ToldOf(slot.Channel.Id, stored).Select(what => new SeenEvent(slot, what, IsStored: true));
}
