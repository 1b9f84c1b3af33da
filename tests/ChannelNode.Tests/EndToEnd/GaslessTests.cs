using ChannelNode.Core;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A payer that holds tokens and no ether: it signs its deposits, and the payee sends them.</summary>
[Collection(ChainCollection.Name)]
public sealed class GaslessTests(AnvilFixture anvil)
{
    [Fact]
    public async Task PayerWithoutEther_OpensTopsUpAndPays()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        string dollar = (await chain.DollarAsync()).ToString();
        await using TestNode payee = await StartPayeeAsync(chain, relays: 2);
        await using TestNode payer = await TestNode.StartAsync(chain, funded: false);
        await chain.MintDollarsAsync(payer.Signer, 1_000);

        string id = await payer.OpenAsync(payee, "700", oneWay: true, dollar, gasless: true);
        await payer.PayAsync(id, "250");
        await DepositAsync(payer, id, "300");

        Wire.Channel channel = await payer.UntilAsync(id, it => it.OurPot == "1000");
        Assert.Equal(("750", "250"), (channel.OurBalance, channel.Sent));
        Assert.Equal("250", (await payee.UntilAsync(id, it => it.TheirPot == "1000")).Received);
        Assert.Equal(UInt128.Zero, await chain.EtherOfAsync(payer.Signer));

        // What the operator allows is used up; what was there stays usable.
        await chain.MintDollarsAsync(payer.Signer, 5);
        await RefusedAsync("RELAY_REFUSED", () => DepositAsync(payer, id, "5"));
        await payer.PayAsync(id, "50");
    }

    [Fact]
    public async Task PeerThatRelaysNothing_IsToldByName_AndTheTermsStay()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        string dollar = (await chain.DollarAsync()).ToString();
        await using TestNode payee = await StartPayeeAsync(chain, relays: 0);
        await using TestNode payer = await TestNode.StartAsync(chain, funded: false);
        await chain.MintDollarsAsync(payer.Signer, 700);

        RpcException refused = await RefusedAsync(
            "RELAY_REFUSED", () => payer.OpenAsync(payee, "700", oneWay: true, dollar, gasless: true));

        Assert.Contains("a deposit into", refused.Status.Detail, StringComparison.Ordinal);
        Assert.Equal("0", Assert.Single((await payer.Api.ListChannelsAsync(new Wire.ListChannelsRequest())).Channels).OurPot);
    }

    [Fact]
    public async Task TokenWithoutAuthorizations_IsToldByName()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        Address token = await chain.TokenAsync();
        await using TestNode payee = await TestNode.StartAsync(
            chain, options => options with { AcceptedTokens = [token], RelayDepositsPerHour = 9 });
        await using TestNode payer = await TestNode.StartAsync(chain);
        await chain.MintAsync(payer.Signer, 700);

        await RefusedAsync(
            "TOKEN_WITHOUT_AUTHORIZATION",
            () => payer.OpenAsync(payee, "700", oneWay: true, token.ToString(), gasless: true));
        await RefusedAsync(
            "TOKEN_WITHOUT_AUTHORIZATION", () => payer.OpenAsync(payee, "700", oneWay: true, gasless: true));
        Assert.Empty((await payer.Api.ListChannelsAsync(new Wire.ListChannelsRequest())).Channels);
    }

    [Fact]
    public async Task PayerWithoutTheTokens_IsToldSoBeforeItSigns()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        string dollar = (await chain.DollarAsync()).ToString();
        await using TestNode payee = await StartPayeeAsync(chain, relays: 9);
        await using TestNode payer = await TestNode.StartAsync(chain, funded: false);

        await RefusedAsync(
            "INSUFFICIENT_FUNDS", () => payer.OpenAsync(payee, "1", oneWay: true, dollar, gasless: true));
    }

    [Fact]
    public async Task DepositsIntoManyChannels_AreOneTransactionPerToken()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        Address dollar = await chain.DollarAsync();
        await using TestNode payee = await StartPayeeAsync(chain, relays: 0);
        await using TestNode payer = await TestNode.StartAsync(chain);
        await chain.MintDollarsAsync(payer.Signer, 1_000);
        string[] ids =
        [
            await payer.OpenAsync(payee, "1"), await payer.OpenAsync(payee, "2"),
            await payer.OpenAsync(payee, "3", token: dollar.ToString()),
        ];
        var request = new Wire.DepositChannelsRequest();
        foreach (string id in ids) request.Deposits.Add(new Wire.ChannelDeposit { ChannelId = id, Amount = "100" });

        using var call = payer.Api.DepositChannels(request);
        int confirmed = 0;
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
            if (call.ResponseStream.Current.Progress.Stage == Wire.Stage.Confirmed) confirmed++;

        Assert.Equal(2, confirmed);
        for (int i = 0; i < ids.Length; i++) Assert.Equal($"{101 + i}", (await payer.ChannelAsync(ids[i])).OurPot);

        request.Deposits.Add(request.Deposits[0]);
        using var twice = payer.Api.DepositChannels(request);
        await RefusedAsync("INVALID_ARGUMENT", () => twice.ResponseStream.MoveNext(TestChain.Limit));
    }

    [Fact]
    public async Task PayoutThatCouldNotBePushed_IsListedAndWithdrawn()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode payee = await TestNode.StartAsync(chain);
        await using TestNode payer = await TestNode.StartAsync(chain);
        string id = await payer.OpenAsync(payee, "500");
        await anvil.RpcAsync<object?>("anvil_setCode", payer.Signer.ToString(), "0x5f5ffd");
        using var closing = payee.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id });
        while (await closing.ResponseStream.MoveNext(TestChain.Limit)) { }
        await anvil.RpcAsync<object?>("anvil_setCode", payer.Signer.ToString(), "0x");

        Wire.Credit credit = Assert.Single((await payer.Api.ListCreditsAsync(new Wire.ListCreditsRequest())).Credits);
        Assert.Equal((Address.Zero.ToString(), "500"), (credit.Token, credit.Amount));
        await payer.Host.Node.CreditWatch.LookAsync(TestChain.Limit);
        ChannelNode.Engine.OperatorEvent told = Assert.Single(
            payer.Host.Node.Store.ReadEvents(0, 100), it => it.Kind == ChannelNode.Engine.EventKind.PayoutWaiting);
        Assert.Contains("500 wei wait in the contract for this node's owner", told.Sentence);
        using var withdrawing = payer.Api.WithdrawCredit(new Wire.WithdrawCreditRequest());
        while (await withdrawing.ResponseStream.MoveNext(TestChain.Limit)) { }

        Assert.Empty((await payer.Api.ListCreditsAsync(new Wire.ListCreditsRequest())).Credits);
        using var nothing = payee.Api.WithdrawCredit(new Wire.WithdrawCreditRequest());
        await RefusedAsync("NO_CREDIT", async () =>
        {
            while (await nothing.ResponseStream.MoveNext(TestChain.Limit)) { } // After STAGE_QUEUED, where it takes long.
        });
    }

    [Fact]
    public async Task CreditsOfAColdOwner_AreForTheOwnerToWithdraw()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode node = await TestNode.StartAsync(chain, options => options with { Owner = new Address(1, 2, 3) });

        using var call = node.Api.WithdrawCredit(new Wire.WithdrawCreditRequest());

        await RefusedAsync("NOT_PARTY", () => call.ResponseStream.MoveNext(TestChain.Limit));
    }

    private static async Task<TestNode> StartPayeeAsync(TestChain chain, int relays)
    {
        Address dollar = await chain.DollarAsync();
        return await TestNode.StartAsync(
            chain, options => options with { AcceptedTokens = [dollar], RelayDepositsPerHour = relays });
    }

    private static async Task DepositAsync(TestNode node, string id, string amount)
    {
        using var call = node.Api.DepositChannel(
            new Wire.DepositChannelRequest { ChannelId = id, Amount = amount, Gasless = true });
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
    }

    private static async Task<RpcException> RefusedAsync(string reason, Func<Task> operation)
    {
        RpcException refused = await Assert.ThrowsAsync<RpcException>(operation);
        Refusals.AssertIs(refused, refused.StatusCode, reason);
        return refused;
    }
}
