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
            IReadOnlyList<JournalledRun> runs = node.Store.ReadReceived(afterCursor, PaymentsPerResponseMax);
            if (runs.Count > 0 && runs[0].Run.FirstCursor > afterCursor + 1) throw Expired(afterCursor, runs[0].Run.FirstCursor);
            foreach (JournalledRun run in runs)
            {
                if (only is null || run.Run.Channel == only) await TellAsync(node, run, afterCursor, responses, cancel);
                afterCursor = run.Run.LastCursor;
            }

            if (runs.Count == 0) await node.Ledger.WhenReceivedAsync(afterCursor, cancel);
        }
    }

    /// <summary>What was let go of must not be passed over in silence.</summary>
    private static RefusalException Expired(ulong afterCursor, ulong oldestCursor) => new(
        Refusal.CursorExpired,
        $"after_cursor is {afterCursor}, expected at least {oldestCursor - 1}: {oldestCursor} is the oldest payment kept")
    {
        Field = "after_cursor",
    };

    private static async Task TellAsync(
        Node node,
        JournalledRun journalled,
        ulong afterCursor,
        IServerStreamWriter<Wire.SubscribePaymentsResponse> responses,
        CancellationToken cancel)
    {
        Wire.SubscribePaymentsResponse response = new();
        ulong cursor = journalled.Run.FirstCursor;
        UInt128 total = journalled.Run.TotalBefore;
        for (ReadOnlyMemory<byte> rest = journalled.Payments; !rest.IsEmpty; cursor++)
        {
            IncomingPayment payment = PaymentList.Take(ref rest);
            total += payment.Amount;
            if (cursor <= afterCursor) continue;
            response.Payments.Add(NodeWire.Write(journalled.Run, cursor, payment, total, node.Book));
            if (response.Payments.Count < PaymentsPerResponseMax && !rest.IsEmpty) continue;
            await responses.WriteAsync(response, cancel);
            response = new();
        }
    }
}
