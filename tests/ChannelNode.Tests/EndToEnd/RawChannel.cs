using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// A channel between two keys without nodes: the first has put in 1,000, or more, and cheats, the second is guarded by a watchtower.
/// </summary>
internal sealed class RawChannel : IAsyncDisposable
{
    public const uint WindowSeconds = 600;

    private readonly EthereumChain _cheat;

    private RawChannel(PrivateKey payer, PrivateKey payee, Channel channel, EthereumChain cheat) =>
        (Payer, Payee, AsPayer, _cheat) = (payer, payee, channel, cheat);

    public PrivateKey Payer { get; }

    public PrivateKey Payee { get; }

    public Channel AsPayer { get; }

    public ChannelTerms Terms => AsPayer.Terms;

    public ChannelId Id => AsPayer.Id;

    /// <param name="payee">A fresh key unless given.</param>
    public static async Task<RawChannel> OpenAsync(TestChain chain, bool oneWay = false, PrivateKey? payee = null, UInt128? deposit = null)
    {
        PrivateKey payer = PrivateKey.Generate();
        payee ??= PrivateKey.Generate();
        // Paid out to addresses that never had anything.
        ChannelTerms terms = new(
            new Party(FreshAddress(), payer.Address), new Party(FreshAddress(), payee.Address), Address.Zero, WindowSeconds, oneWay,
            Bytes32.Read(RandomNumberGenerator.GetBytes(32)));
        ChannelId id = new SignatureScheme(payer, chain.ChainId, chain.Contract).IdOf(terms);
        Channel channel = new(id, terms, Side.A);
        await chain.DepositAsync(channel, Side.A, deposit ?? 1_000);
        return new RawChannel(payer, payee, channel, await chain.ConnectAsync(payer));
    }

    public static Address FreshAddress() => Address.Read(RandomNumberGenerator.GetBytes(Address.Size));

    /// <summary>The payer's update, with the payee's consent.</summary>
    public Wire.GuardedUpdate Update(RawGuard guard, UInt128 sent, UInt128 received = default) =>
        guard.Update(Terms, sent, received, Payer);

    /// <summary>Starts to close without any update: as if nothing had ever been paid.</summary>
    public Task CheatAsync() => _cheat.StartCloseAsync(AsPayer, null, default, null, TestChain.Limit);

    public Task SettleAsync() => _cheat.SettleAsync(AsPayer, null, TestChain.Limit);

    public ValueTask DisposeAsync() => _cheat.DisposeAsync();
}
