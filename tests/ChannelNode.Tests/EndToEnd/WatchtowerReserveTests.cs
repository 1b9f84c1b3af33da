using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a watchtower's gas is used for where it does not reach for all.</summary>
public sealed class WatchtowerReserveTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;

    private static readonly UInt128 Much = (UInt128)5_000_000 * Gwei;

    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
    }

    public async Task DisposeAsync()
    {
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
    }

    private Task<TestTower> StartTowerAsync(ulong reserve, params Address[] accepted) => TestTower.StartAsync(
        _chain,
        options => options with
        {
            AcceptedSigners = accepted,
            Node = options.Node with { GasBudgetWeiPerDay = 0, DisputeReserveWeiPerDay = reserve },
        });

    [Fact]
    public async Task StrangersOldStatesInSmallChannels_DoNotCostALargeOneItsDispute()
    {
        await using TestTower tower = await StartTowerAsync(1_000_000 * Gwei);
        List<RawChannel> small = [];
        for (int index = 0; index < 8; index++)
        {
            small.Add(await RawChannel.OpenAsync(_chain));
            await GuardAsync(tower, small[^1], 300);
        }

        await using RawChannel large = await RawChannel.OpenAsync(_chain, deposit: 2 * Much);
        await GuardAsync(tower, large, Much);
        foreach (RawChannel channel in small) await CheatAsync(channel);
        await UntilAsync(tower, () => tower.Tower.Jobs.Active is { Count: > 0 } left
            && left.All(entry => entry.Job.Status == JobStatus.Waiting && entry.Problem == Refusal.BudgetReached));
        await CheatAsync(large);
        await UntilAsync(tower, async () => (await _chain.SidesAsync(large.Id)).SentA == Much);

        List<UInt128> recorded = [];
        foreach (RawChannel channel in small) recorded.Add((await _chain.SidesAsync(channel.Id)).SentA);
        Assert.Contains(UInt128.Zero, recorded);
        foreach (RawChannel channel in small) await channel.DisposeAsync();
    }

    /// <summary>A stranger may have both keys of a channel; whom the operator named gains what the dispute brings.</summary>
    [Fact]
    public async Task LargeStake_PaysForItsGas_OnlyOfWhomTheOperatorNamed()
    {
        await using RawChannel known = await RawChannel.OpenAsync(_chain, deposit: 2 * Much);
        await using RawChannel strange = await RawChannel.OpenAsync(_chain, deposit: 2 * Much);
        await using TestTower friend = await StartTowerAsync(0, known.Payee.Address);
        await using TestTower anybody = await StartTowerAsync(0);
        await GuardAsync(friend, known, Much);
        await GuardAsync(anybody, strange, Much);

        await CheatAsync(known);
        await CheatAsync(strange);
        await UntilAsync(friend, async () => (await _chain.SidesAsync(known.Id)).SentA == Much);
        await UntilAsync(anybody, () => anybody.Tower.Jobs.All.Any(entry => entry.Problem == Refusal.BudgetReached));

        Assert.Equal(UInt128.Zero, (await _chain.SidesAsync(strange.Id)).SentA);
    }

    /// <summary>The peer closes just after its last payment: the watchtower hears of that when the dispute with the one before waits for gas.</summary>
    [Fact]
    public async Task DisputeThatWaits_GivesWayToANewerUpdate()
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain, deposit: 2 * Much);
        await using TestTower tower = await StartTowerAsync(0);
        await GuardAsync(tower, channel, Much);
        await CheatAsync(channel);
        await UntilAsync(tower, () => tower.Tower.Jobs.All.Any(entry => entry.Problem == Refusal.BudgetReached));

        await GuardAsync(tower, channel, Much + 1);
        await UntilAsync(tower, () => tower.Tower.Jobs.Active.Any(
            entry => entry.Job.Purpose.Contains($"/{Much + 1}/", StringComparison.Ordinal) && entry.Problem == Refusal.BudgetReached));

        Assert.Single(tower.Tower.Jobs.Active);
    }

    private async Task GuardAsync(TestTower tower, RawChannel channel, UInt128 sent)
    {
        await using RawGuard guard = await RawGuard.ConnectAsync(tower, _chain, channel.Payee);
        Assert.Empty((await guard.AskAsync(channel.Update(guard, sent))).Refusals);
    }

    private async Task CheatAsync(RawChannel channel)
    {
        await _anvil.RpcAsync<object?>("anvil_setNextBlockBaseFeePerGas", Quantity.Format(2 * Gwei));
        await channel.CheatAsync();
    }

    private Task UntilAsync(TestTower tower, Func<bool> reached) => UntilAsync(tower, () => Task.FromResult(reached()));

    private async Task UntilAsync(TestTower tower, Func<Task<bool>> reached)
    {
        for (int look = 0; look < 600; look++)
        {
            if (await reached()) return;
            await Task.Delay(50);

            // A dispute that was sent before the base fee was set anew offers too little for the next block, and nobody else makes one.
            if (look % 10 == 9 && tower.Tower.Jobs.Active.Any(entry => entry.Job.Status == JobStatus.Sent))
                await _anvil.MineAsync();
        }

        Assert.Fail($"never reached; there are {string.Join(", ", tower.Tower.Jobs.All.Select(entry => entry.Job))}");
    }
}
