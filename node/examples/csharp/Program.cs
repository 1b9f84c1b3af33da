// Opens a channel from one node to another, pays for an item, and hears of it at the node that was paid:
//   PAYER_TOKEN=cn_... PAYEE_TOKEN=cn_... dotnet run -- http://127.0.0.1:9801 http://127.0.0.1:9812 http://127.0.0.1:9811
// The payer's API, where the payee's peers call, the payee's API; and an access token for each, where it asks for one.
using ChannelNode.Example;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Grpc.Core;

if (args is ["refused", var api, var channel]) return await Refused.ShowAsync(api, channel);
if (args is ["webhook", var secret, var signature]) return Webhook.Check(secret, signature, Console.OpenStandardInput());
NodeService.NodeServiceClient payer = NodeApi.At(args[0], "PAYER_TOKEN"), payee = NodeApi.At(args[2], "PAYEE_TOKEN");

// From here on, for the first time; after that, from the newest cursor that was kept.
ulong cursor = payee.GetInfo(new GetInfoRequest()).ReceivedCursor;

// A deposit of 1,000,000 wei. The last step says that the channel is usable.
Progress opened = new();
using var opening = payer.OpenChannel(new OpenChannelRequest { PeerUrl = args[1], Amount = "1000000" });
await foreach (OpenChannelResponse step in opening.ResponseStream.ReadAllAsync()) opened = step.Progress;
string channelId = opened.ChannelId, key = $"cs-{channelId[..40]}";
Console.WriteLine($"opening: {opened.Stage}");

// Answered when the payee has it on disk. The same key never pays twice, so this may be tried again after any failure.
ByteString item = ByteString.CopyFromUtf8("article-17");
Payment payment = new() { ChannelId = channelId, Amount = "25", ItemId = item, IdempotencyKey = key };
PayResponse paid = await payer.PayAsync(new PayRequest { Payment = payment });
Console.WriteLine($"paid: 25, in total {paid.TotalSent}");

// Keep the newest cursor with what it was for: it is where to go on after a restart. Amount and token are the payer's to choose: check them.
using var subscription = payee.SubscribePayments(new SubscribePaymentsRequest { AfterCursor = cursor });
await foreach (SubscribePaymentsResponse heard in subscription.ResponseStream.ReadAllAsync())
{
    foreach (ReceivedPayment it in heard.Payments)
        Console.WriteLine($"received: cursor {it.Cursor}, {it.Amount} for {it.ItemId.ToStringUtf8()}");
    if (heard.Payments.Any(it => it.ChannelId == channelId)) return 0;
}

return 1;
