using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>How many updates of a channel are under way, and what becomes of the payments beyond them.</summary>
public sealed class UpdateWindowTests
{
    private readonly List<(int Amount, PaymentOutcome Outcome)> _answers = [];

    private async Task<UInt128[]> PayAsync(LedgerRig rig, int amount)
    {
        await rig.Ledger.EnqueueAsync(
            new NotedPayment(rig.Slot, (UInt128)amount, "", outcome => _answers.Add((amount, outcome))), CancellationToken.None);
        return await ToldAsync(rig);
    }

    private static async Task<UInt128[]> ToldAsync(LedgerRig rig)
    {
        OutgoingFrame said = await rig.SaidAsync();
        return [.. said.Updates.ToArray().Select(update => update.Balance.Sent)];
    }

    private static int[] Stored(LedgerRig rig) =>
        [.. rig.Store.ReadOutgoing(rig.Slot.Channel.Id, 0).Select(payment => (int)payment.Total)];

    /// <summary>Two updates under way, of 1 and 3 in all; payments of 3, 4 and 5 wait.</summary>
    private async Task<LedgerRig> FullAsync()
    {
        LedgerRig rig = new(options => options with { UpdatesInFlightPerChannelMax = 2 });
        Assert.Equal([(UInt128)1], await PayAsync(rig, 1));
        Assert.Equal([(UInt128)3], await PayAsync(rig, 2));
        foreach (int amount in (int[])[3, 4, 5]) Assert.Empty(await PayAsync(rig, amount));
        Assert.Equal([1, 3], Stored(rig));
        Assert.Equal((UInt128)3, rig.Slot.State.Sent);
        return rig;
    }

    [Fact]
    public async Task PaymentsBeyondTheWindow_ShareTheNextUpdate()
    {
        await using LedgerRig rig = await FullAsync();

        OutgoingFrame said = await rig.AnswerAsync(Frames.Acknowledged(1));

        Assert.Equal((UInt128)15, Assert.Single(said.Updates.ToArray()).Balance.Sent);
        Assert.Equal([1, 3, 6, 10, 15], Stored(rig));
        await rig.AnswerAsync(Frames.Acknowledged(15));
        Assert.Equal([1, 2, 3, 4, 5], _answers.Select(answer => answer.Amount));
        Assert.All(_answers, answer => Assert.Equal(Refusal.None, answer.Outcome.Refusal));
    }

    [Fact]
    public async Task PaymentOfTheTurnThatMakesRoom_GoesBehindThoseThatWait()
    {
        await using LedgerRig rig = await FullAsync();
        await rig.WhileHeldAsync(async () =>
        {
            await rig.Session.HearAsync(Frames.Acknowledged(1));
            await rig.Ledger.EnqueueAsync(
                new NotedPayment(rig.Slot, 6, "", outcome => _answers.Add((6, outcome))), CancellationToken.None);
        });

        Assert.Equal([(UInt128)21], await ToldAsync(rig));
        Assert.Equal([1, 3, 6, 10, 15, 21], Stored(rig));
    }

    [Fact]
    public async Task PeerThatRefuses_HasWhatWaitsRefused_AndNothingOfItSigned()
    {
        await using LedgerRig rig = await FullAsync();

        await rig.AnswerAsync(Frames.Refused(3, Refusal.ChainUnavailable));

        Assert.Equal(
            [(3, Refusal.PeerRefusing), (4, Refusal.PeerRefusing), (5, Refusal.PeerRefusing)],
            _answers.Select(answer => (answer.Amount, answer.Outcome.Refusal)));
        Assert.Equal([1, 3], Stored(rig));

        await rig.AnswerAsync(Frames.Acknowledged(3)); // It has come round: what was signed is paid.
        Assert.Equal([1, 2], _answers.Skip(3).Select(answer => answer.Amount));
    }

    [Fact]
    public async Task ChannelThatStartsToClose_HasWhatWaitsRefused_AndWhatWasAcknowledgedStays()
    {
        await using LedgerRig rig = await FullAsync();
        await rig.Ledger.RunAsync(
            turn =>
            {
                rig.Slot.Working = rig.Slot.Working with { OnChain = rig.Slot.Working.OnChain with { ClosesAtSeconds = 99 } };
                turn.Touch(rig.Slot, durable: true);
                return true;
            },
            CancellationToken.None);

        OutgoingFrame said = await rig.AnswerAsync(Frames.Acknowledged(1));

        Assert.Empty(said.Updates.ToArray());
        Assert.Equal(
            [(1, Refusal.None), (3, Refusal.ChannelClosing), (4, Refusal.ChannelClosing), (5, Refusal.ChannelClosing)],
            _answers.Select(answer => (answer.Amount, answer.Outcome.Refusal)).Order());
        Assert.Equal((3, 1), ((int)rig.Slot.State.Sent, (int)rig.Slot.State.Acknowledged));
    }

    [Fact]
    public async Task EndOfTheSession_HasWhatWaitsRefused_AndWhatWasSignedStays()
    {
        await using LedgerRig rig = await FullAsync();

        await rig.Ledger.RunAsync(
            turn =>
            {
                rig.Link.Reestablishing.End(new PeersAway(), turn);
                return true;
            },
            CancellationToken.None);

        Assert.Equal(
            [(3, Refusal.PeerOffline), (4, Refusal.PeerOffline), (5, Refusal.PeerOffline)],
            _answers.Select(answer => (answer.Amount, answer.Outcome.Refusal)));
        Assert.Equal([1, 3], Stored(rig));
        Assert.Equal(2, rig.Slot.InFlight.Count);
    }

    [Fact]
    public async Task RepeatOfAPaymentUnderWay_IsNotRefusedWhenTheSessionEnds_ButPaidWithIt()
    {
        await using LedgerRig rig = new(options => options with { UpdatesInFlightPerChannelMax = 1 });
        foreach (int time in (int[])[1, 2])
        {
            await rig.Ledger.EnqueueAsync(
                new NotedPayment(rig.Slot, 7, "key", outcome => _answers.Add((time, outcome))), CancellationToken.None);
            Assert.Equal(time == 1 ? [7] : [], await ToldAsync(rig)); // In turns of their own.
        }

        await rig.Ledger.RunAsync(
            turn =>
            {
                rig.Link.Reestablishing.End(new PeersAway(), turn);
                return true;
            },
            CancellationToken.None);
        Assert.Empty(_answers); // It may be paid yet.

        await rig.AnswerAsync(Frames.Acknowledged(7));
        Assert.Equal(
            [(1, Refusal.None, false), (2, Refusal.None, true)],
            _answers.Select(answer => (answer.Amount, answer.Outcome.Refusal, answer.Outcome.Repeated)).Order());
    }

    [Fact]
    public async Task PaymentsThatWait_CountAsInFlight()
    {
        await using LedgerRig rig = new(options => options with { UpdatesInFlightPerChannelMax = 1, InFlightPaymentsPerChannelMax = 3 });
        foreach (int amount in (int[])[1, 2, 3, 4]) await PayAsync(rig, amount);

        Assert.Equal([(4, Refusal.TooManyInFlight)], _answers.Select(answer => (answer.Amount, answer.Outcome.Refusal)));
    }
}
