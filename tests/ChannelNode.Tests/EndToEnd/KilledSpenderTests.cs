using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A token's caps, with sixteen callers that spend at once and a node that is killed among them.</summary>
[Collection(RestartsCollection.Name)]
public sealed class KilledSpenderTests(AnvilFixture anvil)
{
    private const int Callers = 16;
    private const ulong Cap = 60_000;
    private const ulong SpentPerKill = 1_500;

    [Fact]
    public async Task CallersAtOnce_AndAKilledNode_NeverSpendMoreThanTheCap_AndNotLess()
    {
        int kills = Kills.Share(2);
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain);
        await using TestNode payee = await TestNode.StartAsync(chain);
        string channel = await payer.OpenAsync(payee.PeerUrl, "1000000", oneWay: false);
        await payee.UntilAsync(channel, state => state.Status == Wire.ChannelStatus.Open);
        Wire.CreateAccessTokenResponse token = await payer.Api.CreateAccessTokenAsync(new Wire.CreateAccessTokenRequest
        {
            Name = "shop",
            Scopes = { Wire.Scope.Pay },
            Caps = { new Wire.SpendingCap { Total = Cap.ToString(), PerPayment = "7" } },
        });

        for (int kill = 0; kill < kills; kill++)
        {
            ulong before = await ReceivedAsync(payee, channel);
            Task<int>[] spending = [.. Enumerable.Range(0, Callers).Select(number => SpendAsync(payer, channel, token.Secret, number))];
            while (await ReceivedAsync(payee, channel) < before + SpentPerKill && !Task.WhenAll(spending).IsCompleted) await Task.Delay(1);
            await payer.KillAsync();
            await Task.WhenAll(spending);
            await payer.StartAsync();
            await payer.UntilAsync(channel, state => state.PeerConnected && state.Acknowledged == state.Sent);
            ulong received = await ReceivedAsync(payee, channel);
            Assert.Equal(await SpentAsync(payer), received);
            Assert.InRange(received, before + 1, Cap);
        }

        // What is left is spent to the last unit: nothing was lost on the way.
        int refused = (await Task.WhenAll(Enumerable.Range(0, Callers).Select(number => SpendAsync(payer, channel, token.Secret, number)))).Sum();
        Assert.Equal(Callers, refused);
        Assert.Equal(Cap, await ReceivedAsync(payee, channel));
        Assert.Equal(Cap, await SpentAsync(payer));
        await AssertRefusedWithLimitsAsync(payer, channel, token.Secret);
    }

    /// <summary>Half of them one by one, half by streams, until the cap or the node's death; 1 when it was the cap.</summary>
    private static async Task<int> SpendAsync(NodeProcess payer, string channel, string secret, int number)
    {
        try
        {
            return number % 2 == 0 ? await PayAsync(payer, channel, secret) : await StreamAsync(payer, channel, secret);
        }
        catch (Exception error) when (CallWriting.IsOfEndedCall(error))
        {
            return 0;
        }
    }

    private static async Task<int> PayAsync(NodeProcess payer, string channel, string secret)
    {
        for (int size = 7; size > 0;)
        {
            try
            {
                await payer.Api.PayAsync(
                    new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = channel, Amount = size.ToString() } },
                    ApiCaller.Showing(secret), cancellationToken: TestChain.Limit);
            }
            catch (RpcException error) when (error.StatusCode == StatusCode.ResourceExhausted)
            {
                Assert.Equal("ACCESS_TOKEN_CAP_EXCEEDED", Refusals.NameOf(error));
                size--; // The last units too.
            }
        }

        return 1;
    }

    private static async Task<int> StreamAsync(NodeProcess payer, string channel, string secret)
    {
        using var call = payer.Api.StreamPayments(ApiCaller.Showing(secret), cancellationToken: TestChain.Limit);
        Wire.StreamPaymentsRequest request = new();
        for (int count = 0; count < 50; count++) request.Payments.Add(new Wire.Payment { ChannelId = channel, Amount = "1" });
        bool isSpent = false;
        while (!isSpent)
        {
            await call.RequestStream.WriteAsync(request);
            for (int answers = 0; answers < 50; answers += call.ResponseStream.Current.Results.Count)
            {
                if (!await call.ResponseStream.MoveNext(TestChain.Limit)) return 0;
                foreach (Wire.PaymentResult result in call.ResponseStream.Current.Results)
                {
                    if (result.Refusal == Wire.Refusal.Unspecified) continue;
                    Assert.Equal(Wire.Refusal.AccessTokenCapExceeded, result.Refusal);
                    Assert.Equal(("total", Cap.ToString()), (result.CapExceeded.Field, result.CapExceeded.Limit));
                    Assert.Matches($"^total of the token would be [0-9]+ wei, expected at most {Cap} wei$", result.Message);
                    isSpent = true;
                }
            }
        }

        return 1;
    }

    private static async Task AssertRefusedWithLimitsAsync(NodeProcess payer, string channel, string secret)
    {
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () => await payer.Api.PayAsync(
            new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = channel, Amount = "8" } }, ApiCaller.Showing(secret)));
        Refusals.AssertIs(error, StatusCode.ResourceExhausted, "ACCESS_TOKEN_CAP_EXCEEDED", "per_payment");
        Assert.Equal(("8", "7"), (Refusals.MetadataOf(error)["value"], Refusals.MetadataOf(error)["limit"]));
    }

    private static async Task<ulong> ReceivedAsync(TestNode payee, string channel) =>
        ulong.Parse((await payee.ChannelAsync(channel)).Received);

    private static async Task<ulong> SpentAsync(NodeProcess payer)
    {
        Wire.AccessToken token = Assert.Single((await payer.Api.ListAccessTokensAsync(new Wire.ListAccessTokensRequest())).AccessTokens);
        return ulong.Parse(Assert.Single(token.Spent).TotalSpent);
    }
}
