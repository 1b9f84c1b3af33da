using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A counterparty that closes many small channels with old states, so that nothing is left for a large one.</summary>
public sealed class ManyClosesTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;
    private const int Small = 10;

    private static readonly UInt128 Much = (UInt128)5_000_000 * Gwei;

    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;
    private TestNode _cheat = null!;
    private TestNode _honest = null!;

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
        _cheat = await TestNode.StartAsync(_chain, options => options with { CreditSmallMax = 2 * Much });
        // What two or three disputes may cost; to settle it has nothing, and the cheat's node does that.
        _honest = await TestNode.StartAsync(
            _chain, options => options with { CreditSmallMax = 2 * Much, GasBudgetWeiPerDay = 0, DisputeReserveWeiPerDay = 700_000 * Gwei });
    }

    public async Task DisposeAsync()
    {
        await _cheat.DisposeAsync();
        await _honest.DisposeAsync();
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OldStatesInManySmallChannels_DoNotCostALargeOneItsDispute(bool oneWay)
    {
        List<string> small = [];
        for (int index = 0; index < Small; index++)
        {
            small.Add(await OpenAsync("1000", oneWay));
            await _cheat.PayAsync(small[^1], "300");
        }

        string large = await OpenAsync($"{2 * Much}", oneWay);
        await _cheat.PayAsync(large, $"{Much}");
        foreach (string id in small) await _honest.UntilAsync(id, channel => channel.Received == "300");
        await _honest.UntilAsync(large, channel => channel.Received == $"{Much}");

        await StartCloseAsync(small);
        await UntilAsync(jobs => jobs.Any(it => it.Problem == Wire.Refusal.BudgetReached));
        await StartCloseAsync([large]);
        await _honest.UntilAsync(large, channel => channel.TheirRecordedSent == $"{Much}");

        Wire.Channel[] left = [.. await Task.WhenAll(small.Select(_honest.ChannelAsync))];
        Assert.Contains(left, channel => channel.TheirRecordedSent != "300");
        await UntilAsync(jobs => jobs.Single(it => it.ChannelIds.Contains(large)).Status == Wire.JobStatus.Done);
    }

    private async Task<string> OpenAsync(string amount, bool oneWay)
    {
        string id = await _cheat.OpenAsync(_honest, amount, oneWay);
        await _cheat.UntilAsync(id, channel => channel.PeerConnected);
        return id;
    }

    private async Task StartCloseAsync(IReadOnlyList<string> ids)
    {
        foreach (string id in ids)
        {
            await _anvil.RpcAsync<object?>("anvil_setNextBlockBaseFeePerGas", Quantity.Format(2 * Gwei));
            using var call = _cheat.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id });
            await _honest.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closing);
        }
    }

    private async Task<IReadOnlyList<Wire.Job>> JobsAsync() =>
        (await _honest.Api.ListJobsAsync(new Wire.ListJobsRequest { All = true })).Jobs;

    private async Task UntilAsync(Func<IReadOnlyList<Wire.Job>, bool> reached)
    {
        for (int look = 0; look < 600; look++)
        {
            if (reached(await JobsAsync())) return;
            await Task.Delay(50);
        }

        Assert.Fail($"never reached; there are {string.Join(", ", await JobsAsync())}");
    }
}
