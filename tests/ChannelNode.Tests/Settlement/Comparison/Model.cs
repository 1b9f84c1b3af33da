using ChannelNode.Core;

namespace ChannelNode.Tests.Settlement.Comparison;

/// <summary>What a step must do: why it is refused, or the channel's events and the reasons of skipped rows.</summary>
internal sealed record Outcome(Refusal Refusal, IReadOnlyList<ChainEvent> Events, IReadOnlyList<Refusal> Skipped)
{
    public static Outcome None { get; } = new(Refusal.None, [], []);

    public static Outcome Of(Refusal refusal) => new(refusal, [], []);

    public static Outcome Of(params ChainEvent[] events) => new(Refusal.None, events, []);

    public bool Equals(Outcome? other) =>
        other is not null && Refusal == other.Refusal && Events.SequenceEqual(other.Events)
            && Skipped.SequenceEqual(other.Skipped);

    public override int GetHashCode() => Refusal.GetHashCode();

    public override string ToString() =>
        $"{Refusal} [{string.Join(", ", Events)}]{(Skipped.Count > 0 ? " skipped " + string.Join(", ", Skipped) : "")}";
}

/// <summary>
/// One channel, and the money around it, by the core's arithmetic. What the core does not know of the contract is
/// written down here in its order of checks: who may call, what counts as a signature, where money comes from and goes.
/// </summary>
internal sealed class Model(World world, ChannelTerms terms)
{
    private Dictionary<Address, UInt128> _credits = [];
    private HashSet<Address> _withoutAllowance = [world[Actor.Outsider].Address];
    private HashSet<Address> _refusing = [];
    private HashSet<(Side, ulong)> _usedAuthorizations = [];
    private Dictionary<Address, ulong> _permitNonces = [];
    private Dictionary<Address, Int128> _paid = [];
    private Pots _pots;

    /// <summary>Ether comes with a call, and none with those within a multicall.</summary>
    private bool _withinMulticall;

    public ChannelTerms Terms => terms;

    public ChannelId Id { get; } = world.Signs(Actor.Outsider).IdOf(terms);

    public Pots Pots => _pots;

    public UInt128 CreditOf(Address owner) => _credits.GetValueOrDefault(owner);

    public ulong PermitNonceOf(Address owner) => _permitNonces.GetValueOrDefault(owner);

    /// <summary>What an account has received since the beginning, less what it has paid.</summary>
    public Int128 GainOf(Address account) => _paid.GetValueOrDefault(account);

    public Outcome Do(Step step, ulong nowSeconds) => step switch
    {
        Step.Deposit it => Deposit(it),
        Step.DepositMany it => DepositMany(it),
        Step.DepositWithPermit it => DepositWithPermit(it),
        Step.DepositWithAuthorization it => DepositWithAuthorization(it),
        Step.StartClose it => StartClose(it, nowSeconds),
        Step.Dispute it => Dispute(it, nowSeconds),
        Step.Close it => Close(it, nowSeconds),
        Step.Settle => Settle(nowSeconds),
        Step.Claim it => Claim(it),
        Step.WithdrawCredit it => WithdrawCredit(it),
        Step.Multicall it => Multicall(it, nowSeconds),
        Step.Refuse it => Refuse(it),
        _ => throw new ArgumentOutOfRangeException(nameof(step), step, "no step"),
    };

    private Outcome Deposit(Step.Deposit it)
    {
        bool isWrong = IsWrongValue(it.ExtraValue, it.Amount) || terms.Token.IsZero && it.Amount > Amounts.Max;
        if (isWrong) return Outcome.Of(Refusal.WrongValue);
        Refusal refusal = Fund(_pots, it.Side, it.Amount, out Pots next);
        if (refusal == Refusal.None && !CanPull(it.By)) refusal = Refusal.TransferFailed;
        return refusal == Refusal.None ? Funded(it.By, next, [(it.Side, it.Amount)]) : Outcome.Of(refusal);
    }

    private Outcome DepositMany(Step.DepositMany it)
    {
        Pots next = _pots;
        var deposits = new List<(Side, UInt128)>();
        var events = new List<ChainEvent>();
        for (int i = 0; i < it.Sides.Length; i++)
        {
            if (i == it.ForeignAt) return Outcome.Of(Refusal.WrongToken);
            Refusal refusal = Fund(next, it.Sides[i], it.Amounts[i], out next);
            if (refusal != Refusal.None) return Outcome.Of(refusal);
            deposits.Add((it.Sides[i], it.Amounts[i]));
            events.Add(new ChainEvent.Deposited(Id, it.Sides[i], next.PotOf(it.Sides[i])));
        }

        if (IsWrongValue(it.ExtraValue, deposits.Aggregate(UInt128.Zero, (sum, one) => sum + one.Item2)))
            return Outcome.Of(Refusal.WrongValue);
        if (deposits.Count > 0 && !CanPull(it.By)) return Outcome.Of(Refusal.TransferFailed);
        Funded(it.By, next, deposits);
        return Outcome.Of([.. events]);
    }

    /// <summary>A permit sets the allowance, which the deposit uses up; one that does not hold leaves it as it is.</summary>
    private Outcome DepositWithPermit(Step.DepositWithPermit it)
    {
        Refusal refusal = Fund(_pots, it.Side, it.Amount, out Pots next);
        if (refusal != Refusal.None) return Outcome.Of(refusal);
        if (terms.Token.IsZero) return Outcome.Of(Refusal.TransferFailed);
        Address by = AddressOf(it.By);
        bool permitted = terms.Token == world.Dollar && it.Permit == Proof.Right;
        if (!permitted && !CanPull(it.By)) return Outcome.Of(Refusal.TransferFailed);
        if (permitted)
        {
            _permitNonces[by] = PermitNonceOf(by) + 1;
            _withoutAllowance.Add(by);
        }

        return Funded(it.By, next, [(it.Side, it.Amount)]);
    }

    private Outcome DepositWithAuthorization(Step.DepositWithAuthorization it)
    {
        Refusal refusal = Fund(_pots, it.Side, it.Amount, out Pots next);
        if (refusal != Refusal.None) return Outcome.Of(refusal);
        bool taken = terms.Token == world.Dollar && it.Proof == Proof.Right && it.SignedSide == it.Side
            && it.FromSeconds < 0 && it.ToSeconds > 0 && _usedAuthorizations.Add((it.Side, it.Salt));
        return taken ? Funded(Actor.Outsider, next, [(it.Side, it.Amount)]) : Outcome.Of(Refusal.TransferFailed);
    }

    private Refusal Fund(Pots pots, Side side, UInt128 amount, out Pots next)
    {
        next = pots;
        Refusal refusal = terms.Check(world.Contract);
        return refusal != Refusal.None ? refusal : pots.Deposit(terms.OneWay, side, amount, out next);
    }

    private bool IsWrongValue(uint extra, UInt128 needed) => _withinMulticall
        ? terms.Token.IsZero && needed != UInt128.Zero
        : extra > 0;

    private bool CanPull(Actor by) => terms.Token.IsZero || !_withoutAllowance.Contains(AddressOf(by));

    private Outcome Funded(Actor payer, Pots next, IReadOnlyList<(Side Side, UInt128 Amount)> deposits)
    {
        _pots = next;
        foreach ((Side _, UInt128 amount) in deposits) Gain(AddressOf(payer), -(Int128)amount);
        return deposits.Count == 0
            ? Outcome.None
            : Outcome.Of(new ChainEvent.Deposited(Id, deposits[0].Side, next.PotOf(deposits[0].Side)));
    }

    private Outcome StartClose(Step.StartClose it, ulong nowSeconds)
    {
        Refusal refusal = _pots.StartClose(nowSeconds, terms.DisputeWindowSeconds, out Pots next);
        if (refusal != Refusal.None) return Outcome.Of(refusal);
        if (it.Proof == Proof.Empty)
        {
            if (!IsOf(Side.A, it.By) && !IsOf(Side.B, it.By)) return Outcome.Of(Refusal.NotParty);
        }
        else
        {
            refusal = terms.OneWay ? Refusal.OneWayChannel
                : it.Sent > Amounts.Max || it.Received > Amounts.Max ? Refusal.AmountTooLarge
                : Check(it.Proof);
            if (refusal == Refusal.None && !IsOf(it.Payer.Other(), it.By)) refusal = Refusal.NotParty;
            if (refusal != Refusal.None) return Outcome.Of(refusal);
            next = next.Present(it.Payer, it.Sent, it.Received);
        }

        _pots = next;
        return Outcome.Of(new ChainEvent.CloseStarted(Id, next));
    }

    private Outcome Dispute(Step.Dispute it, ulong nowSeconds)
    {
        Refusal refusal = _pots.Dispute(terms.OneWay, it.Payer, it.Sent, it.Received, nowSeconds, out Pots next);
        if (refusal is Refusal.None or Refusal.NothingNew)
        {
            Refusal signed = Check(it.Proof);
            if (signed == Refusal.None && it.Consent != Proof.Empty) signed = Check(it.Consent);
            else if (signed == Refusal.None && !IsOf(it.Payer.Other(), it.By)) signed = Refusal.NotParty;
            if (signed != Refusal.None) refusal = signed;
        }

        if (refusal != Refusal.None) return Outcome.Of(refusal);
        _pots = next;
        return Outcome.Of(new ChainEvent.Disputed(Id, next));
    }

    private Outcome Close(Step.Close it, ulong nowSeconds)
    {
        if (it.DeadlineSeconds < 0) return Outcome.Of(Refusal.CloseExpired);
        Pots before = _pots;
        Refusal refusal = before.Close(
            terms.OneWay, it.SentA, it.SentB, out Pots next, out UInt128 paidA, out UInt128 paidB);
        if (refusal is Refusal.None or Refusal.InsufficientBalance)
        {
            Refusal signed = CheckAgreed(Side.A, it.By, it.ProofA);
            if (signed == Refusal.None) signed = CheckAgreed(Side.B, it.By, it.ProofB);
            if (signed != Refusal.None) refusal = signed;
        }

        if (refusal != Refusal.None) return Outcome.Of(refusal);
        _pots = next;
        PayOut(paidA, paidB);
        return Outcome.Of(new ChainEvent.Closed(
            Id, new Pots(paidA, it.SentA, paidB, it.SentB, before.ClosesAtSeconds)));
    }

    private Refusal CheckAgreed(Side side, Actor by, Proof proof) =>
        proof == Proof.Empty && IsOf(side, by) ? Refusal.None : Check(proof);

    private Outcome Settle(ulong nowSeconds)
    {
        Pots before = _pots;
        Refusal refusal = before.Settle(nowSeconds, out _pots);
        if (refusal != Refusal.None) return Outcome.Of(refusal);
        PayOut(before.PotA, before.PotB);
        return Outcome.Of(new ChainEvent.Settled(Id, before));
    }

    /// <summary>Rows are always of one-way channels: in a duplex channel's place there is none.</summary>
    private Outcome Claim(Step.Claim it)
    {
        UInt128 total = 0;
        var events = new List<ChainEvent>();
        var skipped = new List<Refusal>();
        foreach (ClaimedRow row in it.Rows)
        {
            bool known = terms.OneWay && !row.OtherSalt;
            Refusal refusal = (known ? _pots : default).Claim(row.Sent, out Pots next, out UInt128 paid);
            if (refusal == Refusal.None) refusal = Check(row.Proof);
            if (refusal != Refusal.None)
            {
                skipped.Add(refusal);
                continue;
            }

            _pots = next;
            total += paid;
            events.Add(new ChainEvent.Claimed(Id, next));
        }

        PayOut(UInt128.Zero, total);
        return new Outcome(Refusal.None, events, skipped);
    }

    private Outcome WithdrawCredit(Step.WithdrawCredit it)
    {
        Address by = AddressOf(it.By);
        UInt128 amount = CreditOf(by);
        if (amount == UInt128.Zero) return Outcome.Of(Refusal.NoCredit);
        if (_refusing.Contains(by)) return Outcome.Of(Refusal.TransferFailed);
        _credits.Remove(by);
        Gain(by, (Int128)amount);
        return Outcome.None;
    }

    private Outcome Multicall(Step.Multicall it, ulong nowSeconds)
    {
        Model tried = Copy();
        tried._withinMulticall = true;
        var events = new List<ChainEvent>();
        var skipped = new List<Refusal>();
        foreach (Step call in it.Calls)
        {
            Outcome outcome = tried.Do(call, nowSeconds);
            if (outcome.Refusal != Refusal.None) return outcome;
            events.AddRange(outcome.Events);
            skipped.AddRange(outcome.Skipped);
        }

        Become(tried);
        return new Outcome(Refusal.None, events, skipped);
    }

    public Model Copy()
    {
        var copy = new Model(world, terms);
        copy.Become(this);
        return copy;
    }

    private void Become(Model other)
    {
        (_credits, _withoutAllowance, _refusing) = (new(other._credits), [.. other._withoutAllowance], [.. other._refusing]);
        (_usedAuthorizations, _permitNonces, _paid) = ([.. other._usedAuthorizations], new(other._permitNonces), new(other._paid));
        _pots = other._pots;
    }

    private Outcome Refuse(Step.Refuse it)
    {
        if (it.Refuses) _refusing.Add(AddressOf(it.By));
        else _refusing.Remove(AddressOf(it.By));
        return Outcome.None;
    }

    private void PayOut(UInt128 toA, UInt128 toB)
    {
        Push(terms.A.Owner, toA);
        Push(terms.B.Owner, toB);
    }

    private void Push(Address owner, UInt128 amount)
    {
        if (terms.Token.IsZero && _refusing.Contains(owner)) _credits[owner] = CreditOf(owner) + amount;
        else Gain(owner, (Int128)amount);
    }

    private void Gain(Address account, Int128 amount) => _paid[account] = GainOf(account) + amount;

    private Address AddressOf(Actor actor) => world[actor].Address;

    private bool IsOf(Side side, Actor by) =>
        terms.Of(side).Owner == AddressOf(by) || terms.Of(side).Signer == AddressOf(by);

    private static Refusal Check(Proof proof) => proof switch
    {
        Proof.Right or Proof.Compact => Refusal.None,
        Proof.ByOutsider or Proof.OverAnother => Refusal.WrongSigner,
        _ => Refusal.InvalidSignature,
    };
}
