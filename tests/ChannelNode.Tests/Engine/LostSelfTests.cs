using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>A restored node is shown what it has signed itself, and does not know any more.</summary>
public sealed class LostSelfTests : IAsyncLifetime
{
    private readonly LedgerRig _rig = new(isRestored: true);

    public Task InitializeAsync() => ChangeAsync(slot =>
    {
        slot.EstablishedOn = null;
        slot.IsHeld = true;
        slot.Working = slot.Working with { Sent = 100, Acknowledged = 100 };
    });

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private Task ChangeAsync(Action<ChannelSlot> change) => _rig.Ledger.RunAsync(
        turn =>
        {
            change(_rig.Slot);
            turn.Touch(_rig.Slot, durable: true);
            return true;
        },
        CancellationToken.None);

    private static PeerMessage.HeldUpdate Own(UInt128 sent, UInt128 received) =>
        new(sent, received, Sample.Verified(Side.A, sent, received).Signature);

    private async Task TellAsync(UInt128 received, PeerMessage.HeldUpdate? held)
    {
        await _rig.Session.ReceiveAsync(new PeerMessage.Reestablish(_rig.Slot.Channel.Id, 0, received) { Held = held }, CancellationToken.None);
        await _rig.SaidAsync();
    }

    private async Task<PaymentOutcome?> PayAsync(UInt128 amount)
    {
        PaymentOutcome? outcome = null;
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, amount, "", it => outcome = it), CancellationToken.None);
        await _rig.SaidAsync();
        return outcome;
    }

    private Task ResumeAsync(UInt128 unrecorded) =>
        LostPayments.ResumeAsync(_rig.Ledger, _rig.Slot, unrecorded, "somebody", CancellationToken.None);

    private OperatorEvent[] Told => [.. _rig.Store.ReadEvents(0, 100).Where(told => told.Kind == EventKind.StateLost)];

    [Fact]
    public async Task ItsOwnNewerUpdate_IsTakenOver_AndNothingIsPaidBeforeAnOperatorSaysSo()
    {
        await TellAsync(150, Own(150, 0));

        Assert.Equal<(UInt128, UInt128, UInt128)>((150, 150, 50), (_rig.Slot.State.Sent, _rig.Slot.State.Acknowledged, _rig.Slot.State.SentUnrecorded));
        OperatorEvent told = Assert.Single(Told);
        Assert.Equal((EventSeverity.Alarm, (UInt128)50), (told.Severity, told.Amount));
        Assert.Equal(Refusal.StateLost, (await PayAsync(7))?.Refusal);
        Assert.Equal((UInt128)150, _rig.Slot.State.Sent);

        await ResumeAsync(50);
        await ResumeAsync(0);
        Assert.Null(await PayAsync(7));
        Assert.Equal<(UInt128, UInt128)>((157, 0), (_rig.Slot.State.Sent, _rig.Slot.State.SentUnrecorded));
        Assert.Equal([EventSeverity.Alarm, EventSeverity.Info], Told.Select(it => it.Severity));
        Assert.Contains("as somebody asked", Told[1].Sentence);
    }

    [Fact]
    public async Task WhatThePeerPays_ThatCountsTheLostPayments_IsTakenAgain()
    {
        await TellAsync(150, Own(150, 0));
        await ChangeAsync(slot => slot.IsHeld = false); // The hold is over.

        await _rig.AnswerAsync(Of(Update(Side.B, 20, 150)));

        Assert.Equal<(UInt128, UInt128)>((20, 150), (_rig.Slot.State.TheirSent, _rig.Slot.State.TheirReceived));
    }

    [Fact]
    public async Task MoreThanIsShown_IsNotBelieved()
    {
        await TellAsync(170, Own(150, 0));

        Assert.Equal((UInt128)150, _rig.Slot.State.Sent);
        Assert.True(_rig.Slot.StateLost);
        await ResumeAsync(50);
        Assert.Equal(Refusal.StateLost, (await PayAsync(7))?.Refusal);
    }

    [Fact]
    public async Task ASignatureThatIsNotItsOwn_ProvesNothing_AndCountsAsWrong()
    {
        await TellAsync(150, new PeerMessage.HeldUpdate(150, 0, Sample.Verified(Side.B, 150, 0).Signature));

        Assert.Equal<(UInt128, UInt128)>((100, 0), (_rig.Slot.State.Sent, _rig.Slot.State.SentUnrecorded));
        Assert.True(_rig.Slot.StateLost);
        Assert.True(_rig.Commons.WrongSignatures.Of(_rig.Link.Signer).IsWary);
    }

    [Fact]
    public async Task ADatabaseThatWasNeverRestored_TakesNothingOver_AndChecksNothing()
    {
        await using LedgerRig rig = new();
        await rig.Ledger.RunAsync(turn => rig.Slot.EstablishedOn = null, CancellationToken.None);

        await rig.Session.ReceiveAsync(new PeerMessage.Reestablish(rig.Slot.Channel.Id, 0, 150) { Held = Own(150, 0) }, CancellationToken.None);
        await rig.SaidAsync();

        Assert.Equal((UInt128.Zero, 0), (rig.Slot.State.Sent, rig.Scheme.Checked));
        Assert.True(rig.Slot.StateLost);
    }

    /// <summary>A customer that comes back days later, in a channel that the backup does not know.</summary>
    [Fact]
    public async Task AChannelThatWasNotHeld_IsNoOtherMatter()
    {
        await ChangeAsync(slot => slot.IsHeld = false);

        await TellAsync(150, Own(150, 0));

        Assert.Equal<(UInt128, UInt128)>((150, 50), (_rig.Slot.State.Sent, _rig.Slot.State.SentUnrecorded));
    }

    /// <summary>A peer chooses when it shows what: an operator lets go of what was looked at, and of no more.</summary>
    [Fact]
    public async Task ToResume_NamesWhatWasLookedAt()
    {
        await TellAsync(101, Own(101, 0));
        await ChangeAsync(slot => slot.EstablishedOn = null);
        await TellAsync(150, Own(150, 0));

        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => ResumeAsync(1));

        Assert.Equal((Refusal.InvalidArgument, "sent_unrecorded", "1", "50"), (refused.Refusal, refused.Field, refused.Value, refused.Limit));
        Assert.Equal(Refusal.StateLost, (await PayAsync(7))?.Refusal);
        Assert.Equal([EventSeverity.Alarm, EventSeverity.Warning], Told.Select(it => it.Severity));
        await ResumeAsync(50);
        Assert.Null(await PayAsync(7));
    }

    [Fact]
    public async Task WhatIsKnown_IsNotChecked()
    {
        await TellAsync(100, Own(100, 0));
        await TellAsync(90, Own(90, 0));

        Assert.Equal(0, _rig.Scheme.Checked);
        Assert.Empty(Told);
    }

    /// <summary>What counts less of the peer's than the lost self has signed to have, the peer refuses.</summary>
    [Fact]
    public async Task WhileWhatItHadAcceptedIsNotHereAgain_ItSignsNothing()
    {
        await TellAsync(100, Own(100, 30));

        Assert.Equal<(UInt128, UInt128)>((100, 0), (_rig.Slot.State.Sent, _rig.Slot.State.SentUnrecorded));
        Assert.Equal(Refusal.RestoredHeld, (await PayAsync(7))?.Refusal);
        await TellAsync(100, Own(100, 30));
        Assert.Equal(1, _rig.Scheme.Checked);
        await ChangeAsync(slot => slot.IsHeld = false);
        await _rig.AnswerAsync(Of(Update(Side.B, 30, 100)));
        Assert.Equal((UInt128)30, _rig.Slot.State.TheirSent);
        Assert.Null(await PayAsync(7));
        Assert.Equal((UInt128)107, _rig.Slot.State.Sent);
    }

    [Fact]
    public async Task EachSideShowsTheNewestUpdateThatItHolds()
    {
        await ChangeAsync(slot => slot.IsHeld = false);
        await _rig.AnswerAsync(Of(Update(Side.B, 30, 100)));
        await ChangeAsync(slot => slot.EstablishedOn = null);

        await TellAsync(100, null);

        OutgoingFrame said = new();
        await _rig.Session.ReceiveAsync(new PeerMessage.Reestablish(_rig.Slot.Channel.Id, 0, 100), CancellationToken.None);
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        _rig.Link.TryTake(ref said);
        PeerMessage.HeldUpdate held = said.Messages.OfType<PeerMessage.Reestablish>().Last().Held!;
        Assert.Equal<(UInt128, UInt128, Signature)>((30, 100, Sample.Verified(Side.B, 30, 100).Signature), (held.Sent, held.Received, held.Signature));
    }
}
