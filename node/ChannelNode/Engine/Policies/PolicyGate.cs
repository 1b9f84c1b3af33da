using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>A payment that a policy refuses, for whoever asked for it.</summary>
/// <param name="Token">What the amounts are in.</param>
/// <param name="Tier">Of the peer; empty where the peer has told the limit itself.</param>
internal sealed record PolicyNo(PolicyDecision Decision, Address Peer, Address Token, string Tier);

/// <summary>
/// Where the operator's rules stand in the way of money: decides with <see cref="Policy"/>, counts what passes, and samples
/// what does not. One decision for all payments that came together; nothing of it is allocated. The ledger's writer owns it.
/// </summary>
/// <param name="tokens">Those that the node takes at all, beside ether.</param>
internal sealed class PolicyGate(PolicyBook book, PeerLinks links, NodeClock clock, IReadOnlyList<Address> tokens)
{
    private readonly RefusalSampler _sampler = new();
    private readonly List<PeerMeter> _changed = [];
    private readonly HashSet<PeerLink> _toTell = [];

    public PolicyBook Book => book;

    /// <summary>Whether payments are to be asked about at all.</summary>
    public bool LimitsPayments => book.LimitsPayments;

    /// <summary>
    /// Whether new payments of the peer pass: those of the updates <paramref name="at"/> to <paramref name="newest"/> above
    /// <paramref name="before"/>, which lead to <paramref name="next"/>. When they do they are counted.
    /// </summary>
    public bool TryReceive(
        PeerBatch batch, ChannelSlot slot, UInt128 before, int at, int newest, in ChannelState next)
    {
        long nowMs = clock.NowMs;
        PeerMeter meter = book.Meter(slot, nowMs);
        if (!meter.Limits.LimitsPayments) return true;
        PaymentsTogether payments = default;
        for (UInt128 total = before; ; at = batch.Updates[at].After)
        {
            Add(ref payments, batch.Updates[at], ref total, meter.Limits.PaymentMin != UInt128.Zero);
            if (at == newest) break;
        }

        PolicyDecision decision = Decide(meter, slot, payments, nowMs);
        meter.Refused = decision;
        if (!decision.IsAllowed) return false;
        if (meter.Limits.LimitsVelocity) Count(meter, isSent: false, nowMs, payments);
        if (book.Counts) Recount(slot, next);
        if (meter.Limits.LimitsRoom) Tell(slot);
        return true;
    }

    /// <summary>
    /// Of a run that does not pass as a whole, the total up to which it would; the channel's own where nothing new does.
    /// One look at each payment, whoever fills the runs with what.
    /// </summary>
    public UInt128 ReachOf(PeerBatch batch, in UpdateRun run)
    {
        if (!LimitsPayments) return UInt128.MaxValue;
        long nowMs = clock.NowMs;
        PeerMeter meter = book.Meter(run.Slot, nowMs);
        PaymentsTogether payments = default;
        UInt128 reach = run.Slot.Working.TheirSent, total = reach;
        for (int at = run.First; ; at = batch.Updates[at].After)
        {
            ref readonly BatchUpdate update = ref batch.Updates[at];
            if (update.Sent > total)
            {
                Add(ref payments, update, ref total, meter.Limits.PaymentMin != UInt128.Zero);
                if (!Decide(meter, run.Slot, payments, nowMs).IsAllowed) return reach;
                reach = total;
            }

            if (at == run.Newest) return reach;
        }
    }

    private static PolicyDecision Decide(PeerMeter meter, ChannelSlot slot, in PaymentsTogether payments, long nowMs) =>
        Policy.Receive(
            meter.Limits, meter.Use(isSent: false, nowMs), slot.Working.OnChain.PotOf(slot.Channel.TheirSide), payments);

    private static void Add(ref PaymentsTogether payments, in BatchUpdate update, ref UInt128 total, bool wantsSmallest)
    {
        if (update.Sent <= total) return;
        UInt128 step = update.Sent - total, smallest = payments.Count == 0 ? UInt128.MaxValue : payments.Smallest;
        ulong count = (ulong)Math.Max(1, update.PaymentCount);
        if (wantsSmallest)
            smallest = UInt128.Min(smallest, update.PaymentCount == 0 ? WhatCounts(step, hasItem: false) : SmallestOf(update.Payments));
        payments = new PaymentsTogether(payments.Count + count, payments.Sum + step, smallest);
        total = update.Sent;
    }

    private static UInt128 SmallestOf(ReadOnlySpan<byte> list)
    {
        UInt128 smallest = UInt128.MaxValue;
        while (!list.IsEmpty)
        {
            UInt128 amount = PaymentList.TakeAmount(ref list, out bool hasItem);
            smallest = UInt128.Min(smallest, WhatCounts(amount, hasItem));
        }

        return smallest;
    }

    /// <summary>A single unit for nothing is what a close has counted that was not mined: it is no payment, and never too small.</summary>
    private static UInt128 WhatCounts(UInt128 amount, bool hasItem) => amount == UInt128.One && !hasItem ? UInt128.MaxValue : amount;

    /// <summary>An update of the peer was refused for what <see cref="TryReceive"/> found last.</summary>
    public void NoteRefused(LedgerTurn turn, ChannelSlot slot)
    {
        long nowMs = clock.NowMs;
        PeerMeter meter = book.Meter(slot, nowMs);
        _sampler.Note(turn, PolicyAuditKind.ReceivingRefused, meter, slot.Channel.Id, meter.Refused, nowMs);
        Tell(slot);
    }

    /// <summary>A payment of this node that is about to be signed for; counted when it passes.</summary>
    public PolicyNo? Send(LedgerTurn turn, ChannelSlot slot, UInt128 amount)
    {
        long nowMs = clock.NowMs;
        PeerMeter meter = book.Meter(slot, nowMs);
        if (!meter.Limits.LimitsPayments) return null;
        PaymentsTogether payments = new(1, amount, amount);
        PolicyDecision decision = Policy.Send(meter.Limits, meter.Use(isSent: true, nowMs), payments);
        if (!decision.IsAllowed)
        {
            _sampler.Note(turn, PolicyAuditKind.SendingRefused, meter, slot.Channel.Id, decision, nowMs);
            return new PolicyNo(decision, meter.Peer, meter.Token, meter.Tier);
        }

        if (meter.Limits.LimitsVelocity) Count(meter, isSent: true, nowMs, payments);
        return null;
    }

    /// <summary>A payment of this node, or a deposit, that the peer has told it would not take: nothing of it is signed or sent.</summary>
    public bool NotePeerRefuses(
        LedgerTurn turn, PolicyAuditKind kind, Address peer, Address token, ChannelId channel, in PolicyDecision decision)
    {
        long nowMs = clock.NowMs;
        _sampler.Note(turn, kind, book.Meter(peer, token, nowMs), channel, decision, nowMs, isThePeers: true);
        return true;
    }

    /// <summary>Terms that a peer offers, or that this node offers to it. What is decided is in the audit log.</summary>
    public PolicyDecision Propose(LedgerTurn turn, Channel channel, bool isOurs)
    {
        long nowMs = clock.NowMs;
        PeerMeter meter = book.Meter(channel.Theirs.Signer, channel.Terms.Token, nowMs);
        uint channels = book.ChannelsWith(meter.Peer);
        PolicyDecision decision = isOurs ? Policy.Open(meter.Limits, channels) : Policy.Propose(meter.Limits, channels);
        if (!decision.IsAllowed)
        {
            _sampler.Note(turn, PolicyAuditKind.ChannelRefused, meter, channel.Id, decision, nowMs);
            return decision;
        }

        if (!isOurs)
        {
            turn.Audit(new PolicyAuditEntry(PolicyAuditKind.ChannelAccepted, "terms agreed")
            { Peer = meter.Peer, Channel = channel.Id, Token = meter.Token, Tier = meter.Tier });
        }

        return decision;
    }

    /// <summary>A deposit by which a side would hold <paramref name="pot"/>.</summary>
    public PolicyNo? Deposit(LedgerTurn turn, Address peer, Address token, ChannelId channel, UInt128 pot)
    {
        long nowMs = clock.NowMs;
        PeerMeter meter = book.Meter(peer, token, nowMs);
        PolicyDecision decision = Policy.Deposit(meter.Limits, pot);
        if (decision.IsAllowed) return null;
        _sampler.Note(turn, PolicyAuditKind.DepositRefused, meter, channel, decision, nowMs);
        return new PolicyNo(decision, peer, token, meter.Tier);
    }

    private void Count(PeerMeter meter, bool isSent, long nowMs, in PaymentsTogether payments)
    {
        PaymentMeter counted = meter.Of(isSent);
        if (!counted.IsChanged) _changed.Add(meter);
        counted.Add(nowMs, payments.Sum, payments.Count);
    }

    /// <summary>
    /// Before the turn is written: what its payments have used is in the same write, so a day's limit holds through any
    /// crash. Minutes are in memory alone.
    /// </summary>
    public void Write(LedgerTurn turn)
    {
        if (book.Counts)
        {
            foreach (ChannelSlot slot in turn.TouchedSlots) Recount(slot, slot.Working);
        }

        foreach (PeerMeter meter in _changed)
        {
            Write(turn.Batch, meter, meter.Received, isSent: false);
            Write(turn.Batch, meter, meter.Sent, isSent: true);
        }

        _changed.Clear();
    }

    private static void Write(IStoreBatch batch, PeerMeter meter, PaymentMeter? counted, bool isSent)
    {
        if (counted is not { IsChanged: true }) return;
        counted.IsChanged = false;
        VelocityWindow day = counted.Day;
        if (counted.HourWritten != day.Newest)
        {
            batch.DropPolicySpent(meter.Peer, meter.Token, isSent, beforeHour: day.Newest - 24);
            counted.HourWritten = day.Newest;
        }

        batch.PutPolicy(new PolicyFact.Spent(meter.Peer, meter.Token, isSent, day.Newest, day.NewestSum, day.NewestCount));
    }

    /// <summary>A channel that is stored with the turn in progress: nothing of it was counted.</summary>
    public void Begin(ChannelSlot slot) => (slot.CountedIn, slot.Counted) = (book.CountRound, default);

    private void Recount(ChannelSlot slot, in ChannelState next)
    {
        if (slot.CountedIn != book.CountRound)
            (slot.CountedIn, slot.Counted) = (book.CountRound, CountedChannel.Of(slot.Channel, slot.State));
        CountedChannel now = CountedChannel.Of(slot.Channel, next);
        if (now == slot.Counted) return;
        book.Count(slot.Channel, slot.Counted, now);
        slot.Counted = now;
    }

    /// <summary>
    /// Tells a connected peer what this node takes of it, so that it signs nothing in vain: when the turn is on disk, behind its
    /// acknowledgements. Nothing is told while nothing is limited.
    /// </summary>
    public void Tell(PeerLink link) => _toTell.Add(link);

    private void Tell(ChannelSlot slot)
    {
        if (slot.Link is not { } link) return;
        link.Tokens.Add(slot.Channel.Terms.Token);
        Tell(link);
    }

    /// <summary>After a turn's acknowledgements. Whoever is told something is to be woken.</summary>
    public void SayLimits(ISet<PeerLink> spokenTo)
    {
        if (_toTell.Count == 0) return;
        foreach (PeerLink link in _toTell)
        {
            Say(link);
            spokenTo.Add(link);
        }

        _toTell.Clear();
    }

    /// <summary>The same at once: in a turn that has taken nothing of the peer.</summary>
    public void Say(PeerLink link)
    {
        PeerTold told = ToldOf(link, clock.NowMs);
        if (link.IsCurrent && !(told.IsNothing && link.LimitsTold is null)) link.SendLimits(told);
    }

    private PeerTold ToldOf(PeerLink link, long nowMs)
    {
        if (!book.LimitsPayments) return PeerTold.Nothing;
        Address peer = link.Signer;
        Dictionary<Address, TokenTold> said = [];
        foreach (Address token in link.Tokens.Append(Address.Zero).Union(book.TokensOf(peer, nowMs)).Union(tokens))
        {
            PeerMeter meter = book.Meter(peer, token, nowMs);
            PeerLimits limits = meter.Limits;
            PeerUse use = meter.UseOrNone(nowMs);
            TokenTold told = new(
                limits.PaymentMin, limits.DepositMax, Policy.SumRoom(limits, use), Policy.CountRoom(limits, use), !limits.TakesToken);
            if (told != TokenTold.Nothing && said.Count < PeerTold.TokensMax) said[token] = told;
        }

        return new PeerTold(book.Meter(peer, Address.Zero, nowMs).Limits.IsDenied, said);
    }

    /// <summary>Every few seconds: what is over ends, and what was counted is told.</summary>
    public void Look(LedgerTurn turn)
    {
        long nowMs = clock.NowMs;
        _sampler.Flush(turn, nowMs);
        foreach (PolicyFact.Standing standing in book.Standings.Values.Where(it => PolicyBook.HasEnded(it, nowMs)).ToArray())
        {
            book.Drop(turn, standing);
            turn.Audit(new PolicyAuditEntry(PolicyAuditKind.TierExpired, $"was {standing.Tier}")
            { Peer = standing.Peer, Tier = PolicyBook.DefaultTier });
            if (links.Find(standing.Peer) is { } link) Tell(link);
        }

        book.Sweep(nowMs);
        foreach (PeerLink link in links.All)
            if ((link.LimitsTold ?? PeerTold.Nothing) != ToldOf(link, nowMs)) Tell(link);
    }
}
