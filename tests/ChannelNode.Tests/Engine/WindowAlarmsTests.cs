using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A window of an hour that ends at 1,700,003,600, in which the peer's newest update is not recorded.</summary>
public sealed class WindowAlarmsTests : IAsyncLifetime
{
    private const uint ClosesAt = 1_700_003_600;

    private readonly NodeClock _clock = new(TimeProvider.System);
    private readonly LedgerRig _rig = new();
    private readonly WindowAlarms _alarms;

    public WindowAlarmsTests() => _alarms = new WindowAlarms(_rig.Ledger, _clock);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private static StoredChannel ClosingAt(uint closesAt) => new(
        Sample.Channel(),
        new ChannelState { OnChain = new Pots(1_000, 0, 500, 20, closesAt), TheirSent = 70, EverFunded = true });

    private async Task<IReadOnlyList<OperatorEvent>> ToldAsync()
    {
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        return _rig.Store.ReadEvents(0, 100);
    }

    [Theory]
    [InlineData(901, ChannelDuty.Dispute, false)]
    [InlineData(900, ChannelDuty.Dispute, true)]
    [InlineData(1, ChannelDuty.Claim, true)]
    [InlineData(0, ChannelDuty.Dispute, false)]
    [InlineData(10, ChannelDuty.Settle, false)]
    [InlineData(10, ChannelDuty.None, false)]
    public async Task LastQuarterOfAWindow_IsAnAlarmWhileSomethingIsOwed(uint left, ChannelDuty duty, bool isTold)
    {
        _clock.FollowChain(ClosesAt - left);
        _alarms.Look(ClosingAt(ClosesAt), duty);

        IReadOnlyList<OperatorEvent> told = await ToldAsync();
        Assert.Equal(isTold ? 1 : 0, told.Count);
        if (!isTold) return;
        Assert.Equal((EventKind.WindowEnding, EventSeverity.Alarm), (told[0].Kind, told[0].Severity));
        Assert.Equal((ClosesAt, (ulong)left, (UInt128)50), ((uint)told[0].ClosesAtSeconds, told[0].SecondsLeft, told[0].Amount));
    }

    [Fact]
    public async Task EachWindow_IsToldOnce()
    {
        StoredChannel closing = ClosingAt(ClosesAt), later = ClosingAt(ClosesAt + 5_000);
        _clock.FollowChain(ClosesAt - 10);
        for (int look = 0; look < 3; look++) _alarms.Look(closing, ChannelDuty.Dispute);
        for (int look = 0; look < 3; look++) _alarms.DisputeLost(closing);
        _clock.FollowChain(ClosesAt + 4_990);
        for (int look = 0; look < 3; look++) _alarms.Look(later, ChannelDuty.Dispute);

        Assert.Equal(
            [EventKind.WindowEnding, EventKind.DisputeLost, EventKind.WindowEnding],
            (await ToldAsync()).Select(what => what.Kind));
    }
}
