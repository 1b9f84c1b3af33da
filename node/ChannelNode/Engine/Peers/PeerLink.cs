using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// One session with one peer, as the engine sees it: who it is and what it is to be told. What waits is bounded: a newer
/// update or acknowledgement takes the place of the channel's older one, payments are held back while many wait, and a
/// peer that lets anything else pile up loses its session, never anyone else's time; what it missed is told again when it
/// comes back.
/// </summary>
internal sealed class PeerLink(Address signer, Address owner, int queueMax)
{
    /// <summary>While more bytes of payments than these wait to be told, none are decided.</summary>
    private const int PaymentBytesWaitingMax = 8 * 1024 * 1024;

    /// <summary>The same for what is offered again, from disk: payments leave it as much room as they have themselves.</summary>
    private const int OfferBytesWaitingMax = 2 * PaymentBytesWaitingMax;

    /// <summary>Traced payments that one frame says to be; more are not worth a byte.</summary>
    public const int UpdateTracesMax = 16;

    private readonly WakeUp _wake = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly Lock _saying = new();
    private OutgoingFrame _waiting = new() { Round = 1 };

    /// <summary>Something is held back until what waits is taken.</summary>
    private Action<PeerLink>? _goOn;

    /// <summary>Of payments decided in the turn in progress and not told yet. The ledger's writer owns it.</summary>
    private int _decidedBytes;

    /// <summary>The ledger's writer is about to say all of a turn: a part of it would leave with what was true before.</summary>
    private bool _isSpoken;
    private volatile bool _isCurrent;
    private volatile bool _isGoingAway;

    public Address Signer { get; } = signer;

    /// <summary>Of the room for what peers have sent; null where that is not counted.</summary>
    public MessageRoom.Part? Part { get; init; }

    /// <summary>Whether it is the peer's one session; <see cref="PeerLinks"/> says so.</summary>
    public bool IsCurrent
    {
        get => _isCurrent;
        set => _isCurrent = value;
    }

    /// <summary>The peer has said that it goes away: it is told of nothing new.</summary>
    public bool IsGoingAway
    {
        get => _isGoingAway;
        set => _isGoingAway = value;
    }

    /// <summary>The ledger's writer owns it.</summary>
    public Reestablishing Reestablishing => _reestablishing ??= new Reestablishing(this);

    private Reestablishing? _reestablishing;
    private volatile PeerTold? _told;

    /// <summary>What the peer was told of this node's limits; null while there were none. The ledger's writer owns it.</summary>
    public PeerTold? LimitsTold { get; set; }

    /// <summary>By whose rules the peer is limited; null for a watchtower's.</summary>
    public PolicyGate? Policies { get; set; }

    /// <summary>How much more the peer takes; null where it told no limits. The ledger's writer owns it.</summary>
    public PeerRoom? Room { get; set; }

    /// <summary>
    /// By which of the peer's rules, as it has told them, it would refuse a payment in a channel in which this node holds
    /// <paramref name="pot"/> on chain; null when it would not. For the ledger's writer.
    /// </summary>
    public PolicyNo? RefusesPayment(Address token, UInt128 pot, UInt128 amount) =>
        Told is null ? null : Told.Refuse(Signer, token, pot, amount) ?? Room?.Refuse(Signer, token, amount);

    /// <summary>What the peer has told of its limits; null where it told none.</summary>
    public PeerTold? Told
    {
        get => _told;
        set => _told = value;
    }

    /// <summary>Channels in which payments wait for an acknowledgement, or for room, of this session. The ledger's writer owns it.</summary>
    public HashSet<ChannelSlot> Held { get; } = [];

    /// <summary>Channels in which what the peer misses waits for room to be offered. The ledger's writer owns it.</summary>
    public HashSet<ChannelSlot> OffersHeld { get; } = [];

    public Address Owner { get; } = owner;

    /// <summary>Cancelled when the session must end, for whatever reason.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>Why the engine ended the session; null when it did not.</summary>
    public string? EndReason { get; private set; }

    /// <summary>
    /// Takes all that waits into <paramref name="taken"/>, an empty frame, which is filled the next time. False when
    /// nothing waits.
    /// </summary>
    public bool TryTake(ref OutgoingFrame taken)
    {
        Action<PeerLink>? goOn;
        lock (_saying)
        {
            if (_waiting.IsEmpty || _isSpoken) return false;
            taken.Round = _waiting.Round + 1;
            (taken, _waiting) = (_waiting, taken);
            (goOn, _goOn) = (_goOn, null);
        }

        goOn?.Invoke(this);
        return true;
    }

    /// <summary>For the ledger's writer: payments of so many bytes are decided, and told after the commit.</summary>
    public void Decide(int paymentBytes) => _decidedBytes += paymentBytes;

    /// <summary>
    /// For the ledger's writer: whether so much waits to be told that no payment more is to be decided. Then
    /// <paramref name="goOn"/> is called once, when what waits is taken.
    /// </summary>
    public bool HoldsPayments(Action<PeerLink> goOn) => HoldsAbove(PaymentBytesWaitingMax, goOn);

    /// <summary>The same for what the peer misses.</summary>
    public bool HoldsOffers(Action<PeerLink> goOn) => HoldsAbove(OfferBytesWaitingMax, goOn);

    private bool HoldsAbove(int bytesMax, Action<PeerLink> goOn)
    {
        if (_decidedBytes + _waiting.PaymentBytes <= bytesMax) return false; // Perhaps of a frame just taken: then it is looked at again.
        lock (_saying)
        {
            if (_decidedBytes + _waiting.PaymentBytes <= bytesMax) return false;
            _goOn = goOn;
            return true;
        }
    }

    /// <summary>Something waits to be taken.</summary>
    internal bool HasWaiting
    {
        get
        {
            lock (_saying) return !_waiting.IsEmpty;
        }
    }

    /// <summary>Ends when something was said since it ended last, or somebody woke the session. One waits at a time.</summary>
    public ValueTask WaitToTakeAsync() => _wake.WhenAsync();

    /// <summary>For the ledger's writer, which ends the turn and wakes the session once.</summary>
    public void Acknowledge(ChannelSlot slot, bool withReceipt)
    {
        ref readonly ChannelState state = ref slot.Working;
        lock (_saying)
        {
            _isSpoken = true;
            OutgoingAcknowledgement said = new(slot.Channel.Id, state.TheirSent, state.Sent, withReceipt, default);
            if (slot.AcknowledgementWaits.IsIn(this, _waiting, out int place))
            {
                _waiting.Replace(place, said);
                return;
            }

            slot.AcknowledgementWaits = new WaitingPlace(this, _waiting.Round, _waiting.Add(said));
        }
    }

    /// <summary>
    /// For the ledger's writer: tells the channel's committed totals, with the payments that lead there from what was
    /// told last, or with <paramref name="anew"/> from what the peer has. <paramref name="traced"/>: those of them that are traced.
    /// </summary>
    public void Tell(
        ChannelSlot slot, ReadOnlySpan<byte> payments, bool wantsReceipt, bool anew, List<PaymentTrace>? traced = null)
    {
        BalanceUpdate balance = Updates.ToSign(slot.Channel, slot.Working);
        if (!anew) _decidedBytes -= payments.Length;
        lock (_saying)
        {
            if (slot.UpdateWaits.IsIn(this, _waiting, out int place))
            {
                ref OutgoingUpdate older = ref _waiting.Updates[place];
                older.Balance = balance;
                older.WantsReceipt |= wantsReceipt;
                if (anew) _waiting.Restart(place);
                _waiting.Append(place, payments);
            }
            else
            {
                place = _waiting.Add(balance, payments, wantsReceipt);
                slot.UpdateWaits = new WaitingPlace(this, _waiting.Round, place);
            }

            if (traced is not null) Trace(balance, traced);
        }
    }

    /// <summary>All of a turn is said, and may be taken.</summary>
    public void EndTurn()
    {
        Action<PeerLink>? goOn = null;
        _decidedBytes = 0;
        lock (_saying)
        {
            _isSpoken = false;
            if (_waiting.IsEmpty) (goOn, _goOn) = (_goOn, null); // Of what was decided nothing could be told.
        }

        goOn?.Invoke(this);
    }

    private void Trace(in BalanceUpdate balance, List<PaymentTrace> traced)
    {
        foreach (PaymentTrace payment in traced)
        {
            payment.Told();
            if (_waiting.Traces.Count < UpdateTracesMax)
                _waiting.Traces.Add(new UpdateTrace(balance.Channel, balance.Sent, payment.Context));
        }
    }

    /// <summary>What one batch brings about may be more than may wait: only a peer that let others wait before reads too slowly.</summary>
    public void Refuse(ReadOnlySpan<RefusedUpdate> refused)
    {
        int waiting;
        lock (_saying)
        {
            waiting = _waiting.Refusals.Count;
            _waiting.Refusals.AddRange(refused);
        }

        EndAbove(waiting);
    }

    /// <summary>
    /// Says this node's limits, behind all acknowledgements that wait and all else. Of an older word of them that waits the same
    /// becomes true: acknowledgements that are newer than it leave before it.
    /// </summary>
    public void SendLimits(PeerTold told)
    {
        LimitsTold = told;
        PeerMessage.Limits said = new(told);
        lock (_saying)
        {
            List<PeerMessage> messages = _waiting.Messages;
            for (int index = 0; index < messages.Count; index++)
                if (messages[index] is PeerMessage.Limits) messages[index] = said;
            if (messages is [.., PeerMessage.Limits]) return;
        }

        Send(said);
    }

    /// <summary>Tokens of the channels that the peer was told of in this session, or has paid in. The ledger's writer owns it.</summary>
    public HashSet<Address> Tokens { get; } = [];

    /// <summary>Says what does not travel in frames.</summary>
    public void Send(PeerMessage message)
    {
        int waiting;
        lock (_saying)
        {
            _waiting.Messages.Add(message);
            waiting = _waiting.Messages.Count;
        }

        EndAbove(waiting);
        Wake();
    }

    /// <summary>What was said since the last call leaves.</summary>
    public void Wake() => _wake.Raise(here: false);

    /// <summary>The same, on the caller's thread.</summary>
    public void WakeHere() => _wake.Raise(here: true);

    private void EndAbove(int waiting)
    {
        if (waiting > queueMax) End("the peer reads too slowly");
    }

    public void End(string? reason)
    {
        EndReason ??= reason;
        // The token's callbacks run elsewhere: whoever ends a session must not wait for its transport.
        _ = _ended.CancelAsync();
    }
}

/// <summary>Where in a session's waiting frame something of a channel lies, while that frame has not been taken.</summary>
internal readonly record struct WaitingPlace(PeerLink? Link, long Round, int Place)
{
    public bool IsIn(PeerLink link, OutgoingFrame waiting, out int place)
    {
        place = Place;
        return Link == link && Round == waiting.Round;
    }
}
