using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A node that cannot see its chain takes and gives no money: its peer might have closed meanwhile.</summary>
public sealed class ChainSilenceTests
{
    [Fact]
    public async Task PaymentsStopWhileTheChainIsOutOfSight()
    {
        AnvilFixture anvil = await AnvilFixture.StartAsync();
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode alice = await TestNode.StartAsync(
            chain, options => options with { RpcUrl = anvil.HttpUrl, ChainSilenceSecondsMax = 600 });
        await using TestNode bob = await TestNode.StartAsync(
            chain, options => options with { RpcUrl = anvil.HttpUrl, ChainSilenceSecondsMax = 8 });
        string id = await alice.OpenAsync(bob, "1000");
        await alice.PayAsync(id, "300");
        await alice.PayAsync(id, "100");

        await anvil.DisposeAsync();
        await Task.Delay(TimeSpan.FromSeconds(9));

        // Who is patient goes on for a while, and says that it hears nothing.
        Proto.V1.ChainStatus seen = (await alice.Api.GetStatusAsync(new Proto.V1.GetStatusRequest())).Chain;
        Assert.True(seen.Current && seen.HasAwayMs);
        Assert.Contains("gives no answer", seen.Problem, StringComparison.Ordinal);

        // Bob sees nothing and says so; Alice, who is patient, has her payment refused by him.
        await Refusals.AssertRefusedAsync(
            () => bob.PayAsync(id, "1"), StatusCode.Unavailable, "CHAIN_UNAVAILABLE");
        Task<Proto.V1.PayResponse> paying = alice.PayAsync(id, "1");
        await alice.UntilAsync(id, channel => channel.PeerRefusal == Proto.V1.Refusal.ChainUnavailable);
        Assert.False(paying.IsCompleted);
        Assert.Equal("400", (await bob.ChannelAsync(id)).Received);
        using (var call = bob.Api.SubscribeEvents(new Proto.V1.SubscribeEventsRequest { Kinds = { Proto.V1.EventKind.ChainSilent } }))
        {
            Assert.True(await call.ResponseStream.MoveNext(TestChain.Limit));
            Proto.V1.OperatorEvent silent = Assert.Single(call.ResponseStream.Current.Events);
            Assert.Equal((Proto.V1.EventSeverity.Alarm, Proto.V1.Refusal.ChainUnavailable), (silent.Severity, silent.Reason));
            Assert.Contains("gives no answer", silent.Sentence, StringComparison.Ordinal);
        }

        using GrpcChannel channel = GrpcChannel.ForAddress(bob.Host.ApiUrl);
        HealthCheckResponse health = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest());
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, health.Status);
    }
}
