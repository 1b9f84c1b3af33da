using System.Collections.Concurrent;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// What needs both nodes' consent: terms of a new channel, relayed deposits and cooperative closes, as asker and as
/// answerer.
/// </summary>
internal sealed class ChannelAgreements(
    ChannelBook book,
    Ledger ledger,
    PeerLinks links,
    ISignatureScheme scheme,
    NodeClock clock,
    NodeOptions options,
    DepositRelay relay,
    JobBook jobs,
    Party us,
    ILogger<ChannelAgreements> log)
{
    /// <summary>
    /// No peer's close may keep a channel waiting longer: the largest that any node's option allows. A node that is restored from a
    /// backup has forgotten what it signed after it, so long can that be used against it (<see cref="RestoredHold"/>).
    /// </summary>
    public const uint CloseDeadlineSecondsMax = 3_600;

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(15);

    /// <summary>
    /// A close is told by its deadline from an earlier one whose answer came too late, an authorization by its end;
    /// terms have none.
    /// </summary>
    private readonly record struct Question(Address Peer, ChannelId Channel, Type Answer, ulong DeadlineSeconds);

    private readonly ConcurrentDictionary<Question, TaskCompletionSource<PeerMessage>> _asked = new();

    /// <summary>Deposits that peers ask this node to relay.</summary>
    public DepositRelay Relay => relay;

    /// <summary>Offers terms in which this node is side A; they are stored on both sides when this returns.</summary>
    public ChannelId IdOf(in ChannelTerms terms) => scheme.IdOf(terms);

    public async Task<ChannelSlot> ProposeAsync(PeerLink link, ChannelTerms terms, CancellationToken cancel)
    {
        ThrowIf(terms.Check(options.Contract), "the terms do not hold");
        Channel channel = new(scheme.IdOf(terms), terms, Side.A);
        if (book.Find(channel.Id) is null) await RequireOwnPolicyAsync(channel, cancel);
        PeerMessage.ProposalReply reply = await AskAsync<PeerMessage.ProposalReply>(
            link, channel.Id, new PeerMessage.Proposal(terms), cancel);
        ThrowIf(reply.Refusal, ExplainTerms(reply.Refusal, terms));
        if (!scheme.Verify(Nothing(channel.Id), reply.Consent, channel.Theirs.Signer))
            throw new RefusalException(Refusal.WrongSigner, "the consent to the terms is not signed by the peer's signer");
        return await RegisterAsync(channel, cancel);
    }

    private async Task RequireOwnPolicyAsync(Channel channel, CancellationToken cancel)
    {
        ThrowIf(ledger.Disk.IsLow ? Refusal.DiskLow : Refusal.None, "this node's disk has less room left than --disk-reserve: no channel is opened");
        PolicyDecision decision = await ledger.RunAsync(turn => turn.Policies?.Propose(turn, channel, isOurs: true) ?? default, cancel);
        if (!decision.IsAllowed) throw PolicyWords.Refuse(new PolicyNo(decision, channel.Theirs.Signer, channel.Terms.Token, "its own"), "peer");
    }

    private static string ExplainTerms(Refusal refusal, ChannelTerms terms) => refusal switch
    {
        Refusal.TokenNotAccepted => $"the peer accepts no channels in token {terms.Token}",
        Refusal.DisputeWindowOutOfRange =>
            $"the peer accepts only longer dispute windows than {terms.DisputeWindowSeconds} s",
        Refusal.TooManyChannels => "the peer keeps no more channels, or none more that wait for their first deposit",
        Refusal.DiskLow => "the peer's disk has too little room left to keep another channel",
        Refusal.PolicyRefused => "the peer's policy accepts no such channel from this node",
        _ => "the peer refused the terms",
    };

    /// <summary>The update that says nothing yet: signed, it is consent to the terms and worth nothing on chain.</summary>
    private static BalanceUpdate Nothing(ChannelId channel) => new(channel, UInt128.Zero, UInt128.Zero);

    /// <summary>False where nothing came of it, by the peer's doing: the terms are refused, or were proposed before.</summary>
    public async ValueTask<bool> AnswerProposalAsync(PeerLink link, ChannelTerms terms, CancellationToken cancel)
    {
        ChannelId id = scheme.IdOf(terms);
        Refusal refusal = CheckProposal(link, id, terms);
        Signature consent = default;
        bool isKnown = book.Find(id) is not null;
        if (refusal == Refusal.None)
        {
            try
            {
                consent = await scheme.SignAsync(Nothing(id), cancel);
            }
            catch (RefusalException no) when (no.Refusal == Refusal.SignerUnavailable)
            {
                link.Send(new PeerMessage.ProposalReply(id, default, no.Refusal));
                return true;
            }

            refusal = await AcceptAsync(new Channel(id, terms, Side.B), cancel);
            if (refusal == Refusal.None) log.ChannelAccepted(id, link.Signer);
            else consent = default;
        }

        link.Send(new PeerMessage.ProposalReply(id, consent, refusal));
        return refusal == Refusal.None && !isKnown;
    }

    private Refusal CheckProposal(PeerLink link, ChannelId id, ChannelTerms terms)
    {
        Refusal refusal = terms.Check(options.Contract);
        if (refusal != Refusal.None) return refusal;
        if (terms.DisputeWindowSeconds < options.DisputeWindowSecondsMin) return Refusal.DisputeWindowOutOfRange;
        if (terms.B != us || terms.A != new Party(link.Owner, link.Signer)) return Refusal.NotOurTerms;
        if (!terms.Token.IsZero && !options.AcceptedTokens.Contains(terms.Token)) return Refusal.TokenNotAccepted;
        bool tooMany = book.Count >= (ulong)options.ChannelsMax
            || book.Unfunded.Count >= options.UnfundedChannelsMax
            || book.Unfunded.CountOf(link.Signer) >= options.UnfundedChannelsPerPeerMax
            || !book.Open.HasFewerThan(options.ChannelsPerPeerMax, link.Signer, book.Count);
        if (book.Find(id) is not null) return Refusal.None;
        return tooMany ? Refusal.TooManyChannels : ledger.Disk.IsLow ? Refusal.DiskLow : Refusal.None;
    }

    /// <summary>The operator's rules decide in the turn that stores the channel: so their limits hold whatever else is proposed.</summary>
    private Task<Refusal> AcceptAsync(Channel channel, CancellationToken cancel) => ledger.RunAsync(
        turn =>
        {
            bool isNew = book.Find(channel.Id) is null;
            if (isNew && turn.Policies is { } policies
                && !policies.Propose(turn, channel, isOurs: false).IsAllowed) return Refusal.PolicyRefused;
            Register(turn, channel);
            return Refusal.None;
        },
        cancel);

    private Task<ChannelSlot> RegisterAsync(Channel channel, CancellationToken cancel) =>
        ledger.RunAsync(turn => Register(turn, channel), cancel);

    /// <summary>
    /// Nothing was said in a new channel yet, so there is nothing to re-establish; but one that is new to a restored database
    /// may be older than that.
    /// </summary>
    private ChannelSlot Register(LedgerTurn turn, Channel channel)
    {
        PeerLink? link = links.Find(channel.Theirs.Signer);
        if (book.Find(channel.Id) is { } known)
        {
            if (known.Working == default && !book.IsRestored) known.EstablishedOn = link;
            return known;
        }

        ChannelSlot slot = new(channel, default, links) { EstablishedOn = book.IsRestored ? null : link };
        turn.Batch.PutChannel(channel);
        turn.Policies?.Begin(slot);
        turn.Touch(slot, durable: true);
        book.Add(slot);
        return slot;
    }

    /// <summary>
    /// Has the peer send a deposit into this node's side. PeerOffline when it did not answer: it may send it all the
    /// same, as long as the authorization holds.
    /// </summary>
    public async Task AskRelayAsync(
        PeerLink link, ChannelId channel, UInt128 amount, DepositAuthorization authorization, CancellationToken cancel)
    {
        PeerMessage.DepositAuthorizationReply reply = await AskAsync<PeerMessage.DepositAuthorizationReply>(
            link, channel, new PeerMessage.DepositAuthorization(channel, amount, authorization), cancel);
        ThrowIf(reply.Refusal, "the peer does not relay this deposit");
    }

    /// <summary>
    /// Gets the peer's signature under a close at both last totals, and stores that this node signed it too. From the
    /// question on nothing is sent in the channel; a refusal lifts that again.
    /// </summary>
    public async Task<(CooperativeClose Close, Signature Theirs)> AgreeCloseAsync(
        ChannelSlot slot, CancellationToken cancel)
    {
        PeerLink link = slot.Link ?? throw new RefusalException(
            Refusal.PeerOffline, $"peer {slot.Channel.Theirs.Signer} is not connected; a cooperative close needs it ('channel start-close' does not)");
        await EstablishAsync(link, slot, cancel);
        CooperativeClose close = await ledger.RunAsync(turn => PrepareClose(turn, slot), cancel);
        try
        {
            PeerMessage.CloseReply reply = await AskAsync<PeerMessage.CloseReply>(
                link, slot.Channel.Id, new PeerMessage.CloseProposal(close), cancel);
            ThrowIf(reply.Refusal, WhyNoClose(slot, reply.Refusal, "the peer refused to close now"));
            if (!scheme.Verify(close, reply.Signature, slot.Channel.Theirs.Signer))
                throw new RefusalException(Refusal.WrongSigner, "the peer's signature under the close is not its signer's");
            await ledger.RunAsync(turn => Agree(turn, slot, close), cancel);
            return (close, scheme.Presentable(close, reply.Signature, slot.Channel.Theirs.Signer));
        }
        finally
        {
            await ledger.RunAsync(turn => slot.CloseProposed = false, CancellationToken.None);
        }
    }

    /// <summary>Only a peer that has told where the channel stands can be asked to close it there.</summary>
    private async Task EstablishAsync(PeerLink link, ChannelSlot slot, CancellationToken cancel)
    {
        WhenEstablished established = new(slot);
        using CancellationTokenSource time = new(AnswerTimeout, clock.Time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel, time.Token);
        await ledger.EnqueueAsync(established, cancel);
        try
        {
            using (limit.Token.UnsafeRegister(_ => established.GiveUp(), null)) await established.Task;
        }
        catch (OperationCanceledException error) when (!cancel.IsCancellationRequested)
        {
            throw new RefusalException(Refusal.PeerOffline, $"peer {link.Signer} did not answer", error);
        }
    }

    private CooperativeClose PrepareClose(LedgerTurn turn, ChannelSlot slot)
    {
        ThrowIf(scheme.CanSign ? Refusal.None : Refusal.SignerUnavailable, "this node's signer cannot be reached");
        ThrowIf(
            slot.CloseProposed ? Refusal.CloseAgreed : Refusal.None, "a close of this channel is being agreed already");
        RequireNoClaim(turn, slot);
        Refusal refusal = Lifecycle.CloseTotals(slot.Channel, slot.Working, out UInt128 sentA, out UInt128 sentB);
        ThrowIf(refusal, WhyNoClose(slot, refusal, "the channel cannot be closed cooperatively now"));
        slot.CloseProposed = true;
        return new CooperativeClose(slot.Channel.Id, sentA, sentB, clock.NowSeconds + options.CloseDeadlineSeconds);
    }

    /// <summary>
    /// A claim that is on its way records the total that the close would have: whichever is mined first, the other reverts. One that
    /// waits for money is given up instead, and begins no more once a close is asked for (<see cref="JobBook"/>).
    /// </summary>
    private void RequireNoClaim(LedgerTurn turn, ChannelSlot slot)
    {
        if (jobs.FindUnderWay(JobKind.Claim, slot.Channel.Id, turn.FollowedUpTo) is not { } claim) return;
        if (claim.Job is { IsActive: true, Attempts.Count: 0 } && claim.Problem != Refusal.None) return;
        throw new RefusalException(
            Refusal.PaymentsInFlight, $"job {claim.Job.Number} is claiming what this channel owes: close it when that is confirmed");
    }

    /// <summary>What one side pays and the other does not take yet stands between both totals: of a restored one for an hour.</summary>
    private string WhyNoClose(ChannelSlot slot, Refusal refusal, string message)
    {
        if (refusal == Refusal.CloseNotAdvancing && slot.Working.CloseDeadlineSeconds is > 0 and var deadline)
        {
            return $"{message}: the chain has recorded as much before the close that both have signed was mined. That binds them until "
                + $"{ChainWords.Time(deadline)}; then close it again, or start the close alone ('channel start-close')";
        }

        if (refusal == Refusal.NothingToClose)
        {
            return $"channel {slot.Channel.Id}: nothing is left in it to be paid out"
                + (slot.Working.IsClosed ? ", it is closed; a deposit opens it again" : "; it has no deposit yet");
        }

        if (refusal != Refusal.PaymentsInFlight) return message;
        if (slot is { PeerRefusal: Refusal.RestoredHeld, PeerRefusalUntilSeconds: > 0 and var theirs })
        {
            return $"{message}: the peer's database was restored from a backup, and takes what this node has paid only when the chain is past "
                + $"{RestoredHold.Words(theirs)} (RESTORED_HELD); until then both do not agree on the totals";
        }

        if (slot.PeerRefusal != Refusal.None)
        {
            return $"{message}: the peer refuses {AmountWords.Of(slot.Working.Sent - slot.PeerHas, slot.Channel.Terms.Token)} that this node has "
                + $"signed ({slot.PeerRefusal.Name()}), and so both do not agree on the totals. Start the close alone ('channel start-close'), "
                + "or ask the peer's operator to let them pass: they are offered again until then";
        }

        if (ledger.Disk.IsLow && slot.Working.Sent == slot.Working.Acknowledged)
        {
            return $"{message}: this node's disk is low, so it takes nothing that the peer pays (DISK_LOW), and both may not agree on the totals. "
                + "Make room, or start the close alone ('channel start-close')";
        }

        return slot.IsHeld && book.Hold is { IsOn: true, UntilSeconds: > 0 and var ours }
            ? $"{message}: this database was restored from a backup, and takes what the peer has paid since only when the chain is past "
                + $"{RestoredHold.Words(ours)} (RESTORED_HELD); until then both do not agree on the totals"
            : slot.Channel is { Terms.OneWay: true, OurSide: Side.A } && slot.Working.Sent == slot.Working.Acknowledged
            ? $"{message}: it may be claiming what it was paid. Ask again when that is confirmed"
            : $"{message}: payments are under way between both. Ask again; where it stays so, a rule of this node may refuse what the peer has "
                + $"signed ('policy explain --peer {slot.Channel.Theirs.Signer}'): lift it until the close is through, or start the close alone "
                + "('channel start-close')";
    }

    /// <summary>When both ask at once, the lower signer's question is the one that counts.</summary>
    private bool Answer(LedgerTurn turn, ChannelSlot slot, in CooperativeClose close)
    {
        bool ours = slot.CloseProposed
            && us.Signer.ToBytes32().CompareTo(slot.Channel.Theirs.Signer.ToBytes32()) < 0;
        ThrowIf(ours ? Refusal.CloseAgreed : Refusal.None, "this node has asked for a close itself");
        return Agree(turn, slot, close);
    }

    private bool Agree(LedgerTurn turn, ChannelSlot slot, in CooperativeClose close)
    {
        ThrowIf(
            turn.ChainIsCurrent ? Refusal.None : Refusal.ChainUnavailable, "the chain was not seen for too long to sign");
        ThrowIf(
            slot.StateLost ? Refusal.StateLost : Refusal.None, "the peer can prove more than this database has signed");
        ThrowIf(scheme.CanSign ? Refusal.None : Refusal.SignerUnavailable, "this node's signer cannot be reached");
        ThrowIf(
            slot.IsUnconfirmed ? Refusal.RestoredUnconfirmed : Refusal.None,
            "the database was restored, and the peer has not told since where the channel stands");
        ThrowIf(
            slot.MissesReceived ? Refusal.RestoredHeld : Refusal.None,
            "the database was restored, and does not have all again yet that this node has signed to have accepted");
        RequireNoClaim(turn, slot);
        ThrowIf(
            Lifecycle.AgreeClose(slot.Channel, slot.Working, close, clock.NowSeconds, out ChannelState next),
            "the close does not fit the channel's totals");
        if (next == slot.Working) return false;
        slot.Working = next;
        book.Watch(slot, next);
        turn.Touch(slot, durable: true);
        return true;
    }

    /// <summary>False where nothing came of it, by the peer's doing: the close is refused, or was agreed before.</summary>
    public async ValueTask<bool> AnswerCloseAsync(PeerLink link, CooperativeClose close, CancellationToken cancel)
    {
        ChannelSlot? slot = book.Find(close.Channel);
        Refusal refusal = slot is null || slot.Channel.Theirs.Signer != link.Signer ? Refusal.UnknownChannel
            : close.DeadlineSeconds > clock.NowSeconds + CloseDeadlineSecondsMax ? Refusal.InvalidArgument
            : Refusal.None;
        try
        {
            ThrowIf(refusal, "not to be closed");
            bool isNew = await ledger.RunAsync(turn => Answer(turn, slot!, close), cancel);
            link.Send(new PeerMessage.CloseReply(
                close.Channel, close.DeadlineSeconds, await scheme.SignAsync(close, cancel), Refusal.None));
            return isNew;
        }
        catch (RefusalException no)
        {
            link.Send(new PeerMessage.CloseReply(close.Channel, close.DeadlineSeconds, default, no.Refusal));
            return false;
        }
    }

    /// <summary>An answer to a question of ours; one that nobody waits for any more is dropped.</summary>
    public ValueTask TakeReply(PeerLink link, PeerMessage reply)
    {
        Question question = reply switch
        {
            PeerMessage.ProposalReply proposal => new(link.Signer, proposal.Channel, reply.GetType(), 0),
            PeerMessage.CloseReply close => new(link.Signer, close.Channel, reply.GetType(), close.DeadlineSeconds),
            PeerMessage.DepositAuthorizationReply deposit =>
                new(link.Signer, deposit.Channel, reply.GetType(), deposit.ValidBeforeSeconds),
            _ => throw new ArgumentOutOfRangeException(nameof(reply), reply, "not a reply"),
        };
        if (_asked.TryRemove(question, out TaskCompletionSource<PeerMessage>? asked))
            asked.TrySetResult(reply);
        return ValueTask.CompletedTask;
    }

    private async Task<TReply> AskAsync<TReply>(
        PeerLink link, ChannelId channel, PeerMessage question, CancellationToken cancel)
        where TReply : PeerMessage
    {
        TaskCompletionSource<PeerMessage> asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ulong deadlineSeconds = question switch
        {
            PeerMessage.CloseProposal proposal => proposal.Close.DeadlineSeconds,
            PeerMessage.DepositAuthorization deposit => deposit.Authorization.ValidBeforeSeconds,
            _ => 0,
        };
        Question key = new(link.Signer, channel, typeof(TReply), deadlineSeconds);
        if (!_asked.TryAdd(key, asked))
            throw new RefusalException(Refusal.NotReady, "an earlier question about this channel is not answered yet");
        using CancellationTokenSource time = new(AnswerTimeout, clock.Time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel, link.Ended, time.Token);
        try
        {
            link.Send(question);
            using (limit.Token.UnsafeRegister(_ => asked.TrySetCanceled(), null))
            {
                return await asked.Task as TReply
                    ?? throw new RefusalException(Refusal.InvalidArgument, "the peer answered something else than was asked");
            }
        }
        catch (OperationCanceledException error) when (!cancel.IsCancellationRequested)
        {
            throw new RefusalException(Refusal.PeerOffline, $"peer {link.Signer} did not answer", error);
        }
        finally
        {
            _asked.TryRemove(key, out _);
        }
    }

    private static void ThrowIf(Refusal refusal, string message)
    {
        if (refusal != Refusal.None) throw new RefusalException(refusal, message);
    }
}
