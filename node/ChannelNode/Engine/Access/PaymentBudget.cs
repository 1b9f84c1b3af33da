using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What a token has spent in one currency, to one peer or (the zero address) to all, as stored. What was spent on an earlier
/// day than <paramref name="Day"/> (days since 1970, UTC) is only in <paramref name="Total"/>.
/// </summary>
internal readonly record struct Spending(
    ulong Token, Address Currency, Address Peer, uint Day, UInt128 Today, UInt128 Total)
{
    public SpendingKind Kind { get; init; }
}

/// <summary>What a token's counter counts.</summary>
internal enum SpendingKind : byte
{
    Payment = 0,

    /// <summary>Asked to be deposited, whatever became of it.</summary>
    Deposit = 1,

    /// <summary>Channels that were opened, in no currency.</summary>
    Opening = 2,
}

/// <summary>Why a token does not cover a payment, in the words of its caps.</summary>
internal sealed record BudgetBreach(Refusal Refusal, string Field, string Value, string Limit, ulong ResetsAtSeconds = 0)
{
    /// <summary>What a cap and what exceeds it are counted in; zero for ether.</summary>
    public Address Currency { get; init; }

    /// <summary>Whose cap it is, as the bearer is told of it.</summary>
    public string Whose { get; init; } = "the token";

    /// <summary>Whether it is that of a token that the bearer's was narrowed from: what others spent of it is not told.</summary>
    public bool IsOfAnother { get; init; }

    public RefusalException ToException()
    {
        string sentence = Refusal switch
        {
            Refusal.ChannelNotAllowed => $"{Field} is {Value}, expected one that the token is for",
            not Refusal.AccessTokenCapExceeded => "the token is not good any more",
            _ when Field == "currency" => $"{Whose} may not spend {Value}{(IsOfAnother ? "" : $", expected one of {Limit}")}",
            _ when IsOfAnother => $"{Field} of {Whose} would be exceeded",
            _ when Field == "channels_per_day" => $"{Field} of {Whose} would be {Value}, expected at most {Limit}",
            _ => $"{Field} of {Whose} would be {In(Value)}, expected at most {In(Limit)}",
        };
        if (ResetsAtSeconds != 0) sentence += $"; it begins anew at {DateTimeOffset.FromUnixTimeSeconds((long)ResetsAtSeconds):u}";
        return new RefusalException(Refusal, sentence)
        {
            Field = Field,
            Value = Value,
            Limit = Limit,
            ResetsAtSeconds = ResetsAtSeconds == 0 ? null : ResetsAtSeconds,
        };
    }

    private string In(string units) => UInt128.TryParse(units, out UInt128 amount) ? AmountWords.Of(amount, Currency) : units;
}

/// <summary>A <see cref="Engine.Spending"/> that grows. The ledger's writer owns it.</summary>
internal sealed class SpendingCounter(Spending spending)
{
    public Spending Spending { get; private set; } = spending;

    /// <summary>The turn in progress writes it.</summary>
    public bool IsCharged { get; set; }

    /// <summary>A day that is over counts no more; one that a clock set back brings again does.</summary>
    public UInt128 TodayAt(uint day) => day > Spending.Day ? UInt128.Zero : Spending.Today;

    public void Add(uint day, UInt128 amount) => Spending = Spending with
    {
        Day = Math.Max(day, Spending.Day),
        Today = Sum(TodayAt(day), amount),
        Total = Sum(Spending.Total, amount),
    };

    /// <summary>Where nothing is capped, sums end at what a number holds.</summary>
    public static UInt128 Sum(UInt128 one, UInt128 other) => UInt128.MaxValue - one < other ? UInt128.MaxValue : one + other;
}

/// <summary>
/// What a token may still spend. A payment is charged by the ledger's writer at the moment that it is decided, and what is
/// spent is in one write with it: so no crash and no concurrency can exceed a cap, nothing is charged that is not signed,
/// and what is signed stays charged. A turn writes one row for each counter, however many payments it holds. What a narrowed
/// token spends, each that it was narrowed from spends with it.
/// </summary>
internal sealed class PaymentBudget
{
    private const uint MsPerDay = 86_400_000;

    private readonly Dictionary<(SpendingKind Kind, Address Currency, Address Peer), SpendingCounter> _counters = [];
    private readonly TokenLine _line;
    private readonly PaymentBudget? _parent;

    /// <param name="line">The token as it is at any time; its end is seen by the next payment.</param>
    /// <param name="parent">That of the token that it was narrowed from.</param>
    public PaymentBudget(TokenLine line, IEnumerable<Spending> spent, PaymentBudget? parent = null)
    {
        (_line, _parent) = (line, parent);
        foreach (Spending some in spent) _counters.Add((some.Kind, some.Currency, some.Peer), new SpendingCounter(some));
    }

    /// <summary>Whether it is spent in some channels only.</summary>
    public bool IsConfined => _line.IsConfined;

    /// <summary>For the ledger's writer: what was spent so far.</summary>
    public IReadOnlyList<Spending> Spent => [.. _counters.Values.Select(counter => counter.Spending)];

    /// <summary>Null when the payment is covered. Nothing is charged.</summary>
    public BudgetBreach? Check(LedgerTurn turn, Channel channel, UInt128 amount)
    {
        if (Ended(turn) is { } ended) return ended;
        if (!_line.AllowsChannel(channel.Id)) return new BudgetBreach(Refusal.ChannelNotAllowed, "channel_id", channel.Id.ToString(), "");
        for (PaymentBudget? budget = this; budget is not null; budget = budget._parent)
            if (budget.BreachOf(turn, channel, amount) is { } breach) return Told(breach, budget);
        return null;
    }

    private BudgetBreach? Ended(LedgerTurn turn) => _line.EndedAt(turn.NowMs) is not Refusal.None and var ended
        ? new BudgetBreach(ended, "token", _line.Token.Name, "")
        : null;

    private BudgetBreach Told(BudgetBreach breach, PaymentBudget of) => of == this
        ? breach
        : breach with
        {
            Whose = _line.NameOf(of._line.Token),
            IsOfAnother = true,
            Value = breach.Field == "currency" ? breach.Value : string.Empty,
            Limit = string.Empty,
        };

    /// <summary>By the token's own caps.</summary>
    private BudgetBreach? BreachOf(LedgerTurn turn, Channel channel, UInt128 amount)
    {
        AccessToken token = _line.Token;
        if (!token.LimitsPayments) return null;
        Address currency = channel.Terms.Token;
        return CapOf(token, currency) is { } cap
            ? Breach(cap, DayOf(turn), Counter(currency, Address.Zero), PeerCounter(cap, channel), amount) is { } breach
                ? breach with { Currency = currency }
                : null
            : NoCap(token.Caps.Where(known => known.LimitsPayments), currency);
    }

    /// <summary>
    /// Null when all deposits, and with <paramref name="opens"/> a new channel, are covered: then they are charged, and stay so whatever
    /// becomes of them. Else nothing was charged.
    /// </summary>
    /// <param name="deposits">One of each currency.</param>
    public BudgetBreach? Fund(LedgerTurn turn, IReadOnlyList<(Address Currency, UInt128 Amount)> deposits, bool opens)
    {
        if (Ended(turn) is { } ended) return ended;
        uint day = DayOf(turn);
        List<(SpendingCounter Counter, UInt128 Amount)> charges = [];
        for (PaymentBudget? budget = this; budget is not null; budget = budget._parent)
            if (budget.Cover(day, deposits, opens, charges) is { } breach) return Told(breach, budget);

        foreach ((SpendingCounter counter, UInt128 amount) in charges) Add(turn, counter, day, amount);
        if (charges.Count > 0) turn.RequireDurable();
        return null;
    }

    /// <summary>By the token's own caps.</summary>
    /// <param name="charges">Gets what is to be charged where they cover it.</param>
    private BudgetBreach? Cover(
        uint day, IReadOnlyList<(Address Currency, UInt128 Amount)> deposits, bool opens, List<(SpendingCounter Counter, UInt128 Amount)> charges)
    {
        AccessToken token = _line.Token;
        if (opens && token.ChannelsPerDayMax != 0)
        {
            SpendingCounter counter = Counter(SpendingKind.Opening, Address.Zero, Address.Zero);
            UInt128 today = SpendingCounter.Sum(counter.TodayAt(day), UInt128.One);
            if (today > token.ChannelsPerDayMax) return Exceeds("channels_per_day", today, token.ChannelsPerDayMax, DayAfter(day, counter));
            charges.Add((counter, UInt128.One));
        }

        SpendingCap[] caps = [.. token.Caps.Where(cap => cap.LimitsDeposits)];
        foreach ((Address currency, UInt128 amount) in caps.Length == 0 ? [] : deposits)
        {
            if (Array.Find(caps, cap => cap.Currency == currency) is not { } cap) return NoCap(caps, currency);
            SpendingCounter counter = Counter(SpendingKind.Deposit, currency, Address.Zero);
            UInt128 total = SpendingCounter.Sum(counter.Spending.Total, amount), today = SpendingCounter.Sum(counter.TodayAt(day), amount);
            if (IsAbove(total, cap.DepositTotal)) return Exceeds("deposit_total", total, cap.DepositTotal) with { Currency = currency };
            if (IsAbove(today, cap.DepositPerDay))
                return Exceeds("deposit_per_day", today, cap.DepositPerDay, DayAfter(day, counter)) with { Currency = currency };
            charges.Add((counter, amount));
        }

        return null;
    }

    private static BudgetBreach NoCap(IEnumerable<SpendingCap> caps, Address currency) =>
        Exceeds("currency", currency, string.Join(", ", caps.Select(known => known.Currency)));

    /// <summary>Null when the payment is covered, and charged; else nothing was charged.</summary>
    public BudgetBreach? Charge(LedgerTurn turn, Channel channel, UInt128 amount)
    {
        if (Check(turn, channel, amount) is { } breach) return breach;
        for (PaymentBudget? budget = this; budget is not null; budget = budget._parent) budget.Spend(turn, channel, amount);
        return null;
    }

    private void Spend(LedgerTurn turn, Channel channel, UInt128 amount)
    {
        if (CapOf(_line.Token, channel.Terms.Token) is not { } cap) return;
        Add(turn, Counter(channel.Terms.Token, Address.Zero), DayOf(turn), amount);
        if (PeerCounter(cap, channel) is { } peer) Add(turn, peer, DayOf(turn), amount);
    }

    private static uint DayOf(LedgerTurn turn) => (uint)(turn.NowMs / MsPerDay);

    private SpendingCounter? PeerCounter(SpendingCap cap, Channel channel) =>
        cap.PerPeerPerDay.Equals(UInt128.Zero) ? null : Counter(channel.Terms.Token, channel.Theirs.Signer);

    private static BudgetBreach? Breach(SpendingCap cap, uint day, SpendingCounter all, SpendingCounter? peer, UInt128 amount)
    {
        if (IsAbove(amount, cap.PerPayment)) return Exceeds("per_payment", amount, cap.PerPayment);
        UInt128 total = SpendingCounter.Sum(all.Spending.Total, amount);
        if (IsAbove(total, cap.Total)) return Exceeds("total", total, cap.Total);
        UInt128 today = SpendingCounter.Sum(all.TodayAt(day), amount);
        if (IsAbove(today, cap.PerDay)) return Exceeds("per_day", today, cap.PerDay, DayAfter(day, all));
        if (peer is null) return null;
        UInt128 toPeer = SpendingCounter.Sum(peer.TodayAt(day), amount);
        return IsAbove(toPeer, cap.PerPeerPerDay)
            ? Exceeds("per_peer_per_day", toPeer, cap.PerPeerPerDay, DayAfter(day, peer))
            : null;
    }

    private static bool IsAbove(UInt128 value, UInt128 cap) => cap != UInt128.Zero && value > cap;

    private static BudgetBreach Exceeds(string field, object value, object limit, ulong resetsAtSeconds = 0) =>
        new(Refusal.AccessTokenCapExceeded, field, value.ToString()!, limit.ToString()!, resetsAtSeconds);

    private static ulong DayAfter(uint day, SpendingCounter counter) =>
        (Math.Max(day, counter.Spending.Day) + 1UL) * (MsPerDay / 1_000);

    private static SpendingCap? CapOf(AccessToken token, Address currency)
    {
        foreach (SpendingCap cap in token.Caps)
            if (cap.Currency == currency && cap.LimitsPayments) return cap;
        return null;
    }

    private SpendingCounter Counter(Address currency, Address peer) => Counter(SpendingKind.Payment, currency, peer);

    private SpendingCounter Counter(SpendingKind kind, Address currency, Address peer)
    {
        if (_counters.TryGetValue((kind, currency, peer), out SpendingCounter? counter)) return counter;
        counter = new SpendingCounter(new Spending(_line.Token.Number, currency, peer, 0, UInt128.Zero, UInt128.Zero) { Kind = kind });
        _counters.Add((kind, currency, peer), counter);
        return counter;
    }

    private static void Add(LedgerTurn turn, SpendingCounter counter, uint day, UInt128 amount)
    {
        counter.Add(day, amount);
        turn.Spend(counter);
    }
}
