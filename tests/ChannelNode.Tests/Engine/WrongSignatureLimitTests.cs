using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using Google.Protobuf;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>Wrong signatures cost as much as right ones: who sends many waits, and nobody else.</summary>
public sealed class WrongSignatureLimitTests
{
    private readonly SimulatedTime _time = new();

    private WrongSignatureLimit New() => new(_time, 100, new WrongSignaturePace(_time, 100));

    /// <summary>Keys cost nothing: a hundred peers that flood must not have a hundred times as much.</summary>
    [Fact]
    public void WrongSignaturesOfManyPeers_AreWaitedForBehindOneAnother()
    {
        WrongSignaturePace all = new(_time, 100);
        WrongSignatureLimit[] peers = [.. Enumerable.Range(0, 100).Select(_ => new WrongSignatureLimit(_time, 100, all))];

        TimeSpan[] waits = [.. peers.Select(peer => peer.After(10))];

        Assert.Equal(TimeSpan.FromMilliseconds(100), waits[0]); // Its own pace.
        Assert.Equal(TimeSpan.FromSeconds(2), waits[^1]); // 1,000 of all, of which 500 are looked at in a second.
        Assert.Equal(waits.Order(), waits);
        _time.Advance(2_000);
        Assert.Equal(TimeSpan.FromMilliseconds(10), peers[0].After(1));
    }

    /// <summary>One honest mistake in a flood: its session ends, and the next one begins without the flood before it.</summary>
    [Fact]
    public void WaitBehindAllOthers_HasAnEnd_AndWhoIsSentAwayIsToldWhy()
    {
        WrongSignaturePace all = new(_time, 100);
        WrongSignatureLimit[] flood = [.. Enumerable.Range(0, 260).Select(_ => new WrongSignatureLimit(_time, 100, all))];
        WrongSignatureLimit honest = new(_time, 100, all);

        Assert.Equal(WrongSignatureLimit.WaitMax, flood.Take(250).Max(peer => peer.After(10)));
        RefusalException refusal = Assert.Throws<RefusalException>(() => honest.After(1));

        Assert.Equal((Refusal.RateLimited, "wrong_signatures", "5002 ms", "5000 ms"), (refusal.Refusal, refusal.Field, refusal.Value, refusal.Limit));
        foreach (WrongSignatureLimit peer in flood.Skip(250)) Assert.Throws<RefusalException>(() => peer.After(10));
        _time.Advance(1_000); // The line is no longer for those that were sent away.
        Assert.Equal(TimeSpan.FromMilliseconds(4_002), honest.After(1));
    }

    /// <summary>As terms that are proposed again, which an honest peer may do.</summary>
    [Fact]
    public void WhatIsOfNoUse_IsWaitedForInAFlood_AndEndsNoSession()
    {
        WrongSignaturePace all = new(_time, 100);
        foreach (WrongSignatureLimit peer in Enumerable.Range(0, 250).Select(_ => new WrongSignatureLimit(_time, 100, all))) peer.After(10);

        Assert.Equal(WrongSignatureLimit.WaitMax, new WrongSignatureLimit(_time, 100, all).AfterUseless(1));
        _time.Advance(5_000);
        Assert.Equal(TimeSpan.FromMilliseconds(10), new WrongSignatureLimit(_time, 100, all).AfterUseless(1));
        _time.Advance(5_000);
        Assert.Equal(TimeSpan.FromMilliseconds(30), new WrongSignatureLimit(_time, 100, all).AfterUseless(3));
        Assert.Throws<RefusalException>(() => new WrongSignatureLimit(_time, 100, all).AfterUseless(501));
    }

    [Fact]
    public async Task PeerWhoseWrongSignaturesWouldTakeTooLong_LosesItsSession_AndWhatWasRightIsCounted()
    {
        await using LedgerRig rig = new(options => options with { WrongSignaturesPerSecondMax = 1 }, _time);
        await rig.Session.HearAsync(Of(Update(Side.B, 10, 0, 10)));

        RefusalException refusal = await Assert.ThrowsAsync<RefusalException>(() => rig.Session.HearAsync(Of(
            [.. Enumerable.Range(2, 6).Select(count => Update(Side.B, (UInt128)(10 * count), 0, 3).WronglySigned())])).WaitAsync(TimeSpan.FromSeconds(30)));

        Assert.Equal((Refusal.RateLimited, "wrong_signatures"), (refusal.Refusal, refusal.Field));
        await rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        Assert.Equal((UInt128)10, rig.Slot.State.TheirSent);
    }

    [Fact]
    public void WrongSignatures_AreWaitedForOneByOne()
    {
        WrongSignatureLimit limit = New();

        Assert.Equal(TimeSpan.FromMilliseconds(10), limit.After(1));
        _time.Advance(10);
        Assert.Equal(TimeSpan.FromSeconds(3), limit.After(300));
        Assert.Equal(TimeSpan.FromMilliseconds(3_010), limit.After(1)); // Who does not wait in between waits for both.
    }

    /// <summary>Each session that is given up leaves its wait to the next: no more is looked at than if there were one.</summary>
    [Fact]
    public async Task PeerThatIsSentAwayAndComesBackAtOnce_GoesOnWhereItStood()
    {
        await using LedgerRig rig = new(options => options with { WrongSignaturesPerSecondMax = 1 }, _time);
        PeerFrame flood = Of([.. Enumerable.Range(1, 6).Select(count => Update(Side.B, (UInt128)(10 * count), 0, 3).WronglySigned())]);
        PeerSession sentAway = await rig.ComeAsync(rig.Link.Signer);
        await Assert.ThrowsAsync<RefusalException>(() => sentAway.HearAsync(flood).WaitAsync(TimeSpan.FromSeconds(30)));

        Task back = (await rig.ComeAsync(rig.Link.Signer)).HearAsync(Of(Update(Side.B, 10, 0, 10)));
        Assert.False(back.IsCompleted); // Nothing of it is looked at, right or wrong.
        Assert.True((await rig.ComeAsync(Sample.PartyA.Signer)).RentBatchAsync(CancellationToken.None).IsCompletedSuccessfully);
        await rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        Assert.Equal((UInt128)0, rig.Slot.State.TheirSent);
        _time.Advance(4_999);
        Assert.False(back.IsCompleted);
        _time.Advance(1);
        await back.WaitAsync(TimeSpan.FromSeconds(30));
        await rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        Assert.Equal((UInt128)10, rig.Slot.State.TheirSent);
    }

    [Fact]
    public void PeersThatHaveWaited_AreForgottenWhenThereAreMany_AndTheOthersShareOneLimit()
    {
        WrongSignatureLimits limits = new(_time, 100, peersMax: 2);
        Address one = new(0, 0, 1), two = new(0, 0, 2), three = new(0, 0, 3), four = new(0, 0, 4);
        Assert.Null(limits.Find(one));
        limits.Of(one).After(1);
        _time.Advance(5_000);
        limits.Of(two).After(1);

        WrongSignatureLimit others = limits.Of(three);
        others.After(1);
        Assert.Same(others, limits.Of(four));
        Assert.Null(limits.Find(three));
        Assert.NotNull(limits.Find(one));

        _time.Advance(10_000);
        limits.Of(three).After(1);
        Assert.NotSame(others, limits.Of(three));
        Assert.Null(limits.Find(one));
    }

    [Fact]
    public void PeerThatSentNoneForAWhile_IsTrustedAgain()
    {
        WrongSignatureLimit limit = New();
        Assert.False(limit.IsWary);

        limit.After(1);
        Assert.True(limit.IsWary);
        _time.Advance(9_999);
        Assert.True(limit.IsWary);
        _time.Advance(1);
        Assert.False(limit.IsWary);
    }

    [Fact]
    public async Task PeerThatSendsWrongSignatures_WaitsAndIsStillAnswered()
    {
        await using LedgerRig rig = new(options => options with { WrongSignaturesPerSecondMax = 1 }, _time);
        PeerFrame flood = Of(
            Update(Side.B, 10, 0, 10), Update(Side.B, 20, 0, 10).WronglySigned(), Update(Side.B, 30, 0, 10).WronglySigned());

        Task hearing = rig.Session.HearAsync(flood);
        Assert.False(hearing.IsCompleted);
        Assert.Equal(0, rig.Ledger.Expected); // The others' turns do not wait for it.
        _time.Advance(2_000);
        await hearing.WaitAsync(TimeSpan.FromSeconds(30));

        await rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        OutgoingFrame said = new();
        rig.Link.TryTake(ref said);
        Assert.Equal(2, said.Refusals.Count);
        Assert.Equal((UInt128)10, rig.Slot.State.TheirSent);
    }

    [Fact]
    public async Task OthersTurns_WaitForUpdatesInVerification_AndForNoneOfWhoSendsWrongOnes()
    {
        await using LedgerRig rig = new(options => options with { WrongSignaturesPerSecondMax = 1 }, _time);
        List<int> expected = [];
        rig.Scheme.Checking = () => expected.Add(rig.Ledger.Expected);

        await rig.Session.HearAsync(Of(Update(Side.B, 10, 0, 10)));
        Assert.Equal(0, rig.Ledger.Expected);
        Task hearing = rig.Session.HearAsync(Of(Update(Side.B, 20, 0, 10).WronglySigned()));
        _time.Advance(2_000);
        await hearing.WaitAsync(TimeSpan.FromSeconds(30));
        await rig.Session.HearAsync(Of(Update(Side.B, 30, 0, 20)));

        Assert.Equal([1, 1, 0], expected);
    }

    [Fact]
    public async Task OthersTurns_DoNotWaitForWhoWasRefusedBefore()
    {
        await using LedgerRig rig = new();
        List<int> expected = [];
        rig.Scheme.Checking = () => expected.Add(rig.Ledger.Expected);

        foreach (uint sent in (uint[])[10, 5, 20, 30])
        {
            await rig.Session.HearAsync(Of(Update(Side.B, sent, 0, sent > 10 ? 10u : sent)));
            await rig.SaidAsync();
        }

        Assert.Equal([1, 1, 0, 1], expected);
        Assert.Equal((UInt128)30, rig.Slot.State.TheirSent);
    }

    /// <summary>Each is looked for on disk: that costs more than it seems, and no honest node knows channels that are not there.</summary>
    [Theory]
    [InlineData("acknowledgement")]
    [InlineData("refusal")]
    [InlineData("update")]
    public async Task PeerThatSpeaksOfChannelsThatAreNotItsOwn_WaitsAndIsStillAnswered(string what)
    {
        await using LedgerRig rig = new(options => options with { WrongSignaturesPerSecondMax = 1 }, _time);

        Task hearing = rig.Session.HearAsync(OfAnUnknownChannel(what), Of(Update(Side.B, 10, 0, 10)));
        Assert.False(hearing.IsCompleted);
        _time.Advance(1_000);
        await hearing.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(what == "update" ? 1 : 0, (await rig.SaidAsync()).Refusals.Count);
        Assert.Equal((UInt128)10, rig.Slot.State.TheirSent);
    }

    private static PeerFrame OfAnUnknownChannel(string what)
    {
        ByteString unknown = ByteString.CopyFrom(new byte[32]), amount = ByteString.CopyFrom(new byte[16]);
        Wire.Frame frame = new();
        if (what == "acknowledgement") frame.Acknowledgements.Add(new Wire.Acknowledgement { ChannelId = unknown, Received = amount });
        else if (what == "refusal") frame.Refusals.Add(new Wire.UpdateRefusal { ChannelId = unknown, Sent = amount, Reason = Wire.Refusal.StaleSent });
        else frame.Updates.Add(new Wire.Update(Update(Side.B, 10, 0, 10)) { ChannelId = unknown });
        return Of(frame);
    }

    [Fact]
    public async Task PeerWhoseUpdatesAreRefusedForAnythingElse_DoesNotWait()
    {
        await using LedgerRig rig = new(options => options with { WrongSignaturesPerSecondMax = 1 }, _time);

        await rig.Session.HearAsync(Of(
            Update(Side.B, 10, 0, 10), Update(Side.B, 5, 0, 5), Update(Side.B, 4, 0, 4), Update(Side.B, 3, 0, 3)))
            .WaitAsync(TimeSpan.FromSeconds(30));

        await rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        Assert.Equal((UInt128)10, rig.Slot.State.TheirSent);
    }
}
