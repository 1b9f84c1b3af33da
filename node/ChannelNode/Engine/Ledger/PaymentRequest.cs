using System.Text;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What became of a payment: paid up to a total of the channel, or refused and nothing paid; by which cap of the caller's
/// token, where it was that.
/// </summary>
internal readonly record struct PaymentOutcome(
    Refusal Refusal, UInt128 Total, bool Repeated, SignedReceipt? Receipt, BudgetBreach? Breach = null)
{
    /// <summary>Which rule refused it, with PolicyRefused.</summary>
    public PolicyNo? No { get; init; }

    public static PaymentOutcome Paid(UInt128 total, bool repeated, SignedReceipt? receipt = null) =>
        new(Refusal.None, total, repeated, receipt);

    public static PaymentOutcome Refused(Refusal refusal) => new(refusal, UInt128.Zero, false, null);

    public static PaymentOutcome Refused(BudgetBreach breach) => new(breach.Refusal, UInt128.Zero, false, null, breach);
}

/// <summary>A payment asked of this node. Answered once, when it is durable on the peer's disk or refused.</summary>
internal abstract class PaymentRequest(
    ChannelSlot slot, UInt128 amount, ReadOnlyMemory<byte> itemId, string idempotencyKey, bool wantsReceipt)
    : EstablishedCommand
{
    public const int IdempotencyKeyBytesMax = 64;

    public ChannelSlot Slot { get; } = slot;

    public UInt128 Amount => amount;

    public string IdempotencyKey => idempotencyKey;

    /// <summary>Whether the outcome should bring the peer's receipt, where it gives one.</summary>
    public bool WantsReceipt { get; } = wantsReceipt;

    /// <summary>Null for all but a few.</summary>
    internal virtual PaymentTrace? Trace => null;

    /// <summary>What the caller's token may spend; null where the caller has none.</summary>
    public PaymentBudget? Budget { get; init; }

    /// <summary>Whether nobody waits for the answer any more.</summary>
    public abstract bool IsAbandoned { get; }

    /// <summary>Called on the ledger's thread: must be quick and must not throw.</summary>
    public abstract void Done(PaymentOutcome outcome);

    /// <summary>What can be said of a payment without its channel, before it waits in any queue.</summary>
    public static Refusal CheckForm(int itemIdBytes, string idempotencyKey)
    {
        if (itemIdBytes > PaymentList.ItemIdBytesMax) return Refusal.ItemIdTooLong;
        return idempotencyKey.Length > IdempotencyKeyBytesMax
            || Encoding.UTF8.GetByteCount(idempotencyKey) > IdempotencyKeyBytesMax
                ? Refusal.IdempotencyKeyTooLong
                : Refusal.None;
    }

    internal sealed override void Apply(LedgerTurn turn)
    {
        // First: what waits may be refused, and of a payment under way nobody knows that it is not paid.
        if (idempotencyKey.Length > 0 && turn.FindOutgoing(idempotencyKey) is { } earlier)
        {
            Repeat(earlier, turn);
            return;
        }

        if (turn.MustWait(Slot))
        {
            // Decided when the window has room: with all others that wait for it, under one signature.
            turn.WaitForRoom(Slot, this);
            return;
        }

        ChannelState next = default;
        Refusal refusal = Slot.CloseProposed
            ? Refusal.CloseAgreed
            : Updates.Pay(Slot.Channel, Slot.Working, amount, out next);
        if (refusal == Refusal.InsufficientBalance && Slot.Working.IsClosed) refusal = Refusal.ChannelClosed; // No top-up is what is missing.
        if (refusal == Refusal.None) refusal = CheckPeer(turn);
        if (refusal != Refusal.None)
        {
            Refuse(refusal, turn);
            return;
        }

        if (!Slot.IsEstablished)
        {
            // The first payment of this session: told where the channel stands, the peer's answer applies it again.
            turn.WaitForPeer(Slot, this);
            return;
        }

        // Both are asked before either counts it: what one of them refuses has used nothing of the other.
        if (Budget?.Check(turn, Slot.Channel, amount) is { } breach)
        {
            Refuse(PaymentOutcome.Refused(breach), turn);
            return;
        }

        if (AskPolicies(turn) is { } no)
        {
            Refuse(PaymentOutcome.Refused(Refusal.PolicyRefused) with { No = no }, turn);
            return;
        }

        Budget?.Charge(turn, Slot.Channel, amount);
        Slot.Link!.Room?.Use(Slot, amount);
        Slot.Working = next;
        Slot.WantsReceipt |= WantsReceipt;
        Slot.Link!.Decide(Slot.New.Add(next.Sent, amount, itemId.Span, idempotencyKey));
        if (Trace is { } trace) Slot.New.Trace(trace);
        Slot.InFlight.Add(next.Sent, this);
        if (idempotencyKey.Length > 0)
            turn.Remember(new OutgoingPayment(Slot.Channel.Id, next.Sent, amount, itemId, idempotencyKey));
        turn.Touch(Slot, durable: true);
    }

    /// <summary>Before anything is signed: what the peer said that it refuses, and what this node's own rules say.</summary>
    private PolicyNo? AskPolicies(LedgerTurn turn)
    {
        UInt128 pot = Slot.Working.OnChain.PotOf(Slot.Channel.OurSide);
        if (Slot.Link!.RefusesPayment(Slot.Channel.Terms.Token, pot, amount) is { } no)
        {
            turn.Policies?.NotePeerRefuses(turn, PolicyAuditKind.SendingRefused, no.Peer, no.Token, Slot.Channel.Id, no.Decision);
            return no;
        }

        return turn.Policies is { LimitsPayments: true } policies ? policies.Send(turn, Slot, amount) : null;
    }

    /// <summary>The key was used: the same payment is answered as it stands, another one is refused.</summary>
    private void Repeat(OutgoingPayment earlier, LedgerTurn turn)
    {
        bool same = earlier.Channel == Slot.Channel.Id && earlier.Amount == amount
            && earlier.ItemId.Span.SequenceEqual(itemId.Span);
        if (!same) Refuse(Refusal.IdempotencyKeyReused, turn);
        else if (Slot.Working.Acknowledged >= earlier.Total) Done(PaymentOutcome.Paid(earlier.Total, repeated: true));
        else Slot.InFlight.AddRepeat(earlier.Total, this);
    }

    private Refusal CheckPeer(LedgerTurn turn)
    {
        if (Slot.Working.SentUnrecorded != UInt128.Zero) return Refusal.StateLost;
        bool isThere = Slot.Link is not null;
        if (Slot.StateLost && (!isThere || Slot.IsEstablished)) return Refusal.StateLost; // Said in another session, it is asked again.
        if (Slot.PeerRefusal != Refusal.None) return Refusal.PeerRefusing;
        if (Slot.IsUnconfirmed && (!isThere || Slot.IsEstablished)) return Refusal.RestoredUnconfirmed;
        if (!isThere && !turn.IsExpectedBack(Slot)) return Refusal.PeerOffline;
        if (Slot.MissesReceived) return Refusal.RestoredHeld;
        if (Slot.InFlight.Count + Slot.Waiting.Count >= turn.InFlightMax) return Refusal.TooManyInFlight;
        if (!turn.ChainIsCurrent) return Refusal.ChainUnavailable;
        if (turn.DiskIsLow) return Refusal.DiskLow;
        return turn.CanSign ? Refusal.None : Refusal.SignerUnavailable;
    }

    internal sealed override void Refuse(Refusal refusal, LedgerTurn turn) => Refuse(PaymentOutcome.Refused(refusal), turn);

    private void Refuse(PaymentOutcome outcome, LedgerTurn turn)
    {
        turn.Counts.PaymentsRefused.Add(outcome.Refusal);
        Done(outcome);
    }

    internal sealed override void Abandon(Exception error) => Done(PaymentOutcome.Refused(Refusal.NotReady));
}

/// <summary>A payment that one caller awaits.</summary>
internal sealed class AwaitedPayment(
    ChannelSlot slot,
    UInt128 amount,
    ReadOnlyMemory<byte> itemId,
    string idempotencyKey,
    bool wantsReceipt,
    CancellationToken cancel,
    PaymentTrace? trace = null) : PaymentRequest(slot, amount, itemId, idempotencyKey, wantsReceipt)
{
    private readonly TaskCompletionSource<PaymentOutcome> _done =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<PaymentOutcome> Task => _done.Task;

    internal override PaymentTrace? Trace => trace;

    public override bool IsAbandoned => cancel.IsCancellationRequested;

    public override void Done(PaymentOutcome outcome)
    {
        trace?.Acknowledged();
        _done.TrySetResult(outcome);
    }
}
