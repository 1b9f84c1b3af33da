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
    public void WithinTheLimit_NobodyWaits()
    {
        WrongSignatureLimit limit = new(_time, 100);

        Assert.Equal(TimeSpan.Zero, limit.After(100));
        _time.Advance(1_000);
        Assert.Equal(TimeSpan.Zero, limit.After(100));
    }

    [Fact]
    public void BeyondTheLimit_TheWaitIsWhatTheExcessTakesAtIt()
    {
        WrongSignatureLimit limit = new(_time, 100);

        Assert.Equal(TimeSpan.FromSeconds(2), limit.After(300));
        _time.Advance(2_000);
        Assert.Equal(TimeSpan.FromSeconds(0.5), limit.After(50));
    }

    [Fact]
    public void AQuietTime_SavesUpNoMoreThanASecondsWorth()
    {
        WrongSignatureLimit limit = new(_time, 100);

        _time.Advance(60_000);

        Assert.Equal(TimeSpan.FromSeconds(1), limit.After(200));
    }

    [Fact]
    public async Task PeerThatSendsTooMany_WaitsAndIsStillAnswered()
    {
        await using LedgerRig rig = new(options => options with { WrongSignaturesPerSecondMax = 1 }, _time);
        PeerFrame flood = Of(
            Update(Side.B, 10, 0, 10), Update(Side.B, 20, 0, 10).WronglySigned(), Update(Side.B, 30, 0, 10).WronglySigned());

        Task hearing = rig.Session.HearAsync(flood);
        Assert.False(hearing.IsCompleted);
        _time.Advance(1_000);
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
