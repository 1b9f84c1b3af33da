using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// A channel in memory. The ledger's writer owns everything but <see cref="State"/>, which is what the disk holds and
/// may be read from any thread.
/// </summary>
internal sealed class ChannelSlot(Channel channel, ChannelState state, PeerLinks links)
{
    private sealed record Published(ChannelState State);

    private sealed record Claimed(UInt128 Total);

    private sealed record Paid(Pots Pots);

    private volatile Published _published = new(state);
    private volatile Claimed _claimed = new(UInt128.Zero);
    private volatile Claimed _receivedByLost = new(UInt128.Zero);
    private volatile Paid? _paidOut;
    private volatile PeerLink? _link;
    private volatile bool _isUsed;
    private volatile bool _isKept;
    private volatile bool _isMarked;
    private volatile bool _isUnconfirmed;
    private volatile bool _isHeld;

    public Channel Channel { get; } = channel;

    /// <summary>As last committed.</summary>
    public ChannelState State => _published.State;

    /// <summary>Why the peer refused our newest update; None when it did not.</summary>
    public Refusal PeerRefusal { get; set; }

    /// <summary>Until when, as it told: Unix time in seconds; 0 where it told no time.</summary>
    public ulong PeerRefusalUntilSeconds { get; set; }

    /// <summary>The peer's session that is up; null while it is away.</summary>
    public PeerLink? Link
    {
        get
        {
            if (_link is { IsCurrent: true } link) return link;
            return _link = links.Find(Channel.Theirs.Signer);
        }
    }

    /// <summary>What both sides were paid when it was paid out last, of what was seen since it is in memory; null where it was not.</summary>
    public Pots? PaidOut
    {
        get => _paidOut?.Pots;
        set => _paidOut = value is { } pots ? new Paid(pots) : null;
    }

    /// <summary>Somebody looked for it since the cache did.</summary>
    public bool IsUsed
    {
        get => _isUsed;
        set => _isUsed = value;
    }

    /// <summary>The cache holds it.</summary>
    public bool IsKept
    {
        get => _isKept;
        set => _isKept = value;
    }

    /// <summary>It waits in <see cref="GuardMarks"/>.</summary>
    public bool IsMarked
    {
        get => _isMarked;
        set => _isMarked = value;
    }

    /// <summary>The database was restored, and the peer has not told since where the channel stands. Only the writer changes it.</summary>
    public bool IsUnconfirmed
    {
        get => _isUnconfirmed;
        set => _isUnconfirmed = value;
    }

    /// <summary>
    /// A close of it may have been forgotten: while <see cref="RestoredHold"/> is on, nothing that the peer pays is accepted. Afterwards
    /// the peer is asked once more what is missing here. Only the writer changes it.
    /// </summary>
    public bool IsHeld
    {
        get => _isHeld;
        set => _isHeld = value;
    }

    // Below: the writer's alone.

    /// <summary>With everything of the turn in progress.</summary>
    public ChannelState Working = state;

    /// <summary>What the store's index says is pending.</summary>
    public Pending Pending { get; set; }

    /// <summary>It is known, and not closed: as <see cref="OpenChannels"/> has it.</summary>
    public bool IsOpen { get; set; }

    /// <summary>The session in which both have told where the channel stands.</summary>
    public PeerLink? EstablishedOn { get; set; }

    /// <summary>The session in which this node has asked the peer where the channel stands.</summary>
    public PeerLink? AskedOn { get; set; }

    /// <summary>Whether payments can go out: the session is up and both have told where the channel stands.</summary>
    public bool IsEstablished => EstablishedOn is { } link && link == Link;

    /// <summary>What waits for that, or for an update to be acknowledged.</summary>
    public List<EstablishedCommand> Waiting { get; private set; } = [];

    public InFlightPayments InFlight { get; } = new();

    /// <summary>Of them, those that <see cref="LedgerCounts.PaymentsNotTaken"/> has.</summary>
    public int CountedNotTaken { get; set; }

    /// <summary>Our updates that were told in this session and are not acknowledged.</summary>
    public UpdatesUnderWay UnderWay { get; } = new();

    /// <summary>Of the turn in progress.</summary>
    public NewPayments New { get; } = new();

    /// <summary>Whether a payment told since all was acknowledged wants the peer's receipt.</summary>
    public bool WantsReceipt { get; set; }

    /// <summary>The peer's receipt that reaches furthest; null when it gave none.</summary>
    public SignedReceipt? NewestReceipt { get; set; }

    /// <summary>Set when the peer misses what we signed above this total: all of it is told again after the commit.</summary>
    public UInt128? ReofferAbove { get; set; }

    /// <summary>
    /// Of what the peer has acknowledged, it has told in this session that it has lost what is above this total, and has not taken it
    /// again. Null normally.
    /// </summary>
    public UInt128? MissesAbove { get; set; }

    /// <summary>What the peer surely has: all above it is offered again where it was refused.</summary>
    public UInt128 PeerHas => MissesAbove ?? Working.Acknowledged;

    /// <summary>
    /// Whether a peer's refusal of the update up to <paramref name="sent"/> can mean anything: it was sent and is not acknowledged, or the peer
    /// was asked about the channel. From any thread, by what is committed.
    /// </summary>
    public bool MayBeRefused(UInt128 sent, Refusal reason)
    {
        if (reason == Refusal.UnknownChannel && AskedOn is not null && !IsEstablished) return true;
        ChannelState state = State;
        return sent <= state.Sent && (sent > state.Acknowledged || MissesAbove.HasValue);
    }

    /// <summary>In this turn: something is to be said of it, or written.</summary>
    public bool Touched { get; set; }

    /// <summary>In this turn: its row changes.</summary>
    public bool IsToBeWritten { get; set; }

    /// <summary>What its peer has used of the operator's limits; null until that matters.</summary>
    public PeerMeter? Meter { get; set; }

    /// <summary>What the channel adds to that, as counted in a round of <see cref="PolicyBook"/>.</summary>
    public CountedChannel Counted { get; set; }

    public int CountedIn { get; set; }

    /// <summary>It is not on disk any more and never will be again.</summary>
    public bool IsDropped { get; set; }

    public bool AcknowledgementDue { get; set; }

    /// <summary>The acknowledgement that is due is to be a receipt.</summary>
    public bool ReceiptDue { get; set; }

    /// <summary>Where our newest acknowledgement and our newest update wait to leave.</summary>
    public WaitingPlace AcknowledgementWaits { get; set; }

    public WaitingPlace UpdateWaits { get; set; }

    /// <summary>Refusals of our newest update in a row, for the back-off.</summary>
    public int RefusalsInARow { get; set; }

    public bool OfferAgainScheduled { get; set; }

    /// <summary>How often all that the peer misses was offered from disk to a new session, and nothing of it acknowledged since.</summary>
    public int OffersInVain => _offered.Acknowledged == Working.Acknowledged ? _offered.Times : 0;

    private (UInt128 Acknowledged, int Times) _offered;

    /// <summary>All that the peer misses is told after this turn.</summary>
    public void NoteOffered(UInt128 above)
    {
        _offered = (Working.Acknowledged, OffersInVain + 1);
        ReofferAbove = above;
    }

    /// <summary>Since when the peer refuses what is under way: Unix time in milliseconds; 0 where it does not.</summary>
    public long RefusedSinceMs { get; set; }

    /// <summary>The operator was told that the peer goes on refusing it.</summary>
    public bool IsStuckTold { get; set; }

    /// <summary>What the peer says, in this session, that it has accepted of ours.</summary>
    public UInt128 ClaimedByPeer
    {
        get => _claimed.Total;
        set => _claimed = new Claimed(value);
    }

    /// <summary>
    /// What a restored node's lost self has signed to have accepted, as the peer has shown. Until that is here again the peer takes
    /// nothing that says less. The writer's, and read from any thread.
    /// </summary>
    public UInt128 ReceivedByLost
    {
        get => _receivedByLost.Total;
        set => _receivedByLost = new Claimed(value);
    }

    /// <summary>What the peer takes must count more of its own than is here again.</summary>
    public bool MissesReceived => ReceivedByLost > Working.TheirTotal;

    /// <summary>
    /// The peer claims more of ours than this database has signed, an agreed close included: nothing more may be signed
    /// until the chain, or another session, explains it.
    /// </summary>
    public bool StateLost => ClaimedByPeer > Signed(Working);

    /// <summary>
    /// Operators have heard of it: the peer needs no proof to claim it, and by claiming it again in each session it must not
    /// push out what else they are to hear. The writer's.
    /// </summary>
    public bool IsLossTold { get; set; }

    /// <summary>What the peer claims beyond what this node has signed, for the operator; else zero. Read from any thread.</summary>
    public UInt128 ProvenByPeer => _claimed.Total is var total && total > Signed(State) ? total : UInt128.Zero;

    private UInt128 Signed(in ChannelState state) =>
        UInt128.Max(state.Sent, Channel.OurSide == Side.A ? state.CloseSentA : state.CloseSentB);

    /// <summary>While a close that we proposed is not answered, nothing is sent.</summary>
    public bool CloseProposed { get; set; }

    /// <summary>
    /// Everything that counts is on disk: nothing is under way, waits, is owed to the guardian, or was said by the peer
    /// that the disk does not know. Loaded again, the channel would be the same.
    /// </summary>
    public bool IsIdle =>
        !Touched && !AcknowledgementDue && !OfferAgainScheduled && !CloseProposed && ReofferAbove is null
        && Working.Sent == Working.Acknowledged && InFlight.IsEmpty && Waiting.Count == 0 && New.Count == 0
        && PeerRefusal == Refusal.None && (MissesAbove is null || Link is null) && ClaimedByPeer <= Working.Sent && !Pending.HasFlag(Pending.Close)
        && (AskedOn is null || AskedOn == EstablishedOn || AskedOn != Link);

    /// <summary>The peer takes our updates again.</summary>
    public void ClearRefusal()
    {
        PeerRefusal = Refusal.None;
        PeerRefusalUntilSeconds = 0;
        RefusalsInARow = 0;
        MissesAbove = null;
    }

    /// <summary>The peer has taken all that this node signed.</summary>
    public void AllTaken()
    {
        ClearRefusal();
        RefusedSinceMs = 0;
        IsStuckTold = false;
    }

    /// <summary>The peer refuses what this node signed, or has in an earlier session, and not taken since.</summary>
    public bool WasRefused => PeerRefusal != Refusal.None || RefusedSinceMs != 0;

    /// <summary>Those that waited; nobody waits any more.</summary>
    public List<EstablishedCommand> TakeWaiting()
    {
        List<EstablishedCommand> waiting = Waiting;
        Waiting = [];
        return waiting;
    }

    /// <summary>
    /// An idle channel is let go: what is not on disk is forgotten, whether or not somebody still holds the slot and brings
    /// it back. One that was loaded again would not know it either.
    /// </summary>
    public void Forget()
    {
        EstablishedOn = null;
        AskedOn = null;
        UnderWay.Clear();
        ClaimedByPeer = UInt128.Zero;
        ReceivedByLost = UInt128.Zero;
        NewestReceipt = null;
        WantsReceipt = false;
        AcknowledgementWaits = default;
        UpdateWaits = default;
        RefusalsInARow = 0;
        RefusedSinceMs = 0;
        IsStuckTold = false;
    }

    /// <summary>With the newest turn it was paid out, or is so no more.</summary>
    public bool HasTurned { get; private set; }

    /// <summary>With the newest turn there is another update of the peer's: all that a watchtower could use.</summary>
    public bool HasNewsForGuards { get; private set; }

    /// <summary>Makes the committed state visible.</summary>
    public void Publish()
    {
        HasNewsForGuards = State.TheirSignature != Working.TheirSignature;
        HasTurned = State.IsClosed != Working.IsClosed;
        _published = new Published(Working);
    }
}
