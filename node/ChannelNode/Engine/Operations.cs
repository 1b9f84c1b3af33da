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
    Queued = 6,
}

/// <summary>One step of a job, for whoever watches it.</summary>
internal sealed record OperationStep(
    OperationStage Stage, ChannelId? Channel, Bytes32? Transaction, TransactionReceipt? Receipt, string Note)
{
    /// <summary>Of <see cref="OperationStage.Queued"/>.</summary>
    public ulong Job { get; init; }
}

/// <summary>Takes the steps of a job as they happen.</summary>
internal delegate void OperationWatcher(OperationStep step);

/// <summary>What operators do on chain to be paid: close, start a close, settle, claim.</summary>
internal sealed class Operations(
    ChannelBook book,
    ChannelAgreements agreements,
    JobBook jobs,
    ChainOrders orders,
    IChain chain,
    ChainView view,
    ISignatureScheme scheme,
    NodeClock clock)
{
    /// <summary>Channels read at a time when all are looked through.</summary>
    private const int ChannelsPerLook = 4_096;

    private const int LooksForAClose = 150;

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(100);

    /// <summary>A job that has not begun by then is told to be stored.</summary>
    private static readonly TimeSpan QueuedAfter = TimeSpan.FromMilliseconds(500);

    /// <summary>With the peer's consent, or not at all.</summary>
    public async Task CloseAsync(ChannelSlot slot, OperationWatcher watch, CancellationToken cancel)
    {
        watch(new OperationStep(
            OperationStage.Agreeing, slot.Channel.Id, null, null, "asking the peer for its signature"));
        (CooperativeClose close, Signature theirs) = await agreements.AgreeCloseAsync(slot, cancel);
        Signature ours = await scheme.SignAsync(close, cancel);
        watch(new OperationStep(OperationStage.Agreed, slot.Channel.Id, null, null, "signed by both"));
        (Signature a, Signature b) = slot.Channel.OurSide == Side.A ? (ours, theirs) : (theirs, ours);
        try
        {
            // Signed again with a later deadline, it is the same close; the one that expires first must not stand for both.
            JobOrder order = new(
                JobKind.Close,
                $"close/{slot.Channel.Id}/{close.SentA}/{close.SentB}/{close.DeadlineSeconds}",
                [slot.Channel.Id],
                chain.Close(slot.Channel, close, a, b),
                close.DeadlineSeconds);
            await RunAsync(slot, order, watch, cancel);
        }
        catch (RefusalException refusal) when (
            refusal.Refusal is Refusal.CloseNotAdvancing or Refusal.TransactionReverted)
        {
            if (!await WasClosedAsync(slot, close, cancel))
            {
                throw new RefusalException(
                    refusal.Refusal,
                    $"{refusal.Message}; what both have signed binds them until {ChainWords.Time(close.DeadlineSeconds)}: nothing is paid "
                    + "in the channel before, then it can be closed again",
                    refusal)
                {
                    Field = refusal.Field,
                };
            }

            watch(new OperationStep(
                OperationStage.Confirmed, slot.Channel.Id, null, null, "closed at these totals by the peer's transaction" + WhoGotWhat(slot)));
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
        JobOrder order = new(
            JobKind.StartClose, $"startClose/{slot.Channel.Id}", [slot.Channel.Id],
            chain.StartClose(slot.Channel, update, signature));
        await RunAsync(slot, order, watch, cancel);
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
        ulong now = clock.NowSeconds, end = slot.State.OnChain.ClosesAtSeconds;
        Refusal refusal = slot.State.OnChain.Settle(now, out _);
        if (refusal == Refusal.WindowOpen)
        {
            throw new RefusalException(
                refusal, $"channel_id {slot.Channel.Id}: its dispute window ends at {ChainWords.Time(end)} ({end}), in {end - now} s")
            {
                Field = "channel_id",
            };
        }

        if (refusal == Refusal.NotClosing && slot.State.IsClosed)
            throw new RefusalException(refusal, $"channel_id {slot.Channel.Id}: it is paid out already") { Field = "channel_id" };
        Check(refusal, "channel_id", slot.Channel.Id);
        await RunAsync(slot, orders.Settle(slot.Channel, slot.State), watch, cancel);
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
    public IEnumerable<List<StoredChannel>> LookThrough() => book.Pages(ChannelsPerLook)
        .Select(page => page.Where(IsClaimable).ToList());

    private async Task ClaimAsync(List<StoredChannel> channels, OperationWatcher watch, CancellationToken cancel)
    {
        foreach (StoredChannel[] rows in ChainOrders.ClaimGroups(channels)) await ClaimGroupAsync(rows, watch, cancel);
    }

    private async Task ClaimGroupAsync(
        IReadOnlyList<StoredChannel> channels, OperationWatcher watch, CancellationToken cancel)
    {
        while (true)
        {
            ChannelId? name = channels.Count == 1 ? channels[0].Channel.Id : null;
            try
            {
                await RunAsync(name, orders.Claim(channels, 0), $"claimed from {channels.Count} channel(s)", watch, cancel);
                return;
            }
            catch (RefusalException closing) when (closing.Refusal == Refusal.CloseAgreed)
            {
                // A close of one of them came first, which pays what it owes: the others are claimed without it.
                StoredChannel[] left =
                [
                    .. channels.Select(row => book.Get(row.Channel.Id)).Where(slot => !slot.CloseProposed)
                        .Select(slot => new StoredChannel(slot.Channel, slot.State)).Where(stored => CheckClaim(stored) == Refusal.None),
                ];
                if (left.Length == 0 || left.Length == channels.Count) throw;
                channels = left;
            }
        }
    }

    public static bool IsClaimable(StoredChannel stored) => CheckClaim(stored) == Refusal.None;

    private static StoredChannel Claimable(ChannelSlot slot)
    {
        StoredChannel stored = new(slot.Channel, slot.State);
        Refusal refusal = CheckClaim(stored);
        if (refusal == Refusal.None) return stored;
        string why = refusal == Refusal.OneWayChannel
            ? "is no one-way channel in which this node is paid" : "has nothing for this node to claim";
        throw new RefusalException(refusal, $"channel_id {slot.Channel.Id} {why}")
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

    public Task RunAsync(ChannelSlot slot, JobOrder order, OperationWatcher watch, CancellationToken cancel) =>
        RunAsync(slot.Channel.Id, order, "confirmed, and this node shows it", watch, cancel);

    /// <summary>Tells the job's steps, and ends when the node's own view of the chain has taken its events over.</summary>
    public async Task RunAsync(
        ChannelId? channel, JobOrder order, string note, OperationWatcher watch, CancellationToken cancel)
    {
        JobEntry job = await jobs.SubmitAsync(order, cancel);
        if (order.Once && job.Job.Status == JobStatus.Done) note = "made before, with the same key: nothing was sent now";
        StepProgress progress = new(channel, watch);
        Task<TransactionReceipt> done = JobBook.WhenDoneAsync(job, progress, cancel);
        using (CancellationTokenSource early = CancellationTokenSource.CreateLinkedTokenSource(cancel))
        {
            // What can be refused at once is refused with nothing said before, as a call that only answers would be.
            Task first = await Task.WhenAny(done, progress.Begun, Task.Delay(QueuedAfter, clock.Time, early.Token));
            early.Cancel(); // Here, not on a thread of the pool: simulations have only their own.
            if (first != done && first != progress.Begun) progress.TellStored(job.Job.Number);
        }

        TransactionReceipt receipt = await done;
        await view.WhenFollowedAsync(receipt.BlockNumber, cancel);
        string more = channel is not { } id ? "" : order.Kind switch
        {
            JobKind.Deposit => WhatCounts(book.Get(id)),
            JobKind.Close or JobKind.Settle => WhoGotWhat(book.Get(id)),
            JobKind.StartClose => WhenItEnds(book.Get(id)),
            _ => "",
        };
        watch(new OperationStep(OperationStage.Confirmed, channel, receipt.Hash, receipt, note + more));
    }

    /// <summary>Of a channel that was paid out just now.</summary>
    private static string WhoGotWhat(ChannelSlot slot)
    {
        if (slot.PaidOut is not { } paid || !slot.State.IsClosed) return "";
        (Channel channel, Address token) = (slot.Channel, slot.Channel.Terms.Token);
        return $"; {AmountWords.Of(paid.PotOf(channel.OurSide), token)} to this node's owner, "
            + $"{AmountWords.Of(paid.PotOf(channel.TheirSide), token)} to the peer's";
    }

    private static string WhenItEnds(ChannelSlot slot) => slot.State.OnChain is { IsClosing: true, ClosesAtSeconds: var end }
        ? $"; its dispute window ends at {ChainWords.Time(end)}, then it is settled by itself"
        : "";

    /// <summary>Where not all that this node has deposited can be paid yet.</summary>
    public static string WhatCounts(ChannelSlot slot)
    {
        UInt128 waits = slot.State.UncreditedOf(slot.Channel.OurSide);
        return waits == UInt128.Zero ? "" : $"; {AmountWords.Of(waits, slot.Channel.Terms.Token)} of it can be paid only after more confirmations";
    }

    /// <summary>Unlike <see cref="Progress{T}"/>, tells on the caller's thread, so steps keep their order.</summary>
    private sealed class StepProgress(ChannelId? channel, OperationWatcher watch) : IProgress<TransactionStep>
    {
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Lock _order = new();

        /// <summary>With the first step.</summary>
        public Task Begun => _begun.Task;

        public void Report(TransactionStep step)
        {
            lock (_order)
            {
                watch(new OperationStep(
                    step.Receipt is null ? OperationStage.Sent : OperationStage.Mined,
                    channel,
                    step.Hash,
                    step.Receipt,
                    step.Receipt is null ? "transaction sent" : $"mined in block {step.Receipt.BlockNumber}"));
                _begun.TrySetResult();
            }
        }

        /// <summary>Unless it has begun meanwhile.</summary>
        public void TellStored(ulong job)
        {
            lock (_order)
            {
                if (_begun.Task.IsCompleted) return;
                watch(new OperationStep(OperationStage.Queued, channel, null, null, $"stored as job {job}, which the node brings to its end") { Job = job });
            }
        }
    }

    public static void Check<T>(Refusal refusal, string field, T value)
    {
        if (refusal != Refusal.None)
            throw new RefusalException(refusal, $"{field} {value}: {Explain(refusal)}") { Field = field };
    }

    private static string Explain(Refusal refusal) => refusal switch
    {
        Refusal.AmountTooLarge => $"the side's pot would be above {Amounts.DepositMax}",
        Refusal.ZeroAmount => "must be at least 1",
        Refusal.OneWayChannel => "the payee of a one-way channel, side b, cannot fund it",
        Refusal.ChannelClosing => "the channel is closing on chain",
        Refusal.NothingToClose => "the channel is empty",
        Refusal.UnknownChannel => "nothing was ever deposited into this channel",
        Refusal.NotClosing => "the channel is not closing",
        _ => refusal.Name(),
    };
}
