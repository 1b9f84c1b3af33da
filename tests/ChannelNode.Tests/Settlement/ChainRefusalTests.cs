using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Settlement;

[Collection(AnvilCollection.Name)]
public sealed class ChainRefusalTests(AnvilFixture anvil)
{
    public static TheoryData<string> Transports { get; } = ["ws", "http"];

    [Theory, MemberData(nameof(Transports))]
    public async Task ContractRefusals_CarryTheirNames(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        Channel channel = await bench.FundAsync();
        var update = new BalanceUpdate(channel.Id, 10, 0);
        Signature signature = bench.BobSigns.Sign(update);

        await RefusedAsync(Refusal.ZeroAmount, () => bench.Alice.DepositAsync(channel, Side.A, 0, null, default));
        await RefusedAsync(Refusal.NotClosing, () => bench.Alice.SettleAsync(channel, null, default));
        await RefusedAsync(
            Refusal.NotClosing, () => bench.Alice.DisputeAsync(channel, update, signature, null, default));
        await RefusedAsync(
            Refusal.UnknownChannel, () => bench.Alice.StartCloseAsync(bench.NewChannel(), null, default, null, default));

        await bench.Alice.StartCloseAsync(channel, null, default, null, default);
        await RefusedAsync(
            Refusal.ChannelClosing, () => bench.Alice.StartCloseAsync(channel, null, default, null, default));
        await RefusedAsync(Refusal.ChannelClosing, () => bench.Bob.DepositAsync(channel, Side.B, 1, null, default));
        RefusalException open = await RefusedAsync(
            Refusal.WindowOpen, () => bench.Alice.SettleAsync(channel, null, default));
        Assert.Contains("closesAt", open.Message, StringComparison.Ordinal);
        await RefusedAsync(
            Refusal.NotParty, () => bench.Bob.DisputeAsync(channel, update, signature, null, default));
        await RefusedAsync(
            Refusal.WrongSigner,
            () => bench.Alice.DisputeAsync(channel, update with { Sent = 11 }, signature, null, default));

        await anvil.PassTimeAsync(ChainBench.WindowSeconds);
        await RefusedAsync(
            Refusal.WindowClosed, () => bench.Alice.DisputeAsync(channel, update, signature, null, default));
    }

    [Fact]
    public async Task StartClose_ByAStranger_IsNotParty()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        await using EthereumChain stranger = await ChainBench.ConnectAsync(
            anvil.WebSocketUrl, bench.Contract, anvil.Keys[2]);
        Channel channel = await bench.FundAsync();

        RefusalException refused = await RefusedAsync(
            Refusal.NotParty, () => stranger.StartCloseAsync(channel, null, default, null, default));

        Assert.Contains(anvil.Keys[2].Address.ToString(), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Close_ThatIsExpiredOrReplayedOrUncovered_IsRefused()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = await bench.FundAsync();
        ulong now = await anvil.NowSecondsAsync();

        await RefusedAsync(Refusal.CloseExpired, () => CloseAsync(bench, channel, new(channel.Id, 1, 1, now - 1)));
        await RefusedAsync(Refusal.InsufficientBalance, () => CloseAsync(bench, channel, new(channel.Id, 2_000, 1, now + 99)));
        await CloseAsync(bench, channel, new(channel.Id, 1, 1, now + 300));
        await bench.Alice.DepositAsync(channel, Side.A, 5, null, default);
        await RefusedAsync(
            Refusal.CloseNotAdvancing, () => CloseAsync(bench, channel, new(channel.Id, 1, 1, now + 300)));
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task Deposit_OfMoreEtherThanThereIs_NamesNeededAndAvailable(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        UInt128 available = await bench.Alice.EtherBalanceAsync(bench.AliceKey.Address, default);

        foreach (UInt128 amount in (UInt128[])[available + 1, available, Amounts.Max])
        {
            RefusalException refused = await RefusedAsync(
                Refusal.InsufficientFunds,
                () => bench.Alice.DepositAsync(bench.NewChannel(), Side.A, amount, null, default));
            Assert.Matches($" has ({available} wei|{AmountWords.Ether(available.ToString())})$", refused.Message); // The RPC's own words, or this node's.
        }
    }

    [Fact]
    public async Task Deposit_OfMoreTokensThanThereAre_NamesNeededAndAvailable()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        UInt128 available = await bench.Bob.TokenBalanceAsync(bench.Token, bench.BobKey.Address, default);

        RefusalException refused = await RefusedAsync(
            Refusal.InsufficientFunds,
            () => bench.Bob.DepositAsync(bench.NewChannel(inToken: true), Side.B, available + 77, null, default));

        Assert.Contains($"needs {available + 77}", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"has {available}", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Deposit_OfATokenThatIsNone_IsTransferFailed()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        foreach (Address token in (Address[])[new Address(5, 5, 5), bench.Contract])
        {
            Channel channel = bench.NewChannel();
            channel = channel with { Terms = channel.Terms with { Token = token } };
            await RefusedAsync(
                Refusal.TransferFailed, () => bench.Alice.DepositAsync(channel, Side.A, 1, null, default));
        }
    }

    [Fact]
    public async Task TransactionThatLosesARaceInItsBlock_IsTransactionRevertedWithTheReason()
    {
        await using AnvilFixture own = await AnvilFixture.StartAsync();
        await using ChainBench bench = await ChainBench.OpenAsync(own, "ws");
        Channel channel = await bench.FundAsync();
        await own.RpcAsync<object?>("evm_setAutomine", false);
        var sent = new Steps();
        Task<TransactionReceipt> loser = bench.Alice.StartCloseAsync(channel, null, default, sent, default);
        await WaitForAsync(() => sent.Count > 0);

        await OvertakeAsync(own, bench, channel);
        await own.MineAsync();

        RefusalException refused = await RefusedAsync(Refusal.TransactionReverted, () => loser);
        Assert.Contains("ChannelClosing(closesAt", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_ToAnotherChainThanConfigured_IsWrongChain()
    {
        NodeOptions options = ChainBench.Options(anvil.HttpUrl, await anvil.PaymentChannelsAsync()) with { ChainId = 1 };

        RefusalException refused = await RefusedAsync(
            Refusal.WrongChain, () => ChainBench.ConnectAsync(options, anvil.Keys[0]));

        Assert.Contains("31337", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_WhereNoContractIs_IsWrongContract() => await RefusedAsync(
        Refusal.WrongContract,
        () => ChainBench.ConnectAsync(anvil.WebSocketUrl, new Address(1, 2, 3), anvil.Keys[0]));

    [Theory]
    [InlineData("http://127.0.0.1:9/secret-key")]
    [InlineData("http://secret-key:secret-key@127.0.0.1:9?secret-key")]
    [InlineData("ws://127.0.0.1:9/secret-key")]
    public async Task Connect_WhereNobodyListens_IsChainUnavailableAndKeepsThePathSecret(string url)
    {
        RefusalException refused = await RefusedAsync(
            Refusal.ChainUnavailable, () => ChainBench.ConnectAsync(url, new Address(1, 2, 3), anvil.Keys[0]));

        Assert.Contains("127.0.0.1:9", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Connection refused", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-key", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ftp://127.0.0.1")]
    [InlineData("127.0.0.1:8545")]
    [InlineData("")]
    public async Task Connect_ByNoUrl_IsInvalidArgument(string url) => await RefusedAsync(
        Refusal.InvalidArgument, () => ChainBench.ConnectAsync(url, new Address(1, 2, 3), anvil.Keys[0]));

    /// <summary>Bob starts the close too, and pays to be the first in the block.</summary>
    private static Task<string> OvertakeAsync(AnvilFixture own, ChainBench bench, Channel channel)
    {
        UInt128 fee = 50_000_000_000;
        byte[] data = PaymentChannelsCalls.StartClose(channel.Terms, 0, 0, []);
        ulong nonce = 1;
        var transaction = new Eip1559Transaction(
            AnvilFixture.ChainId, nonce, fee, fee, 300_000, bench.Contract, 0, data, []);
        return own.RpcAsync<string>(
            "eth_sendRawTransaction", Hex.Format(transaction.Sign(bench.BobKey.Sign).Raw.Span));
    }

    private static Task<TransactionReceipt> CloseAsync(ChainBench bench, Channel channel, CooperativeClose close) =>
        bench.Alice.CloseAsync(
            channel, close, bench.AliceSigns.Sign(close), bench.BobSigns.Sign(close), null, default);

    private static async Task<RefusalException> RefusedAsync(Refusal expected, Func<Task> operation)
    {
        RefusalException refused = await AnyRefusalAsync(operation);
        Assert.Equal(expected, refused.Refusal);
        return refused;
    }

    private static Task<RefusalException> AnyRefusalAsync(Func<Task> operation) =>
        Assert.ThrowsAsync<RefusalException>(operation);

    private static async Task WaitForAsync(Func<bool> condition)
    {
        for (int i = 0; i < 500 && !condition(); i++) await Task.Delay(10);
        Assert.True(condition());
    }
}
