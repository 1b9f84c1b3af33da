using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Who gets a place in a watchtower. Keys, channels and signatures cost nothing and a deposit does: so channels without one
/// have a tenth of the places, and give them up where others need them.
/// </summary>
/// <param name="disk">With too little room nobody gets a place. What is newer in a channel that has one is stored over what was.</param>
/// <param name="guardedCount">Places taken: a side of a channel is one.</param>
/// <param name="drop">Lets go of channels that have no deposit.</param>
internal sealed class GuardRoom(
    ChannelBook book, GuardAdmission contract, DiskRoom disk, WatchtowerOptions options, Func<int> guardedCount,
    Func<IReadOnlyList<ChannelId>, CancellationToken, Task> drop)
{
    /// <summary>Channels without a deposit that a signer may have, and how many more for each channel with one.</summary>
    private const int UnfundedPerSigner = 100;
    private const int UnfundedPerFunded = 10;

    /// <summary>One after the other makes room and takes it.</summary>
    private readonly OneAtATime _room = new();

    /// <summary>Why there is no place for a channel that is new for the client; null where there is one. The ledger's writer alone.</summary>
    public GuardRefusal? Refuse(GuardClient client, GuardedUpdate guarded, HashSet<ChannelId> admitted)
    {
        if (disk.IsLow) return GuardCheck.No(guarded, Refusal.DiskLow, "disk", "low", "room for another channel; those that are guarded stay so");
        if (client.Count >= options.ChannelsPerSignerMax)
        {
            return GuardCheck.No(
                guarded, Refusal.TooManyChannels, "channels of this signer", client.Count + 1, $"at most {options.ChannelsPerSignerMax}");
        }

        int all = guardedCount();
        if (all >= options.ChannelsMax)
            return GuardCheck.No(guarded, Refusal.TooManyChannels, "channels of all signers", all + 1, $"at most {options.ChannelsMax}");

        ChannelId id = guarded.Update.Channel;
        if (admitted.Contains(id) || book.Find(id) is { Working.EverFunded: true }) return null;
        if (client.UnfundedCount >= UnfundedMaxOf(client))
        {
            return GuardCheck.No(
                guarded, Refusal.TooManyChannels, "channels of this signer without a deposit", client.UnfundedCount + 1,
                $"at most {UnfundedMaxOf(client)}");
        }

        int unfunded = book.Unfunded.Count;
        return unfunded < options.UnfundedChannelsMax || book.Find(id) is not null
            ? null
            : GuardCheck.No(
                guarded, Refusal.TooManyChannels, "channels without a deposit", unfunded + 1, $"at most {options.UnfundedChannelsMax}");
    }

    /// <summary>
    /// Where new channels find no place the contract is asked at once, and those that it knows take the places of others that it
    /// did not know when it was asked. So a channel with a deposit always gets in and keeps its place, however many strangers
    /// came before; one without finds a place only while there are some. Asked for a few of a frame, the rest comes again.
    /// </summary>
    public async Task<T> WithRoomAsync<T>(
        GuardClient client, List<(Channel Channel, GuardedUpdate)> right, Func<HashSet<ChannelId>, Task<T>> store, CancellationToken cancel)
    {
        if (!LacksRoom(client, FreshOf(client, right).Count)) return await store([]);
        await _room.EnterAsync(cancel);
        try
        {
            HashSet<ChannelId> admitted = [];
            List<ChannelId> fresh = FreshOf(client, right);
            if (LacksRoom(client, fresh.Count))
            {
                admitted = await contract.FundedAsync([.. fresh.Take(StoredSides.AtATime)], cancel);
                IReadOnlyList<ChannelId> blank = book.Unfunded.LongestBlank(admitted.Count);
                if (blank.Count > 0) await drop(blank, cancel);
            }

            return await store(admitted);
        }
        finally
        {
            _room.Leave();
        }
    }

    /// <summary>Every channel is without one until the contract was asked: so the more it knows of a signer's, the more may wait for that.</summary>
    private static int UnfundedMaxOf(GuardClient client) =>
        UnfundedPerSigner + UnfundedPerFunded * (client.Count - client.UnfundedCount);

    private static List<ChannelId> FreshOf(GuardClient client, List<(Channel Channel, GuardedUpdate)> right) =>
        [.. right.Select(it => it.Channel.Id).Where(id => !client.Has(id)).Distinct()];

    private bool LacksRoom(GuardClient client, int fresh) =>
        fresh > 0 && !disk.IsLow && client.Count < options.ChannelsPerSignerMax
        && (guardedCount() + fresh > options.ChannelsMax || book.Unfunded.Count + fresh > options.UnfundedChannelsMax
            || client.UnfundedCount + fresh > UnfundedMaxOf(client));
}
