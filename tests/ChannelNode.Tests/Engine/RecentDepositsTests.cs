using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using CsCheck;
using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// What counts of young deposits in all channels together, over any blocks, reorganisations and restarts: the books below are
/// the disk's, and are kept as the intake keeps them.
/// </summary>
public sealed class RecentDepositsTests(ITestOutputHelper output)
{
    private const int Channels = 5;
    private const ulong FinalDepth = 12;

    private static readonly CreditPolicy Policy = new(2, 50, 6, 200) { SmallTotal = 80, LargerTotal = 300 };

    /// <summary>A step: the kind, a channel, a second one, and an amount or a depth.</summary>
    private static readonly Gen<List<(int Kind, int One, int Other, ulong Amount)>> Steps =
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, Channels - 1], Gen.Int[0, Channels - 1], Gen.ULong[1, 150]).List[1, 60];

    [Fact]
    public void AReorganisation_CostsNoMoreOverAllChannelsThanItsTotal() => Property.Holds(output, Steps, steps =>
    {
        Books books = new();
        foreach (var step in steps)
        {
            books.Do(step);
            (UInt128 young, UInt128 notFinal) = books.AtRisk();
            Assert.True(young <= Policy.SmallTotal, $"{young} at the risk of a short reorganisation");
            Assert.True(notFinal <= Policy.LargerTotal, $"{notFinal} at the risk of any");
        }
    });

    [Fact]
    public void WhatCounts_StaysUntilAReorganisation_WhateverOthersPutIn() => Property.Holds(output, Steps, steps =>
    {
        Books books = new();
        foreach (var step in steps)
        {
            UInt128[] before = books.Counted();
            if (books.Do(step)) continue;
            UInt128[] after = books.Counted();
            for (int channel = 0; channel < Channels; channel++) Assert.True(after[channel] >= before[channel]);
        }
    });

    [Fact]
    public void NothingIsHeldBack_ThatThereIsRoomFor() => Property.Holds(output, Steps, steps =>
    {
        Books books = new();
        foreach (var step in steps) books.Do(step);
        books.Review();
        books.Review();
        (UInt128 young, UInt128 notFinal) = books.AtRisk();
        bool isFull = young == Policy.SmallTotal || notFinal == Policy.LargerTotal;
        Assert.True(isFull || books.IsByPolicyAlone());
        books.Head += FinalDepth;
        books.Review();
        Assert.All(books.Uncredited(), it => Assert.Equal(UInt128.Zero, it));
    });

    [Fact]
    public void ARestart_ChangesNothing() => Property.Holds(output, Steps, steps =>
    {
        Books one = new(), restarted = new();
        foreach (var step in steps)
        {
            one.Do(step);
            restarted.Restart();
            restarted.Do(step);
            Assert.Equal(one.Uncredited(), restarted.Uncredited());
        }
    });

    [Fact]
    public void OwnDeposits_CountByThePolicyOfTheirChannel()
    {
        Books books = new();
        for (int channel = 0; channel < Channels; channel++) books.Deposit(channel, Side.A, 50);
        Assert.All(books.States(), state => Assert.Equal((UInt128)50, state.UncreditedA));
        books.Head++;
        books.Review();
        Assert.All(books.States(), state => Assert.Equal(UInt128.Zero, state.UncreditedA));
    }

    [Fact]
    public void OldestDeposits_CountFirst()
    {
        Books books = new();
        books.Deposit(2, Side.B, 50);
        books.Head++;
        books.Deposit(0, Side.B, 50);
        books.Deposit(1, Side.B, 50);
        books.Head++;
        books.Review();

        Assert.Equal([(UInt128)20, 50, 0, 0, 0], books.Uncredited());
    }

    /// <summary>What is on disk: states and rows; and what is in memory.</summary>
    private sealed class Books
    {
        private readonly List<(int Channel, RecentDeposit Deposit)> _rows = [];
        private readonly ChannelState[] _states = new ChannelState[Channels];
        private RecentDeposits _deposits = new(_ => Policy);

        public ulong Head { get; set; } = 1_000;

        private ulong Final => Head - FinalDepth;

        private static Channel ChannelOf(int number)
        {
            ChannelTerms terms = new(Sample.PartyA, Sample.PartyB, Address.Zero, 600, OneWay: false, new Bytes32(0, 0, 0, (ulong)number));
            return new Channel(new ChannelId(terms.Salt), terms, Side.A);
        }

        private static int NumberOf(ChannelId id) => Enumerable.Range(0, Channels).Single(number => ChannelOf(number).Id == id);

        /// <summary>True for a reorganisation.</summary>
        public bool Do((int Kind, int One, int Other, ulong Amount) step)
        {
            switch (step.Kind)
            {
                case 0:
                    Back(step.Amount % 8);
                    return true;
                case < 4:
                    Head += step.Amount % 3;
                    Head++;
                    Review();
                    return false;
                default:
                    Head++;
                    HashSet<ChannelId> concerned = [ChannelOf(step.One).Id, ChannelOf(step.Other).Id];
                    Put(_deposits.ReviewOthers(concerned, Head, Final));
                    Add(step.One, Side.B, step.Amount);
                    if (step.Kind > 6) Add(step.Other, Side.B, step.Amount);
                    Put(_deposits.Review(concerned, Head, Final));
                    return false;
            }
        }

        public void Deposit(int channel, Side side, UInt128 amount)
        {
            Add(channel, side, amount);
            Put(_deposits.Review([ChannelOf(channel).Id], Head, Final));
        }

        private void Add(int number, Side side, UInt128 amount)
        {
            Channel channel = ChannelOf(number);
            RecentDeposit sum = _deposits.Add(channel, _states[number], new RecentDeposit(Head, side, amount));
            ChannelState was = _states[number];
            Pots pots = side == Side.A
                ? was.OnChain with { PotA = was.OnChain.PotA + amount } : was.OnChain with { PotB = was.OnChain.PotB + amount };
            _states[number] = was with
            {
                OnChain = pots,
                UncreditedA = side == Side.A ? was.UncreditedA + amount : was.UncreditedA,
                UncreditedB = side == Side.B ? was.UncreditedB + amount : was.UncreditedB,
            };
            _rows.RemoveAll(row => row.Channel == number && row.Deposit.Block == sum.Block && row.Deposit.Side == side);
            _rows.Add((number, sum));
        }

        public void Review() => Put(_deposits.ReviewOthers([], Head, Final));

        private void Back(ulong depth)
        {
            ulong to = Math.Max(Head - depth, Final);
            foreach ((ChannelId id, RecentDeposit gone) in _deposits.DropAfter(to))
            {
                int number = NumberOf(id);
                _rows.Remove((number, gone));
                Pots pots = _states[number].OnChain;
                _states[number] = _states[number] with { OnChain = pots with { PotB = pots.PotB - gone.Amount } };
            }

            ulong final = Final;
            Head = to;
            Put(_deposits.ReviewOthers([], Head, Math.Min(final, Head)));
        }

        private void Put(IReadOnlyList<RecentDeposits.Change> changes)
        {
            foreach (RecentDeposits.Change change in changes)
            {
                int number = NumberOf(change.Channel);
                _states[number] = _states[number] with { UncreditedA = change.UncreditedA, UncreditedB = change.UncreditedB };
                foreach (RecentDeposit settled in change.Settled) _rows.Remove((number, settled));
            }
        }

        public void Restart()
        {
            _deposits = new RecentDeposits(_ => Policy);
            foreach ((int number, RecentDeposit row) in _rows.OrderBy(row => (row.Deposit.Block, row.Channel)))
                _deposits.Load(ChannelOf(number), _states[number], row);
        }

        private IEnumerable<RecentDeposit> Rows(int channel) => _rows.Where(row => row.Channel == channel).Select(row => row.Deposit);

        /// <summary>What would be paid out for nothing if all that is young vanished, and if all that is not final did.</summary>
        public (UInt128 Young, UInt128 NotFinal) AtRisk()
        {
            UInt128 young = UInt128.Zero, notFinal = UInt128.Zero;
            for (int channel = 0; channel < Channels; channel++)
            {
                YoungDeposits theirs = Policy.YoungOf(Rows(channel), Side.B, Head, Final);
                young += Amounts.Excess(theirs.Young, _states[channel].UncreditedB);
                notFinal += Amounts.Excess(theirs.NotFinal, _states[channel].UncreditedB);
            }

            return (young, notFinal);
        }

        public UInt128[] Counted() => [.. _states.Select(state => Amounts.Excess(state.OnChain.PotB, state.UncreditedB))];

        public UInt128[] Uncredited() => [.. _states.Select(state => state.UncreditedB)];

        public ChannelState[] States() => _states;

        public bool IsByPolicyAlone() => Enumerable.Range(0, Channels).All(
            channel => _states[channel].UncreditedB == Policy.Uncredited(Rows(channel), Side.B, Head, Final));
    }
}
