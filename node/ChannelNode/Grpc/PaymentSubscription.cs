using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// One SubscribePayments call. Everything told is read back from disk in the order of its cursor, so a subscriber sees
/// the same whether it was there or came later.
/// </summary>
internal static class PaymentSubscription
{
    private const int PaymentsPerResponseMax = 1_024;

    public static async Task RunAsync(
        Node node,
        ulong afterCursor,
        ChannelId? only,
        IServerStreamWriter<Wire.SubscribePaymentsResponse> responses,
        CancellationToken cancel)
    {
        if (afterCursor > node.Ledger.ReceivedCursor)
        {
            throw new RefusalException(
                Refusal.CursorUnknown,
                $"after_cursor is {afterCursor}, expected at most {node.Ledger.ReceivedCursor}, the newest payment's")
            {
                Field = "after_cursor",
            };
        }

        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            IReadOnlyList<ReceivedPayment> payments = node.Store.ReadReceived(afterCursor, PaymentsPerResponseMax);
            Wire.SubscribePaymentsResponse response = new();
            foreach (ReceivedPayment payment in payments)
            {
                afterCursor = payment.Cursor;
                if (only is null || payment.Channel == only) response.Payments.Add(NodeWire.Write(payment, node.Book));
            }

            if (response.Payments.Count > 0) await responses.WriteAsync(response, cancel);
            if (payments.Count == 0) await node.Ledger.WhenReceivedAsync(afterCursor, cancel);
        }
    }
}
