using ChannelNode.Core;
using ChannelNode.Settlement;
using ChannelNode.Tests.Settlement;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A counterparty that closes with an old state at the worst moment, and a chain that helps it.</summary>
public sealed class AdversaryTests : IAsyncLifetime
{
    private const uint WindowSeconds = 600;

    private static ulong _owners;

    private readonly Address _owner = new(0xadbe, Interlocked.Increment(ref _owners), 1);
    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;
    private TestNode _cheat = null!;
    private TestNode _honest = null!;
    private RpcProxy _proxy = null!;
    private volatile bool _isRpcDown;
    private volatile int _feesRefused;

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
        _proxy = new RpcProxy(_anvil.HttpUrl, (method, _) => _isRpcDown ? Refuse(method) : null);
        _cheat = await TestNode.StartAsync(_chain);
        _honest = await TestNode.StartAsync(_chain, options => options with
        {
            RpcUrl = _proxy.Url,
            Owner = _owner,
            ReplaceAfterSeconds = 2,
            ClaimLookSeconds = 1,
            ClaimFrom = 100_000,
        });
    }

    public async Task DisposeAsync()
    {
        await _cheat.DisposeAsync();
        await _honest.DisposeAsync();
        _proxy.Dispose();
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
    }

    private (int Status, string Body)? Refuse(string method)
    {
        if (method == "eth_feeHistory") Interlocked.Increment(ref _feesRefused);
        return (503, "");
    }

    [Fact]
    public Task OldStateWhileOurRpcIsDownForMostOfTheWindowAndFeesRiseTenfold_CostsNothing() => CheatAsync(oneWay: false);

    /// <summary>The payer of a one-way channel takes its money out while the payee has not claimed its newest update.</summary>
    [Fact]
    public Task WithdrawRaceWithAnUnclaimedVoucher_IsWonByTheVoucher() => CheatAsync(oneWay: true);

    private async Task CheatAsync(bool oneWay)
    {
        string id = await OpenAsync(oneWay, "1000");
        await _cheat.PayAsync(id, "300");
        await _honest.UntilAsync(id, channel => channel.Received == "300");

        _isRpcDown = true;
        using var call = _cheat.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id });
        await _cheat.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closing);
        await _anvil.RpcAsync<object?>("evm_setAutomine", false);
        await _anvil.PassTimeAsync(WindowSeconds * 8 / 10);
        _isRpcDown = false;

        Wire.Job first = await UntilJobAsync(job => job.Attempts > 0);
        UInt128 offered = UInt128.Parse(first.MaxFeeWei);
        await _anvil.RpcAsync<object?>("anvil_setNextBlockBaseFeePerGas", Quantity.Format(offered * 10));
        await _anvil.MineAsync();
        Assert.NotEqual("300", (await _honest.ChannelAsync(id)).TheirRecordedSent);
        await UntilJobAsync(job => job.Attempts > 1); // The base fee falls with each block that is empty.
        await MineUntilAsync(id, channel => channel.TheirRecordedSent == "300");
        await _anvil.PassTimeAsync(WindowSeconds);
        await MineUntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);

        Assert.Equal((UInt128)300, await _chain.EtherOfAsync(_owner));
        Wire.Job answer = (await JobsAsync()).Single(job => job.Kind is Wire.JobKind.Dispute or Wire.JobKind.Claim);
        Assert.Equal((Wire.JobStatus.Done, true), (answer.Status, answer.Attempts > 1));
    }

    [Fact]
    public async Task ValueAtRiskAboveItsLimit_IsClaimedInOneBatch()
    {
        string[] ids = [await OpenAsync(true, "1000000"), await OpenAsync(true, "1000000"), await OpenAsync(true, "1000000")];
        await _cheat.PayAsync(ids[2], "99999");
        foreach (string id in ids[..2]) await _cheat.PayAsync(id, "99999");
        await Task.Delay(2_000);
        Assert.DoesNotContain(await JobsAsync(), job => job.Kind == Wire.JobKind.Claim);
        _isRpcDown = true; // So that one look sees both. It asks for fees first: when they were refused, none is under way that has them.
        int refused = _feesRefused;
        CancellationToken limit = TestChain.Limit;
        while (_feesRefused == refused) await Task.Delay(10, limit);
        foreach (string id in ids[..2]) await _cheat.PayAsync(id, "1");
        _isRpcDown = false;

        foreach (string id in ids[..2]) await _honest.UntilAsync(id, channel => channel.TheirRecordedSent == "100000");

        Wire.Job claim = (await JobsAsync()).Single(job => job.Kind == Wire.JobKind.Claim);
        Assert.Equal(ids[..2].Order(), claim.ChannelIds.Order());
        Assert.Equal((UInt128)200_000, await _chain.EtherOfAsync(_owner));
    }

    private async Task<string> OpenAsync(bool oneWay, string amount)
    {
        string id = await _cheat.OpenAsync(_honest, amount, oneWay);
        await _cheat.UntilAsync(id, channel => channel.PeerConnected);
        return id;
    }

    private async Task<IReadOnlyList<Wire.Job>> JobsAsync() =>
        (await _honest.Api.ListJobsAsync(new Wire.ListJobsRequest { All = true })).Jobs;

    private async Task<Wire.Job> UntilJobAsync(Func<Wire.Job, bool> reached)
    {
        for (int look = 0; look < 600; look++)
        {
            if ((await JobsAsync()).FirstOrDefault(reached) is { } job) return job;
            await Task.Delay(50);
        }

        Assert.Fail($"no such job; there are {string.Join(", ", await JobsAsync())}");
        return new Wire.Job();
    }

    /// <summary>A block every now and then, of the time that passes.</summary>
    private async Task MineUntilAsync(string id, Func<Wire.Channel, bool> reached)
    {
        for (int look = 0; look < 300; look++)
        {
            if (reached(await _honest.ChannelAsync(id))) return;
            await _anvil.MineAsync();
            await Task.Delay(150);
        }

        Assert.Fail($"never reached: {await _honest.ChannelAsync(id)}, {string.Join(", ", await JobsAsync())}");
    }
}
