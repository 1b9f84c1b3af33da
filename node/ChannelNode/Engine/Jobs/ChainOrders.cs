using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What is sent to the chain for a channel that closes, as jobs. Whoever asks for the same, the guardian or an operator,
/// joins the same job.
/// </summary>
internal sealed class ChainOrders(IChain chain, ISignatureScheme scheme)
{
    /// <summary>Rows of one claim: about 2 million gas, far below any block's.</summary>
    private const int ClaimRowsMax = 100;

    /// <summary>Presents the other side's newest update as a party of the channel.</summary>
    public JobOrder Dispute(StoredChannel stored)
    {
        (Channel channel, ChannelState state) = (stored.Channel, stored.State);
        BalanceUpdate theirs = new(channel.Id, state.TheirSent, state.TheirReceived);
        Signature signature = scheme.Presentable(theirs, state.TheirSignature, channel.Theirs.Signer);
        return Dispute(stored, theirs, chain.Dispute(channel, theirs, signature), Stake.In(stored), whose: "");
    }

    /// <summary>Presents it for the guarded side, by its consent.</summary>
    public JobOrder DisputeFor(StoredChannel stored, GuardedUpdate guarded)
    {
        Channel channel = stored.Channel;
        Signature signature = scheme.Presentable(guarded.Update, guarded.Signature, channel.Theirs.Signer);
        Signature consent = scheme.PresentableConsent(guarded.Update, guarded.Consent, channel.Ours.Signer);
        ChainCall call = chain.DisputeFor(channel, guarded.Update, signature, consent);
        return Dispute(stored, guarded.Update, call, Stake.In(stored), whose: $"/for-{channel.OurSide}");
    }

    private static JobOrder Dispute(StoredChannel stored, in BalanceUpdate update, ChainCall call, Stake stake, string whose)
    {
        ulong closesAt = stored.State.OnChain.ClosesAtSeconds;
        return new JobOrder(JobKind.Dispute, DisputePurpose(update, closesAt, whose), [update.Channel], call, closesAt, Stake: stake);
    }

    private static string DisputePurpose(in BalanceUpdate update, ulong closesAtSeconds, string whose) =>
        $"dispute/{update.Channel}/{closesAtSeconds}/{update.Sent}/{update.Received}{whose}";

    /// <summary>Whether a job presents just that for the side that is guarded.</summary>
    public static bool IsDisputeFor(Job job, GuardedUpdate guarded, Side side) =>
        job.Purpose == DisputePurpose(guarded.Update, job.DeadlineSeconds, $"/for-{side}");

    public JobOrder Settle(Channel channel, in ChannelState state) => new(
        JobKind.Settle, $"settle/{channel.Id}/{state.OnChain.ClosesAtSeconds}", [channel.Id], chain.Settle(channel));

    /// <summary>What fits in one claim each: of one payee, token and window.</summary>
    public static IEnumerable<StoredChannel[]> ClaimGroups(IEnumerable<StoredChannel> channels) => channels
        .GroupBy(stored => (
            stored.Channel.Ours, stored.Channel.Terms.Token, stored.Channel.Terms.DisputeWindowSeconds))
        .SelectMany(group => group.Chunk(ClaimRowsMax));

    /// <summary>
    /// The same, for channels that are closing. No row shares the gas of a transaction with rows that are about less than a quarter of what
    /// the transaction's first is about: many small ones never make it dear to claim a large one.
    /// </summary>
    public static IEnumerable<StoredChannel[]> UrgentClaimGroups(IEnumerable<StoredChannel> channels)
    {
        foreach (var alike in channels.GroupBy(stored => (
            stored.Channel.Ours, stored.Channel.Terms.Token, stored.Channel.Terms.DisputeWindowSeconds)))
        {
            List<StoredChannel> rows = [];
            UInt128 first = UInt128.Zero;
            foreach (StoredChannel stored in alike.OrderByDescending(stored => Lifecycle.AtStake(stored.Channel, stored.State)))
            {
                UInt128 stake = Lifecycle.AtStake(stored.Channel, stored.State);
                if (rows.Count == ClaimRowsMax || (rows.Count > 0 && stake < first / 4))
                {
                    yield return [.. rows];
                    rows.Clear();
                }

                if (rows.Count == 0) first = stake;
                rows.Add(stored);
            }

            yield return [.. rows];
        }
    }

    /// <summary>A claim of rows that belong together. The same rows at the same totals are the same claim.</summary>
    public JobOrder Claim(IReadOnlyList<StoredChannel> channels, ulong deadlineSeconds)
    {
        List<ClaimRow> rows = [];
        foreach (StoredChannel stored in channels) rows.Add(Row(stored.Channel, stored.State));
        ChainCall call = chain.Claim(rows);
        string urgent = deadlineSeconds == 0 ? "" : $"/{deadlineSeconds}";
        return new JobOrder(
            JobKind.Claim, $"claim/{Keccak.Hash(call.Data.Span)}{urgent}",
            [.. channels.Select(stored => stored.Channel.Id)], call, deadlineSeconds,
            Stake: deadlineSeconds == 0 ? null : Stake.In(channels));
    }

    private ClaimRow Row(Channel channel, in ChannelState state)
    {
        BalanceUpdate update = new(channel.Id, state.TheirSent, state.TheirReceived);
        return new ClaimRow(
            channel,
            state.TheirSent,
            scheme.Presentable(update, state.TheirSignature, channel.Theirs.Signer));
    }
}
