using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Microsoft.Extensions.Logging.Abstractions;

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
        NodeOptions options = new()
        {
            DataDirectory = "",
            KeyFile = "",
            RpcUrl = anvil.WebSocketUrl,
            Contract = contract,
            PollMs = 50,
        };
        PrivateKey key = anvil.Keys[2];
        return new TestChain(anvil, contract, await EthereumChain.ConnectAsync(
            options, key.Address, key.Sign, TimeProvider.System, NullLogger.Instance, CancellationToken.None));
    }

    public Task FundAsync(Address account) => _anvil.RpcAsync<object?>("anvil_setBalance", account.ToString(), HundredEther);

    public Task DepositAsync(Channel channel, Side side, UInt128 amount) =>
        _chain.DepositAsync(channel, side, amount, null, Limit);

    /// <summary>By a key that is no party of the channel.</summary>
    public Task DisputeForAsync(Channel channel, BalanceUpdate update, Signature signature, Signature consent) =>
        _chain.DisputeForAsync(channel, update, signature, consent, null, Limit);

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
