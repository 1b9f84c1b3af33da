using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What refusals tell, and a list in whose middle the token is limited.</summary>
public sealed partial class ConfinedTokenTests
{
    /// <summary>A rule counts what is paid to a peer in all channels with it: of those of others nobody hears.</summary>
    [Fact]
    public async Task RuleThatCountsOtherChannelsToo_IsNamedWithoutWhatItCounted()
    {
        string second = await _node.OpenAsync(_bob, "5000");
        await _node.Api.SetPolicyAsync(new Wire.SetPolicyRequest { Tier = "unverified", Amounts = new Wire.AmountRules { SumPerDayMax = "1000" } });
        await _node.PayAsync(second, "900");
        using ApiCaller site = new(_node.Host.ApiUrl, await CreateAsync(_own)), wide = new(_node.Host.ApiUrl, await CreateAsync());
        async Task<(RpcException Unary, Wire.PaymentResult Streamed)> PayAsync(ApiCaller caller)
        {
            Wire.Payment asked = new() { ChannelId = _own, Amount = "111" };
            RpcException unary = await Assert.ThrowsAsync<RpcException>(async () => await caller.Api.PayAsync(new Wire.PayRequest { Payment = asked }));
            using var stream = caller.Api.StreamPayments(cancellationToken: TestChain.Limit);
            await stream.RequestStream.WriteAsync(new Wire.StreamPaymentsRequest { Payments = { asked } });
            Assert.True(await stream.ResponseStream.MoveNext(TestChain.Limit));
            return (unary, stream.ResponseStream.Current.Results.Single());
        }

        var told = await PayAsync(wide);
        var confined = await PayAsync(site);

        Assert.Equal("1011", Refusals.MetadataOf(told.Unary)["value"]);
        Assert.Contains("1011", told.Streamed.Message);
        Refusals.AssertIs(confined.Unary, StatusCode.PermissionDenied, "POLICY_REFUSED", "amount");
        Assert.Equal("sum-per-day", Refusals.MetadataOf(confined.Unary)["rule"]);
        Assert.False(Refusals.MetadataOf(confined.Unary).ContainsKey("value"));
        Assert.Equal("amount: this node's policy refuses by rule sum-per-day", confined.Unary.Status.Detail);
        Assert.Equal((Wire.Refusal.PolicyRefused, confined.Unary.Status.Detail), (confined.Streamed.Refusal, confined.Streamed.Message));
    }

    [Fact]
    public async Task DepositAboveALimit_IsRefusedByTheRulesNameAlone()
    {
        await _node.Api.SetPolicyAsync(new Wire.SetPolicyRequest { Tier = "unverified", Amounts = new Wire.AmountRules { DepositMax = "1500" } });
        using ApiCaller site = new(_node.Host.ApiUrl, await CreateAsync(_own)), wide = new(_node.Host.ApiUrl, await CreateAsync());
        Wire.DepositChannelsRequest many = new() { Deposits = { new Wire.ChannelDeposit { ChannelId = _own, Amount = "501" } } };
        async Task<RpcException[]> DepositAsync(ApiCaller caller)
        {
            using var one = caller.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = _own, Amount = "501" });
            using var together = caller.Api.DepositChannels(many);
            return
            [
                await Assert.ThrowsAsync<RpcException>(() => one.ResponseStream.MoveNext(TestChain.Limit)),
                await Assert.ThrowsAsync<RpcException>(() => together.ResponseStream.MoveNext(TestChain.Limit)),
            ];
        }

        foreach (RpcException told in await DepositAsync(wide)) Assert.Equal("1501", Refusals.MetadataOf(told)["value"]);
        foreach (RpcException told in await DepositAsync(site))
        {
            Refusals.AssertIs(told, StatusCode.PermissionDenied, "POLICY_REFUSED", "amount");
            Assert.Equal("amount: this node's policy refuses by rule deposit", told.Status.Detail);
            Assert.Equal(("deposit", false), (Refusals.MetadataOf(told)["rule"], Refusals.MetadataOf(told).ContainsKey("value")));
        }
    }

    [Fact]
    public async Task TokenThatIsLimitedInTheMiddleOfAList_SeesNoMoreOfIt()
    {
        const int pages = 12, perPage = 1_024;
        using ApiCaller site = new(_node.Host.ApiUrl, await CreateAsync());
        using (var pays = _node.Api.StreamPayments(cancellationToken: TestChain.Limit))
        {
            for (int page = 0, left = pages * perPage; page < pages; page++)
            {
                Wire.StreamPaymentsRequest request = new();
                for (int place = 0; place < perPage; place++)
                    request.Payments.Add(new Wire.Payment { ChannelId = _other, Amount = "1", IdempotencyKey = $"{left--:d64}" }); // As long as may be.
                await pays.RequestStream.WriteAsync(request);
            }

            await pays.RequestStream.CompleteAsync();
            while (await pays.ResponseStream.MoveNext(TestChain.Limit)) { }
        }

        using var lists = site.Api.ListSentPayments(new Wire.ListSentPaymentsRequest { ChannelId = _other }, cancellationToken: TestChain.Limit);
        Assert.True(await lists.ResponseStream.MoveNext(TestChain.Limit));
        await _node.Api.UpdateAccessTokenAsync(new Wire.UpdateAccessTokenRequest { Number = 2, ChannelIds = { _own } });
        int told = 1;
        RpcException ended = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await lists.ResponseStream.MoveNext(TestChain.Limit)) told++;
        });

        Refusals.AssertIs(ended, StatusCode.PermissionDenied, NotAllowed, "channel_id");
        Assert.InRange(told, 1, pages - 2); // What was under way by then.
    }
}
