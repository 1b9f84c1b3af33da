using System.CommandLine;
using System.Globalization;
using System.Text;
using ChannelNode.Engine;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>payments export</summary>
internal static class PaymentsExport
{
    private static readonly string[] ReceivedHeader =
        ["cursor", "accepted_at", "channel_id", "token", "amount", "total_received", "item_id_hex", "item_text", "payer"];

    private static readonly string[] SentHeader =
        ["total_sent", "acknowledged", "channel_id", "token", "amount", "idempotency_key", "item_id_hex", "item_text"];

    public static CliCommand Create(CommandShell shell)
    {
        var sent = new Option<bool>("--sent") { Description = "Payments that this node made, instead of those received; needs --channel" };
        Option<string> channel = Fields.ChannelOption("--channel", "Only this channel");
        (Option<string?> from, Option<string?> to) = KeptPayments.Times();
        Option<UInt128> after = Fields.Number(
            "--after", "The newest cursor that was exported, or with --sent the newest total: goes on behind it", UInt128.Zero,
            Core.Amounts.Max, UInt128.Zero);
        Option<ExportForm> form = Fields.Word("--format", "How it is written; csv unless given", new Dictionary<string, ExportForm>
        {
            ["csv"] = ExportForm.Csv,
            ["jsonl"] = ExportForm.JsonLines,
        });
        CliCommand command = new(
            "export",
            "Writes payments that are kept as CSV (RFC 4180) or JSON lines, oldest first, and ends. Amounts are exact, in smallest "
            + "units; item ids are any bytes, so they are given as hex, and as text where they are.",
            "channelnode payments export --from 2026-01-01 --to 2026-02-01 > january.csv\n"
            + "channelnode payments export --format jsonl --after 1200")
        { sent, channel, from, to, after, form };
        command.Validators.Add(result =>
        {
            KeptPayments.RequireInOrder(result, from, to);
            if (result.GetResult(sent) is null) return;
            if (result.GetResult(channel) is null) result.AddError("--channel: needed with --sent");
            if (result.GetResult(from) is not null || result.GetResult(to) is not null)
                result.AddError("--from: not with --sent; of payments made only their order is kept");
        });
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            string? only = parsed.GetValue(channel) is { } given ? await node.ResolveAsync(given, cancel) : null;
            bool asJson = parsed.GetValue(form) == ExportForm.JsonLines || terminal.Json;
            UInt128 start = parsed.GetValue(after);
            Func<ExportWriter, Task> write = parsed.GetValue(sent)
                ? rows => SentAsync(node, rows, only!, start, cancel)
                : rows => ReceivedAsync(
                    new KeptPayments(
                        node, terminal, only, parsed.GetResult(after) is null or { Implicit: true } ? null : (ulong)start,
                        KeptPayments.Between(parsed, from, to)),
                    rows, cancel);
            ExportWriter rows = new(terminal, parsed.GetValue(sent) ? SentHeader : ReceivedHeader, asJson);
            if (terminal.Live) await write(rows); // Who watches sees them come.
            else
                await SlowWork.RunAsync(terminal, shell.Time, "reading payments", async tell =>
                {
                    rows.Tell = count => tell($"{Plural.Of(count, "payment")} written");
                    await write(rows);
                    return ExitCode.Done;
                });
            return ExitCode.Done;
        });
    }

    private static async Task ReceivedAsync(KeptPayments kept, ExportWriter rows, CancellationToken cancel)
    {
        await foreach (IReadOnlyList<ReceivedPayment> page in kept.ReadAsync(cancel))
        {
            foreach (ReceivedPayment it in page)
            {
                rows.Write(
                    it.Cursor.ToString(CultureInfo.InvariantCulture), KeptPayments.Format(it.AcceptedAtMs), it.ChannelId, it.Token, it.Amount,
                    it.TotalReceived, Core.Hex.Format(it.ItemId.Span), TextOf(it.ItemId), await kept.PayerAsync(it.ChannelId, cancel));
            }

            rows.Flush();
        }
    }

    private static async Task SentAsync(
        NodeConnection node, ExportWriter rows, string channel, UInt128 after, CancellationToken cancel)
    {
        ListSentPaymentsRequest request = new() { ChannelId = channel, AfterTotal = after.ToString(CultureInfo.InvariantCulture) };
        using AsyncServerStreamingCall<ListSentPaymentsResponse> call = node.Client.ListSentPayments(request, cancellationToken: cancel);
        while (await call.ResponseStream.MoveNext(cancel))
        {
            foreach (SentPayment it in call.ResponseStream.Current.Payments)
            {
                rows.Write(
                    it.TotalSent, it.Acknowledged ? "true" : "false", it.ChannelId, it.Token, it.Amount, it.IdempotencyKey,
                    Core.Hex.Format(it.ItemId.Span), TextOf(it.ItemId));
            }

            rows.Flush();
        }
    }

    /// <summary>An item id as text where it is text that can be shown; empty otherwise. Exact it is in hex only.</summary>
    public static string TextOf(ByteString itemId)
    {
        try
        {
            string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(itemId.Span);
            return text == Terminal.Printable(text) ? text : string.Empty;
        }
        catch (DecoderFallbackException)
        {
            return string.Empty;
        }
    }
}
