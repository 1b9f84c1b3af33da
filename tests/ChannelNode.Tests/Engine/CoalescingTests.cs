using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// Of the updates of one channel that wait together the newest stands for all, and yet each is judged as if it had come
/// alone: a bad one is refused by name and costs no good one.
/// </summary>
public sealed class CoalescingTests : IAsyncLifetime
{
    private readonly LedgerRig _rig = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    /// <summary>The peer pays as side B.</summary>
    private static Wire.Update Pays(UInt128 sent, params UInt128[] amounts) => Update(Side.B, sent, 0, amounts);

    private static Wire.Update WithList(Wire.Update update, params byte[] list)
    {
        update.Payments = ByteString.CopyFrom(list);
        return update;
    }

    private async Task AssertAsync(
        PeerFrame[] frames, int received, (int Sent, Refusal Reason)[] refused, int[][] journal)
    {
        OutgoingFrame said = await _rig.AnswerAsync(frames);

        Assert.Equal(refused, said.Refusals.Select(refusal => ((int)refusal.Sent, refusal.Reason)).Order());
        Assert.Equal((UInt128)received, _rig.Slot.State.TheirSent);
        if (received > 0) Assert.Equal((UInt128)received, said.Acknowledgements[0].Received);
        else Assert.Equal(0, said.Acknowledgements.Length);
        Assert.Equal(journal, _rig.Journal());
    }

    [Fact]
    public async Task UpdatesOfManyFrames_CostOneSignatureOneRowAndOneAnswer()
    {
        await AssertAsync(
            [Of(Pays(10, 10), Pays(30, 5, 15)), Of(Pays(60, 30)), Of(Pays(61))],
            received: 61, refused: [], journal: [[10, 5, 15, 30, 1]]);

        Assert.Equal(1, _rig.Scheme.Checked);
        Assert.Equal(5ul, _rig.Ledger.ReceivedCursor);
    }

    [Fact]
    public async Task WronglySignedNewest_FallsBackToTheOneBefore()
    {
        await AssertAsync(
            [Of(Pays(10, 10), Pays(20, 10), Pays(30, 10).WronglySigned(), Pays(40, 10).WronglySigned())],
            received: 20,
            refused: [(30, Refusal.WrongSigner), (40, Refusal.WrongSigner)],
            journal: [[10, 10]]);
    }

    [Fact]
    public async Task ManyWronglySignedOnes_CostTheGoodOneBeforeThemNothing()
    {
        Wire.Update[] bad = [.. Enumerable.Range(11, 100).Select(sent => Pays((UInt128)sent, 1).WronglySigned())];

        OutgoingFrame said = await _rig.AnswerAsync(Of([Pays(10, 10), .. bad]));

        Assert.Equal((UInt128)10, said.Acknowledgements[0].Received);
        Assert.Equal(100, said.Refusals.Count(refusal => refusal.Reason == Refusal.WrongSigner));
        Assert.Equal((int[][])[[10]], _rig.Journal());
    }

    [Fact]
    public async Task OverspendingNewest_IsRefusedByName_AndTheWriterChecksNoSignature()
    {
        await AssertAsync(
            [Of(Pays(10, 10), Pays(20, 10), Pays(1_001, 981))],
            received: 20, refused: [(1_001, Refusal.InsufficientBalance)], journal: [[10, 10]]);

        Assert.Equal(2, _rig.Scheme.Checked);
    }

    [Fact]
    public async Task WronglySignedOneInBetween_CostsNotTheOneThatLeavesItOut()
    {
        await AssertAsync(
            [Of(Pays(10, 10), Pays(20, 10).WronglySigned(), Pays(30, 20))],
            received: 30, refused: [(20, Refusal.WrongSigner)], journal: [[10], [20]]);
    }

    [Fact]
    public async Task PaymentsThatDoNotAddUp_AreRefusedAlone()
    {
        await AssertAsync(
            [Of(Pays(10, 10), Pays(20, 9), Pays(30, 20), Pays(40, 11))],
            received: 30,
            refused: [(20, Refusal.PaymentsMismatch), (40, Refusal.PaymentsMismatch)],
            journal: [[10], [20]]);
    }

    public static TheoryData<byte[], Refusal> MalformedLists => new()
    {
        { [10], Refusal.InvalidArgument },
        { [10, 3, 1], Refusal.InvalidArgument },
        { [0x8A], Refusal.InvalidArgument },
        { [0, 0], Refusal.ZeroAmount },
        { [0x80, 0, 0], Refusal.ZeroAmount },
        { [.. Enumerable.Repeat<byte>(0xFF, 16), 1, 0], Refusal.AmountTooLarge },
        { [10, 65, .. new byte[65]], Refusal.ItemIdTooLong },
        { [.. Enumerable.Repeat<byte>(0xFF, 15), 0x7F, 0, 1, 0], Refusal.AmountTooLarge },
    };

    [Theory]
    [MemberData(nameof(MalformedLists))]
    public async Task MalformedList_RefusesItsUpdateByName(byte[] list, Refusal reason)
    {
        await AssertAsync(
            [Of(Pays(10, 10), WithList(Pays(20), list), Pays(30, 20))],
            received: 30, refused: [(20, reason)], journal: [[10, 20]]);
    }

    [Fact]
    public async Task UpdatesKnownAlready_AreAcknowledgedAgainAndCountOnce()
    {
        await _rig.AnswerAsync(Of(Pays(10, 10), Pays(20, 10)));

        await AssertAsync(
            [Of(Pays(10, 10), Pays(20, 10), Pays(30, 10), Pays(30, 10))],
            received: 30, refused: [], journal: [[10, 10], [10]]);
    }

    [Fact]
    public async Task StaleUpdate_IsRefused_AndTheOneAfterItTaken()
    {
        await _rig.AnswerAsync(Of(Pays(20, 20)));

        await AssertAsync(
            [Of(Pays(30, 10), Pays(19, 1), Pays(35, 5))],
            received: 35, refused: [(19, Refusal.StaleSent)], journal: [[20], [10], [5]]);
    }

    [Fact]
    public async Task PaymentsThatBeginElsewhere_RefuseTheWholeRun()
    {
        await AssertAsync(
            [Of(Pays(20, 5), Pays(30, 10))],
            received: 0,
            refused: [(20, Refusal.PaymentsMismatch), (30, Refusal.PaymentsMismatch)],
            journal: []);
    }

    [Fact]
    public async Task MorePaymentsThanTheLimit_AreRefusedByName()
    {
        await using LedgerRig rig = new(options => options with { PaymentsPerUpdateMax = 3 });

        OutgoingFrame said = await rig.AnswerAsync(Of(Pays(3, 1, 1, 1), Pays(7, 1, 1, 1, 1)));

        Assert.Equal((UInt128)3, rig.Slot.State.TheirSent);
        Assert.Equal((7, Refusal.TooManyPayments), ((int)said.Refusals[0].Sent, Assert.Single(said.Refusals).Reason));
    }

    [Fact]
    public async Task RefusalsThatPileUp_EndTheSession()
    {
        await using LedgerRig rig = new(options => options with { PeerQueueMax = 16 });

        foreach (int count in (int[])[17, 1])
        {
            Assert.False(rig.Link.Ended.IsCancellationRequested);
            await rig.Session.HearAsync(Of([.. Enumerable.Range(0, count).Select(number => Pays(1, 9).WronglySigned())]));
            await rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        }

        Assert.True(rig.Link.Ended.IsCancellationRequested);
        Assert.Equal("the peer reads too slowly", rig.Link.EndReason);
    }

    [Fact]
    public async Task ManyRefusalsOfOneBatch_EndNoSessionOfAPeerThatReads()
    {
        await using LedgerRig rig = new(options => options with { PeerQueueMax = 16 });

        for (int time = 0; time < 3; time++)
        {
            OutgoingFrame said = await rig.AnswerAsync(Of([.. Enumerable.Range(0, 100).Select(number => Pays(1, 9).WronglySigned())]));
            Assert.Equal(100, said.Refusals.Count);
        }

        Assert.False(rig.Link.Ended.IsCancellationRequested);
    }

    [Fact]
    public async Task SessionWhoseBatchesAllWait_IsNotReadUntilOneIsCommitted()
    {
        await using LedgerRig rig = new(options => options with { PeerBatchesMax = 2 });
        using ManualResetEventSlim goOn = new();
        Task holding = rig.Ledger.RunAsync(
            turn =>
            {
                goOn.Wait();
                return true;
            },
            CancellationToken.None);
        await rig.Session.HearAsync(Of(Pays(10)));
        await rig.Session.HearAsync(Of(Pays(20)));

        Task third = rig.Session.HearAsync(Of(Pays(30)));
        Assert.False(third.IsCompleted);
        goOn.Set();
        await third;
        await holding;
        await rig.Ledger.RunAsync(turn => true, CancellationToken.None);

        Assert.Equal((UInt128)30, rig.Slot.State.TheirSent);
    }

    /// <summary>More distinct channels than one part, so that several parts and threads share the work.</summary>
    [Fact]
    public async Task ManyChannelsInOneFrame_AreEachJudgedAlone()
    {
        await using LedgerRig rig = new();
        Wire.Update[] strange = [.. Enumerable.Range(1, 200).Select(number =>
        {
            Wire.Update update = Pays((UInt128)number);
            update.ChannelId = ByteString.CopyFrom(new Bytes32(9, 9, 9, (ulong)number).ToArray());
            return update;
        })];

        OutgoingFrame said = await rig.AnswerAsync(Of([.. strange[..100], Pays(10, 10), .. strange[100..]]));

        Assert.Equal((UInt128)10, said.Acknowledgements[0].Received);
        Assert.Equal(200, said.Refusals.Count);
        Assert.All(said.Refusals, refusal => Assert.Equal(Refusal.UnknownChannel, refusal.Reason));
    }
}
