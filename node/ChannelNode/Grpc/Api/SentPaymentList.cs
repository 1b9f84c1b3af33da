using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>One ListSentPayments call, read from disk as it is told.</summary>
internal static class SentPaymentList
{
    private const int PaymentsPerResponse = 1_024;

    public static async Task WriteAsync(
        Node node, ChannelSlot slot, CallerChannels seen, string afterTotal, IServerStreamWriter<Wire.ListSentPaymentsResponse> responses,
        CancellationToken cancel)
    {
        UInt128 after = ReadTotal(afterTotal);
        ChannelState state = slot.State;
        string channel = slot.Channel.Id.ToString(), token = slot.Channel.Terms.Token.ToString();
        Wire.ListSentPaymentsResponse response = new();
        foreach (OutgoingPayment payment in node.Store.ReadOutgoing(slot.Channel.Id, after))
        {
            if (payment.Total > state.Sent) break;
            response.Payments.Add(new Wire.SentPayment
            {
                ChannelId = channel,
                Token = token,
                Amount = payment.Amount.ToString(),
                ItemId = UnsafeByteOperations.UnsafeWrap(payment.ItemId),
                TotalSent = payment.Total.ToString(),
                Acknowledged = payment.Total <= state.Acknowledged,
                IdempotencyKey = payment.IdempotencyKey,
            });
            if (response.Payments.Count < PaymentsPerResponse) continue;
            await TellAsync();
            response = new Wire.ListSentPaymentsResponse();
        }

        if (response.Payments.Count > 0) await TellAsync();

        Task TellAsync()
        {
            seen.Require(slot.Channel.Id); // It is long: the token may have been limited meanwhile.
            return responses.WriteAsync(response, cancel);
        }
    }

    private static UInt128 ReadTotal(string text)
    {
        if (text.Length == 0) return UInt128.Zero;
        return text.All(char.IsAsciiDigit) && UInt128.TryParse(text, out UInt128 total) && total <= Amounts.Max
            ? total
            : throw Fields.Invalid("after_total", text, "a decimal number");
    }
}
