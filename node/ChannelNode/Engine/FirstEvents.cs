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
        Dictionary<ChannelId, List<SeenEvent>> complete = [];
        Pots[]? stored = await TryAskAsync(unasked, block, cancel);
        for (int index = 0; index < unasked.Length; index++)
        {
            List<SeenEvent> told = seen.FindAll(it => it.What.Channel == unasked[index]);
            complete[unasked[index]] = stored is null
                ? [.. told.SkipWhile(it => it.What is ChainEvent.Deposited)]
                : Complete(told, stored[index]);
        }

        List<SeenEvent> all = [];
        foreach (SeenEvent it in seen)
        {
            if (!unasked.Contains(it.What.Channel)) all.Add(it);
            else if (complete.Remove(it.What.Channel, out List<SeenEvent>? first)) all.AddRange(first);
        }

        return all;
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

    /// <summary>As they were told, where they are all that ever happened in the channel.</summary>
    private static List<SeenEvent> Complete(List<SeenEvent> told, Pots stored)
    {
        Pots alone = told.Aggregate(default(Pots), (pots, it) => Lifecycle.PotsAfter(pots, it.What));
        if (alone == stored) return told;
        ChannelSlot slot = told[0].Slot;
        return [.. Lifecycle.ToldOf(slot.Channel.Id, stored).Select(what => new SeenEvent(slot, what, IsStored: true))];
    }
}
