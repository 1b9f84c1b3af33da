using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>How far a job on chain has come; the wire's Stage has the same names.</summary>
internal enum OperationStage
{
    Agreeing = 1,
    Agreed = 2,
    Sent = 3,
    Mined = 4,
    Confirmed = 5,
}

/// <summary>One step of a job, for whoever watches it.</summary>
internal sealed record OperationStep(
    OperationStage Stage, ChannelId? Channel, Bytes32? Transaction, TransactionReceipt? Receipt, string Note);

/// <summary>Takes the steps of a job as they happen.</summary>
internal delegate void OperationWatcher(OperationStep step);

/// <summary>What an operator asks for when opening a channel.</summary>
internal sealed record OpenChannelOrder(
    string PeerUrl, Address? Peer, Address Token, UInt128 Amount, uint DisputeWindowSeconds, bool OneWay, Bytes32 Salt);

/// <summary>What operators do on chain: open, deposit, close, start a close, settle, claim.</summary>
internal sealed class Operations(
    ChannelBook book,
    Peers peers,
    ChannelAgreements agreements,
    IChain chain,
    ChainView view,
    ISignatureScheme scheme,
    NodeClock clock,
    Party us)
{
    /// <summary>Rows of one claim: about 2 million gas, far below any block's.</summary>
    private const int ClaimRowsMax = 100;

    /// <summary>Channels read at a time when all are looked through.</summary>
    private const int ChannelsPerLook = 4_096;

    private const int LooksForAClose = 150;

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(100);

    public async Task OpenAsync(OpenChannelOrder order, OperationWatcher watch, CancellationToken cancel)
    {
        Check(default(Pots).Deposit(order.OneWay, Side.A, order.Amount, out _), "amount", order.Amount);
        await chain.RequireFundsAsync(order.Token, order.Amount, cancel);
        watch(new OperationStep(OperationStage.Agreeing, null, null, null, "asking the peer for its consent"));
        PeerLink link = await peers.ConnectAsync(order.PeerUrl, order.Peer, cancel);
        ChannelTerms terms = new(
            us, new Party(link.Owner, link.Signer), order.Token, order.DisputeWindowSeconds, order.OneWay, order.Salt);
        ChannelSlot slot = await agreements.ProposeAsync(link, terms, cancel);
        watch(new OperationStep(OperationStage.Agreed, slot.Channel.Id, null, null, "terms stored on both sides"));
        try
        {
            await DepositAsync(slot, order.Amount, watch, cancel);
        }
        catch (RefusalException refusal)
        {
            throw new RefusalException(
                refusal.Refusal,
                $"{refusal.Message}; the terms are stored on both sides: a deposit into {slot.Channel.Id} opens the channel",
                refusal)
            {
                Field = refusal.Field,
            };
        }
    }

    public async Task DepositAsync(
        ChannelSlot slot, UInt128 amount, OperationWatcher watch, CancellationToken cancel)
    {
        ChannelState before = slot.State;
        Side side = slot.Channel.OurSide;
        Check(before.OnChain.Deposit(slot.Channel.Terms.OneWay, side, amount, out _), "amount", amount);
        if (before.CloseDeadlineSeconds != 0)
            throw new RefusalException(Refusal.CloseAgreed, "a cooperative close of this channel waits to be mined");
        await RunAsync(
            slot,
            progress => chain.DepositAsync(slot.Channel, side, amount, progress, cancel),
            watch,
            cancel);
    }

    /// <summary>With the peer's consent, or not at all.</summary>
    public async Task CloseAsync(ChannelSlot slot, OperationWatcher watch, CancellationToken cancel)
    {
        watch(new OperationStep(
            OperationStage.Agreeing, slot.Channel.Id, null, null, "asking the peer for its signature"));
        (CooperativeClose close, Signature theirs) = await agreements.AgreeCloseAsync(slot, cancel);
        Signature ours = scheme.Sign(close);
        watch(new OperationStep(OperationStage.Agreed, slot.Channel.Id, null, null, "signed by both"));
        (Signature a, Signature b) = slot.Channel.OurSide == Side.A ? (ours, theirs) : (theirs, ours);
        try
        {
            await RunAsync(
                slot,
                progress => chain.CloseAsync(slot.Channel, close, a, b, progress, cancel),
                watch,
                cancel);
        }
        catch (RefusalException refusal) when (
            refusal.Refusal is Refusal.CloseNotAdvancing or Refusal.TransactionReverted)
        {
            if (!await WasClosedAsync(slot, close, cancel)) throw;
            watch(new OperationStep(
                OperationStage.Confirmed, slot.Channel.Id, null, null, "closed at these totals by the peer's transaction"));
        }
    }

    /// <summary>The peer holds both signatures too, and may have been first: then the chain says so soon.</summary>
    private async Task<bool> WasClosedAsync(ChannelSlot slot, CooperativeClose close, CancellationToken cancel)
    {
        for (int look = 0; look < LooksForAClose; look++)
        {
            if (slot.State.OnChain.SentA >= close.SentA && slot.State.OnChain.IsEmpty) return true;
            await Task.Delay(BetweenLooks, clock.Time, cancel);
        }

        return false;
    }

    public async Task StartCloseAsync(ChannelSlot slot, OperationWatcher watch, CancellationToken cancel)
    {
        ChannelState state = slot.State;
        Check(state.OnChain.StartClose(clock.NowSeconds, 0, out _), "channel_id", slot.Channel.Id);
        (BalanceUpdate? update, Signature signature) = BestUpdate(slot, state);
        await RunAsync(
            slot,
            progress => chain.StartCloseAsync(slot.Channel, update, signature, progress, cancel),
            watch,
            cancel);
    }

    /// <summary>What the peer signed last, where presenting it counts; one-way channels claim instead.</summary>
    private (BalanceUpdate? Update, Signature Signature) BestUpdate(ChannelSlot slot, in ChannelState state)
    {
        if (slot.Channel.Terms.OneWay || !state.HasTheirUpdate) return (null, default);
        BalanceUpdate update = new(slot.Channel.Id, state.TheirSent, state.TheirReceived);
        return (update, scheme.Presentable(update, state.TheirSignature, slot.Channel.Theirs.Signer));
    }

    public async Task SettleAsync(ChannelSlot slot, OperationWatcher watch, CancellationToken cancel)
    {
        Check(slot.State.OnChain.Settle(clock.NowSeconds, out _), "channel_id", slot.Channel.Id);
        await RunAsync(slot, progress => chain.SettleAsync(slot.Channel, progress, cancel), watch, cancel);
    }

    /// <summary>Claims the given channels, or all that owe us something; in transactions of one token and window.</summary>
    public async Task ClaimAsync(
        IReadOnlyList<ChannelId> channels, OperationWatcher watch, CancellationToken cancel)
    {
        if (channels.Count > 0)
        {
            await ClaimAsync([.. channels.Select(id => Claimable(book.Get(id)))], watch, cancel);
            return;
        }

        bool found = false;
        foreach (List<StoredChannel> owing in LookThrough())
        {
            found |= owing.Count > 0;
            await ClaimAsync(owing, watch, cancel);
        }

        if (!found) throw new RefusalException(Refusal.NothingNew, "no one-way channel owes this node anything");
    }

    /// <summary>The channels that owe this node something: of a page of all channels at a time.</summary>
    private IEnumerable<List<StoredChannel>> LookThrough()
    {
        ChannelId? after = null;
        while (true)
        {
            IReadOnlyList<StoredChannel> page = book.Read(after, ChannelsPerLook);
            if (page.Count == 0) yield break;
            after = page[^1].Channel.Id;
            yield return [.. page.Where(stored => CheckClaim(stored) == Refusal.None)];
        }
    }

    private async Task ClaimAsync(List<StoredChannel> channels, OperationWatcher watch, CancellationToken cancel)
    {
        foreach (IGrouping<(Party, Address, uint), StoredChannel> group in channels
            .GroupBy(stored => (
                stored.Channel.Ours, stored.Channel.Terms.Token, stored.Channel.Terms.DisputeWindowSeconds)))
        {
            foreach (StoredChannel[] rows in group.Chunk(ClaimRowsMax)) await ClaimGroupAsync(rows, watch, cancel);
        }
    }

    private async Task ClaimGroupAsync(
        IReadOnlyList<StoredChannel> channels, OperationWatcher watch, CancellationToken cancel)
    {
        List<ClaimRow> rows = [];
        foreach (StoredChannel stored in channels) rows.Add(Row(stored.Channel, stored.State));
        ChannelId? name = channels.Count == 1 ? channels[0].Channel.Id : null;
        TransactionReceipt receipt = await chain.ClaimAsync(rows, Progress(name, watch), cancel);
        await view.WhenFollowedAsync(receipt.BlockNumber, cancel);
        watch(new OperationStep(
            OperationStage.Confirmed, name, receipt.Hash, receipt, $"claimed from {channels.Count} channel(s)"));
    }

    public ClaimRow Row(Channel channel, in ChannelState state)
    {
        BalanceUpdate update = new(channel.Id, state.TheirSent, state.TheirReceived);
        return new ClaimRow(
            channel,
            state.TheirSent,
            scheme.Presentable(update, state.TheirSignature, channel.Theirs.Signer));
    }

    private static StoredChannel Claimable(ChannelSlot slot)
    {
        StoredChannel stored = new(slot.Channel, slot.State);
        Refusal refusal = CheckClaim(stored);
        if (refusal == Refusal.None) return stored;
        throw new RefusalException(refusal, $"channel_id {slot.Channel.Id} has nothing for this node to claim")
        {
            Field = "channel_ids",
        };
    }

    private static Refusal CheckClaim(StoredChannel stored)
    {
        if (!stored.Channel.Terms.OneWay || stored.Channel.OurSide != Side.B) return Refusal.OneWayChannel;
        ChannelState state = stored.State;
        // A claim would raise the recorded total to that of the close, which could not be mined any more.
        if (state.CloseDeadlineSeconds != 0) return Refusal.CloseAgreed;
        return state.HasTheirUpdate ? state.OnChain.Claim(state.TheirSent, out _, out _) : Refusal.NothingNew;
    }

    /// <summary>Sends, tells the steps, and ends when the node's own view of the channel has taken the event over.</summary>
    private async Task RunAsync(
        ChannelSlot slot,
        Func<IProgress<TransactionStep>, Task<TransactionReceipt>> send,
        OperationWatcher watch,
        CancellationToken cancel)
    {
        TransactionReceipt receipt = await send(Progress(slot.Channel.Id, watch));
        await view.WhenFollowedAsync(receipt.BlockNumber, cancel);
        watch(new OperationStep(
            OperationStage.Confirmed, slot.Channel.Id, receipt.Hash, receipt, "confirmed, and this node shows it"));
    }

    private static StepProgress Progress(ChannelId? channel, OperationWatcher watch) => new(channel, watch);

    /// <summary>Unlike <see cref="Progress{T}"/>, tells on the caller's thread, so steps keep their order.</summary>
    private sealed class StepProgress(ChannelId? channel, OperationWatcher watch) : IProgress<TransactionStep>
    {
        public void Report(TransactionStep step) => watch(new OperationStep(
            step.Receipt is null ? OperationStage.Sent : OperationStage.Mined,
            channel,
            step.Hash,
            step.Receipt,
            step.Receipt is null ? "transaction sent" : $"mined in block {step.Receipt.BlockNumber}"));
    }

    private static void Check<T>(Refusal refusal, string field, T value)
    {
        if (refusal != Refusal.None)
            throw new RefusalException(refusal, $"{field} {value}: {Explain(refusal)}") { Field = field };
    }

    private static string Explain(Refusal refusal) => refusal switch
    {
        Refusal.AmountTooLarge => $"the channel's pots would be above {Amounts.Max}",
        Refusal.ZeroAmount => "must be at least 1",
        Refusal.OneWayChannel => "side b of a one-way channel cannot be funded",
        Refusal.ChannelClosing => "the channel is closing on chain",
        Refusal.NothingToClose => "the channel is empty",
        Refusal.NotClosing => "the channel is not closing",
        Refusal.WindowOpen => "the dispute window is still open",
        _ => refusal.ToString(),
    };
}
