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

    /// <summary>A new session, in which the peer says that it has accepted so much; what it is told of in the turn.</summary>
    private async Task<UInt128[]> ComeAndSayAsync(UInt128 received)
    {
        PeerLink link = new(_rig.Link.Signer, _rig.Link.Owner, queueMax: 16);
        await _rig.Peers.AttachAsync(link, CancellationToken.None);
        OutgoingFrame said = new();
        link.TryTake(ref said);
        said.Clear();
        await _rig.Ledger.EnqueueAsync(new TakeReestablish(_rig.Slot, received, link, _delaysMs.Add), CancellationToken.None);
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        link.TryTake(ref said);
        return [.. said.Updates.ToArray().Select(update => update.Balance.Sent)];
    }

    [Fact]
    public async Task PeerThatTakesNothing_IsOfferedItAtOnceInOneSession_AndThenLaterAndLater()
    {
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 5, "", _ => { }), CancellationToken.None);
        Assert.Equal([(UInt128)5], await ComeAndSayAsync(0));

        for (int session = 0; session < 3; session++)
        {
            Assert.Empty(await ComeAndSayAsync(0));
            await _rig.Ledger.EnqueueAsync(new OfferAgain(_rig.Slot), CancellationToken.None); // Its time has come.
        }

        Assert.Equal([50, 100, 200], _delaysMs);
        Assert.Empty(await ComeAndSayAsync(0));
        Assert.Empty(await ComeAndSayAsync(0));
        Assert.Equal(4, _delaysMs.Count); // It waits already.
    }

    [Fact]
    public async Task PeerThatTakesSomething_IsOfferedTheRestAtOnce()
    {
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 5, "", _ => { }), CancellationToken.None);
        await ComeAndSayAsync(0);
        await ComeAndSayAsync(0);
        Assert.Single(_delaysMs);
        await _rig.Session.HearAsync(Acknowledged(5));
        await _rig.Ledger.EnqueueAsync(new OfferAgain(_rig.Slot), CancellationToken.None);
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 7, "", _ => { }), CancellationToken.None);

        Assert.Equal([(UInt128)12], await ComeAndSayAsync(5));
        Assert.Single(_delaysMs);
    }
}
