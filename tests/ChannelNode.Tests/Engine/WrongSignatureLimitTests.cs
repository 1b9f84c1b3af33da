using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Simulation;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;

namespace ChannelNode.Tests.Engine;

/// <summary>Wrong signatures cost as much as right ones: who sends many waits, and nobody else.</summary>
public sealed class WrongSignatureLimitTests
{
    private readonly SimulatedTime _time = new();

    [Fact]
    public void WrongSignatures_AreWaitedForOneByOne()
    {
        WrongSignatureLimit limit = new(_time, 100);

        Assert.Equal(TimeSpan.FromMilliseconds(10), limit.After(1));
        Assert.Equal(TimeSpan.FromSeconds(3), limit.After(300));
    }

    [Fact]
    public void PeerThatSentNoneForAWhile_IsTrustedAgain()
    {
        WrongSignatureLimit limit = new(_time, 100);
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
        _time.Advance(2_000);
        await hearing.WaitAsync(TimeSpan.FromSeconds(30));

        await rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        OutgoingFrame said = new();
        rig.Link.TryTake(ref said);
        Assert.Equal(2, said.Refusals.Count);
        Assert.Equal((UInt128)10, rig.Slot.State.TheirSent);
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
