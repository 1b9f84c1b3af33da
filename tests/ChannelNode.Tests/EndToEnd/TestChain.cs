using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What tests of whole nodes need of the shared Anvil: the contract, money, a look at balances.</summary>
internal sealed class TestChain : IAsyncDisposable
{
    private const string HundredEther = "0x56BC75E2D63100000";

    private readonly AnvilFixture _anvil;
    private readonly EthereumChain _chain;

    private TestChain(AnvilFixture anvil, Address contract, EthereumChain chain)
    {
        (_anvil, Contract, _chain) = (anvil, contract, chain);
    }

    public Address Contract { get; }

    public ulong ChainId => AnvilFixture.ChainId;

    public string RpcUrl => _anvil.WebSocketUrl;

    /// <summary>No wait of a test is longer: a minute from now.</summary>
    public static CancellationToken Limit => new CancellationTokenSource(TimeSpan.FromMinutes(1)).Token;

    public static async Task<TestChain> OpenAsync(AnvilFixture anvil)
    {
        Address contract = await anvil.PaymentChannelsAsync();
        return new TestChain(anvil, contract, await ConnectAsync(anvil, contract, anvil.Keys[2]));
    }

    private static Task<EthereumChain> ConnectAsync(AnvilFixture anvil, Address contract, PrivateKey key)
    {
        NodeOptions options = new()
        {
            DataDirectory = "",
            KeyFile = "",
            RpcUrl = anvil.WebSocketUrl,
            Contract = contract,
            PollMs = 50,
        };
        return EthereumChain.ConnectAsync(
            options, key.Address, key.SignAsync, TimeProvider.System, NullLogger.Instance, CancellationToken.None);
    }

    public Task FundAsync(Address account) => _anvil.RpcAsync<object?>("anvil_setBalance", account.ToString(), HundredEther);

    public Task DepositAsync(Channel channel, Side side, UInt128 amount) =>
        _chain.DepositAsync(channel, side, amount, null, Limit);

    /// <summary>The chain by another key, which is given some ether.</summary>
    public async Task<EthereumChain> ConnectAsync(PrivateKey key)
    {
        await FundAsync(key.Address);
        return await ConnectAsync(_anvil, Contract, key);
    }

    public Task<Pots> SidesAsync(ChannelId id) => _chain.SidesAsync(id, Limit);

    public async Task<Pots> UntilAsync(ChannelId id, Func<Pots, bool> reached)
    {
        Pots pots = default;
        for (int look = 0; look < 600; look++)
        {
            pots = await SidesAsync(id);
            if (reached(pots)) return pots;
            await Task.Delay(50);
        }

        Assert.Fail($"never reached; the contract has {pots}");
        return pots;
    }

    public Task<Address> TokenAsync() => _anvil.TokenAsync();

    /// <summary>One that takes permits and authorizations.</summary>
    public Task<Address> DollarAsync() => _anvil.DollarAsync();

    public Task MintAsync(Address to, UInt128 amount) => _anvil.MintAsync(to, amount);

    public async Task MintDollarsAsync(Address to, UInt128 amount) =>
        await _anvil.MintAsync(await _anvil.DollarAsync(), to, amount);

    public Task<UInt128> EtherOfAsync(Address owner) => _chain.EtherBalanceAsync(owner, Limit);

    public async Task<UInt128> TokensOfAsync(Address owner) =>
        await _chain.TokenBalanceAsync(await _anvil.TokenAsync(), owner, Limit);

    public Task PassTimeAsync(uint seconds) => _anvil.PassTimeAsync(seconds);

    public ValueTask DisposeAsync() => _chain.DisposeAsync();
}
