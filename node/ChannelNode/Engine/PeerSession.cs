using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// What a connected peer says, taken to where it belongs. Signatures are checked on the caller's thread, so peers are
/// verified side by side; everything that changes a channel goes through the ledger. A peer speaks only of channels
/// whose other signer it is.
/// </summary>
internal sealed class PeerSession(
    PeerLink link,
    IReadOnlyList<PeerMessage> greeting,
    ChannelBook book,
    Ledger ledger,
    ISignatureScheme scheme,
    NodeClock clock,
    ChannelAgreements agreements,
    int paymentsPerUpdateMax,
    ILogger log)
{
    /// <summary>Payments of one peer that may wait for the ledger before its session is not read.</summary>
    private const int PaymentsWaitingMax = 65_536;

    private readonly Signal _released = new();
    private long _paymentsWaiting;

    public PeerLink Link => link;

    /// <summary>Where every common channel stands: to be told before anything of the link's queue.</summary>
    public IReadOnlyList<PeerMessage> Greeting => greeting;

    /// <summary>Handles one message; waits while the ledger's queue is full.</summary>
    public ValueTask ReceiveAsync(PeerMessage message, CancellationToken cancel) => message switch
    {
        PeerMessage.Update update => ReceiveUpdateAsync(update, cancel),
        PeerMessage.Acknowledgement acknowledgement => ForChannel(
            acknowledgement.Channel,
            slot => new TakeAcknowledgement(slot, acknowledgement.Received, link),
            cancel),
        PeerMessage.UpdateRefusal refusal => ForChannel(
            refusal.Channel, slot => Refused(slot, refusal), cancel),
        PeerMessage.Reestablish reestablish => ForChannel(
            reestablish.Channel, slot => Reestablished(slot, reestablish), cancel),
        PeerMessage.Proposal proposal => agreements.AnswerProposalAsync(link, proposal.Terms, cancel),
        PeerMessage.ProposalReply reply => agreements.TakeReply(link, reply),
        PeerMessage.CloseProposal proposal => agreements.AnswerCloseAsync(link, proposal.Close, cancel),
        PeerMessage.CloseReply reply => agreements.TakeReply(link, reply),
        _ => throw new ArgumentOutOfRangeException(nameof(message), message, "not a message of a peer"),
    };

    /// <summary>Payments that were waiting are committed or refused.</summary>
    public void Release(int payments)
    {
        Interlocked.Add(ref _paymentsWaiting, -payments);
        _released.Raise();
    }

    private async ValueTask EnqueueAsync(AcceptUpdate update, int payments, CancellationToken cancel)
    {
        if (Interlocked.Add(ref _paymentsWaiting, payments) > PaymentsWaitingMax)
        {
            await _released.WhenAsync(() => Interlocked.Read(ref _paymentsWaiting) <= PaymentsWaitingMax, cancel);
        }

        await ledger.EnqueueAsync(update, cancel);
    }

    private ValueTask ReceiveUpdateAsync(PeerMessage.Update said, CancellationToken cancel)
    {
        ChannelSlot? slot = FindOurs(said.Balance.Channel);
        (int count, UInt128 sum) = (0, UInt128.Zero);
        Refusal refusal = slot is null
            ? Refusal.UnknownChannel
            : PaymentList.Check(said.Payments.Span, paymentsPerUpdateMax, out count, out sum);
        if (refusal == Refusal.None && VerifiedUpdate.TryVerify(
            scheme, said.Balance, said.Signature, slot!.Channel.Theirs.Signer, out VerifiedUpdate verified))
        {
            return EnqueueAsync(
                new AcceptUpdate(slot, verified, said.Payments, count, sum, this, clock), count, cancel);
        }

        if (refusal == Refusal.None) refusal = Refusal.WrongSigner;
        link.Send(new PeerMessage.UpdateRefusal(said.Balance.Channel, said.Balance.Sent, refusal));
        return ValueTask.CompletedTask;
    }

    private TakeRefusal Refused(ChannelSlot slot, PeerMessage.UpdateRefusal refusal) =>
        new(slot, refusal.Sent, refusal.Reason, delayMs => _ = OfferAgainAsync(slot, delayMs), log);

    private async Task OfferAgainAsync(ChannelSlot slot, int delayMs)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(delayMs), clock.Time);
        try
        {
            await ledger.EnqueueAsync(new OfferAgain(slot), CancellationToken.None);
        }
        catch (RefusalException)
        {
            // The node is stopping; the next connection tells the peer what it misses.
        }
    }

    private TakeReestablish Reestablished(ChannelSlot slot, PeerMessage.Reestablish said) =>
        new(slot, said.Received, link, log);

    private ValueTask ForChannel(ChannelId id, Func<ChannelSlot, LedgerCommand> command, CancellationToken cancel) =>
        FindOurs(id) is { } slot ? ledger.EnqueueAsync(command(slot), cancel) : ValueTask.CompletedTask;

    private ChannelSlot? FindOurs(ChannelId id) =>
        book.Find(id) is { } slot && slot.Channel.Theirs.Signer == link.Signer ? slot : null;
}
