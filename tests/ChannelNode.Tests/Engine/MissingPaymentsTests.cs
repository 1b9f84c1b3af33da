using System.Buffers;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;

namespace ChannelNode.Tests.Engine;

/// <summary>What is told to a peer whose total is another than thought: payments again, and what no payment fills.</summary>
public sealed class MissingPaymentsTests
{
    [Fact]
    public async Task TotalThatAClosesUnitHasRaised_IsMadeUpForByAPaymentOfNothingInParticular()
    {
        await using LedgerRig rig = new();
        await PayAsync(rig, 30);
        await rig.AnswerAsync(Acknowledged(30));
        await ChangeAsync(rig, state => state with { Sent = 31, Acknowledged = 31 });
        await PayAsync(rig, 9);
        await rig.AnswerAsync(Refused(40, Refusal.PaymentsMismatch));

        OutgoingFrame told = await ReestablishAsync(rig, received: 30);

        Assert.Equal((UInt128)40, told.Updates[0].Balance.Sent);
        Assert.Equal("1 9", Amounts(told));
    }

    [Fact]
    public async Task UnitThatOnlyACloseHasCounted_IsToldAlone_WhereThePeerAsksForIt()
    {
        await using LedgerRig rig = new();
        await ChangeAsync(rig, state => state with { Sent = 1, Acknowledged = 1 });

        Assert.Equal("1", Amounts(await ReestablishAsync(rig, received: 0)));
    }

    [Fact]
    public async Task UnitThatOnlyACloseHasCounted_IsNotTold_WhileACloseIsAgreed()
    {
        await using LedgerRig rig = new();
        await ChangeAsync(rig, state => state with { Sent = 1, Acknowledged = 1, CloseSentA = 1, CloseSentB = 1, CloseDeadlineSeconds = 9 });

        Assert.True((await ReestablishAsync(rig, received: 0)).Updates.IsEmpty);
    }

    /// <summary>Restored from a backup, a peer may lack more payments than one update holds: it is paid them all the same.</summary>
    [Theory]
    [InlineData(6, "1 2 3 4 5 6", 0)]
    [InlineData(5, "10 5 6", 10)] // Acknowledged up to 10, which is told as one; what is newer with its items.
    [InlineData(4, "10 5 6", 10)]
    [InlineData(3, "15 6", 15)]
    [InlineData(2, "21", 21)]
    public async Task MoreThanAnUpdateHolds_IsToldAsOnePayment_AndWhatWasNotAcknowledgedByItself(int countMax, string amounts, int asOne)
    {
        await using LedgerRig rig = new();
        for (int amount = 1; amount <= 6; amount++)
        {
            await PayAsync(rig, (UInt128)amount);
            if (amount <= 4) await rig.AnswerAsync(Acknowledged(rig.Slot.State.Sent));
        }

        ArrayBufferWriter<byte> list = new();

        UInt128 toldAsOne = Missing.Write(list, rig.Slot, above => rig.Store.ReadOutgoing(rig.Slot.Channel.Id, above), 0, countMax);

        List<(UInt128 Amount, int ItemBytes)> told = [];
        for (ReadOnlyMemory<byte> rest = list.WrittenMemory; !rest.IsEmpty;)
        {
            var payment = PaymentList.Take(ref rest);
            told.Add((payment.Amount, payment.ItemId.Length));
        }

        Assert.Equal((UInt128)asOne, toldAsOne);
        Assert.Equal(amounts, string.Join(' ', told.Select(payment => payment.Amount)));
        Assert.Equal(rig.Slot.State.Sent, told.Aggregate(UInt128.Zero, (sum, payment) => sum + payment.Amount));
    }

    /// <summary>A close had raised the peer's total, this node has said so, and the chain took it back: the peer goes on above it.</summary>
    [Fact]
    public async Task TotalThatWasSaidToBeReceived_IsToldToThePeer_AndItsNextPaymentFollowsIt()
    {
        await using LedgerRig rig = new();
        await rig.AnswerAsync(Of(Update(Side.B, 30, 0, 30)));
        await ChangeAsync(rig, state => state with { SaidReceived = 31 });

        OutgoingFrame said = await ReestablishAsync(rig, received: 0);

        var told = Assert.IsType<PeerMessage.Reestablish>(Assert.Single(said.Messages));
        Assert.Equal((UInt128)31, told.Received);
        Assert.Equal((UInt128)30, told.Held?.Sent);
        OutgoingFrame answer = await rig.AnswerAsync(Of(Update(Side.B, 35, 0, 4)));
        Assert.Empty(answer.Refusals);
        Assert.Equal((UInt128)35, Assert.Single(answer.Acknowledgements.ToArray()).Received);
    }

    /// <summary>It had acknowledged them, and lost them with its database: refusing them for a while must not end the offers.</summary>
    [Fact]
    public async Task AcknowledgedPaymentsThatThePeerHasLostAndRefuses_AreOfferedAgainUntilItTakesThem()
    {
        await using LedgerRig rig = new();
        await PayAsync(rig, 30);
        await PayAsync(rig, 12);
        await rig.AnswerAsync(Acknowledged(42));
        Assert.Equal("12", Amounts(await ReestablishAsync(rig, received: 30)));

        for (int times = 0; times < 2; times++)
        {
            await rig.AnswerAsync(Refused(42, Refusal.RestoredHeld));
            Assert.Equal(Refusal.RestoredHeld, rig.Slot.PeerRefusal);
            OutgoingFrame told = new();
            for (int look = 0; told.Updates.IsEmpty && look < 500; look++)
            {
                await Task.Delay(10);
                told = await rig.SaidAsync();
            }

            Assert.Equal("12", Amounts(told));
        }

        await rig.AnswerAsync(Acknowledged(42));
        Assert.Equal((Refusal.None, (UInt128)42), (rig.Slot.PeerRefusal, rig.Slot.PeerHas));
    }

    /// <summary>They were paid and acknowledged long ago, so the journal has let go of them; the peer has lost them with its database.</summary>
    [Fact]
    public async Task PaymentsThatTheJournalHasForgotten_AreToldAsOne()
    {
        await using LedgerRig rig = new();
        await PayAsync(rig, 30);
        await rig.AnswerAsync(Acknowledged(30));
        await ChangeAsync(rig, state => state with { Sent = 930, Acknowledged = 930 });

        Assert.Equal("900", Amounts(await ReestablishAsync(rig, received: 30)));
    }

    /// <summary>Each offer is a list of up to 16,384 payments that are read, told and signed.</summary>
    [Fact]
    public async Task PeerThatRefusesAndAsksInTurn_IsOfferedWithGrowingDelays()
    {
        await using LedgerRig rig = new();
        await PayAsync(rig, 30);
        await rig.AnswerAsync(Acknowledged(30));
        await ReestablishAsync(rig, received: 0);
        int offers = 0;
        for (int times = 0; times < 100; times++)
        {
            await rig.AnswerAsync(Refused(30, Refusal.PaymentsMismatch));
            await rig.Session.ReceiveAsync(new PeerMessage.Reestablish(Sample.Id, 0, 0), CancellationToken.None);
            if (!(await rig.SaidAsync()).Updates.IsEmpty) offers++;
        }

        Assert.InRange(offers, 0, 20);
    }

    private static async Task PayAsync(LedgerRig rig, UInt128 amount)
    {
        await rig.Ledger.EnqueueAsync(new NotedPayment(rig.Slot, amount, "", _ => { }), CancellationToken.None);
        await rig.SaidAsync();
    }

    private static Task ChangeAsync(LedgerRig rig, Func<ChannelState, ChannelState> change) => rig.Ledger.RunAsync(
        turn =>
        {
            rig.Slot.Working = change(rig.Slot.Working);
            turn.Touch(rig.Slot, durable: false);
            return true;
        },
        CancellationToken.None);

    private static async Task<OutgoingFrame> ReestablishAsync(LedgerRig rig, UInt128 received)
    {
        await rig.Ledger.RunAsync(_ => rig.Slot.EstablishedOn = null, CancellationToken.None);
        await rig.Session.ReceiveAsync(new PeerMessage.Reestablish(Sample.Id, 0, received), CancellationToken.None);
        return await rig.SaidAsync();
    }

    private static string Amounts(OutgoingFrame told)
    {
        List<int> amounts = [];
        for (ReadOnlyMemory<byte> rest = Assert.Single(told.Updates.ToArray()).Payments.WrittenMemory; !rest.IsEmpty;)
            amounts.Add((int)PaymentList.Take(ref rest).Amount);
        return string.Join(' ', amounts);
    }
}
