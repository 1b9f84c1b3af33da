using ChannelNode.Core;

namespace ChannelNode.Tests.Settlement.Comparison;

/// <summary>Draws one script from a seed. It watches the model, to aim at what matters in each state.</summary>
internal sealed class Generator(World world, int seed)
{
    private const int StepsMin = 8;
    private const int StepsMax = 24;

    private readonly Random _random = new(seed);
    private readonly List<(Side Payer, UInt128 Sent, UInt128 Received)> _signed = [];
    private Model _model = null!;

    public Script Draw(ulong startSeconds)
    {
        ChannelTerms terms = Terms();
        _model = new Model(world, terms);
        var steps = new List<Step>();
        ulong now = startSeconds;
        int count = _random.Next(StepsMin, StepsMax + 1);
        while (steps.Count < count)
        {
            uint after = After();
            now += after;
            Step step = Next(after);
            _model.Do(step, now);
            steps.Add(step);
        }

        return new Script(terms, steps);
    }

    private ChannelTerms Terms()
    {
        Address token = Pick(Address.Zero, world.Token, world.Dollar);
        var a = new Party(world[Chance(4) ? Actor.SignerA : Actor.OwnerA].Address, world[Actor.SignerA].Address);
        var b = new Party(world[Chance(8) ? Actor.OwnerA : Actor.OwnerB].Address, world[Actor.SignerB].Address);
        var terms = new ChannelTerms(
            a, b, token, (uint)_random.Next(10, 120), Chance(3), new Bytes32(0, 0, 0, (ulong)_random.NextInt64()));
        return _random.Next(60) switch
        {
            0 => terms with { A = a with { Owner = Address.Zero } },
            1 => terms with { B = b with { Owner = world.Contract } },
            2 => terms with { B = b with { Signer = Address.Zero } },
            3 => terms with { B = b with { Signer = a.Signer } },
            4 => terms with { DisputeWindowSeconds = ChannelTerms.DisputeWindowSecondsMin - 1 },
            5 => terms with { DisputeWindowSeconds = ChannelTerms.DisputeWindowSecondsMax + 1 },
            _ => terms,
        };
    }

    /// <summary>Mostly within the window; now and then just at its end, or far beyond it.</summary>
    private uint After()
    {
        uint window = _model.Terms.DisputeWindowSeconds;
        return _random.Next(12) switch
        {
            0 when window > 2 => window - 1,
            1 => window,
            2 => window + 1,
            3 => 0,
            _ => (uint)_random.Next(1, 5),
        };
    }

    /// <summary>What the state asks for, or anything at all.</summary>
    private Step Next(uint after)
    {
        if (Creditor() is { } creditor && Chance(2))
            return Chance(2) ? new Step.Refuse(after, creditor, false) : new Step.WithdrawCredit(after, creditor);
        if (_model.Pots.IsEmpty && !Chance(4)) return Deposit(after);
        if (_model.Pots.IsClosing && Chance(2)) return Chance(3) ? new Step.Settle(after, Anyone()) : Dispute(after);
        return _random.Next(15) switch
        {
            14 => Multicall(after),
            0 or 1 or 2 => Deposit(after),
            3 or 4 => StartClose(after),
            5 or 6 => Dispute(after),
            7 => new Step.Settle(after, Anyone()),
            8 or 9 => Close(after),
            10 or 11 => Claim(after),
            12 => new Step.Refuse(after, Pick(Actor.OwnerA, Actor.OwnerB, Actor.SignerA), Chance(2)),
            _ => new Step.WithdrawCredit(after, Pick(Actor.OwnerA, Actor.OwnerB, Actor.SignerA, Actor.Outsider)),
        };
    }

    private Step.Multicall Multicall(uint after)
    {
        var calls = new List<Step>();
        Actor by = Anyone();
        int count = _random.Next(4);
        while (calls.Count < count)
        {
            // What it is of its own; who calls, and when, is the same for all.
            Step call = _random.Next(6) switch
            {
                0 => StartClose(0),
                1 => Dispute(0),
                2 => Close(0),
                3 => Claim(0),
                _ => Deposit(0),
            };
            calls.Add(call with { By = by });
        }

        return new Step.Multicall(after, by, [.. calls]);
    }

    /// <summary>Whose payout could not be pushed.</summary>
    private Actor? Creditor()
    {
        foreach (Actor actor in Enum.GetValues<Actor>())
            if (_model.CreditOf(world[actor].Address) > UInt128.Zero) return actor;
        return null;
    }

    private Step Deposit(uint after)
    {
        Actor by = Anyone();
        return _random.Next(6) switch
        {
            0 => Many(after, by),
            1 => new Step.DepositWithPermit(
                after, by, AnySide(), DepositAmount(), Pick(Proof.Right, Proof.Right, Proof.OverAnother, Proof.ByOutsider, Proof.Zero)),
            2 => Authorized(after, by),
            _ => new Step.Deposit(after, by, AnySide(), DepositAmount(), Chance(12) ? 1u : 0),
        };
    }

    private Step.DepositMany Many(uint after, Actor by)
    {
        int count = _random.Next(4);
        var sides = new Side[count];
        var amounts = new UInt128[count];
        for (int i = 0; i < count; i++) (sides[i], amounts[i]) = (AnySide(), DepositAmount());
        return new Step.DepositMany(
            after, by, sides, amounts, Chance(10) ? 1u : 0, Chance(6) ? _random.Next(4) : int.MaxValue);
    }

    private Step.DepositWithAuthorization Authorized(uint after, Actor by)
    {
        Side side = AnySide();
        return new Step.DepositWithAuthorization(
            after, by, side, DepositAmount(), Chance(6) ? side.Other() : side, (ulong)_random.Next(3),
            Chance(10) ? 0 : -1 - _random.Next(100), Chance(10) ? 0 : 1 + _random.Next(100),
            Chance(6) ? Pick(Proof.ByOutsider, Proof.OverAnother, Proof.HighS, Proof.WrongV, Proof.Zero) : Proof.Right);
    }

    private Step.StartClose StartClose(uint after)
    {
        (Side payer, UInt128 sent, UInt128 received) = Update();
        return new Step.StartClose(
            after, Presenter(payer), payer, sent, received, Chance(3) ? Proof.Empty : UpdateProof());
    }

    private Step.Dispute Dispute(uint after)
    {
        (Side payer, UInt128 sent, UInt128 received) = Update();
        Proof proof = UpdateProof();
        return new Step.Dispute(
            after, Presenter(payer), payer, sent, received, proof == Proof.Empty ? Proof.Short : proof,
            Chance(2) ? Proof.Empty : UpdateProof());
    }

    private Step.Close Close(uint after)
    {
        Pots pots = _model.Pots;
        (UInt128 sentA, UInt128 sentB) = (pots.SentA + (UInt128)_random.Next(0, 20), pots.SentB + (UInt128)_random.Next(0, 20));
        if (Chance(3)) (sentA, sentB) = (Near(pots.SentA), Near(pots.SentB));
        if (_model.Terms.OneWay && !Chance(6)) sentB = UInt128.Zero;
        int deadline = Chance(8) ? -1 : _random.Next(0, 50);
        return new Step.Close(after, Anyone(), sentA, sentB, deadline, CloseProof(), CloseProof());
    }

    private Step.Claim Claim(uint after)
    {
        var rows = new ClaimedRow[_random.Next(4)];
        for (int i = 0; i < rows.Length; i++)
        {
            Proof proof = Chance(4)
                ? Pick(Proof.ByOutsider, Proof.OverAnother, Proof.HighS, Proof.Zero)
                : Proof.Compact;
            rows[i] = new ClaimedRow(Near(_model.Pots.SentA), proof, Chance(8));
        }

        return new Step.Claim(after, Anyone(), rows);
    }

    /// <summary>Signed before, or new: honest, overspending, or of numbers that no channel can have.</summary>
    private (Side Payer, UInt128 Sent, UInt128 Received) Update()
    {
        if (_signed.Count > 0 && Chance(3)) return _signed[_random.Next(_signed.Count)];
        Side payer = AnySide();
        UInt128 received = Chance(2) ? _model.Pots.SentOf(payer.Other()) : Near(_model.Pots.SentOf(payer.Other()));
        (Side, UInt128, UInt128) update = (payer, Near(_model.Pots.SentOf(payer)), received);
        _signed.Add(update);
        return update;
    }

    private UInt128 Near(UInt128 recorded) => _random.Next(24) switch
    {
        0 => Amounts.Max,
        1 => Amounts.Max + 1,
        2 => UInt128.MaxValue,
        3 or 4 => recorded,
        5 => recorded + _model.Pots.PotA + _model.Pots.PotB,
        6 => recorded + _model.Pots.PotA + _model.Pots.PotB + 1,
        _ => Amounts.Excess(recorded + (UInt128)_random.Next(60), (UInt128)_random.Next(20)),
    };

    private UInt128 DepositAmount() => _random.Next(24) switch
    {
        0 => UInt128.Zero,
        1 => Amounts.DepositMax,
        2 => Amounts.DepositMax - (UInt128)_random.Next(3),
        3 => UInt128.MaxValue,
        _ => (UInt128)_random.Next(1, 100),
    };

    private Proof UpdateProof() => Chance(5)
        ? Pick(Proof.ByOutsider, Proof.OverAnother, Proof.HighS, Proof.WrongV, Proof.Short, Proof.Zero)
        : Pick(Proof.Right, Proof.Compact);

    private Proof CloseProof() => Chance(5) ? Proof.Empty : UpdateProof();

    private Actor Presenter(Side payer) => Chance(5) ? Anyone()
        : payer == Side.A ? Pick(Actor.OwnerB, Actor.SignerB) : Pick(Actor.OwnerA, Actor.SignerA);

    private Actor Anyone() => (Actor)_random.Next(5);

    private Side AnySide() => _model.Terms.OneWay && !Chance(6) ? Side.A : Chance(2) ? Side.A : Side.B;

    private bool Chance(int oneIn) => _random.Next(oneIn) == 0;

    private T Pick<T>(params ReadOnlySpan<T> choices) => choices[_random.Next(choices.Length)];
}
