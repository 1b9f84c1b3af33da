using System.CommandLine;
using System.Text;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>payments, payments follow</summary>
internal static class PaymentsCommand
{
    public static CliCommand Create(CommandShell shell) =>
        new("payments", "Payments received, and made.", "channelnode payments follow --until-idle")
        {
            Follow(shell), PaymentsExport.Create(shell), PaymentsSum.Create(shell),
        };

    private static CliCommand Follow(CommandShell shell)
    {
        Option<ulong> after = Fields.Number(
            "--after", "The newest cursor already handled; all that is kept when not given", 0ul, ulong.MaxValue, (ulong?)null);
        Option<string> channel = Fields.ChannelOption("--channel", "Only this channel");
        Option<ulong> count = Fields.Number(
            "--count", "End after so many payments", 1ul, ulong.MaxValue, (ulong?)null);
        var untilIdle = new Option<bool>("--until-idle")
        {
            Description = "End when every payment that was received before this call is printed",
        };
        var command = new CliCommand(
            "follow", "Prints payments received, the old ones first, then new ones as they come. Times are UTC.",
            "channelnode payments follow --after 1200 --json") { after, channel, count, untilIdle };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            GetInfoResponse info = await node.Client.GetInfoAsync(new GetInfoRequest(), cancellationToken: cancel);
            var request = new SubscribePaymentsRequest
            {
                AfterCursor = parsed.GetResult(after) is null ? info.DroppedCursor : parsed.GetValue(after),
                ChannelId = parsed.GetValue(channel) is { } given ? await node.ResolveAsync(given, cancel) : "",
                KeptOnly = parsed.GetValue(untilIdle),
            };
            ulong wanted = parsed.GetValue(count) is > 0 and var limit ? limit : ulong.MaxValue;
            return await FollowAsync(node, shell.UnitsOf(parsed, node), terminal, request, wanted, cancel);
        });
    }

    private static async Task<int> FollowAsync(
        NodeConnection node, TokenUnits units, Terminal terminal, SubscribePaymentsRequest request, ulong wanted, CancellationToken cancel)
    {
        using AsyncServerStreamingCall<SubscribePaymentsResponse> call =
            node.Client.SubscribePayments(request, cancellationToken: cancel);
        ulong printed = 0;
        while (await call.ResponseStream.MoveNext(cancel))
        {
            foreach (ReceivedPayment payment in call.ResponseStream.Current.Payments)
            {
                if (terminal.Json) terminal.Document(payment);
                else Print(payment, await units.OfAsync(payment.Token, cancel), terminal);
                if (++printed == wanted) return ExitCode.Done;
            }
        }
        return ExitCode.Done;
    }

    private static void Print(ReceivedPayment payment, TokenUnit unit, Terminal terminal)
    {
        DateTimeOffset at = DateTimeOffset.FromUnixTimeMilliseconds(payment.AcceptedAtMs);
        terminal.Line(
            $"{payment.Cursor}  {at:yyyy-MM-dd HH:mm:ss.fff}  {terminal.IdForLine(payment.ChannelId)}  {unit.Show(payment.Amount)}  "
            + $"total {unit.Show(payment.TotalReceived)}  {Readable(payment.ItemId)}");
    }

    /// <summary>An item id is any bytes: shown as text where it is text for certain, as hex otherwise.</summary>
    private static string Readable(ByteString itemId)
    {
        try
        {
            string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(itemId.Span);
            if (text == Terminal.Printable(text)) return text;
        }
        catch (DecoderFallbackException)
        {
            // Not text.
        }
        return Core.Hex.Format(itemId.Span);
    }
}
