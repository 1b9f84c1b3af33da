using ChannelNode.Proto.V1;
using Google.Rpc;
using Grpc.Core;

namespace ChannelNode.Example;

/// <summary>Pays more than a channel has, and hears why not: a refusal promises that nothing was paid.</summary>
internal static class Refused
{
    /// <summary>PAYER_TOKEN=cn_... dotnet run -- refused http://127.0.0.1:9801 CHANNEL_ID</summary>
    public static async Task<int> ShowAsync(string api, string channelId)
    {
        NodeService.NodeServiceClient payer = NodeApi.At(api, "PAYER_TOKEN");
        try
        {
            Payment payment = new() { ChannelId = channelId, Amount = "2000000" };
            await payer.PayAsync(new PayRequest { Payment = payment });
            return 1;
        }
        catch (RpcException refused) when (refused.GetRpcStatus()?.GetDetail<ErrorInfo>() is { } why)
        {
            // It has a name to act on, and a sentence for people.
            Console.WriteLine($"refused: {why.Reason}: {refused.Status.Detail}");
            return 0;
        }
    }
}
