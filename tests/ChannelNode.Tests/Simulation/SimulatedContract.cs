using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;

namespace ChannelNode.Tests.Simulation;

/// <summary>One call of the contract.</summary>
internal abstract record ContractCall
{
    private ContractCall() { }

    public sealed record Deposit(ChannelId Channel, ChannelTerms Terms, Side Side, UInt128 Amount) : ContractCall;

    /// <summary>Without an update, or with the other side's.</summary>
    public sealed record StartClose(ChannelId Channel, ChannelTerms Terms, BalanceUpdate? Update, Signature Signature) : ContractCall;

    /// <summary>Without a consent (default), only for the side that is paid.</summary>
    public sealed record Dispute(
        ChannelId Channel, ChannelTerms Terms, BalanceUpdate Update, Signature Signature, Signature Consent) : ContractCall;

    public sealed record Close(ChannelId Channel, ChannelTerms Terms, CooperativeClose What, Signature A, Signature B) : ContractCall;

    public sealed record Settle(ChannelId Channel, ChannelTerms Terms) : ContractCall;

    public sealed record Claim(IReadOnlyList<ClaimRow> Rows) : ContractCall;

    public sealed record Nothing : ContractCall;

    /// <summary>Equal for equal calls: what stands for the call's bytes.</summary>
    public string Text => this switch
    {
        Deposit it => $"deposit {it.Amount} into {it.Side} of {Name(it.Channel)}",
        StartClose it => $"startClose {Name(it.Channel)} with {it.Update?.Sent}/{it.Update?.Received}/{it.Signature.S.W3}",
        Dispute it => $"dispute {Name(it.Channel)} with {it.Update.Sent}/{it.Update.Received}/{it.Signature.S.W3}/{it.Consent.V}",
        Close it => $"close {Name(it.Channel)} at {it.What.SentA}/{it.What.SentB} until {it.What.DeadlineSeconds}",
        Settle it => $"settle {Name(it.Channel)}",
        Claim it => $"claim {string.Join(", ", it.Rows.Select(row => $"{row.Sent} of {Name(row.Channel.Id)}"))}",
        _ => "nothing",
    };

    public static string Name(ChannelId id) => $"channel {id.Value.W3}";
}

/// <summary>
/// The contract's storage after a block: Core's arithmetic, with the contract's checks of who signed and who calls. Keeps a
/// book of what was put in and paid out as well, for the simulation's own sums.
/// </summary>
internal sealed class SimulatedContract
{
    private readonly Dictionary<ChannelId, Pots> _pots;
    private readonly Dictionary<(ChannelId, Side), UInt128> _deposited;
    private readonly Dictionary<(ChannelId, Side), UInt128> _paid;

    public SimulatedContract() => (_pots, _deposited, _paid) = ([], [], []);

    public SimulatedContract(SimulatedContract before) => (_pots, _deposited, _paid) =
        (new(before._pots), new(before._deposited), new(before._paid));

    public Pots PotsOf(ChannelId id) => _pots.GetValueOrDefault(id);

    public bool WasFunded(ChannelId id) => _pots.ContainsKey(id);

    public UInt128 DepositedBy(ChannelId id, Side side) => _deposited.GetValueOrDefault((id, side));

    public UInt128 PaidTo(ChannelId id, Side side) => _paid.GetValueOrDefault((id, side));

    /// <summary>What is in all pots, for the sum that must hold with what went in and out.</summary>
    public UInt128 Held => Sum(_pots.Values.Select(pots => pots.PotA + pots.PotB));

    public UInt128 WentIn => Sum(_deposited.Values);

    public UInt128 WentOut => Sum(_paid.Values);

    private static UInt128 Sum(IEnumerable<UInt128> amounts) => amounts.Aggregate(UInt128.Zero, (sum, amount) => sum + amount);

    /// <summary>Changes nothing where it refuses.</summary>
    public Refusal Run(ContractCall call, Address by, UInt128 value, ulong nowSeconds, List<ChainEvent> events)
    {
        switch (call)
        {
            case ContractCall.Deposit deposit: return Run(deposit, value, events);
            case ContractCall.StartClose start: return Run(start, by, nowSeconds, events);
            case ContractCall.Dispute dispute: return Run(dispute, by, nowSeconds, events);
            case ContractCall.Close close: return Run(close, nowSeconds, events);
            case ContractCall.Settle settle:
                Pots pots = PotsOf(settle.Channel);
                Refusal refusal = pots.Settle(nowSeconds, out Pots next);
                if (refusal != Refusal.None) return refusal;
                Put(settle.Channel, next, new ChainEvent.Settled(settle.Channel, pots), events);
                Pay(settle.Channel, pots.PotA, pots.PotB);
                return Refusal.None;
            case ContractCall.Claim claim:
                foreach (ClaimRow row in claim.Rows) Run(row, events);
                return Refusal.None;
            default:
                return Refusal.None;
        }
    }

    private Refusal Run(ContractCall.Deposit call, UInt128 value, List<ChainEvent> events)
    {
        if (value != call.Amount) return Refusal.WrongValue;
        Refusal refusal = PotsOf(call.Channel).Deposit(call.Terms.OneWay, call.Side, call.Amount, out Pots next);
        if (refusal != Refusal.None) return refusal;
        Put(call.Channel, next, new ChainEvent.Deposited(call.Channel, call.Side, next.PotOf(call.Side)), events);
        _deposited[(call.Channel, call.Side)] = DepositedBy(call.Channel, call.Side) + call.Amount;
        return Refusal.None;
    }

    private Refusal Run(ContractCall.StartClose call, Address by, ulong nowSeconds, List<ChainEvent> events)
    {
        Refusal refusal = PotsOf(call.Channel).StartClose(nowSeconds, call.Terms.DisputeWindowSeconds, out Pots next);
        if (refusal != Refusal.None) return refusal;
        if (call.Update is { } update)
        {
            if (call.Terms.OneWay) return Refusal.OneWayChannel;
            refusal = CheckUpdate(call.Terms, update, call.Signature, default, by, out Side payer);
            if (refusal != Refusal.None) return refusal;
            next = next.Present(payer, update.Sent, update.Received);
        }
        else if (!Is(call.Terms.A, by) && !Is(call.Terms.B, by))
        {
            return Refusal.NotParty;
        }

        Put(call.Channel, next, new ChainEvent.CloseStarted(call.Channel, next), events);
        return Refusal.None;
    }

    private Refusal Run(ContractCall.Dispute call, Address by, ulong nowSeconds, List<ChainEvent> events)
    {
        Refusal signed = CheckUpdate(call.Terms, call.Update, call.Signature, call.Consent, by, out Side payer);
        Refusal refusal = PotsOf(call.Channel).Dispute(
            call.Terms.OneWay, payer, call.Update.Sent, call.Update.Received, nowSeconds, out Pots next);
        if (refusal is not (Refusal.None or Refusal.NothingNew)) return refusal;
        if (signed != Refusal.None || refusal != Refusal.None) return signed != Refusal.None ? signed : refusal;
        Put(call.Channel, next, new ChainEvent.Disputed(call.Channel, next), events);
        return Refusal.None;
    }

    private Refusal Run(ContractCall.Close call, ulong nowSeconds, List<ChainEvent> events)
    {
        if (nowSeconds > call.What.DeadlineSeconds) return Refusal.CloseExpired;
        Refusal refusal = PotsOf(call.Channel).Close(
            call.Terms.OneWay, call.What.SentA, call.What.SentB, out Pots next, out UInt128 paidA, out UInt128 paidB);
        if (refusal != Refusal.None && refusal != Refusal.InsufficientBalance) return refusal;
        TestScheme scheme = new(Address.Zero);
        bool signed = scheme.Verify(call.What, call.A, call.Terms.A.Signer) && scheme.Verify(call.What, call.B, call.Terms.B.Signer);
        if (!signed || refusal != Refusal.None) return signed ? refusal : Refusal.WrongSigner;
        Put(call.Channel, next, new ChainEvent.Closed(call.Channel, next with { PotA = paidA, PotB = paidB }), events);
        Pay(call.Channel, paidA, paidB);
        return Refusal.None;
    }

    /// <summary>A row that brings nothing is passed over.</summary>
    private void Run(ClaimRow row, List<ChainEvent> events)
    {
        ChannelId id = row.Channel.Id;
        BalanceUpdate update = new(id, row.Sent, UInt128.Zero);
        if (!new TestScheme(Address.Zero).Verify(update, row.Signature, row.Channel.Terms.A.Signer)) return;
        if (PotsOf(id).Claim(row.Sent, out Pots next, out UInt128 paid) != Refusal.None) return;
        Put(id, next, new ChainEvent.Claimed(id, next), events);
        Pay(id, UInt128.Zero, paid);
    }

    private static Refusal CheckUpdate(
        ChannelTerms terms, in BalanceUpdate update, in Signature signature, in Signature consent, Address by, out Side payer)
    {
        TestScheme scheme = new(Address.Zero);
        payer = scheme.Verify(update, signature, terms.A.Signer) ? Side.A : Side.B;
        if (!scheme.Verify(update, signature, terms.Of(payer).Signer)) return Refusal.WrongSigner;
        Party paid = terms.Of(payer.Other());
        if (consent == default) return Is(paid, by) ? Refusal.None : Refusal.NotParty;
        return consent == new TestScheme(paid.Signer).SignConsent(update) ? Refusal.None : Refusal.WrongSigner;
    }

    private static bool Is(in Party party, Address by) => by == party.Owner || by == party.Signer;

    private void Put(ChannelId id, in Pots next, ChainEvent seen, List<ChainEvent> events)
    {
        _pots[id] = next;
        events.Add(seen);
    }

    private void Pay(ChannelId id, UInt128 toA, UInt128 toB)
    {
        _paid[(id, Side.A)] = PaidTo(id, Side.A) + toA;
        _paid[(id, Side.B)] = PaidTo(id, Side.B) + toB;
    }
}
