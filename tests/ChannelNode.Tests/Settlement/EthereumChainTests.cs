using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Settlement;

[Collection(AnvilCollection.Name)]
public sealed class EthereumChainTests(AnvilFixture anvil)
{
    public static TheoryData<string> Transports { get; } = ["ws", "http"];

    [Theory, MemberData(nameof(Transports))]
    public async Task Deposit_OfEther_FillsThePotAndReportsItsSteps(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        Channel channel = bench.NewChannel();
        var steps = new Steps();

        TransactionReceipt receipt = await bench.Alice.DepositAsync(channel, Side.A, 1_000, steps, default);
        await bench.Alice.DepositAsync(channel, Side.B, 7, null, default);

        Assert.Equal(new Pots(1_000, 0, 7, 0, 0), await bench.PotsAsync(channel));
        Assert.Equal([new TransactionStep(receipt.Hash, null), new TransactionStep(receipt.Hash, receipt)], steps);
        Assert.InRange(receipt.GasUsed, 21_000UL, 200_000UL);
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task Deposit_OfTokens_ApprovesExactlyWhatItTakes(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        await anvil.MintAsync(bench.AliceKey.Address, 5_000);
        UInt128 before = await bench.Alice.TokenBalanceAsync(bench.Token, bench.AliceKey.Address, default);
        Channel channel = bench.NewChannel(oneWay: true, inToken: true);
        var steps = new Steps();

        await bench.Alice.DepositAsync(channel, Side.A, 1_200, steps, default);

        Assert.Equal(new Pots(1_200, 0, 0, 0, 0), await bench.PotsAsync(channel));
        Assert.Equal(before - 1_200, await bench.Alice.TokenBalanceAsync(bench.Token, bench.AliceKey.Address, default));
        Assert.Equal(UInt128.Zero, await AllowanceAsync(bench));
        Assert.Equal(4, steps.Count);
    }

    [Fact]
    public async Task Deposits_OfEtherAtOnce_EachGetTheirNonce()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        Channel channel = bench.NewChannel();

        TransactionReceipt[] receipts = await Task.WhenAll(Enumerable.Range(1, 10).Select(
            i => bench.Alice.DepositAsync(channel, Side.A, (UInt128)i, null, default)));

        Assert.Equal(10, receipts.Select(receipt => receipt.Hash).Distinct().Count());
        Assert.Equal((UInt128)55, (await bench.PotsAsync(channel)).PotA);
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task Close_WithBothSignatures_PaysBothOwners(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        Channel channel = await bench.FundAsync();
        var close = new CooperativeClose(channel.Id, 301, 101, await anvil.NowSecondsAsync() + 300);

        await bench.Bob.CloseAsync(
            channel, close, bench.AliceSigns.Sign(close), bench.BobSigns.Sign(close), null, default);

        Assert.Equal(new Pots(0, 301, 0, 101, 0), await bench.PotsAsync(channel));
        Assert.Equal((UInt128)800, await bench.Alice.EtherBalanceAsync(bench.AliceOwner, default));
        Assert.Equal((UInt128)700, await bench.Alice.EtherBalanceAsync(bench.BobOwner, default));
    }

    [Fact]
    public async Task Close_BySomeoneWhoIsAParty_LeavesItsOwnSignatureOut()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        await using EthereumChain other = await ChainBench.ConnectAsync(anvil.HttpUrl, bench.Contract, anvil.Keys[2]);
        Channel first = await bench.FundAsync(), second = await bench.FundAsync();
        CooperativeClose one = new(first.Id, 301, 101, await anvil.NowSecondsAsync() + 300), two = one with { Channel = second.Id };
        foreach (Address owner in (Address[])[bench.AliceOwner, bench.BobOwner])
            await anvil.RpcAsync<object?>("anvil_setBalance", owner.ToString(), "0x1");

        TransactionReceipt byBob = await bench.Bob.CloseAsync(
            first, one, bench.AliceSigns.Sign(one), default, null, default);
        TransactionReceipt byAnother = await other.CloseAsync(
            second, two, bench.AliceSigns.Sign(two), bench.BobSigns.Sign(two), null, default);

        Assert.Equal(new Pots(0, 301, 0, 101, 0), await bench.PotsAsync(first));
        Assert.InRange(byBob.GasUsed, 0UL, byAnother.GasUsed - 3_000);
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task OldUpdate_IsDisputedAndSettledByTheNewerOne(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        Channel channel = await bench.FundAsync();
        var bobsOld = new BalanceUpdate(channel.Id, 10, 100);
        var alicesNew = new BalanceUpdate(channel.Id, 400, 50);

        await bench.Alice.StartCloseAsync(channel, bobsOld, bench.BobSigns.Sign(bobsOld), null, default);
        Assert.Equal((UInt128)100, (await bench.PotsAsync(channel)).SentA);
        await bench.Bob.DisputeAsync(channel, alicesNew, bench.AliceSigns.Sign(alicesNew), null, default);
        await anvil.PassTimeAsync(ChainBench.WindowSeconds);
        await bench.Bob.SettleAsync(channel, null, default);

        Assert.Equal(new Pots(0, 400, 0, 50, 0), await bench.PotsAsync(channel));
        Assert.Equal((UInt128)650, await bench.Alice.EtherBalanceAsync(bench.AliceOwner, default));
        Assert.Equal((UInt128)850, await bench.Alice.EtherBalanceAsync(bench.BobOwner, default));
    }

    /// <summary>Else a peer could let every payout of the other side revert, at the other side's cost.</summary>
    [Theory]
    [InlineData("settle")]
    [InlineData("close")]
    public async Task OwnerThatBurnsItsGasOnceThePayoutIsMined_IsCredited_AndTheOtherIsPaid(string by)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        Channel channel = await bench.FundAsync(a: 2, b: 500);
        await anvil.RpcAsync<object?>("anvil_setCode", bench.AliceOwner.ToString(), TakesUntilTold);
        ChainCall call;
        if (by == "settle")
        {
            await bench.Alice.StartCloseAsync(channel, null, default, null, default);
            await anvil.PassTimeAsync(ChainBench.WindowSeconds);
            call = bench.Bob.Settle(channel);
        }
        else
        {
            CooperativeClose close = new(channel.Id, 1, 0, await anvil.NowSecondsAsync() + 300);
            call = bench.Bob.Close(channel, close, bench.AliceSigns.Sign(close), bench.BobSigns.Sign(close));
        }

        PreparedCall prepared = await bench.Bob.PrepareAsync(call, default);
        await anvil.RpcAsync<object?>("anvil_setStorageAt", bench.AliceOwner.ToString(), "0x0", "0x" + new string('0', 63) + "1");
        SignedTransaction signed = await bench.Bob.SignAsync(
            prepared, (await bench.Bob.LookAsync(1, default)).PendingNonce, FeePolicy.First(await bench.Bob.FeesAsync(default)), default);
        await bench.Bob.BroadcastAsync(signed.Raw, default);
        MinedTransaction mined = await bench.Bob.WaitAsync(signed, default);

        Assert.True(mined.Succeeded);
        UInt128 credit = by == "settle" ? 2u : 1u;
        Assert.Equal(credit, await bench.Alice.CreditOfAsync(bench.AliceOwner, Address.Zero, default));
        Assert.Equal(502 - credit, await bench.Alice.EtherBalanceAsync(bench.BobOwner, default));
    }

    /// <summary>Code of an account that takes ether while its slot 0 is zero, and else burns its gas.</summary>
    private const string TakesUntilTold = "0x5f54600657005bfe";

    [Fact]
    public async Task Dispute_ByAThirdKeyWithConsent_CountsForTheSideThatItPays()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        await using EthereumChain tower = await ChainBench.ConnectAsync(anvil.HttpUrl, bench.Contract, anvil.Keys[2]);
        Channel channel = await bench.FundAsync();
        var update = new BalanceUpdate(channel.Id, 400, 50);
        Signature signature = bench.AliceSigns.Sign(update);
        await bench.Alice.StartCloseAsync(channel, null, default, null, default);

        RefusalException alone = await Assert.ThrowsAsync<RefusalException>(
            () => tower.DisputeAsync(channel, update, signature, null, default));
        RefusalException byThePayer = await Assert.ThrowsAsync<RefusalException>(() => tower.DisputeForAsync(
            channel, update, signature, bench.AliceSigns.SignConsent(update), null, default));
        await tower.DisputeForAsync(channel, update, signature, bench.BobSigns.SignConsent(update), null, default);

        Assert.Equal((Refusal.NotParty, Refusal.WrongSigner), (alone.Refusal, byThePayer.Refusal));
        Assert.Equal((400, 50), ((int)(await bench.PotsAsync(channel)).SentA, (int)(await bench.PotsAsync(channel)).SentB));
    }

    [Fact]
    public async Task Credit_OfAPayoutThatCouldNotBePushed_IsWithdrawn()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "ws");
        Channel channel = bench.NewChannel();
        Address alice = bench.AliceKey.Address;
        channel = channel with { Terms = channel.Terms with { A = channel.Terms.A with { Owner = alice } } };
        channel = channel with { Id = bench.AliceSigns.IdOf(channel.Terms) };
        await bench.Bob.DepositAsync(channel, Side.A, 700, null, default);
        var close = new CooperativeClose(channel.Id, 1, 1, await anvil.NowSecondsAsync() + 300);
        await anvil.RpcAsync<object?>("anvil_setCode", alice.ToString(), "0x5f5ffd");
        await bench.Bob.CloseAsync(channel, close, bench.AliceSigns.Sign(close), bench.BobSigns.Sign(close), null, default);
        await anvil.RpcAsync<object?>("anvil_setCode", alice.ToString(), "0x");

        Assert.Equal((UInt128)700, await bench.Bob.CreditOfAsync(alice, Address.Zero, default));
        await bench.Alice.WithdrawCreditAsync(Address.Zero, null, default);

        Assert.Equal(UInt128.Zero, await bench.Bob.CreditOfAsync(alice, Address.Zero, default));
        RefusalException nothing = await Assert.ThrowsAsync<RefusalException>(
            () => bench.Alice.WithdrawCreditAsync(Address.Zero, null, default));
        Assert.Equal(Refusal.NoCredit, nothing.Refusal);
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task StartClose_WithoutAnUpdate_StartsTheWindow(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        Channel channel = await bench.FundAsync();

        await bench.Alice.StartCloseAsync(channel, null, default, null, default);

        Pots pots = await bench.PotsAsync(channel);
        Assert.Equal(await anvil.NowSecondsAsync() + ChainBench.WindowSeconds, pots.ClosesAtSeconds);
        Assert.Equal(new Pots(1_000, 0, 500, 0, pots.ClosesAtSeconds), pots);
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task Claim_OfSeveralChannels_PaysThePayeeAndLeavesThemOpen(string transport)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, transport);
        Channel first = await bench.FundAsync(oneWay: true), second = await bench.FundAsync(oneWay: true);

        await bench.Bob.ClaimAsync([Row(bench, first, 300), Row(bench, second, 25)], null, default);

        Assert.Equal(new Pots(700, 300, 0, 0, 0), await bench.PotsAsync(first));
        Assert.Equal(new Pots(975, 25, 0, 0, 0), await bench.PotsAsync(second));
        Assert.Equal((UInt128)325, await bench.Bob.EtherBalanceAsync(bench.BobOwner, default));
    }

    [Fact]
    public async Task Claim_OfChannelsThatDoNotBelongTogether_IsABug()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel ether = bench.NewChannel(oneWay: true), token = bench.NewChannel(oneWay: true, inToken: true);

        await Assert.ThrowsAsync<ArgumentException>(() => bench.Bob.ClaimAsync([], null, default));
        await Assert.ThrowsAsync<ArgumentException>(
            () => bench.Bob.ClaimAsync([Row(bench, ether, 1), Row(bench, token, 1)], null, default));
    }

    [Fact]
    public async Task ChannelId_OfTheContract_IsOurs()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        Channel channel = bench.NewChannel(inToken: true);
        string data = Hex.Format(PaymentChannelsCalls.ChannelId(channel.Terms));

        string id = await anvil.RpcAsync<string>(
            "eth_call", new { to = bench.Contract.ToString(), data }, "latest");

        Assert.Equal(channel.Id.ToString(), id);
    }

    [Fact]
    public async Task Deployer_PutsTheContractOnTheChain()
    {
        PrivateKey key = anvil.Keys[2];
        Deployment deployment = await Deployer.DeployPaymentChannelsAsync(
            anvil.WebSocketUrl, key.Address, key.SignAsync, TimeProvider.System,
            Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, null, default);

        Assert.Equal(AnvilFixture.ChainId, deployment.ChainId);
        await using EthereumChain chain = await ChainBench.ConnectAsync(anvil.HttpUrl, deployment.Contract, key);
        Assert.Equal(default, await chain.SidesAsync(default, default));
        Assert.Equal(AnvilFixture.ChainId, chain.ChainId);
    }

    private static ClaimRow Row(ChainBench bench, Channel channel, UInt128 sent) =>
        new(channel, sent, bench.AliceSigns.Sign(new BalanceUpdate(channel.Id, sent, 0)));

    private async Task<UInt128> AllowanceAsync(ChainBench bench)
    {
        string data = Hex.Format(TokenCalls.Allowance(bench.AliceKey.Address, bench.Contract));
        string result = await anvil.RpcAsync<string>("eth_call", new { to = bench.Token.ToString(), data }, "latest");
        return TokenCalls.ReadAmount(Hex.Parse(result));
    }

    /// <summary>No answer is no refusal: who is told that it failed does it again, and then it is done twice.</summary>
    [Fact]
    public async Task TransactionWhoseAnswerIsLost_IsWaitedForAndMadeOnce()
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        int sent = 0;
        using var proxy = new RpcProxy(anvil.HttpUrl, (method, request) =>
        {
            if (method != "eth_sendRawTransaction") return null;
            sent++;
            RpcProxy.PassOn(anvil.HttpUrl, request);
            return (502, "");
        });
        await using EthereumChain chain = await ChainBench.ConnectAsync(proxy.Url, bench.Contract, anvil.Keys[3]);
        Channel channel = bench.NewChannel();

        await chain.DepositAsync(channel, Side.A, 777, null, CancellationToken.None);

        Assert.Equal((UInt128)777, (await chain.SidesAsync(channel.Id, CancellationToken.None)).PotA);
        Assert.Equal(1, sent);
    }
}
