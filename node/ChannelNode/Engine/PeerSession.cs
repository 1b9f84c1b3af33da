using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// What a connected peer says, taken to where it belongs. Signatures are checked on the session's thread and by idle
/// cores, so peers are verified side by side; everything that changes a channel goes through the ledger. A peer speaks
/// only of channels whose other signer it is.
/// </summary>
internal sealed class PeerSession
{
    /// <summary>Runs verified in one go, about a millisecond and a half; then it is everybody else's turn.</summary>
    private const int RunsPerPart = 32;

    private readonly PeerChannels _channels;
    private readonly Ledger _ledger;
    private readonly ISignatureScheme _scheme;
    private readonly NodeClock _clock;
    private readonly ChannelAgreements _agreements;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _batchesLeft;
    private readonly Stack<PeerBatch> _batches = [];
    private readonly WrongSignatureLimit _wrongSignatures;

    public PeerSession(
        PeerLink link,
        ChannelBook book,
        Ledger ledger,
        ISignatureScheme scheme,
        NodeClock clock,
        ChannelAgreements agreements,
        NodeOptions options,
        ILogger log)
    {
        Link = link;
        _channels = new PeerChannels(book, link.Signer);
        _ledger = ledger;
        _scheme = scheme;
        _clock = clock;
        _agreements = agreements;
        _log = log;
        _batchesLeft = new SemaphoreSlim(options.PeerBatchesMax);
        _wrongSignatures = new WrongSignatureLimit(clock.Time, options.WrongSignaturesPerSecondMax);
        for (int count = 0; count < options.PeerBatchesMax; count++)
            _batches.Push(new PeerBatch(scheme, options.PaymentsPerUpdateMax));
    }

    public PeerLink Link { get; }

    /// <summary>An empty batch; waits while all of this session's wait for the ledger.</summary>
    public async ValueTask<PeerBatch> RentBatchAsync(CancellationToken cancel)
    {
        await _batchesLeft.WaitAsync(cancel);
        lock (_batches) return _batches.Pop();
    }

    /// <summary>Takes a frame over. Its refusals are handled at once, the rest when the batch is received.</summary>
    public async ValueTask AddAsync(PeerBatch batch, PeerFrame frame, CancellationToken cancel)
    {
        batch.Add(frame, _channels);
        for (int index = 0; index < frame.Refusals.Length; index++)
        {
            FrameRefusal said = frame.Refusals[index];
            if (_channels.Find(frame.ChannelAt(said.Channel)) is { } slot)
                await _ledger.EnqueueAsync(Refused(slot, frame.AmountAt(said.Sent), said.Reason), cancel);
        }
    }

    /// <summary>Verifies and hands the batch to the ledger, part by part; waits while the ledger's queue is full.</summary>
    public async ValueTask ReceiveAsync(PeerBatch batch, CancellationToken cancel)
    {
        int runs = batch.Runs.Length, from = 0;
        do
        {
            int count = Math.Min(RunsPerPart, runs - from);
            while (!batch.Verify(from, count))
            {
                await WaitForWrongSignaturesAsync(batch, cancel);
                await default(BackOfTheQueue);
            }

            await WaitForWrongSignaturesAsync(batch, cancel);
            bool isLast = from + count == runs;
            await _ledger.EnqueueAsync(new AcceptRuns(batch, from, from + count, isLast, this), cancel);
            from += count;
            if (!isLast) await default(BackOfTheQueue);
        }
        while (from < runs);
    }

    private async ValueTask WaitForWrongSignaturesAsync(PeerBatch batch, CancellationToken cancel)
    {
        if (batch.TakeWrongSignatures() is var found and > 0 && _wrongSignatures.After(found) is var wait && wait > TimeSpan.Zero)
            await Task.Delay(wait, _clock.Time, cancel);
    }

    /// <summary>All of the batch is committed: tells what was refused, and the batch can be used again.</summary>
    public void Finish(PeerBatch batch)
    {
        if (batch.Refused.Length > 0)
        {
            Link.Refuse(batch.Refused);
            Link.Wake();
        }

        batch.Clear();
        lock (_batches) _batches.Push(batch);
        _batchesLeft.Release();
    }

    /// <summary>Signs what is about to leave.</summary>
    public void Sign(OutgoingFrame frame) => frame.Sign(_scheme);

    /// <summary>Handles one message that does not travel in frames; waits while the ledger's queue is full.</summary>
    public ValueTask ReceiveAsync(PeerMessage message, CancellationToken cancel) => message switch
    {
        PeerMessage.Reestablish said => ReestablishAsync(said, cancel),
        PeerMessage.Proposal proposal => _agreements.AnswerProposalAsync(Link, proposal.Terms, cancel),
        PeerMessage.ProposalReply reply => _agreements.TakeReply(Link, reply),
        PeerMessage.DepositAuthorization asked => _agreements.Relay.Answer(Link, asked),
        PeerMessage.DepositAuthorizationReply reply => _agreements.TakeReply(Link, reply),
        PeerMessage.CloseProposal proposal => _agreements.AnswerCloseAsync(Link, proposal.Close, cancel),
        PeerMessage.CloseReply reply => _agreements.TakeReply(Link, reply),
        _ => throw new ArgumentOutOfRangeException(nameof(message), message, "not a message of a peer"),
    };

    private ValueTask ReestablishAsync(PeerMessage.Reestablish said, CancellationToken cancel)
    {
        if (_channels.Find(said.Channel) is { } slot)
            return _ledger.EnqueueAsync(new TakeReestablish(slot, said.Received, Link), cancel);
        Link.Refuse([new RefusedUpdate(said.Channel, said.Sent, Refusal.UnknownChannel)]);
        Link.Wake();
        return ValueTask.CompletedTask;
    }

    private TakeRefusal Refused(ChannelSlot slot, UInt128 sent, Refusal reason) =>
        new(slot, sent, reason, delayMs => _ = OfferAgainAsync(slot, delayMs), _log);

    private async Task OfferAgainAsync(ChannelSlot slot, int delayMs)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(delayMs), _clock.Time);
        try
        {
            await _ledger.EnqueueAsync(new OfferAgain(slot), CancellationToken.None);
        }
        catch (RefusalException)
        {
            // The node is stopping; the next connection tells the peer what it misses.
        }
    }
}
