using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A program that may open channels, and not with all that its operator has.</summary>
[Collection(DoorsCollection.Name)]
public sealed class DepositCapTests(AnvilFixture anvil)
{
    [Fact]
    public async Task TokenThatMayOpenChannels_DepositsNoMoreThanItsCaps_ByWhateverCall()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode alice = await TestNode.StartAsync(chain);
        await using TestNode bob = await TestNode.StartAsync(chain);
        Wire.CreateAccessTokenResponse made = await alice.Api.CreateAccessTokenAsync(new Wire.CreateAccessTokenRequest
        {
            Name = "opener",
            Scopes = { Wire.Scope.Channels },
            Caps = { new Wire.SpendingCap { DepositPerDay = "1000", DepositTotal = "5000" } },
            ChannelsPerDayMax = 2,
        });
        Metadata shown = ApiCaller.Showing(made.Secret);

        string first = await OpenAsync(alice, bob, "600", shown);
        RpcException more = await Assert.ThrowsAsync<RpcException>(() => OpenAsync(alice, bob, "401", shown));
        Refusals.AssertIs(more, StatusCode.ResourceExhausted, "ACCESS_TOKEN_CAP_EXCEEDED", "deposit_per_day");
        Assert.Contains("deposit_per_day of the token would be 1001 wei, expected at most 1000 wei; it begins anew at", more.Status.Detail);
        await DepositAsync(alice.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = first, Amount = "300", IdempotencyKey = "k" }, shown));
        await DepositAsync(alice.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = first, Amount = "300", IdempotencyKey = "k" }, shown));
        RpcException another = await Assert.ThrowsAsync<RpcException>(() => DepositAsync(
            alice.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = first, Amount = "101", IdempotencyKey = "l" }, shown)));
        Refusals.AssertIs(another, StatusCode.ResourceExhausted, "ACCESS_TOKEN_CAP_EXCEEDED", "deposit_per_day");
        Wire.DepositChannelsRequest many = new() { Deposits = { new Wire.ChannelDeposit { ChannelId = first, Amount = "101" } } };
        RpcException together = await Assert.ThrowsAsync<RpcException>(() => DepositAsync(alice.Api.DepositChannels(many, shown)));
        Refusals.AssertIs(together, StatusCode.ResourceExhausted, "ACCESS_TOKEN_CAP_EXCEEDED", "deposit_per_day");
        await OpenAsync(alice, bob, "50", shown);
        RpcException third = await Assert.ThrowsAsync<RpcException>(() => OpenAsync(alice, bob, "1", shown));
        Refusals.AssertIs(third, StatusCode.ResourceExhausted, "ACCESS_TOKEN_CAP_EXCEEDED", "channels_per_day");

        Wire.AccessToken token = Assert.Single((await alice.Api.ListAccessTokensAsync(new Wire.ListAccessTokensRequest())).AccessTokens);
        Assert.Equal(("950", 2u, 2u), (Assert.Single(token.Deposited).TotalSpent, token.ChannelsOpened, token.ChannelsPerDayMax));
        await OpenAsync(alice, bob, "10000", []); // The operator's own are no token's.
    }

    private static async Task<string> OpenAsync(TestNode alice, TestNode bob, string amount, Metadata shown)
    {
        using var call = alice.Api.OpenChannel(new Wire.OpenChannelRequest { PeerUrl = bob.PeerUrl, Amount = amount }, shown);
        string id = "";
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) id = call.ResponseStream.Current.Progress.ChannelId;
        return id;
    }

    private static async Task DepositAsync<T>(AsyncServerStreamingCall<T> call)
    {
        using (call)
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
    }
}
