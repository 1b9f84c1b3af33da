using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Bytes that are no message are the caller's fault, and said to be; once they were UNKNOWN with a stack in the log.</summary>
[Collection(DoorsCollection.Name)]
public sealed class MalformedMessageTests(AnvilFixture anvil)
{
    private static readonly Marshaller<byte[]> Raw = new(bytes => bytes, bytes => bytes);

    [Fact]
    public async Task TruncatedMessage_IsRefusedByName_InEveryFormOfCall()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode node = await TestNode.StartAsync(chain);
        using GrpcChannel api = GrpcChannel.ForAddress(node.Host.ApiUrl);
        using GrpcChannel peers = GrpcChannel.ForAddress(node.PeerUrl);
        byte[] truncated = new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = "0x12" } }.ToByteArray()[..^1];

        Method<byte[], byte[]> pay = Of(MethodType.Unary, "NodeService", "Pay");
        await AssertRefusedAsync(() => api.CreateCallInvoker().AsyncUnaryCall(pay, null, default, truncated).ResponseAsync);

        using var close = api.CreateCallInvoker().AsyncServerStreamingCall(
            Of(MethodType.ServerStreaming, "NodeService", "CloseChannel"), null, default, truncated);
        await AssertRefusedAsync(() => close.ResponseStream.MoveNext(TestChain.Limit));

        using var payments = api.CreateCallInvoker().AsyncDuplexStreamingCall(
            Of(MethodType.DuplexStreaming, "NodeService", "StreamPayments"), null, default);
        await payments.RequestStream.SayAsync(truncated);
        await AssertRefusedAsync(() => payments.ResponseStream.MoveNext(TestChain.Limit));

        using var session = peers.CreateCallInvoker().AsyncDuplexStreamingCall(
            Of(MethodType.DuplexStreaming, "PeerService", "Exchange"), null, default);
        await session.RequestStream.SayAsync(truncated);
        await AssertRefusedAsync(async () =>
        {
            while (await session.ResponseStream.MoveNext(TestChain.Limit))
            {
                // Its hello comes first.
            }
        });
    }

    private static Method<byte[], byte[]> Of(MethodType type, string service, string name) =>
        new(type, "channelnode.v1." + service, name, Raw, Raw);

    private static async Task AssertRefusedAsync(Func<Task> call)
    {
        RpcException refused = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Equal("INVALID_ARGUMENT", refused.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason);
    }
}
