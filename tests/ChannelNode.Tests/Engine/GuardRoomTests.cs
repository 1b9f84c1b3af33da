using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using Xunit;
using static ChannelNode.Tests.Engine.GuardRig;

namespace ChannelNode.Tests.Engine;

/// <summary>A watchtower that anybody may use: strangers get what is left, and never what is somebody's with a deposit.</summary>
public sealed class GuardRoomTests : IAsyncDisposable
{
    private readonly SimulatedTime _time = new();
    private readonly GuardRig _rig;

    public GuardRoomTests() =>
        _rig = new GuardRig(options => options with { ChannelsMax = 30, SessionsMax = 6 }, _time);

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Fact]
    public async Task ChannelsWithoutADeposit_TakeATenthOfThePlaces()
    {
        GuardClient stranger = _rig.Guards.Join(Signer(1));

        GuardAnswer answer = await _rig.TakeAsync(stranger, Of(stranger, 1, 2, 3, 4));

        Assert.Equal(3, answer.Stored.Count);
        AssertNoRoom(answer, "channels without a deposit");
        Assert.Equal(3, _rig.Guards.GuardedCount);
    }

    [Fact]
    public async Task ChannelTheContractDidNotKnow_MakesRoomForOneThatItKnows_TheLongestBlankFirst()
    {
        GuardClient stranger = _rig.Guards.Join(Signer(1)), honest = _rig.Guards.Join(Signer(2));
        await _rig.TakeAsync(stranger, Of(stranger, 1, 2, 3));
        _rig.NoteBlank(2);
        _rig.NoteBlank(1);
        _rig.Contract.Add(IdOf(11));

        Assert.Empty((await _rig.TakeAsync(honest, Of(honest, 11))).Refusals);

        Assert.Equal([IdOf(1), IdOf(3)], stranger.List().Order());
        Assert.Equal((3, 3ul), (_rig.Guards.GuardedCount, _rig.Store.ChannelCount));
        Assert.Null(_rig.Store.FindChannel(IdOf(2)));
        Assert.Null(_rig.Store.FindGuarded(IdOf(2), Side.A));
    }

    /// <summary>What is newer is stored over what was, so it takes no more of the disk.</summary>
    [Fact]
    public async Task OnAFullDisk_NobodyGetsAPlace_NobodyLosesOne_AndWhatIsNewerIsTaken()
    {
        GuardClient early = _rig.Guards.Join(Signer(1)), late = _rig.Guards.Join(Signer(2));
        await _rig.TakeAsync(early, Of(early, 1, 2, 3));
        _rig.NoteBlank(1);
        _rig.Contract.Add(IdOf(11));
        await HaveFreeAsync(0);

        GuardRefusal refused = Assert.Single((await _rig.TakeAsync(late, Of(late, 11))).Refusals);
        _time.Advance(60_000); // Who had something looked at for nothing waits for that.
        GuardAnswer newer = await _rig.TakeAsync(early, Request(2, 500, Signer(1)));

        Assert.Equal((Refusal.DiskLow, "disk"), (refused.Reason, refused.Field));
        Assert.Equal((3, 3ul), (early.Count, _rig.Store.ChannelCount));
        Assert.Equal((UInt128)500, Assert.Single(newer.Stored).Sent);
        await HaveFreeAsync(1UL << 40);
        Assert.Empty((await _rig.TakeAsync(late, Of(late, 11))).Refusals);
    }

    private Task HaveFreeAsync(ulong bytes) => _rig.Ledger.RunAsync(
        turn =>
        {
            _rig.Ledger.Disk.Take(bytes, turn);
            return true;
        },
        CancellationToken.None);

    [Fact]
    public async Task ChannelWithoutADeposit_TakesNobodysPlace()
    {
        GuardClient stranger = _rig.Guards.Join(Signer(1)), other = _rig.Guards.Join(Signer(2));
        await _rig.TakeAsync(stranger, Of(stranger, 1, 2, 3));
        _rig.NoteBlank(1);

        AssertNoRoom(await _rig.TakeAsync(other, Of(other, 11)), "channels without a deposit");

        Assert.Equal(3, stranger.Count);
    }

    /// <summary>Among those without a deposit there may be some that have one: the contract was not asked yet.</summary>
    [Fact]
    public async Task ChannelTheContractWasNotAskedForYet_KeepsItsPlace_AndOneThatItKnowsGetsIn()
    {
        GuardClient early = _rig.Guards.Join(Signer(1)), late = _rig.Guards.Join(Signer(2));
        await _rig.TakeAsync(early, Of(early, 1, 2, 3));
        _rig.Contract.Add(IdOf(11));

        Assert.Empty((await _rig.TakeAsync(late, Of(late, 11))).Refusals);

        Assert.Equal((3, 1), (early.Count, late.Count));
    }

    [Fact]
    public async Task ChannelThatWasBlankAndIsFunded_KeepsItsPlace()
    {
        GuardClient honest = _rig.Guards.Join(Signer(1)), stranger = _rig.Guards.Join(Signer(2)), late = _rig.Guards.Join(Signer(3));
        await _rig.TakeAsync(honest, Of(honest, 1));
        _rig.NoteBlank(1);
        await _rig.FundAsync(1);
        await _rig.TakeAsync(stranger, Of(stranger, 11, 12, 13));
        _rig.Contract.Add(IdOf(21));

        Assert.Empty((await _rig.TakeAsync(late, Of(late, 21))).Refusals);

        Assert.NotNull(_rig.Store.FindGuarded(IdOf(1), Side.A));
        Assert.False(honest.IsStranger);
        Assert.True(stranger.IsStranger);
    }

    [Fact]
    public async Task SignersChannelsWithoutADeposit_AreLimited_ByThoseThatHaveOne()
    {
        await using GuardRig rig = new(null, _time);
        GuardClient client = rig.Guards.Join(Signer(1));

        GuardAnswer answer = await rig.TakeAsync(client, Of(client, [.. Enumerable.Range(1, 101).Select(channel => (uint)channel)]));
        AssertNoRoom(answer, "channels of this signer without a deposit");
        await rig.FundAsync(1);
        _time.Advance(1_000);

        answer = await rig.TakeAsync(client, Of(client, [.. Enumerable.Range(101, 12).Select(channel => (uint)channel)]));
        AssertNoRoom(answer, "channels of this signer without a deposit");
        Assert.Equal(111, client.Count);
    }

    [Fact]
    public async Task AllPlacesWithADeposit_RefuseEveryNewChannel_AndNoOldOne()
    {
        GuardClient honest = _rig.Guards.Join(Signer(1)), other = _rig.Guards.Join(Signer(2));
        for (uint channel = 1; channel <= 30; channel++)
        {
            await _rig.TakeAsync(honest, Of(honest, channel));
            await _rig.FundAsync(channel);
            _time.Advance(1_000);
        }

        AssertNoRoom(await _rig.TakeAsync(other, Of(other, 31)), "channels of all signers");
        Assert.Empty((await _rig.TakeAsync(honest, Request(1, 20, honest.Signer))).Refusals);
    }

    [Fact]
    public async Task SignerWhoseChannelMadeRoom_LosesItsSession_SoThatItsNodeHearsOfIt()
    {
        using GuardSession theirs = _rig.Sessions.Begin(Signer(1)), ours = _rig.Sessions.Begin(Signer(2));
        await _rig.TakeAsync(theirs.Client, Of(theirs.Client, 1, 2, 3));
        _rig.NoteBlank(1);
        _rig.Contract.Add(IdOf(11));

        await _rig.TakeAsync(ours.Client, Of(ours.Client, 11));

        Assert.Equal(Refusal.TooManyChannels, theirs.Why?.Refusal);
        Assert.Null(ours.Why);
        Assert.Equal(1, _rig.Sessions.Count);
    }

    [Fact]
    public async Task ChannelThatMadeRoom_IsTakenAgain_AndCountedOnce()
    {
        GuardClient stranger = _rig.Guards.Join(Signer(1));
        await _rig.TakeAsync(stranger, Of(stranger, 1, 2, 3));
        _rig.NoteBlank(1);
        _rig.Contract.UnionWith([IdOf(1), IdOf(4)]);
        _time.Advance(1_000);
        await _rig.TakeAsync(stranger, Of(stranger, 4));
        _rig.NoteBlank(2);
        _time.Advance(1_000);

        Assert.Empty((await _rig.TakeAsync(stranger, Of(stranger, 1))).Refusals);

        Assert.Equal([IdOf(1), IdOf(3), IdOf(4)], stranger.List().Order());
        Assert.Equal(3ul, _rig.Store.ChannelCount);
    }

    [Fact]
    public async Task WrongSignatures_AreWaitedForByTheirSigner_InWhateverSession()
    {
        GuardClient one = _rig.Guards.Join(Signer(1)), other = _rig.Guards.Join(Signer(2));
        await _rig.TakeAsync(one, [.. Enumerable.Repeat(Request(1, 10, one.Signer, isWrong: true), 20)]);
        _rig.Guards.Leave(one);
        GuardClient again = _rig.Guards.Join(Signer(1));

        Task<GuardAnswer> waiting = _rig.TakeAsync(again, Of(again, 1));
        Assert.Single((await _rig.TakeAsync(other, Of(other, 2))).Stored); // Nobody else waits.
        _time.Advance(100);
        await Task.WhenAny(waiting, Task.Delay(200));
        Assert.False(waiting.IsCompleted); // 20 wrong ones of 200 a second, in a frame of no use.
        _time.Advance(50);
        Assert.Single((await waiting).Stored);
    }

    [Fact]
    public async Task WrongSignaturesOfOneFrame_AreLookedAtInSmallPortions()
    {
        GuardClient one = _rig.Guards.Join(Signer(1)), other = _rig.Guards.Join(Signer(2));

        Task<GuardAnswer> waiting = _rig.TakeAsync(one, [.. Enumerable.Repeat(Request(1, 10, one.Signer, isWrong: true), 100)]);
        Assert.Single((await _rig.TakeAsync(other, Of(other, 2))).Stored);

        Assert.False(waiting.IsCompleted);
        long began = _time.NowMs;
        while (!waiting.IsCompleted)
        {
            if (_time.NextDueMs < long.MaxValue) _time.Advance(_time.NextDueMs - _time.NowMs);
            else await Task.Delay(5); // It does not wait yet, or not any more.
        }

        Assert.Equal(100, (await waiting).Refusals.Count);
        Assert.InRange(_time.NowMs - began, 1, 500); // 100 wrong ones of 200 a second, the last of them not waited for.
    }

    [Fact]
    public async Task UpdatesThatAreOfNoUse_AreWaitedFor_AndThoseOfAFundedChannelAreNot()
    {
        GuardClient client = _rig.Guards.Join(Signer(1));
        await _rig.TakeAsync(client, Of(client, 1));
        Assert.True(client.Pace.Owed > TimeSpan.Zero); // The chain does not know the channel.
        _time.Advance(1_000);
        await _rig.FundAsync(1);

        await _rig.TakeAsync(client, Request(1, 20, client.Signer));
        Assert.Equal(TimeSpan.Zero, client.Pace.Owed);
        await _rig.TakeAsync(client, Request(1, 20, client.Signer));
        Assert.True(client.Pace.Owed > TimeSpan.Zero); // Nothing in it is new.
        _time.Advance(1_000);
        await _rig.TakeAsync(client);
        Assert.True(client.Pace.Owed > TimeSpan.Zero); // Nothing is in it.
    }

    private static GuardRequest[] Of(GuardClient client, params uint[] channels) =>
        [.. channels.Select(channel => Request(channel, 10, client.Signer))];

    private static void AssertNoRoom(GuardAnswer answer, string field)
    {
        GuardRefusal refusal = Assert.Single(answer.Refusals);
        Assert.Equal((Refusal.TooManyChannels, field), (refusal.Reason, refusal.Field));
    }
}
