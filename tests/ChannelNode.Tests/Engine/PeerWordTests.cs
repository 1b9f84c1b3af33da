using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;
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

    /// <summary>Totals are cumulative: the largest says all.</summary>
    [Fact]
    public async Task ReceiptsOfOneFrame_CostOneSignature()
    {
        await PayAsync(1_000);

        await _rig.AnswerAsync(Of(new Wire.Frame { Acknowledgements = { Enumerable.Range(1, 1_000).Select(unit => Receipt((UInt128)unit)) } }));

        Assert.Equal(1, _rig.Scheme.Checked);
        Assert.Equal((UInt128)1_000, _rig.Slot.State.Acknowledged);
        Assert.Equal((UInt128)1_000, _rig.Slot.NewestReceipt?.Received);
    }

    [Fact]
    public async Task ReceiptBeforeALargerAcknowledgement_IsKept()
    {
        await PayAsync(10);
        Wire.Acknowledgement whole = Receipt(10), larger = new() { ChannelId = whole.ChannelId, Received = whole.Received };

        await _rig.AnswerAsync(Of(new Wire.Frame { Acknowledgements = { Receipt(5), larger, Receipt(4) } }));

        Assert.Equal((UInt128)10, _rig.Slot.State.Acknowledged);
        Assert.Equal((UInt128)5, _rig.Slot.NewestReceipt?.Received);
    }

    /// <summary>An honest peer refuses what it was sent, and once.</summary>
    [Theory]
    [InlineData(10)]
    [InlineData(21)]
    public async Task RefusalOfWhatIsAcknowledgedOrWasNeverSent_IsWaitedFor_AndChangesNothing(int sent)
    {
        await PayAsync(10);
        await _rig.AnswerAsync(Of(new Wire.Frame { Acknowledgements = { Receipt(10) } }));
        await PayAsync(10);

        await _rig.AnswerAsync(Refusals((UInt128)sent, times: 2));

        Assert.NotNull(_rig.Commons.WrongSignatures.Find(Sample.PartyB.Signer));
        Assert.Equal(0, _rig.Ledger.Counts.OffersRefused.Total);
        Assert.Equal(Refusal.None, _rig.Slot.PeerRefusal);
    }

    [Fact]
    public async Task RefusalsOfOneChannelInOneFrame_AreOne_AndAreNotWaitedFor()
    {
        await PayAsync(10);

        await _rig.AnswerAsync(Refusals(10, times: 1_000));

        Assert.Null(_rig.Commons.WrongSignatures.Find(Sample.PartyB.Signer));
        Assert.Equal(1, _rig.Ledger.Counts.OffersRefused.Total);
        Assert.Equal(Refusal.DiskLow, _rig.Slot.PeerRefusal);
    }

    /// <summary>One that is refused costs a decision, and one that was agreed before a signature; each would cost a sync too.</summary>
    [Theory]
    [InlineData(7, 0, 0)]
    [InlineData(1, 1, 1)]
    public async Task CloseThatIsRefusedOrSaidAgain_IsWaitedFor_AndWritesNothing(int balanceA, int agreed, int commits)
    {
        PeerSession session = WithAgreements(out NodeClock clock);
        PeerMessage.CloseProposal close = new(new CooperativeClose(_rig.Slot.Channel.Id, (UInt128)balanceA, 1, clock.NowSeconds + 300));
        await _rig.SaidAsync();
        long before = _rig.Ledger.Counts.SyncedCommits;

        await session.ReceiveAsync(close, CancellationToken.None);
        Assert.Equal(agreed == 1, _rig.Commons.WrongSignatures.Find(Sample.PartyB.Signer) is null);
        await session.ReceiveAsync(close, CancellationToken.None);

        Assert.NotNull(_rig.Commons.WrongSignatures.Find(Sample.PartyB.Signer));
        Assert.Equal(commits, _rig.Ledger.Counts.SyncedCommits - before);
        OutgoingFrame said = await _rig.SaidAsync();
        Assert.Equal(2 * agreed, said.Messages.OfType<PeerMessage.CloseReply>().Count(reply => reply.Refusal == Refusal.None));
    }

    private PeerSession WithAgreements(out NodeClock clock)
    {
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        clock = new NodeClock(TimeProvider.System);
        JobBook jobs = new(_rig.Store, _rig.Ledger, clock, options, NullLogger<JobBook>.Instance);
        ChannelAgreements agreements = new(
            _rig.Book, _rig.Ledger, _rig.Links, _rig.Scheme, clock, options, null!, jobs, Sample.PartyA, NullLogger<ChannelAgreements>.Instance);
        return new PeerSession(_rig.Link, _rig.Book, _rig.Ledger, _rig.Scheme, clock, agreements, options, NullLogger.Instance, _rig.Commons);
    }

    private async Task PayAsync(UInt128 amount)
    {
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, amount, "", _ => { }), CancellationToken.None);
        await _rig.SaidAsync();
    }

    private PeerFrame Refusals(UInt128 sent, int times)
    {
        Wire.Update update = Update(Side.A, sent, 0);
        Wire.UpdateRefusal refusal = new() { ChannelId = update.ChannelId, Sent = update.Sent, Reason = Wire.Refusal.DiskLow };
        return Of(new Wire.Frame { Refusals = { Enumerable.Repeat(refusal, times) } });
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
