using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Tests.EndToEnd;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelNode.Tests.Settlement;

/// <summary>Two parties with a connection each to one contract, by one transport.</summary>
internal sealed class ChainBench : IAsyncDisposable
{
    public const uint WindowSeconds = 1_000;

    private static ulong _salts;

    private ChainBench(AnvilFixture anvil, Address contract, Address token, EthereumChain alice, EthereumChain bob)
    {
        (Anvil, Contract, Token, Alice, Bob) = (anvil, contract, token, alice, bob);
        AliceSigns = new SignatureScheme(AliceKey, AnvilFixture.ChainId, contract);
        BobSigns = new SignatureScheme(BobKey, AnvilFixture.ChainId, contract);
    }

    public AnvilFixture Anvil { get; }

    public Address Contract { get; }

    public Address Token { get; }

    public EthereumChain Alice { get; }

    public EthereumChain Bob { get; }

    public SignatureScheme AliceSigns { get; }

    public SignatureScheme BobSigns { get; }

    public PrivateKey AliceKey => Anvil.Keys[0];

    public PrivateKey BobKey => Anvil.Keys[1];

    /// <summary>Paid out here: accounts that pay no gas, so that their balances are exact.</summary>
    public Address AliceOwner { get; } = new(0xa11ce, NextSalt(), 1);

    public Address BobOwner { get; } = new(0xb0b, NextSalt(), 1);

    public static async Task<ChainBench> OpenAsync(AnvilFixture anvil, string transport)
    {
        string url = transport == "ws" ? anvil.WebSocketUrl : anvil.HttpUrl;
        Address contract = await anvil.PaymentChannelsAsync();
        return new ChainBench(
            anvil, contract, await anvil.TokenAsync(),
            await ConnectAsync(url, contract, anvil.Keys[0]),
            await ConnectAsync(url, contract, anvil.Keys[1]));
    }

    public static Task<EthereumChain> ConnectAsync(string url, Address contract, PrivateKey key) =>
        ConnectAsync(Options(url, contract), key);

    public static Task<EthereumChain> ConnectAsync(NodeOptions options, PrivateKey key) => EthereumChain.ConnectAsync(
        options, key.Address, key.SignAsync, TimeProvider.System, NullLogger.Instance, CancellationToken.None);

    public static NodeOptions Options(string url, Address contract) => new()
    {
        DataDirectory = "",
        KeyFile = "",
        RpcUrl = url,
        Contract = contract,
        PollMs = 50,
    };

    /// <summary>A fresh channel as A's node sees it.</summary>
    public Channel NewChannel(bool oneWay = false, bool inToken = false) =>
        NewChannel(oneWay, inToken ? Token : Address.Zero);

    public Channel NewChannel(bool oneWay, Address token)
    {
        var terms = new ChannelTerms(
            new Party(AliceOwner, AliceKey.Address),
            new Party(BobOwner, BobKey.Address),
            token,
            WindowSeconds,
            oneWay,
            new Bytes32(NextSalt(), 0, 0, 1));
        return new Channel(AliceSigns.IdOf(terms), terms, Side.A);
    }

    public async Task<Channel> FundAsync(bool oneWay = false, ulong a = 1_000, ulong b = 500)
    {
        Channel channel = NewChannel(oneWay);
        await Alice.DepositAsync(channel, Side.A, a, null, default);
        if (!oneWay && b > 0) await Bob.DepositAsync(channel, Side.B, b, null, default);
        return channel;
    }

    public Task<Pots> PotsAsync(Channel channel) => Alice.SidesAsync(channel.Id, default);

    public async ValueTask DisposeAsync()
    {
        await Alice.DisposeAsync();
        await Bob.DisposeAsync();
    }

    private static ulong NextSalt() => Interlocked.Increment(ref _salts);
}

/// <summary>Remembers what was reported, at once and in order, unlike <see cref="Progress{T}"/>.</summary>
internal sealed class Steps : List<TransactionStep>, IProgress<TransactionStep>
{
    public void Report(TransactionStep value) => Add(value);
}
