using System.Buffers.Binary;
using ChannelNode.Core;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// Follows a node's received payments through its deaths, each time from the newest cursor that it has handled. Payment n
/// of a channel has the amount 1 and the item id n; anything that comes twice, out of order or not at all ends it.
/// </summary>
internal sealed class ResumingSubscriber(NodeProcess node)
{
    private readonly Dictionary<string, ulong> _told = [];

    public ulong Cursor { get; private set; }

    public int Resumed { get; private set; }

    public static byte[] ItemOf(ulong number)
    {
        var item = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(item, number);
        return item;
    }

    /// <summary>How many payments of a channel it was told.</summary>
    public ulong ToldOf(ChannelId channel) => _told.GetValueOrDefault(channel.ToString());

    public async Task RunAsync(CancellationToken cancel)
    {
        for (; !cancel.IsCancellationRequested; Resumed++)
        {
            try
            {
                using var call = node.Api.SubscribePayments(
                    new Wire.SubscribePaymentsRequest { AfterCursor = Cursor }, cancellationToken: cancel);
                while (await call.ResponseStream.MoveNext(cancel))
                    foreach (Wire.ReceivedPayment payment in call.ResponseStream.Current.Payments) Take(payment);
            }
            catch (Exception error) when (IsOfConnection(error))
            {
                await Task.Delay(50, CancellationToken.None);
            }
        }
    }

    /// <summary>A refusal, as of a cursor that the node does not know, is not.</summary>
    private static bool IsOfConnection(Exception error) =>
        error is ObjectDisposedException or OperationCanceledException
        || (error is RpcException rpc && rpc.GetRpcStatus() is null);

    private void Take(Wire.ReceivedPayment payment)
    {
        ulong number = _told.GetValueOrDefault(payment.ChannelId) + 1;
        bool isNext = payment.Cursor == Cursor + 1 && payment.Amount == "1" && payment.TotalReceived == number.ToString()
            && payment.ItemId.Span.SequenceEqual(ItemOf(number));
        if (!isNext) throw new InvalidDataException($"after cursor {Cursor}, number {number} was expected: {payment}");
        Cursor = payment.Cursor;
        _told[payment.ChannelId] = number;
    }
}
