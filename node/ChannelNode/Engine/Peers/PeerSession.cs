using System.Diagnostics;
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

    /// <summary>The same of a peer that sends wrong signatures, which may have to go back through each run.</summary>
    private const int RunsPerWaryPart = 2;

    /// <summary>What comes so soon after an answer has waited for it to leave.</summary>
    private static readonly TimeSpan Company = TimeSpan.FromMicroseconds(20);

    private static readonly TimeSpan BetweenLooksForRoom = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan BetweenLooksForTheSigner = TimeSpan.FromMilliseconds(100);

    private readonly PeerChannels _channels;
    private readonly Ledger _ledger;
    private readonly ISignatureScheme _scheme;
    private readonly NodeClock _clock;
    private readonly ChannelAgreements _agreements;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _batchesLeft;
    private readonly PeerCommons _commons;
    private readonly int _batchesMax;
    private readonly WrongSignatureLimits _limits;
    private readonly BatchTraces _traces;
    private readonly Dictionary<ChannelSlot, int> _refusals = [];
    private long _answeredAt;
    private int _expected;
    private int _foundByWriter;
    private int _uselessToWriter;

    /// <summary>Some of the newest batch that was decided.</summary>
    private volatile bool _wasRefused;

    /// <summary>Null while this peer has sent no wrong signatures, as no honest one does.</summary>
    private readonly RestoredHold _hold;
    private WrongSignatureLimit? _wrongSignatures;

    public PeerSession(
        PeerLink link,
        ChannelBook book,
        Ledger ledger,
        ISignatureScheme scheme,
        NodeClock clock,
        ChannelAgreements agreements,
        NodeOptions options,
        ILogger log,
        PeerCommons? commons = null)
    {
        Link = link;
        _channels = new PeerChannels(book, link.Signer);
        _hold = book.Hold;
        _ledger = ledger;
        _scheme = scheme;
        _clock = clock;
        _agreements = agreements;
        _log = log;
        _batchesMax = options.PeerBatchesMax;
        _batchesLeft = new SemaphoreSlim(_batchesMax);
        _commons = commons ?? new PeerCommons(clock.Time, options, scheme);
        _traces = new BatchTraces(clock.Time, _commons.Traces);
        _limits = _commons.WrongSignatures;
        _wrongSignatures = _limits.Find(link.Signer);
    }

    public PeerLink Link { get; }

    /// <summary>Told when the peer says that it goes away, and within how many seconds it expects to be back.</summary>
    public Func<uint, ValueTask> GoesAway { private get; init; } = _ => ValueTask.CompletedTask;

    /// <summary>
    /// An empty batch; waits while all of this session's wait for the ledger, or any in a crowd, and while the peer's wrong signatures in a session before
    /// are to be waited for.
    /// </summary>
    public async ValueTask<PeerBatch> RentBatchAsync(CancellationToken cancel)
    {
        if (_wrongSignatures is { } known) await known.WaitAsync(cancel);
        await _batchesLeft.WaitAsync(cancel);
        while (IsCrowded && _batchesLeft.CurrentCount < _batchesMax - 1)
            await Task.Delay(BetweenLooksForRoom, _clock.Time, cancel);
        return _commons.Batches.Get();
    }

    /// <summary>Peers have sent so much that is not done with that each has one frame under way, and no more.</summary>
    public bool IsCrowded => Link.Part is { IsCrowded: true };

    /// <summary>Takes a frame over. Its refusals are handled at once, the rest when the batch is received.</summary>
    public async ValueTask AddAsync(PeerBatch batch, PeerFrame frame, CancellationToken cancel)
    {
        Link.Part?.AddWork(frame.Weight);
        batch.Add(frame, _channels);
        if (frame.Traces.Length > 0) _traces.Begin(frame, batch.Traced);
        if (frame.Refusals.Length > 0) await TakeRefusalsAsync(batch, frame, cancel);
    }

    /// <summary>The newest of a channel says where it stands. One of what was never sent, or is acknowledged, says nothing.</summary>
    private async ValueTask TakeRefusalsAsync(PeerBatch batch, PeerFrame frame, CancellationToken cancel)
    {
        _refusals.Clear();
        for (int index = 0; index < frame.Refusals.Length; index++)
        {
            FrameRefusal said = frame.Refusals[index];
            if (_channels.Find(frame.ChannelAt(said.Channel)) is { } slot && slot.MayBeRefused(frame.AmountAt(said.Sent), said.Reason))
                _refusals[slot] = index;
            else
                batch.NoteUseless();
        }

        foreach ((ChannelSlot slot, int index) in _refusals)
        {
            FrameRefusal said = frame.Refusals[index];
            await _ledger.EnqueueAsync(Refused(slot, frame.AmountAt(said.Sent), said), cancel);
        }
    }

    /// <summary>
    /// Whether the ledger rests, and did so when the last answer left: then what has come now came alone, and nothing is
    /// gained by letting more join it.
    /// </summary>
    public bool FindsNobodyElse => _ledger.IsIdle && Stopwatch.GetElapsedTime(_answeredAt) > Company;

    /// <summary>
    /// Verifies and hands the batch to the ledger, part by part; waits while the ledger's queue is full. With
    /// <paramref name="isAlone"/> it is decided, committed and answered right here, if nothing else is under way.
    /// </summary>
    public async ValueTask ReceiveAsync(PeerBatch batch, bool isAlone, CancellationToken cancel)
    {
        int runs = batch.Runs.Length, from = 0;
        try
        {
            await VerifyReceiptsAsync(batch, cancel);
            Expect(Math.Min(RunsPerPart, runs));
            while (true)
            {
                int count = Math.Min(_wrongSignatures is { IsWary: true } ? RunsPerWaryPart : RunsPerPart, runs - from);
                while (!batch.Verify(from, count))
                {
                    Expect(0); // No honest peer's takes so long.
                    await WaitForWrongSignaturesAsync(batch, cancel);
                    await default(BackOfTheQueue);
                }

                await WaitForWrongSignaturesAsync(batch, cancel);
                foreach ((_, Activity span) in batch.Traced) span.AddEvent(new ActivityEvent("verified"));
                bool isLast = from + count == runs;
                AcceptRuns accept = new(batch, from, from + count, isLast, this);
                Expect(Math.Min(RunsPerPart, runs - from - count));
                if (isAlone && isLast && _ledger.TryTurn(accept, Link)) _answeredAt = Stopwatch.GetTimestamp();
                else await _ledger.EnqueueAsync(accept, cancel);
                if (isLast) return;
                from += count;
                await default(BackOfTheQueue);
            }
        }
        finally
        {
            Expect(0);
        }
    }

    private async ValueTask VerifyReceiptsAsync(PeerBatch batch, CancellationToken cancel)
    {
        for (int from = 0; from < batch.ReceiptCount; from += RunsPerPart)
        {
            if (from > 0) await default(BackOfTheQueue);
            batch.VerifyReceipts(from, Math.Min(RunsPerPart, batch.ReceiptCount - from));
            await WaitForWrongSignaturesAsync(batch, cancel);
        }
    }

    /// <summary>So many updates come to the ledger as soon as a core is free. Of who sends what is refused none are expected.</summary>
    private void Expect(int updates)
    {
        if (_wrongSignatures is { IsWary: true } || _wasRefused) updates = 0;
        if (updates == _expected) return;
        _ledger.Expect(updates - _expected);
        _expected = updates;
    }

    private async ValueTask WaitForWrongSignaturesAsync(PeerBatch batch, CancellationToken cancel)
    {
        int found = batch.TakeWrongSignatures() + Interlocked.Exchange(ref _foundByWriter, 0);
        int useless = batch.TakeUseless() + Interlocked.Exchange(ref _uselessToWriter, 0);
        if (found + useless == 0) return;
        _wrongSignatures = _limits.Of(Link.Signer);
        Expect(0);
        if (useless > 0) await Task.Delay(_wrongSignatures.AfterUseless(useless), _clock.Time, cancel);
        if (found > 0) await Task.Delay(_wrongSignatures.After(found), _clock.Time, cancel);
    }

    private Task WaitForUselessAsync(CancellationToken cancel)
    {
        _wrongSignatures = _limits.Of(Link.Signer);
        return Task.Delay(_wrongSignatures.AfterUseless(1), _clock.Time, cancel);
    }

    /// <summary>All of the batch is committed: tells what was refused, and the batch can be used again.</summary>
    public void Finish(PeerBatch batch)
    {
        _wasRefused = batch.Refused.Length > 0;
        if (_wasRefused)
        {
            _ledger.Counts.Refuse(Link.Signer, batch.Refused);
            Link.Refuse(batch.Refused);
            Link.Wake();
        }

        if (batch.Traced.Count > 0) BatchTraces.End(batch.Traced, batch.Refused);
        Interlocked.Add(ref _foundByWriter, batch.TakeWrongSignatures()); // Waited for with what comes next.
        Interlocked.Add(ref _uselessToWriter, batch.TakeUseless());
        Link.Part?.AddWork(-batch.Weight);
        _commons.Batches.Return(batch);
        _batchesLeft.Release();
    }

    /// <summary>Signs what is about to leave, with the key in this process.</summary>
    public void Sign(OutgoingFrame frame) => frame.Sign(_scheme);

    /// <summary>
    /// The same, wherever the key is. What is on disk is told sooner or later: while a signer elsewhere is out of reach it waits.
    /// </summary>
    public ValueTask SignAsync(OutgoingFrame frame, CancellationToken cancel) =>
        _scheme.SignsHere ? frame.SignAsync(_scheme, cancel) : new ValueTask(SignWhenPossibleAsync(frame, cancel));

    private async Task SignWhenPossibleAsync(OutgoingFrame frame, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                await frame.SignAsync(_scheme, cancel);
                return;
            }
            catch (RefusalException refusal) when (refusal.Refusal == Refusal.SignerUnavailable)
            {
                do await Task.Delay(BetweenLooksForTheSigner, _clock.Time, cancel);
                while (!_scheme.CanSign);
            }
        }
    }

    /// <summary>Handles one message that does not travel in frames; waits while the ledger's queue is full.</summary>
    public ValueTask ReceiveAsync(PeerMessage message, CancellationToken cancel) => message switch
    {
        PeerMessage.Reestablish said => ReestablishAsync(said, cancel),
        PeerMessage.GoingAway said => GoesAway(said.BackWithinSeconds),
        PeerMessage.Proposal proposal => AnswerAsync(proposal, cancel),
        PeerMessage.ProposalReply reply => _agreements.TakeReply(Link, reply),
        PeerMessage.DepositAuthorization asked => _agreements.Relay.Answer(Link, asked),
        PeerMessage.DepositAuthorizationReply reply => _agreements.TakeReply(Link, reply),
        PeerMessage.CloseProposal proposal => AnswerAsync(proposal, cancel),
        PeerMessage.CloseReply reply => _agreements.TakeReply(Link, reply),
        PeerMessage.Limits limits => TakeLimitsAsync(limits.Told, cancel),
        _ => throw new ArgumentOutOfRangeException(nameof(message), message, "not a message of a peer"),
    };

    /// <summary>What holds whatever was paid is known at once, for who asks next; the rest in its place among acknowledgements.</summary>
    private ValueTask TakeLimitsAsync(PeerTold told, CancellationToken cancel)
    {
        Link.Told = told;
        return _ledger.EnqueueAsync(new TakeLimits(told, Link), cancel);
    }

    /// <summary>Terms, or a close, that are refused, or were proposed before, cost as much as new ones and bring nothing.</summary>
    private async ValueTask AnswerAsync(PeerMessage.Proposal proposal, CancellationToken cancel)
    {
        if (!await _agreements.AnswerProposalAsync(Link, proposal.Terms, cancel)) await WaitForUselessAsync(cancel);
    }

    private async ValueTask AnswerAsync(PeerMessage.CloseProposal proposal, CancellationToken cancel)
    {
        if (!await _agreements.AnswerCloseAsync(Link, proposal.Close, cancel)) await WaitForUselessAsync(cancel);
    }

    private async ValueTask ReestablishAsync(PeerMessage.Reestablish said, CancellationToken cancel)
    {
        if (_channels.Find(said.Channel) is { } slot)
        {
            BalanceUpdate? own = await FindOwnAsync(slot, said.Held, cancel);
            await _ledger.EnqueueAsync(
                new TakeReestablish(slot, said.Received, Link, delayMs => _ = TakeLaterAsync(slot, said.Received, own, delayMs)) { Own = own },
                cancel);
            return;
        }

        Link.Refuse([new RefusedUpdate(said.Channel, said.Sent, Refusal.UnknownChannel)]);
        Link.Wake();
        await WaitForUselessAsync(cancel); // It was looked for on disk.
    }

    /// <summary>What a restored node's lost self has signed beyond what is known here; null normally, and nothing is checked then.</summary>
    private async ValueTask<BalanceUpdate?> FindOwnAsync(ChannelSlot slot, PeerMessage.HeldUpdate? held, CancellationToken cancel)
    {
        if (held is null || _hold.Newest is null) return null;
        ChannelState known = slot.State;
        bool isKnown = held.Sent <= known.Sent;
        if (isKnown && held.Received <= known.TheirTotal) return null;
        BalanceUpdate own = new(slot.Channel.Id, held.Sent, held.Received);
        if (isKnown && held.Received == slot.ReceivedByLost) return own; // Looked at before.
        if (_scheme.Verify(own, held.Signature, slot.Channel.Ours.Signer)) return own;
        _wrongSignatures = _limits.Of(Link.Signer);
        await Task.Delay(_wrongSignatures.After(1), _clock.Time, cancel);
        return null;
    }

    private TakeRefusal Refused(ChannelSlot slot, UInt128 sent, in FrameRefusal said) =>
        new(slot, sent, said.Reason, said.UntilSeconds, delayMs => _ = OfferAgainAsync(slot, delayMs), _log);

    private Task OfferAgainAsync(ChannelSlot slot, int delayMs) => LaterAsync(new OfferAgain(slot), delayMs);

    private Task TakeLaterAsync(ChannelSlot slot, UInt128 received, BalanceUpdate? own, int delayMs) =>
        LaterAsync(new TakeReestablish(slot, received, Link, _ => { }) { IsDue = true, Own = own }, delayMs);

    private async Task LaterAsync(LedgerCommand command, int delayMs)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(delayMs), _clock.Time);
        try
        {
            await _ledger.EnqueueAsync(command, CancellationToken.None);
        }
        catch (RefusalException)
        {
            // The node is stopping; the next connection tells the peer what it misses.
        }
    }
}
