using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Core;

/// <summary>
/// Where several refusals hold, the one that stands first in the enum is given. A case is spoilt in two ways at once,
/// for every pair of ways that do not touch the same thing.
/// </summary>
public sealed class RefusalOrderTests
{
    /// <summary>Everything that a decision looks at; good as it stands.</summary>
    private sealed record Case
    {
        public Side OurSide { get; init; } = Side.A;
        public bool OneWay { get; init; }
        public bool EverFunded { get; init; } = true;
        public Pots OnChain { get; init; } = new(1_000, 0, 1_000, 0, 0);
        public UInt128 Uncredited { get; init; }
        public ulong CloseDeadline { get; init; }
        public UInt128 Sent { get; init; } = 100;
        public ChannelId Id { get; init; } = Sample.Id;
        public UInt128 UpdateSent { get; init; } = 60;
        public UInt128 UpdateReceived { get; init; } = 70;
        public UInt128 Mismatch { get; init; }
        public UInt128 Amount { get; init; } = 5;

        private ChannelState State => new()
        {
            OnChain = OnChain,
            EverFunded = EverFunded,
            Sent = Sent,
            TheirSent = 50,
            TheirReceived = 40,
            CloseDeadlineSeconds = CloseDeadline,
            UncreditedA = Uncredited,
            UncreditedB = Uncredited,
        };

        public Refusal Accept()
        {
            Channel channel = Sample.Channel(OurSide, OneWay);
            VerifiedUpdate update = Sample.Verified(channel.TheirSide, UpdateSent, UpdateReceived, Id);
            UInt128 payments = unchecked(UpdateSent - 50 + Mismatch);
            ChannelState before = State;
            Refusal refusal = Updates.Accept(channel, before, update, payments, out ChannelState next);
            if (refusal != Refusal.None) Assert.Equal(before, next);
            return refusal;
        }

        public Refusal Pay()
        {
            ChannelState before = State;
            Refusal refusal = Updates.Pay(Sample.Channel(OurSide, OneWay), before, Amount, out ChannelState next);
            if (refusal != Refusal.None) Assert.Equal(before, next);
            return refusal;
        }
    }

    private sealed record Spoiler(Refusal Refusal, string Touches, Func<Case, Case> Spoil);

    private static readonly Spoiler Closing = new(
        Refusal.ChannelClosing, "closing", it => it with { OnChain = it.OnChain with { ClosesAtSeconds = 1_000_005 } });

    private static readonly Spoiler[] OfAccept =
    [
        new(Refusal.UnknownChannel, "id", it => it with { Id = Sample.OtherId }),
        new(Refusal.OneWayChannel, "terms", it => it with { OneWay = true }),
        new(Refusal.AmountTooLarge, "update sent", it => it with { UpdateSent = Amounts.Max + 1 }),
        new(Refusal.AmountTooLarge, "update received", it => it with { UpdateReceived = Amounts.Max + 1 }),
        new(Refusal.DepositUnconfirmed, "funded", it => it with { EverFunded = false }),
        Closing,
        new(Refusal.CloseAgreed, "close", it => it with { CloseDeadline = 1 }),
        new(Refusal.StaleSent, "update sent", it => it with { UpdateSent = 49 }),
        new(Refusal.StaleReceived, "update received", it => it with { UpdateReceived = 39 }),
        new(Refusal.ReceivedNotSent, "update received", it => it with { UpdateReceived = 101 }),
        new(Refusal.ReceivedNotSent, "sent", it => it with { Sent = 10 }),
        new(Refusal.InsufficientBalance, "pots", it => it with { OnChain = it.OnChain with { PotB = 0, SentA = 100 } }),
        new(Refusal.PaymentsMismatch, "payments", it => it with { Mismatch = 1 }),
        new(Refusal.DepositUncredited, "credit", it => it with { Uncredited = 1_000, OnChain = it.OnChain with { SentA = 100 } }),
    ];

    private static readonly Spoiler[] OfPay =
    [
        new(Refusal.OneWayChannel, "terms", it => it with { OneWay = true, OurSide = Side.B }),
        new(Refusal.AmountTooLarge, "amount", it => it with { Amount = Amounts.Max + 1 }),
        new(Refusal.AmountTooLarge, "sent", it => it with { Sent = Amounts.Max }),
        new(Refusal.DepositUnconfirmed, "funded", it => it with { EverFunded = false }),
        Closing,
        new(Refusal.CloseAgreed, "close", it => it with { CloseDeadline = 1 }),
        new(Refusal.InsufficientBalance, "pots", it => it with { OnChain = it.OnChain with { PotA = 0, PotB = 0, SentB = 50 } }),
        new(Refusal.ZeroAmount, "amount", it => it with { Amount = 0 }),
        new(Refusal.DepositUncredited, "credit", it => it with { Uncredited = 1_000 }),
    ];

    [Fact]
    public void GoodCase_IsNotRefused()
    {
        Assert.Equal(Refusal.None, new Case().Accept());
        Assert.Equal(Refusal.None, new Case().Pay());
    }

    [Fact]
    public void EachSpoilerAlone_GivesItsOwnRefusal()
    {
        foreach (Spoiler spoiler in OfAccept) Assert.Equal(spoiler.Refusal, spoiler.Spoil(new Case()).Accept());
        foreach (Spoiler spoiler in OfPay) Assert.Equal(spoiler.Refusal, spoiler.Spoil(new Case()).Pay());
    }

    [Fact]
    public void TwoRefusalsOfAccept_TheEarlierIsGiven() =>
        Assert.Empty(PairsNotMet(OfAccept, it => it.Accept()));

    [Fact]
    public void TwoRefusalsOfPay_TheEarlierIsGiven() =>
        Assert.Empty(PairsNotMet(OfPay, it => it.Pay()));

    /// <summary>Tries every pair of spoilers; answers the pairs of refusals that no two of them can make together.</summary>
    private static IEnumerable<(Refusal, Refusal)> PairsNotMet(Spoiler[] spoilers, Func<Case, Refusal> decide)
    {
        var open = new HashSet<(Refusal, Refusal)>();
        var met = new HashSet<(Refusal, Refusal)>();
        foreach (Spoiler one in spoilers)
        {
            foreach (Spoiler other in spoilers.Where(other => one.Refusal < other.Refusal))
            {
                open.Add((one.Refusal, other.Refusal));
                if (one.Touches == other.Touches) continue;
                Refusal given = decide(other.Spoil(one.Spoil(new Case())));
                Assert.True(given == one.Refusal, $"{one.Refusal} and {other.Refusal} gave {given}");
                met.Add((one.Refusal, other.Refusal));
            }
        }
        return open.Except(met);
    }
}
