using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What generic gRPC tools expect of a node's doors.</summary>
[Collection(DoorsCollection.Name)]
public sealed class StandardServicesTests(AnvilFixture anvil)
{
    [Fact]
    public async Task BothDoors_TellTheirHealth_AndEachOnlyItsOwnService()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode node = await TestNode.StartAsync(chain);
        foreach (string url in new[] { node.Host.ApiUrl, node.PeerUrl })
        {
            using GrpcChannel channel = GrpcChannel.ForAddress(url);
            HealthCheckResponse health = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest());
            Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
        }

        using GrpcChannel peers = GrpcChannel.ForAddress(node.PeerUrl);
        using var watch = new Health.HealthClient(peers).Watch(new HealthCheckRequest());
        RpcException endless = await Assert.ThrowsAsync<RpcException>(() => watch.ResponseStream.MoveNext(TestChain.Limit));
        Assert.Equal((StatusCode.Unimplemented, "here health is to be asked for by Check"), (endless.StatusCode, endless.Status.Detail));
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            async () => await new Proto.V1.NodeService.NodeServiceClient(peers).GetInfoAsync(new Proto.V1.GetInfoRequest()));
        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);
    }

    [Fact]
    public async Task Api_ReflectsItsService()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode node = await TestNode.StartAsync(chain);
        using GrpcChannel channel = GrpcChannel.ForAddress(node.Host.ApiUrl);
        using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = string.Empty });
        Assert.True(await call.ResponseStream.MoveNext(TestChain.Limit));

        Assert.Contains(
            call.ResponseStream.Current.ListServicesResponse.Service,
            service => service.Name == "channelnode.v1.NodeService");
    }
}
