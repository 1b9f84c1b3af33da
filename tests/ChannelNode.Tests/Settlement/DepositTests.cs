using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Settlement;

/// <summary>Deposits but the plain one: by permit, by authorization, and many at once.</summary>
[Collection(AnvilCollection.Name)]
public sealed class DepositTests(AnvilFixture anvil)
{
    [Fact]
    public async Task DepositOfATokenWithPermits_IsOneTransaction()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        Address dollar = await anvil.DollarAsync();
        await anvil.MintAsync(dollar, bench.AliceKey.Address, 5_000);
        Channel channel = bench.NewChannel(false, dollar);
        var steps = new Steps();

        await bench.Alice.DepositAsync(channel, Side.A, 1_200, steps, default);
        await bench.Alice.DepositAsync(channel, Side.A, 300, steps, default);

        Assert.Equal(new Pots(1_500, 0, 0, 0, 0), await bench.PotsAsync(channel));
        Assert.Equal(2, steps.Count(step => step.Receipt is not null));
    }

    [Fact]
    public async Task DepositOfATokenWithPermits_WhereAnAllowanceIsThere_TakesThat()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        Address dollar = await anvil.DollarAsync();
        await anvil.MintAsync(dollar, bench.BobKey.Address, 5_000);
        await SendAsync(anvil.Keys[1], dollar, TokenCalls.Approve(bench.Contract, 900));

        await bench.Bob.DepositAsync(bench.NewChannel(false, dollar), Side.B, 300, null, default);

        Assert.Equal((UInt128)600, await AskAsync(dollar, TokenCalls.Allowance(bench.BobKey.Address, bench.Contract)));
    }

    [Fact]
    public async Task Authorization_IsRelayedBySomeoneElse_AndItsSignerNeedsNoEther()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Address dollar = await anvil.DollarAsync();
        using PrivateKey poor = PrivateKey.Generate();
        await anvil.MintAsync(dollar, poor.Address, 700);
        await using EthereumChain payer = await ChainBench.ConnectAsync(anvil.HttpUrl, bench.Contract, poor);
        Channel channel = bench.NewChannel(true, dollar);

        DepositAuthorization signed = await payer.AuthorizeDepositAsync(channel, Side.A, 700, await LaterAsync(), default);
        Task<ulong> used = payer.WhenAuthorizationUsedAsync(channel, Side.A, signed, default);
        TransactionReceipt receipt = await bench.Bob.RelayDepositAsync(channel, Side.A, 700, signed, null, default);

        Assert.InRange(await used, receipt.BlockNumber, receipt.BlockNumber + 100);
        Assert.Equal(new Pots(700, 0, 0, 0, 0), await bench.PotsAsync(channel));
        Assert.Equal(UInt128.Zero, await payer.TokenBalanceAsync(dollar, poor.Address, default));
        await RefusedAsync(
            Refusal.TransferFailed, () => bench.Bob.RelayDepositAsync(channel, Side.A, 700, signed, null, default));
    }

    [Fact]
    public async Task Authorization_GoesNowhereElse()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Address dollar = await anvil.DollarAsync();
        await anvil.MintAsync(dollar, bench.AliceKey.Address, 1_000);
        Channel channel = bench.NewChannel(false, dollar), other = bench.NewChannel(false, dollar);

        DepositAuthorization signed = await bench.Alice.AuthorizeDepositAsync(channel, Side.A, 100, await LaterAsync(), default);

        await RefusedAsync(
            Refusal.TransferFailed, () => bench.Bob.RelayDepositAsync(other, Side.A, 100, signed, null, default));
        await RefusedAsync(
            Refusal.TransferFailed, () => bench.Bob.RelayDepositAsync(channel, Side.B, 100, signed, null, default));
        await RefusedAsync(
            Refusal.TransferFailed, () => bench.Bob.RelayDepositAsync(channel, Side.A, 99, signed, null, default));
    }

    [Fact]
    public async Task AuthorizationThatNobodyRelays_IsToldWhenItsTimeIsOver()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = bench.NewChannel(false, await anvil.DollarAsync());
        ulong until = await anvil.NowSecondsAsync() + 30;
        DepositAuthorization signed = await bench.Alice.AuthorizeDepositAsync(channel, Side.A, 1, until, default);

        Task<ulong> used = bench.Alice.WhenAuthorizationUsedAsync(channel, Side.A, signed, default);
        await anvil.PassTimeAsync(31);

        await RefusedAsync(Refusal.TransactionReverted, () => used);
    }

    [Fact]
    public async Task Authorization_InEtherOrATokenWithoutThem_IsRefusedByName()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        foreach (bool inToken in (bool[])[false, true])
        {
            await RefusedAsync(
                Refusal.TokenWithoutAuthorization,
                () => bench.Alice.AuthorizeDepositAsync(bench.NewChannel(inToken: inToken), Side.A, 1, ulong.MaxValue, default));
        }
    }

    [Fact]
    public async Task DepositMany_FillsManyPotsInOneTransaction()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        await anvil.MintAsync(bench.AliceKey.Address, 1_000);
        foreach (bool inToken in (bool[])[false, true])
        {
            ChannelDeposit[] deposits =
                [.. Enumerable.Range(1, 5).Select(i => new ChannelDeposit(bench.NewChannel(inToken: inToken), Side.A, (UInt128)i))];

            TransactionReceipt receipt = await bench.Alice.DepositManyAsync(deposits, null, default);

            foreach (ChannelDeposit deposit in deposits)
                Assert.Equal(deposit.Amount, (await bench.PotsAsync(deposit.Channel)).PotA);
            Assert.InRange(receipt.GasUsed, 21_000UL, 400_000UL);
        }
    }

    [Fact]
    public async Task DepositMany_OfTwoTokensOrNone_IsABug()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        ChannelDeposit ether = new(bench.NewChannel(), Side.A, 1), token = new(bench.NewChannel(inToken: true), Side.A, 1);

        await Assert.ThrowsAsync<ArgumentException>(() => bench.Alice.DepositManyAsync([ether, token], null, default));
        await Assert.ThrowsAsync<ArgumentException>(() => bench.Alice.DepositManyAsync([], null, default));
    }

    private async Task<ulong> LaterAsync() => await anvil.NowSecondsAsync() + 600;

    private async Task<UInt128> AskAsync(Address token, byte[] data) => TokenCalls.ReadAmount(Hex.Parse(
        await anvil.RpcAsync<string>("eth_call", new { to = token.ToString(), data = Hex.Format(data) }, "latest")));

    /// <summary>Anvil answers with the hash before it mines.</summary>
    private async Task SendAsync(PrivateKey from, Address to, byte[] data)
    {
        string hash = await anvil.RpcAsync<string>(
            "eth_sendTransaction", new { from = from.Address.ToString(), to = to.ToString(), data = Hex.Format(data) });
        while ((await anvil.RpcAsync<JsonElement>("eth_getTransactionReceipt", hash)).ValueKind == JsonValueKind.Null)
            await Task.Delay(20);
    }

    private static async Task RefusedAsync(Refusal expected, Func<Task> operation) =>
        Assert.Equal(expected, (await Assert.ThrowsAsync<RefusalException>(operation)).Refusal);
}
