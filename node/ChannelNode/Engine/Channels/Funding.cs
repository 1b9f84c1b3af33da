using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What an operator asks for when opening a channel. <paramref name="Gasless"/>: the peer relays the deposit.</summary>
internal sealed record OpenChannelOrder(
    string PeerUrl, Address? Peer, Address Token, UInt128 Amount, uint DisputeWindowSeconds, bool OneWay, Bytes32 Salt,
    bool Gasless = false);

/// <summary>How operators put money into channels: open, deposit, deposit into many.</summary>
internal sealed class Funding(
    Peers peers, ChannelAgreements agreements, JobBook jobs, Operations operations, IChain chain, ChainView view,
    NodeClock clock, Party us, Policies policies, Ledger ledger)
{
    /// <summary>Deposits of one transaction: about 3 million gas, far below any block's.</summary>
    private const int DepositsMax = 100;

    /// <summary>How long a peer may take to have a deposit mined that it relays.</summary>
    private const ulong RelaySeconds = 300;

    /// <param name="budget">What the caller's token may deposit; null where the caller has none. So with the others.</param>
    public async Task OpenAsync(OpenChannelOrder order, PaymentBudget? budget, OperationWatcher watch, CancellationToken cancel)
    {
        Operations.Check(default(Pots).Deposit(order.OneWay, Side.A, order.Amount, out _), "amount", order.Amount);
        await chain.RequireFundsAsync(order.Token, order.Amount, order.Gasless, cancel);
        watch(new OperationStep(OperationStage.Agreeing, null, null, null, "asking the peer for its consent"));
        PeerLink link = await peers.ConnectAsync(order.PeerUrl, order.Peer, cancel);
        ChannelTerms terms = new(
            us, new Party(link.Owner, link.Signer), order.Token, order.DisputeWindowSeconds, order.OneWay, order.Salt);
        bool isNew = order.Gasless || !jobs.IsKnown($"open/{agreements.IdOf(terms)}");
        if (isNew)
        {
            await policies.RequireDepositAsync(link.Signer, order.Token, default, order.Amount, IsConfined(budget), cancel);
            await ChargeAsync(budget, [(order.Token, order.Amount)], opens: true, cancel);
        }

        ChannelSlot slot = await agreements.ProposeAsync(link, terms, cancel);
        watch(new OperationStep(OperationStage.Agreed, slot.Channel.Id, null, null, "terms stored on both sides"));
        try
        {
            // Asked again with the same salt: the same channel and, unless the peer sends it, the same first deposit.
            if (order.Gasless) await DepositGaslessAsync(slot, order.Amount, budget: null, watch, cancel);
            else await DepositOnceAsync(slot, order.Amount, $"open/{slot.Channel.Id}", isNew ? null : budget, watch, cancel);
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

    /// <param name="key">
    /// The same key deposits once, as long as it is remembered; an empty one is like no other. None for a gasless deposit,
    /// which no job of this node remembers.
    /// </param>
    public async Task DepositAsync(
        ChannelSlot slot, UInt128 amount, bool gasless, string key, PaymentBudget? budget, OperationWatcher watch, CancellationToken cancel)
    {
        if (!gasless)
        {
            await DepositOnceAsync(slot, amount, $"deposit/{slot.Channel.Id}/{KeyOr(key)}", budget, watch, cancel);
            return;
        }

        if (key.Length == 0)
        {
            await DepositGaslessAsync(slot, amount, budget, watch, cancel);
            return;
        }

        throw new RefusalException(Refusal.InvalidArgument, "a gasless deposit takes no idempotency_key: the peer sends it")
        { Field = "idempotency_key" };
    }

    /// <summary>What is asked for counts, whatever becomes of it: on disk before anything is sent.</summary>
    private async Task ChargeAsync(
        PaymentBudget? budget, IReadOnlyList<(Address Currency, UInt128 Amount)> deposits, bool opens, CancellationToken cancel)
    {
        if (budget is null) return;
        if (await ledger.RunAsync(turn => budget.Fund(turn, deposits, opens), cancel) is { } breach) throw breach.ToException();
    }

    private async Task DepositGaslessAsync(
        ChannelSlot slot, UInt128 amount, PaymentBudget? budget, OperationWatcher watch, CancellationToken cancel)
    {
        await RequirePolicyAsync(slot, amount, budget, cancel);
        await ChargeAsync(budget, [(slot.Channel.Terms.Token, amount)], opens: false, cancel);
        await DepositByPeerAsync(slot, amount, watch, cancel);
    }

    /// <summary>What this node's side would hold with the deposit, and with those that are on their way.</summary>
    private Task RequirePolicyAsync(ChannelSlot slot, UInt128 amount, PaymentBudget? budget, CancellationToken cancel) => policies.RequireDepositAsync(
        slot.Channel.Theirs.Signer, slot.Channel.Terms.Token, slot.Channel.Id,
        slot.State.OnChain.PotOf(slot.Channel.OurSide) + OnTheWayInto(slot.Channel.Id) + amount, IsConfined(budget), cancel);

    /// <summary>Who may not hear of other channels is not told of the operator's rules for their peer either.</summary>
    private static bool IsConfined(PaymentBudget? budget) => budget?.IsConfined == true;

    private UInt128 OnTheWayInto(ChannelId channel)
    {
        UInt128 sum = UInt128.Zero;
        foreach (JobEntry entry in jobs.Active)
        {
            if (entry.Job is { Kind: JobKind.Deposit, Status: JobStatus.Waiting or JobStatus.Sent, Channels: [var only] } job && only == channel)
                sum += job.Call.Value + job.Call.Spends;
        }

        return sum;
    }

    private static string KeyOr(string key) => key.Length == 0 ? Guid.NewGuid().ToString("N") : key;

    private async Task DepositOnceAsync(
        ChannelSlot slot, UInt128 amount, string purpose, PaymentBudget? budget, OperationWatcher watch, CancellationToken cancel)
    {
        if (!jobs.IsKnown(purpose))
        {
            RequireOpen(slot, amount, "amount");
            await RequirePolicyAsync(slot, amount, budget, cancel);
        }

        JobOrder order = new(
            JobKind.Deposit, purpose, [slot.Channel.Id], chain.Deposit(slot.Channel, slot.Channel.OurSide, amount), Once: true,
            Reopens: slot.State.IsClosed ? [slot.Channel.Id] : null,
            Charge: budget is null ? null : turn => budget.Fund(turn, [(slot.Channel.Terms.Token, amount)], opens: false));
        await operations.RunAsync(slot, order, watch, cancel);
    }

    /// <summary>Into many channels: those of one token in one transaction, up to a hundred.</summary>
    public async Task DepositManyAsync(
        IReadOnlyList<(ChannelSlot Slot, UInt128 Amount)> deposits, PaymentBudget? budget, OperationWatcher watch, CancellationToken cancel)
    {
        HashSet<ChannelSlot> named = [];
        foreach ((ChannelSlot slot, UInt128 amount) in deposits)
        {
            if (!named.Add(slot))
            {
                throw new RefusalException(Refusal.InvalidArgument, $"channel {slot.Channel.Id} is named twice")
                { Field = "deposits" };
            }

            RequireOpen(slot, amount, "deposits");
            await RequirePolicyAsync(slot, amount, budget, cancel);
        }

        IGrouping<Address, (ChannelSlot Slot, UInt128 Amount)>[] groups = [.. deposits.GroupBy(deposit => deposit.Slot.Channel.Terms.Token)];
        await ChargeAsync(
            budget,
            [.. groups.Select(group => (group.Key, group.Aggregate(UInt128.Zero, (sum, deposit) => SpendingCounter.Sum(sum, deposit.Amount))))],
            opens: false,
            cancel);
        foreach (IGrouping<Address, (ChannelSlot Slot, UInt128 Amount)> group in groups)
        {
            foreach ((ChannelSlot Slot, UInt128 Amount)[] some in group.Chunk(DepositsMax))
                await DepositTogetherAsync(some, watch, cancel);
        }
    }

    private async Task DepositTogetherAsync(
        IReadOnlyList<(ChannelSlot Slot, UInt128 Amount)> deposits, OperationWatcher watch, CancellationToken cancel)
    {
        List<ChannelDeposit> rows = [];
        foreach ((ChannelSlot slot, UInt128 amount) in deposits)
            rows.Add(new ChannelDeposit(slot.Channel, slot.Channel.OurSide, amount));
        JobOrder order = new(
            JobKind.Deposit, $"deposits/{KeyOr("")}", [.. rows.Select(row => row.Channel.Id)], chain.DepositMany(rows),
            Reopens: [.. deposits.Where(deposit => deposit.Slot.State.IsClosed).Select(deposit => deposit.Slot.Channel.Id)]);
        await operations.RunAsync(null, order, $"deposited into {rows.Count} channel(s)", watch, cancel);
    }

    /// <summary>
    /// Without gas of ours: we sign, the peer sends. No answer is no refusal, since the peer can send it as long as the
    /// authorization holds; so then the chain tells, at the latest when its time is over.
    /// </summary>
    private async Task DepositByPeerAsync(
        ChannelSlot slot, UInt128 amount, OperationWatcher watch, CancellationToken cancel)
    {
        RequireOpen(slot, amount, "amount");
        Channel channel = slot.Channel;
        PeerLink link = slot.Link ?? throw new RefusalException(
            Refusal.PeerOffline, $"peer {channel.Theirs.Signer} is not connected; it is to relay the deposit");
        await chain.RequireFundsAsync(channel.Terms.Token, amount, relayed: true, cancel);
        DepositAuthorization authorization = await chain.AuthorizeDepositAsync(
            channel, channel.OurSide, amount, clock.NowSeconds + RelaySeconds, cancel);
        watch(new OperationStep(OperationStage.Agreeing, channel.Id, null, null, "asking the peer to relay the deposit"));
        string note = "the peer relays the deposit";
        try
        {
            await agreements.AskRelayAsync(link, channel.Id, amount, authorization, cancel);
        }
        catch (RefusalException silent) when (silent.Refusal == Refusal.PeerOffline)
        {
            note = "the peer did not answer and may relay it all the same: waiting for the chain to tell";
        }

        watch(new OperationStep(OperationStage.Agreed, channel.Id, null, null, note));
        ulong block = await chain.WhenAuthorizationUsedAsync(channel, channel.OurSide, authorization, cancel);
        await view.WhenFollowedAsync(block, cancel);
        watch(new OperationStep(
            OperationStage.Confirmed, channel.Id, null, null, "confirmed, and this node shows it" + Operations.WhatCounts(slot)));
    }

    private static void RequireOpen(ChannelSlot slot, UInt128 amount, string field)
    {
        ChannelState state = slot.State;
        Refusal refusal = state.OnChain.Deposit(slot.Channel.Terms.OneWay, slot.Channel.OurSide, amount, out _);
        if (refusal is Refusal.ChannelClosing or Refusal.OneWayChannel) Operations.Check(refusal, "channel_id", slot.Channel.Id);
        Operations.Check(refusal, field, amount);
        if (state.CloseDeadlineSeconds != 0)
            throw new RefusalException(Refusal.CloseAgreed, "a cooperative close of this channel waits to be mined");
    }
}
