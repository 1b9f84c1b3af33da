using System.Diagnostics;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>What becomes of payments that go on together and are more than may wait to be told to their peer.</summary>
public sealed class HeldBackTests : IAsyncLifetime
{
    private const int Channels = 40;
    private const int PaymentsEach = 7_000;

    /// <summary>Of each channel under way at most, and at first with one unit each.</summary>
    private const int Updates = 2;

    /// <summary>A payment of one unit with the longest item, as it is told.</summary>
    private const int BytesEach = 2 + PaymentList.ItemIdBytesMax;

    /// <summary>What may wait to be told of payments, and of what is offered again.</summary>
    private const int PaymentBytesMax = 8 * 1024 * 1024;
    private const int OfferBytesMax = 2 * PaymentBytesMax;

    private readonly LedgerRig _rig = new(options => options with { UpdatesInFlightPerChannelMax = Updates });
    private readonly List<ChannelSlot> _slots = [];
    private readonly Dictionary<Refusal, int> _answers = [];

    /// <summary>As many updates of each channel as may be are under way, and many payments wait for their acknowledgement.</summary>
    public async Task InitializeAsync()
    {
        await _rig.Ledger.RunAsync(
            turn =>
            {
                for (ulong number = 1; number <= Channels; number++)
                {
                    Channel channel = Sample.Channel() with { Id = new ChannelId(new Bytes32(9, 9, 9, number)) };
                    ChannelSlot slot = new(channel, Sample.Funded(1_000_000, 0), _rig.Links) { EstablishedOn = _rig.Link };
                    turn.Batch.PutChannel(channel);
                    _rig.Book.Add(slot);
                    turn.Touch(slot, durable: true);
                    _slots.Add(slot);
                }

                return true;
            },
            CancellationToken.None);
        for (int update = 0; update < Updates; update++)
        {
            await PayAsync(1);
            Assert.Equal(Channels, (await TakeAsync(_rig.Link)).Updates.Length);
        }

        await PayAsync(PaymentsEach);
        Assert.True((await TakeAsync(_rig.Link)).IsEmpty);
    }

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private async Task PayAsync(int count)
    {
        byte[] itemId = new byte[PaymentList.ItemIdBytesMax];
        for (int payment = 0; payment < count; payment++)
            foreach (ChannelSlot slot in _slots)
                await _rig.Ledger.EnqueueAsync(new NotedPayment(slot, 1, "", Note, itemId), CancellationToken.None);
    }

    private void Note(PaymentOutcome outcome) => _answers[outcome.Refusal] = _answers.GetValueOrDefault(outcome.Refusal) + 1;

    /// <summary>What waits when everything asked so far is done.</summary>
    private async Task<OutgoingFrame> TakeAsync(PeerLink link)
    {
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        OutgoingFrame said = new();
        link.TryTake(ref said);
        return said;
    }

    private Task AcknowledgeAsync(PeerSession session, UInt128 total) =>
        session.HearAsync(Frames.Acknowledged(_slots.Select(slot => (slot.Channel.Id, total))));

    private static Task AcknowledgeAsync(PeerSession session, OutgoingFrame said) =>
        session.HearAsync(Frames.Acknowledged(said.Updates.ToArray().Select(told => (told.Balance.Channel, told.Balance.Sent))));

    [Fact]
    public async Task PaymentsThatGoOnTogether_AreToldInPortions_AndAllPaid()
    {
        await AcknowledgeAsync(_rig.Session, Updates);

        List<int> portions = [];
        for (OutgoingFrame said = await TakeAsync(_rig.Link); !said.IsEmpty; said = await TakeAsync(_rig.Link))
        {
            portions.Add(said.PaymentBytes);
            await AcknowledgeAsync(_rig.Session, said);
        }

        Assert.Equal(Channels * PaymentsEach * BytesEach, portions.Sum());
        Assert.All(portions, bytes => Assert.InRange(bytes, 1, PaymentBytesMax + BytesEach));
        Assert.Null(_rig.Link.EndReason);
        Assert.Equal(Channels * (Updates + PaymentsEach), _answers[Refusal.None]);
    }

    /// <summary>The session takes at any moment, also while the writer decides or tells.</summary>
    [Fact]
    public async Task PaymentsHeldBack_GoOn_WheneverWhatWaitsIsTaken()
    {
        await AcknowledgeAsync(_rig.Session, Updates);
        Task writing = Task.Run(TakeAsItComesAsync);
        await PayAsync(PaymentsEach);

        int paid = 0;
        for (long begunAt = Stopwatch.GetTimestamp(); paid < Channels * (Updates + 2 * PaymentsEach); await Task.Delay(10))
        {
            paid = await _rig.Ledger.RunAsync(turn => _answers[Refusal.None], CancellationToken.None);
            Assert.True(Stopwatch.GetElapsedTime(begunAt).TotalSeconds < 30, $"{paid} payments are paid");
        }

        Assert.Null(_rig.Link.EndReason);
        _rig.Link.End("all is paid");
        _rig.Link.Wake();
        await writing;
    }

    private async Task TakeAsItComesAsync()
    {
        OutgoingFrame said = new();
        while (!_rig.Link.Ended.IsCancellationRequested)
        {
            while (_rig.Link.TryTake(ref said))
            {
                await AcknowledgeAsync(_rig.Session, said);
                said.Clear();
            }

            await _rig.Link.WaitToTakeAsync();
        }
    }

    [Fact]
    public async Task PeerThatTakesNothing_HasNoMoreSignedThanMayWait_AndTheRestRefusedWithItsSession()
    {
        await AcknowledgeAsync(_rig.Session, Updates);
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        int signed = _slots.Sum(slot => (int)slot.State.Sent - Updates);

        Assert.InRange(signed * BytesEach, PaymentBytesMax, PaymentBytesMax + BytesEach);
        await _rig.Peers.DetachAsync(_rig.Link, "it reads nothing");
        Assert.Equal((Channels * PaymentsEach) - signed, _answers[Refusal.PeerOffline]);
        Assert.Equal(Channels * Updates, _answers[Refusal.None]);
        Assert.Equal(signed * BytesEach, (await TakeAsync(_rig.Link)).PaymentBytes);
    }

    /// <summary>In the first session at once, and in those that follow all in the same moment, for nothing was taken of it.</summary>
    [Fact]
    public async Task WhatThePeerMisses_IsOfferedInPortions_AndEndsNoSession()
    {
        await AcknowledgeAsync(_rig.Session, Updates);
        while (!(await TakeAsync(_rig.Link)).IsEmpty) continue;

        PeerSession session = _rig.Session;
        for (int time = 0; time < 3; time++)
        {
            await _rig.Peers.DetachAsync(session.Link, "the connection ended");
            session = await _rig.ComeAsync(Sample.PartyB.Signer);
            foreach (ChannelSlot slot in _slots)
                await session.ReceiveAsync(new PeerMessage.Reestablish(slot.Channel.Id, 0, Updates), CancellationToken.None);
            await AssertOfferedAsync(session.Link);
        }

        Assert.Equal(new Dictionary<Refusal, int> { [Refusal.None] = Channels * Updates }, _answers);
        await AcknowledgeAsync(session, Updates + PaymentsEach);
        await TakeAsync(session.Link);
        Assert.Equal(Channels * (Updates + PaymentsEach), _answers[Refusal.None]);
    }

    /// <summary>Each channel once, in portions.</summary>
    private async Task AssertOfferedAsync(PeerLink link)
    {
        List<ChannelId> offered = [];
        for (long begunAt = Stopwatch.GetTimestamp(); offered.Count < Channels; await Task.Delay(5))
        {
            Assert.True(Stopwatch.GetElapsedTime(begunAt).TotalSeconds < 20, $"{offered.Count} of {Channels} channels' updates were told");
            OutgoingFrame said = await TakeAsync(link);
            Assert.InRange(said.PaymentBytes, 0, OfferBytesMax + (PaymentsEach * BytesEach));
            offered.AddRange(said.Updates.ToArray().Select(told => told.Balance.Channel));
        }

        Assert.Equal(_slots.Select(slot => slot.Channel.Id).ToHashSet(), offered.ToHashSet());
        Assert.Null(link.EndReason);
    }
}
