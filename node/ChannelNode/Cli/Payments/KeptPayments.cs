using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Runtime.CompilerServices;
using ChannelNode.Engine;
using ChannelNode.Proto.V1;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>The payments received that a node keeps, of a channel and a time, oldest first, for whoever does the books with them.</summary>
/// <param name="only">The channel; null for all.</param>
/// <param name="after">The cursor to go on behind; null for all that are kept, and then it is told what is not kept any more.</param>
/// <param name="when">From the first on, before the second, Unix milliseconds.</param>
internal sealed class KeptPayments(NodeConnection node, Terminal terminal, string? only, ulong? after, (long FromMs, long ToMs) when)
{
    private const string TimeForm = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    private static readonly string[] TimesRead = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss'Z'", TimeForm];

    private readonly Dictionary<string, string> _payers = [];

    public static (Option<string?> From, Option<string?> To) Times() => (
        Time("--from", "Received at this time or later, UTC: 2026-01-31 or 2026-01-31T12:00:00Z"), Time("--to", "Received before this time"));

    public static void RequireInOrder(CommandResult result, Option<string?> from, Option<string?> to)
    {
        if (TimeOf(result.GetValue(from)) is { } begin && TimeOf(result.GetValue(to)) is { } end && begin >= end)
            result.AddError($"--from: is {result.GetValue(from)}, expected a time before {result.GetValue(to)}, that of --to");
    }

    public static (long FromMs, long ToMs) Between(ParseResult parsed, Option<string?> from, Option<string?> to) =>
        (TimeOf(parsed.GetValue(from)) ?? long.MinValue, TimeOf(parsed.GetValue(to)) ?? long.MaxValue);

    public static string Format(long unixMs) => DateTimeOffset.FromUnixTimeMilliseconds(unixMs).ToString(TimeForm, CultureInfo.InvariantCulture);

    public async IAsyncEnumerable<IReadOnlyList<ReceivedPayment>> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        GetInfoResponse info = await node.Client.GetInfoAsync(new GetInfoRequest(), cancellationToken: cancel);
        SubscribePaymentsRequest request = new() { AfterCursor = after ?? info.DroppedCursor, ChannelId = only ?? "", KeptOnly = true };
        using AsyncServerStreamingCall<SubscribePaymentsResponse> call =
            node.Client.SubscribePayments(request, cancellationToken: cancel);
        bool mayLack = after is null && info.DroppedCursor > 0;
        while (await call.ResponseStream.MoveNext(cancel))
        {
            IReadOnlyList<ReceivedPayment> page = call.ResponseStream.Current.Payments;
            if (mayLack && page.Count > 0)
            {
                if (page[0].AcceptedAtMs > when.FromMs) NoteLack(info, page[0].AcceptedAtMs);
                mayLack = false;
            }

            yield return [.. page.Where(it => it.AcceptedAtMs >= when.FromMs && it.AcceptedAtMs < when.ToMs)];
        }

        if (mayLack) NoteLack(info, firstKeptMs: null);
    }

    /// <summary>The signer of the channel's other side; empty where the node does not know the channel any more.</summary>
    public async ValueTask<string> PayerAsync(string channel, CancellationToken cancel)
    {
        if (_payers.TryGetValue(channel, out string? payer)) return payer;
        try
        {
            GetChannelResponse found = await node.Client.GetChannelAsync(new GetChannelRequest { ChannelId = channel }, cancellationToken: cancel);
            payer = found.Channel.Peer;
        }
        catch (RpcException unknown) when (unknown.StatusCode == StatusCode.NotFound)
        {
            payer = string.Empty;
        }

        return _payers[channel] = payer;
    }

    /// <summary>Beside the rows, for people: whoever does the books with them must not take a part for all.</summary>
    private void NoteLack(GetInfoResponse info, long? firstKeptMs) => terminal.Note(
        $"note: the first {info.DroppedCursor % CursorGap.Width} payments are not in this: they are not kept any more (--received-kept-hours, "
        + $"--received-bytes-max); what is kept begins {(firstKeptMs is { } ms ? Format(ms) : "with the next one")}");

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
