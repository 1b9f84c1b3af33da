using System.Runtime.CompilerServices;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Simulation;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>Any stranger may say that it goes away, for as long as this node is patient, and come again under another key.</summary>
public sealed class GoingAwayTests : IAsyncLifetime
{
    private const uint PatienceSeconds = 30;

    private static readonly Address Stranger = new(0, 0, 0xC1);

    private readonly SimulatedTime _time = new();
    private readonly LedgerRig _rig;

    public GoingAwayTests() => _rig = new LedgerRig(options => options with { PeerRestartSeconds = PatienceSeconds }, _time);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    [Fact]
    public async Task PeerThatWentAway_IsExpectedBack_AndNothingOfItsSessionIsKept()
    {
        WeakReference session = await ComeAndGoAsync();
        await ComeAndGoAsync(new Address(0, 0, 0xC2)); // What was heard last may be held until something else is.

        await CollectAsync(session);

        Assert.True(await IsAwayAsync());
        Assert.False(session.IsAlive);

        _time.Advance(PatienceSeconds * 1_000);
        await UntilAsync(async () => !await IsAwayAsync());
    }

    [Fact]
    public async Task PeerThatSaysSoAndStays_LosesItsSession_WhenItsTimeIsOver()
    {
        PeerSession session = await SayAsync(Stranger);

        _time.Advance((PatienceSeconds * 1_000) - 1);
        Assert.True(await IsAwayAsync());
        Assert.False(session.Link.Ended.IsCancellationRequested);

        _time.Advance(1);
        await UntilAsync(() => Task.FromResult(session.Link.Ended.IsCancellationRequested));
        Assert.Equal("it said that it goes away, and stayed", session.Link.EndReason);
        Assert.False(await IsAwayAsync());
    }

    private async Task<PeerSession> SayAsync(Address signer)
    {
        PeerSession session = await _rig.ComeAsync(signer);
        await session.ReceiveAsync(new PeerMessage.GoingAway(PatienceSeconds), CancellationToken.None);
        Assert.True(await IsAwayAsync(signer));
        return session;
    }

    private Task<WeakReference> ComeAndGoAsync() => ComeAndGoAsync(Stranger);

    /// <summary>In a frame of its own, or the test itself would hold the session.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task<WeakReference> ComeAndGoAsync(Address signer)
    {
        PeerSession session = await SayAsync(signer);
        await _rig.Peers.DetachAsync(session.Link, "it went");
        return new WeakReference(session.Link);
    }

    /// <summary>The thread that ended what was waited for goes on here, with what it had in hand: on another one nothing is.</summary>
    private static async Task CollectAsync(WeakReference session)
    {
        for (int look = 0; look < 100 && session.IsAlive; look++)
        {
            await Task.Delay(10);
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private Task<bool> IsAwayAsync() => IsAwayAsync(Stranger);

    private Task<bool> IsAwayAsync(Address signer) => _rig.Ledger.RunAsync(_ => _rig.Links.Away.IsAway(signer), CancellationToken.None);

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        CancellationToken limit = TestChain.Limit;
        while (!await isSo()) limit.ThrowIfCancellationRequested();
    }
}
