// Opens a channel from one node to another, pays for an item, and hears of it at the node that was paid.
//
//   dotnet run -- http://127.0.0.1:9801 http://127.0.0.1:9812 http://127.0.0.1:9811
//
// The payer's API, where the payee's peers call, the payee's API.
using ChannelNode.Example;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;

if (args is ["webhook", var secret, var signature]) return Webhook.Check(secret, signature, Console.OpenStandardInput());

var payer = new NodeService.NodeServiceClient(GrpcChannel.ForAddress(args[0]));
var payee = new NodeService.NodeServiceClient(GrpcChannel.ForAddress(args[2]));

// From here on, for the first time; after that, from the newest cursor that was kept.
ulong cursor = payee.GetInfo(new GetInfoRequest()).ReceivedCursor;

// A deposit of 1,000,000 wei. The last step says that the channel is usable.
string channelId = "";
using var opening = payer.OpenChannel(new OpenChannelRequest { PeerUrl = args[1], Amount = "1000000" });
await foreach (OpenChannelResponse step in opening.ResponseStream.ReadAllAsync())
{
    Console.WriteLine($"opening: {step.Progress.Stage}");
    channelId = step.Progress.ChannelId;
}

// Answered when the payee has it on disk. The same key never pays twice, so this may be tried again after any failure.
Payment payment = new()
{
    ChannelId = channelId,
    Amount = "25",
    ItemId = ByteString.CopyFromUtf8("article-17"),
    IdempotencyKey = $"cs-{channelId[..40]}",
};
PayResponse paid = await payer.PayAsync(new PayRequest { Payment = payment });
Console.WriteLine($"paid: 25, in total {paid.TotalSent}");

// A refusal has a name to act on, in its ErrorInfo, and a sentence for people.
try
{
    await payer.PayAsync(new PayRequest { Payment = new Payment { ChannelId = channelId, Amount = "2000000" } });
}
catch (RpcException refused)
{
    Console.WriteLine($"refused: {refused.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason}: {refused.Status.Detail}");
}

// Keep the newest cursor with what it was for: it is where to go on after a restart, of either program. Amount and token are the payer's
// to choose: hold them against the price first.
using var subscription = payee.SubscribePayments(new SubscribePaymentsRequest { AfterCursor = cursor });
await foreach (SubscribePaymentsResponse response in subscription.ResponseStream.ReadAllAsync())
{
    foreach (ReceivedPayment received in response.Payments)
    {
        Console.WriteLine($"received: cursor {received.Cursor}, {received.Amount} for {received.ItemId.ToStringUtf8()}");
        if (received.ChannelId == channelId) return 0;
    }
}

return 1;
