using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;
using static ChannelNode.Tests.Engine.GuardRig;

namespace ChannelNode.Tests.Engine;

/// <summary>Who gets a session of a watchtower when others have them all.</summary>
public sealed class GuardSessionsTests : IAsyncDisposable
{
    private readonly GuardRig _rig = new(options => options with { SessionsMax = 6 });

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Fact]
    public void FifthSessionOfASigner_EndsItsLongestIdleOne()
    {
        GuardSession other = Begin(9);
        GuardSession[] four = [Begin(1), Begin(1), Begin(1), Begin(1)];
        _rig.Sessions.Hear(four[0]);

        GuardSession fifth = Begin(1);

        Assert.Equal((Refusal.TooManyInFlight, "session"), (four[1].Why?.Refusal, four[1].Why?.Field));
        Assert.True(four[1].Ended.IsCancellationRequested);
        Assert.All((GuardSession[])[other, four[0], four[2], four[3], fifth], session => Assert.Null(session.Why));
        Assert.Equal(5, _rig.Sessions.Count);
    }

    [Fact]
    public void WhenAllAreUp_TheLongestIdleStrangerGivesItsPlace()
    {
        GuardSession[] six = [.. Enumerable.Range(1, 6).Select(number => Begin((uint)number))];
        _rig.Sessions.Hear(six[0]);

        Begin(7);

        Assert.Equal(Refusal.TooManyInFlight, six[1].Why?.Refusal);
        Assert.Equal(6, _rig.Sessions.Count);
        Assert.Single(six, session => session.Why is not null);
    }

    [Fact]
    public async Task ClientWithAFundedChannel_KeepsItsSession_HoweverIdle()
    {
        GuardSession honest = await BeginFundedAsync(1);
        for (uint number = 2; number < 30; number++) Begin(number);

        Assert.Null(honest.Why);
        Assert.Equal(6, _rig.Sessions.Count);
    }

    [Fact]
    public async Task WhenAllAreOfClientsWithFundedChannels_AStrangerIsRefused()
    {
        for (uint number = 1; number <= 6; number++) await BeginFundedAsync(number);

        RefusalException refusal = Assert.Throws<RefusalException>(() => Begin(7));

        Assert.Equal((Refusal.TooManyInFlight, "session"), (refusal.Refusal, refusal.Field));
        Assert.Equal(6, _rig.Sessions.Count);
    }

    [Fact]
    public async Task ClientWithAFundedChannel_GetsIn_WhereAnotherHasSeveral()
    {
        GuardSession honest = await BeginFundedAsync(1);
        _rig.Sessions.Hear(honest);
        honest.Dispose();
        GuardSession first = await BeginFundedAsync(2);
        GuardSession[] rest = [Begin(2), Begin(2), await BeginFundedAsync(3), await BeginFundedAsync(4), await BeginFundedAsync(5)];

        GuardSession back = Begin(1);

        Assert.Null(back.Why);
        Assert.Equal(Refusal.TooManyInFlight, first.Why?.Refusal);
        Assert.All(rest, session => Assert.Null(session.Why));
    }

    [Fact]
    public void PlaceOfASessionThatEnded_IsGivenOnce()
    {
        GuardSession[] six = [.. Enumerable.Range(1, 6).Select(number => Begin((uint)number))];
        Begin(7);
        six[0].Dispose(); // Its call ends after its place is given away.

        Assert.Equal(6, _rig.Sessions.Count);
        Begin(8);
        Assert.Equal(Refusal.TooManyInFlight, six[1].Why?.Refusal);
    }

    private GuardSession Begin(uint signer) => _rig.Sessions.Begin(Signer(signer));

    private async Task<GuardSession> BeginFundedAsync(uint signer)
    {
        GuardSession session = Begin(signer);
        await _rig.TakeAsync(session.Client, Request(signer, 10, session.Client.Signer));
        await _rig.FundAsync(signer);
        return session;
    }
}
