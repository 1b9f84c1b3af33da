using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>What a peer may say without a proof, or as often as it likes, makes neither noise nor work.</summary>
public sealed class PeerWordTests : IAsyncLifetime
{
    private readonly LedgerRig _rig = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private Task ChangeAsync(Action<ChannelSlot> change) => _rig.Ledger.RunAsync(
        turn =>
        {
            change(_rig.Slot);
            return true;
        },
        CancellationToken.None);

    /// <summary>In a session each.</summary>
    private async Task ClaimAsync(params UInt128[] received)
    {
        foreach (UInt128 claim in received)
        {
            await ChangeAsync(slot => slot.EstablishedOn = null);
            await _rig.Session.ReceiveAsync(new PeerMessage.Reestablish(_rig.Slot.Channel.Id, 0, claim), CancellationToken.None);
        }

        await _rig.SaidAsync();
    }

    private int Alarms => _rig.Store.ReadEvents(0, 100).Count(told => told.Kind == EventKind.StateLost);

    [Fact]
    public async Task PeerThatClaimsMoreAgainAndAgain_IsTheCauseOfOneAlarm_AndIsPaidNothing()
    {
        await ClaimAsync(5_000, 0, 5_000, 0, 5_001);

        Assert.Equal(1, Alarms);
        List<PaymentOutcome> outcomes = [];
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 1, "", outcomes.Add), CancellationToken.None);
        await _rig.SaidAsync();
        Assert.Equal(Refusal.StateLost, Assert.Single(outcomes).Refusal);
    }

    [Fact]
    public async Task WhatAPeerClaimedInAnEarlierSession_IsAskedAgainBeforeItRefusesAPayment()
    {
        await ClaimAsync(5_000);
        await ChangeAsync(slot => slot.EstablishedOn = null);
        List<PaymentOutcome> outcomes = [];
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 10, "", outcomes.Add), CancellationToken.None);
        await _rig.SaidAsync();
        Assert.Empty(outcomes);
        Assert.Equal(UInt128.Zero, _rig.Slot.State.Sent);

        await _rig.Session.ReceiveAsync(new PeerMessage.Reestablish(_rig.Slot.Channel.Id, 0, 0), CancellationToken.None);
        await _rig.SaidAsync();
        await _rig.AnswerAsync(Of(new Wire.Frame { Acknowledgements = { Receipt(10) } }));

        Assert.Equal(Refusal.None, Assert.Single(outcomes).Refusal);
    }

    [Fact]
    public async Task PeerWithoutADeposit_CausesNoAlarm()
    {
        await ChangeAsync(slot => slot.Working = default);

        await ClaimAsync(5_000);

        Assert.Equal(0, Alarms);
    }

    [Fact]
    public async Task ReceiptThatIsSaidAgain_CostsNoSignature()
    {
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 10, "", _ => { }), CancellationToken.None);
        await _rig.SaidAsync();
        Wire.Acknowledgement receipt = Receipt(10);

        await _rig.AnswerAsync(Of(new Wire.Frame { Acknowledgements = { receipt } }));
        Assert.Equal(1, _rig.Scheme.Checked);
        Assert.Equal((UInt128)10, _rig.Slot.NewestReceipt?.Received);
        await _rig.AnswerAsync(Of(new Wire.Frame { Acknowledgements = { Enumerable.Repeat(receipt, 1_000) } }));

        Assert.Equal(1, _rig.Scheme.Checked);
        Assert.Equal((UInt128)10, _rig.Slot.State.Acknowledged);
    }

    private static Wire.Acknowledgement Receipt(UInt128 received)
    {
        Wire.Update signed = Update(Side.B, 0, received);
        return new Wire.Acknowledgement
        {
            ChannelId = signed.ChannelId,
            Received = signed.Received,
            Sent = signed.Sent,
            Signature = signed.Signature,
        };
    }
}
