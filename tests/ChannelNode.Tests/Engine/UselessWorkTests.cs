using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;

namespace ChannelNode.Tests.Engine;

/// <summary>What costs this node as much as a payment and brings it nothing, and what costs a stranger nothing.</summary>
public sealed class UselessWorkTests : IAsyncLifetime
{
    private readonly LedgerRig _rig = new();
    private readonly List<int> _delaysMs = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    /// <summary>Whether the peer has to wait for what it sent, as for wrong signatures.</summary>
    private bool IsCharged => _rig.Commons.WrongSignatures.Find(_rig.Link.Signer) is not null;

    private async Task HearAsync(params UInt128[] totals)
    {
        await _rig.AnswerAsync(Of([.. totals.Select(sent => Update(Side.B, sent, 0, sent))]));
        await _rig.Session.HearAsync(Of()); // What the writer found is waited for with what comes next.
    }

    [Fact]
    public async Task RightlySignedUpdates_ThatAreRefusedInAChannelThatWasNeverFunded_AreCharged()
    {
        await _rig.Ledger.RunAsync(
            turn =>
            {
                _rig.Slot.Working = default;
                turn.Touch(_rig.Slot, durable: false);
                return true;
            },
            CancellationToken.None);

        OutgoingFrame said = await _rig.AnswerAsync(Of(Update(Side.B, 1, 0, 1)));
        Assert.Equal(Refusal.DepositUnconfirmed, Assert.Single(said.Refusals).Reason);
        await _rig.Session.HearAsync(Of());

        Assert.True(IsCharged);
    }

    [Fact]
    public async Task WhatIsRefused_InAChannelThatWasFunded_IsNot()
    {
        await HearAsync(2);
        await HearAsync(1);

        Assert.False(IsCharged);
    }

    [Fact]
    public async Task QuestionAboutAnUnknownChannel_IsCharged_AndOneAboutAKnownOneIsNot()
    {
        await _rig.Session.ReceiveAsync(new PeerMessage.Reestablish(_rig.Slot.Channel.Id, 0, 0), CancellationToken.None);
        Assert.False(IsCharged);

        await _rig.Session.ReceiveAsync(new PeerMessage.Reestablish(Sample.OtherId, 0, 0), CancellationToken.None);
        Assert.True(IsCharged);
    }

    /// <summary>What a peer says in a new session, and what it is told of in the turns that follow.</summary>
    private async Task<(PeerLink Link, UInt128[] Told)> ComeAndSayAsync(UInt128 received)
    {
        PeerLink link = new(_rig.Link.Signer, _rig.Link.Owner, queueMax: 16);
        await _rig.Peers.AttachAsync(link, CancellationToken.None);
        OutgoingFrame said = new();
        link.TryTake(ref said);
        return (link, await SayAsync(link, received, isDue: false));
    }

    private async Task<UInt128[]> SayAsync(PeerLink link, UInt128 received, bool isDue)
    {
        await _rig.Ledger.EnqueueAsync(
            new TakeReestablish(_rig.Slot, received, link, _delaysMs.Add) { IsDue = isDue }, CancellationToken.None);
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        OutgoingFrame said = new();
        link.TryTake(ref said);
        return [.. said.Updates.ToArray().Select(update => update.Balance.Sent)];
    }

    private Task PayAsync(UInt128 amount) =>
        _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, amount, "", _ => { }), CancellationToken.None).AsTask();

    [Fact]
    public async Task PeerThatTakesNothing_IsOfferedItAtOnceInOneSession_AndThenLaterAndLater()
    {
        await PayAsync(5);
        Assert.Equal([(UInt128)5], (await ComeAndSayAsync(0)).Told);

        for (int session = 0; session < 3; session++)
        {
            (PeerLink link, UInt128[] told) = await ComeAndSayAsync(0);
            Assert.Empty(told);
            Assert.Empty(await SayAsync(link, 0, isDue: false)); // It waits already.
            Assert.Equal([(UInt128)5], await SayAsync(link, 0, isDue: true));
        }

        Assert.Equal([50, 100, 200], _delaysMs);
    }

    /// <summary>Told before what leads there, it would be refused again and again.</summary>
    [Fact]
    public async Task WhatIsPaidMeanwhile_WaitsForWhatIsPutOff()
    {
        await PayAsync(5);
        await ComeAndSayAsync(0);
        (PeerLink link, _) = await ComeAndSayAsync(0);

        await PayAsync(7);
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        OutgoingFrame said = new();
        link.TryTake(ref said);
        Assert.Equal(0, said.Updates.Length);

        Assert.Equal([(UInt128)12], await SayAsync(link, 0, isDue: true));
    }

    /// <summary>As where the payments that were told do not begin where the channel stands.</summary>
    [Fact]
    public async Task WordThatIsAskedForAnew_InTheSameSession_IsPutOffAnew_AndNotLost()
    {
        await PayAsync(5);
        await ComeAndSayAsync(0);
        (PeerLink link, _) = await ComeAndSayAsync(0);
        await SayAsync(link, 0, isDue: true);
        await _rig.Ledger.RunAsync(turn => _rig.Slot.EstablishedOn = null, CancellationToken.None);

        Assert.Empty(await SayAsync(link, 0, isDue: false));
        Assert.Equal([50, 100], _delaysMs);
        Assert.Equal([(UInt128)5], await SayAsync(link, 0, isDue: true));
    }

    /// <summary>What is offered by an old word would begin below where the peer stands, and be refused.</summary>
    [Fact]
    public async Task WordThatIsOlderThanAClaimOnChain_IsAskedForAnew()
    {
        await PayAsync(5);
        await ComeAndSayAsync(0);
        (PeerLink link, _) = await ComeAndSayAsync(0);
        await _rig.Ledger.RunAsync(
            turn =>
            {
                Assert.Equal(Refusal.None, Updates.Acknowledge(_rig.Slot.Working, 3, out ChannelState claimed));
                _rig.Slot.Working = claimed;
                turn.Touch(_rig.Slot, durable: false);
                return true;
            },
            CancellationToken.None);

        await _rig.Ledger.EnqueueAsync(new TakeReestablish(_rig.Slot, 0, link, _delaysMs.Add) { IsDue = true }, CancellationToken.None);
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        OutgoingFrame said = new();
        link.TryTake(ref said);
        Assert.Equal(0, said.Updates.Length);
        Assert.Single(said.Messages.OfType<PeerMessage.Reestablish>());

        Assert.Equal([(UInt128)5], await SayAsync(link, 3, isDue: false));
        Assert.Equal([50], _delaysMs);
    }

    [Fact]
    public async Task WordOfASessionThatIsOver_CountsNoMore()
    {
        await PayAsync(5);
        await ComeAndSayAsync(0);
        (PeerLink old, _) = await ComeAndSayAsync(0);
        await ComeAndSayAsync(0);

        Assert.Empty(await SayAsync(old, 0, isDue: true));
    }

    /// <summary>Both sides ask at once: each must have an answer, though what it tells counts later.</summary>
    [Fact]
    public async Task PeerThatAsks_IsToldWhereTheChannelStands_AlsoWhereItsOwnWordIsPutOff()
    {
        await PayAsync(5);
        await ComeAndSayAsync(0);
        PeerLink link = new(_rig.Link.Signer, _rig.Link.Owner, queueMax: 16);
        await _rig.Peers.AttachAsync(link, CancellationToken.None);
        for (int word = 0; word < 2; word++)
            await _rig.Ledger.EnqueueAsync(new TakeReestablish(_rig.Slot, 0, link, _delaysMs.Add), CancellationToken.None);
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);

        OutgoingFrame said = new();
        link.TryTake(ref said);
        Assert.Equal(2, said.Messages.OfType<PeerMessage.Reestablish>().Count()); // Its own question, and the answer to the peer's.
        Assert.Single(_delaysMs);
        Assert.Equal([(UInt128)5], await SayAsync(link, 0, isDue: true));
        await _rig.Ledger.RunAsync(turn => link.Reestablishing.PutOff(_rig.Slot), CancellationToken.None);
        await SayAsync(link, 0, isDue: true);
        await SayAsync(link, 0, isDue: false); // Established already: nothing is put off once more.
        Assert.Single(_delaysMs);
    }

    [Fact]
    public async Task PaymentThatWaitsForWhatIsPutOff_IsRefused_WhenTheSessionEnds()
    {
        await PayAsync(5);
        await ComeAndSayAsync(0);
        (PeerLink link, _) = await ComeAndSayAsync(0);
        PaymentOutcome? outcome = null;
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 7, "", it => outcome = it), CancellationToken.None);

        await _rig.Peers.DetachAsync(link, "gone");
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);

        Assert.Equal(Refusal.PeerOffline, outcome?.Refusal);
    }

    [Fact]
    public async Task PeerThatTakesSomething_IsOfferedTheRestAtOnce()
    {
        await PayAsync(5);
        await ComeAndSayAsync(0);
        (PeerLink link, _) = await ComeAndSayAsync(0);
        await SayAsync(link, 0, isDue: true);
        Assert.Single(_delaysMs);
        await _rig.Session.HearAsync(Acknowledged(5));
        await PayAsync(7);

        Assert.Equal([(UInt128)12], (await ComeAndSayAsync(5)).Told);
        Assert.Single(_delaysMs);
    }
}
