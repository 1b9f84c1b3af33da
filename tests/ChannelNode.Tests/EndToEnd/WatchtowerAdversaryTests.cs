using ChannelNode.Core;
using ChannelNode.Settlement;
using ChannelNode.Tests.Settlement;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// Our node is gone, the counterparty closes as if nothing had been paid, the watchtower's RPC is down for most of the window, and
/// then fees rise tenfold.
/// </summary>
public sealed class WatchtowerAdversaryTests : IAsyncLifetime
{
    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;
    private TestTower _tower = null!;
    private RpcProxy _proxy = null!;
    private volatile bool _isRpcDown;

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
        _proxy = new RpcProxy(_anvil.HttpUrl, (_, _) => _isRpcDown ? (503, "") : null);
        _tower = await TestTower.StartAsync(
            _chain, options => options with { Node = options.Node with { RpcUrl = _proxy.Url } });
    }

    public async Task DisposeAsync()
    {
        await _tower.DisposeAsync();
        _proxy.Dispose();
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RpcDownForMostOfTheWindow_ThenFeesRiseTenfold_CostsNothing(bool oneWay)
    {
        await using RawChannel channel = await RawChannel.OpenAsync(_chain, oneWay);
        await using RawGuard guard = await RawGuard.ConnectAsync(_tower, _chain, channel.Payee);
        Assert.Empty((await guard.AskAsync(channel.Update(guard, 300))).Refusals);
        _isRpcDown = true;
        Assert.Empty((await guard.AskAsync(channel.Update(guard, 400))).Refusals); // To keep it needs no chain.
        await channel.CheatAsync();
        await _anvil.RpcAsync<object?>("evm_setAutomine", false);
        await _anvil.PassTimeAsync(RawChannel.WindowSeconds * 8 / 10);
        await _anvil.MineAsync(20);

        _isRpcDown = false;
        ChannelNode.Engine.Job first = await UntilOfferedAsync();
        await _anvil.RpcAsync<object?>(
            "anvil_setNextBlockBaseFeePerGas", Quantity.Format(first.Offer!.Fees.MaxFee * 10));
        await _anvil.MineAsync();
        Assert.Equal(UInt128.Zero, (await _chain.SidesAsync(channel.Id)).SentA);
        await _anvil.MineUntilAsync(async () => (await _chain.SidesAsync(channel.Id)).SentA == 400);
        await _anvil.RpcAsync<object?>("evm_setAutomine", true);
        await _anvil.PassTimeAsync(RawChannel.WindowSeconds);
        await channel.SettleAsync();

        Assert.Equal((UInt128)400, await _chain.EtherOfAsync(channel.Terms.B.Owner));
        Assert.Equal((UInt128)600, await _chain.EtherOfAsync(channel.Terms.A.Owner));
        Assert.Single(_tower.Tower.Jobs.All);
    }

    private async Task<ChannelNode.Engine.Job> UntilOfferedAsync()
    {
        for (int look = 0; look < 600; look++)
        {
            if (_tower.Tower.Jobs.Active.FirstOrDefault()?.Job is { Offer: not null } job) return job;
            await Task.Delay(50);
        }

        throw new TimeoutException("nothing was sent");
    }
}
