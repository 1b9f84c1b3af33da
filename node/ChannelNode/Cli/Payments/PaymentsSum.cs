using System.CommandLine;
using System.Globalization;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>What payments are added up by.</summary>
internal enum SumBy : byte
{
    Token = 0,
    Day = 1,
    Payer = 2,
    Channel = 3,
    Item = 4,
}

/// <summary>payments sum</summary>
internal static class PaymentsSum
{
    public static CliCommand Create(CommandShell shell)
    {
        Option<SumBy> by = Fields.Word("--by", "What is added up by itself; token unless given", new Dictionary<string, SumBy>
        {
            ["token"] = SumBy.Token,
            ["day"] = SumBy.Day,
            ["payer"] = SumBy.Payer,
            ["channel"] = SumBy.Channel,
            ["item"] = SumBy.Item,
        });
        Option<string> channel = Fields.ChannelOption("--channel", "Only this channel");
        (Option<string?> from, Option<string?> to) = KeptPayments.Times();
        CliCommand command = new(
            "sum",
            "Adds up the payments received that are kept, exactly, each token by itself: the days (of UTC) in their order, anything "
            + "else from the one that brought most.",
            "channelnode payments sum --by day --from 2026-01-01 --to 2026-02-01\nchannelnode payments sum --by item --json") { by, channel, from, to };
        command.Validators.Add(result => KeptPayments.RequireInOrder(result, from, to));
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            string? only = parsed.GetValue(channel) is { } given ? await node.ResolveAsync(given, cancel) : null;
            KeptPayments kept = new(node, terminal, only, after: null, KeptPayments.Between(parsed, from, to));
            SumBy asked = parsed.GetValue(by);
            Dictionary<(string Token, string Group), (ulong Payments, UInt128 Amount)> sums = [];
            await foreach (IReadOnlyList<ReceivedPayment> page in kept.ReadAsync(cancel))
            {
                foreach (ReceivedPayment it in page)
                {
                    (string, string) place = (it.Token, await GroupAsync(asked, it, kept, cancel));
                    (ulong payments, UInt128 amount) = sums.GetValueOrDefault(place);
                    sums[place] = (payments + 1, checked(amount + UInt128.Parse(it.Amount, CultureInfo.InvariantCulture)));
                }
            }

            Row[] rows = [.. sums.Select(it => new Row(it.Key.Token, it.Key.Group, it.Value.Payments, it.Value.Amount))];
            Array.Sort(rows, Order(asked));
            if (terminal.Json) WriteJson(asked, rows, terminal);
            else await ShowAsync(asked, rows, shell.UnitsOf(parsed, node), terminal, cancel);
            return ExitCode.Done;
        });
    }

    private readonly record struct Row(string Token, string Group, ulong Payments, UInt128 Amount);

    private static ValueTask<string> GroupAsync(SumBy by, ReceivedPayment payment, KeptPayments kept, CancellationToken cancel) => by switch
    {
        SumBy.Day => ValueTask.FromResult(KeptPayments.Format(payment.AcceptedAtMs)[..10]),
        SumBy.Payer => kept.PayerAsync(payment.ChannelId, cancel),
        SumBy.Channel => ValueTask.FromResult(payment.ChannelId),
        SumBy.Item => ValueTask.FromResult(
            PaymentsExport.TextOf(payment.ItemId) is { Length: > 0 } text ? text : Core.Hex.Format(payment.ItemId.Span)),
        _ => ValueTask.FromResult(string.Empty),
    };

    private static Comparison<Row> Order(SumBy by) => (one, other) =>
    {
        int order = string.CompareOrdinal(one.Token, other.Token);
        if (order == 0 && by != SumBy.Day) order = other.Amount.CompareTo(one.Amount);
        return order != 0 ? order : string.CompareOrdinal(one.Group, other.Group);
    };

    private static void WriteJson(SumBy by, Row[] rows, Terminal terminal)
    {
        foreach (Row row in rows)
        {
            terminal.Document(new
            {
                by = by.ToString().ToLowerInvariant(),
                group = row.Group,
                token = row.Token,
                payments = row.Payments,
                amount = row.Amount.ToString(CultureInfo.InvariantCulture),
            });
        }
    }

    private static async Task ShowAsync(SumBy by, Row[] rows, TokenUnits units, Terminal terminal, CancellationToken cancel)
    {
        if (rows.Length == 0)
        {
            terminal.Line("no payments");
            return;
        }

        string group = by.ToString().ToLowerInvariant();
        List<string[]> cells = [];
        foreach (Row row in rows)
        {
            TokenUnit unit = await units.OfAsync(row.Token, cancel);
            string[] sums = [row.Payments.ToString("#,0", CultureInfo.InvariantCulture), unit.Show(row.Amount.ToString(CultureInfo.InvariantCulture))];
            cells.Add(by == SumBy.Token ? [unit.Name, .. sums] : [Terminal.Printable(row.Group), unit.Name, .. sums]);
        }

        string[] columns = by == SumBy.Token ? ["token", "#payments", "#received"] : [group, "token", "#payments", "#received"];
        terminal.Show(Views.Fitting(terminal.Width, columns, cells, "token").Table);
    }
}
