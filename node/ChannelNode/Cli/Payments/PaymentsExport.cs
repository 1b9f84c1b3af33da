using System.CommandLine;
using System.Globalization;
using System.Text;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>payments export</summary>
internal static class PaymentsExport
{
    private const string TimeForm = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    private static readonly string[] TimesRead = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss'Z'", TimeForm];

    private static readonly string[] ReceivedHeader =
        ["cursor", "accepted_at", "channel_id", "token", "amount", "total_received", "item_id_hex", "item_text"];

    private static readonly string[] SentHeader =
        ["total_sent", "acknowledged", "channel_id", "token", "amount", "idempotency_key", "item_id_hex", "item_text"];

    public static CliCommand Create(CommandShell shell)
    {
        var sent = new Option<bool>("--sent") { Description = "Payments that this node made, instead of those received; needs --channel" };
        Option<string> channel = Fields.ChannelOption("--channel", "Only this channel");
        Option<string?> from = Time("--from", "Received at this time or later, UTC: 2026-01-31 or 2026-01-31T12:00:00Z");
        Option<string?> to = Time("--to", "Received before this time");
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
            if (TimeOf(result.GetValue(from)) is { } begin && TimeOf(result.GetValue(to)) is { } end && begin >= end)
                result.AddError($"--from: is {result.GetValue(from)}, expected a time before {result.GetValue(to)}, that of --to");
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
            if (parsed.GetValue(sent)) await SentAsync(node, terminal, only!, start, asJson, cancel);
            else
                await ReceivedAsync(
                    node, terminal, only, parsed.GetResult(after) is null or { Implicit: true } ? null : (ulong)start,
                    (TimeOf(parsed.GetValue(from)) ?? long.MinValue, TimeOf(parsed.GetValue(to)) ?? long.MaxValue), asJson, cancel);
            return ExitCode.Done;
        });
    }

    private static async Task ReceivedAsync(
        NodeConnection node, Terminal terminal, string? only, ulong? after, (long FromMs, long ToMs) when, bool asJson,
        CancellationToken cancel)
    {
        GetInfoResponse info = await node.Client.GetInfoAsync(new GetInfoRequest(), cancellationToken: cancel);
        SubscribePaymentsRequest request = new() { AfterCursor = after ?? info.DroppedCursor, ChannelId = only ?? "", KeptOnly = true };
        using AsyncServerStreamingCall<SubscribePaymentsResponse> call =
            node.Client.SubscribePayments(request, cancellationToken: cancel);
        ExportWriter rows = new(terminal, ReceivedHeader, asJson);
        bool mayLack = after is null && info.DroppedCursor > 0;
        while (await call.ResponseStream.MoveNext(cancel))
        {
            foreach (ReceivedPayment it in call.ResponseStream.Current.Payments)
            {
                if (mayLack && it.AcceptedAtMs > when.FromMs) NoteLack(terminal, info, it.AcceptedAtMs);
                mayLack = false;
                if (it.AcceptedAtMs < when.FromMs || it.AcceptedAtMs >= when.ToMs) continue;
                string at = DateTimeOffset.FromUnixTimeMilliseconds(it.AcceptedAtMs).ToString(TimeForm, CultureInfo.InvariantCulture);
                rows.Write(
                    it.Cursor.ToString(CultureInfo.InvariantCulture), at, it.ChannelId, it.Token, it.Amount, it.TotalReceived,
                    Core.Hex.Format(it.ItemId.Span), TextOf(it.ItemId));
            }

            rows.Flush();
        }

        if (mayLack) NoteLack(terminal, info, firstKeptMs: null);
    }

    /// <summary>Beside the rows, for people: whoever does the books with them must not take a part for all.</summary>
    private static void NoteLack(Terminal terminal, GetInfoResponse info, long? firstKeptMs) => terminal.Note(
        $"note: the first {info.DroppedCursor} payments are not in this export: they are not kept any more (--received-kept-hours, "
        + "--received-bytes-max); what is kept begins "
        + (firstKeptMs is { } ms ? DateTimeOffset.FromUnixTimeMilliseconds(ms).ToString(TimeForm, CultureInfo.InvariantCulture) : "with the next one"));

    private static async Task SentAsync(
        NodeConnection node, Terminal terminal, string channel, UInt128 after, bool asJson, CancellationToken cancel)
    {
        ListSentPaymentsRequest request = new() { ChannelId = channel, AfterTotal = after.ToString(CultureInfo.InvariantCulture) };
        using AsyncServerStreamingCall<ListSentPaymentsResponse> call = node.Client.ListSentPayments(request, cancellationToken: cancel);
        ExportWriter rows = new(terminal, SentHeader, asJson);
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
    private static string TextOf(ByteString itemId)
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

    private static Option<string?> Time(string name, string description)
    {
        Option<string?> option = new(name) { Description = description, HelpName = "time" };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && TimeOf(token.Value) is null)
                result.AddError($"{name}: '{token.Value}' is not a time as 2026-01-31 or 2026-01-31T12:00:00Z");
        });
        return option;
    }

    private static long? TimeOf(string? text) => DateTimeOffset.TryParseExact(
        text, TimesRead, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
        ? time.ToUnixTimeMilliseconds()
        : null;
}
