using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ChannelNode.Engine;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Spectre.Console;

namespace ChannelNode.Cli;

/// <summary>top</summary>
internal static class TopCommand
{
    private static readonly TimeSpan BetweenLooksForKeys = TimeSpan.FromMilliseconds(50);

    public static CliCommand Create(CommandShell shell)
    {
        Option<uint> every = Fields.Number("--every-ms", "Milliseconds between two looks", 100u, 60_000u, 1_000u);
        Option<uint> count = Fields.Number("--count", "End after so many looks", 1u, uint.MaxValue, (uint?)null);
        var command = new CliCommand(
            "top",
            "Shows what a node does, live: rates per second, latencies, queues. q or Ctrl-C ends it. Where nobody watches a terminal "
            + "it prints a line for each look.",
            "channelnode top\nchannelnode top --every-ms 5000 --count 12 --json") { every, count };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            Looking looking = new(
                node, shell.Time, TimeSpan.FromMilliseconds(parsed.GetValue(every)),
                parsed.GetResult(count) is null ? uint.MaxValue : parsed.GetValue(count));
            if (terminal.Live) await ShowLiveAsync(looking, terminal, cancel);
            else await foreach (TopFigures figures in looking.RunAsync(cancel)) Print(figures, terminal);
            return ExitCode.Done;
        });
    }

    /// <summary>One look after the other. The first must be answered; from then on an absent node is waited for.</summary>
    private sealed class Looking(NodeConnection node, TimeProvider time, TimeSpan every, uint count)
    {
        /// <summary>What a node that does not answer is; empty while it does.</summary>
        public string Trouble { get; private set; } = string.Empty;

        public async IAsyncEnumerable<TopFigures> RunAsync(
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
        {
            GetStatusResponse before = await AskAsync(cancel);
            TopFigures last = TopFigures.Between(before, before);
            for (uint look = 0; look < count; look++)
            {
                await Task.Delay(every, time, cancel);
                if (await TryAskAsync(cancel) is { } after)
                {
                    last = TopFigures.Between(before, after);
                    before = after;
                }

                yield return last;
            }
        }

        private async Task<GetStatusResponse?> TryAskAsync(CancellationToken cancel)
        {
            try
            {
                GetStatusResponse status = await AskAsync(cancel);
                Trouble = string.Empty;
                return status;
            }
            catch (RpcException exception) when (!cancel.IsCancellationRequested && exception.StatusCode == StatusCode.Unavailable)
            {
                Trouble = node.FailureOf(exception, cancel)?.Message ?? exception.Status.Detail;
                return null;
            }
        }

        private async Task<GetStatusResponse> AskAsync(CancellationToken cancel) =>
            await node.Client.GetStatusAsync(new GetStatusRequest { Brief = true }, cancellationToken: cancel);
    }

    private static async Task ShowLiveAsync(Looking looking, Terminal terminal, CancellationToken cancel)
    {
        using CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task keys = EndAtKeyAsync(ending);
        try
        {
            await terminal.Screen.Live(new Text("asking the node")).StartAsync(async live =>
            {
                await foreach (TopFigures figures in looking.RunAsync(ending.Token)) live.UpdateTarget(View(figures, looking.Trouble));
            });
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // q or Ctrl-C: that is how it ends.
        }
        catch (RpcException) when (ending.IsCancellationRequested)
        {
            // The same, in the middle of a question.
        }

        await ending.CancelAsync();
        await keys;
    }

    private static async Task EndAtKeyAsync(CancellationTokenSource ending)
    {
        if (Console.IsInputRedirected) return;
        while (!ending.IsCancellationRequested)
        {
            if (Console.KeyAvailable && Console.ReadKey(intercept: true).Key is ConsoleKey.Q or ConsoleKey.Escape) await ending.CancelAsync();
            await Task.Delay(BetweenLooksForKeys, CancellationToken.None);
        }
    }

    /// <summary>What both show: a name, and what it is.</summary>
    private static IEnumerable<(string Name, string Value)> Values(TopFigures top)
    {
        yield return ("received", $"{Rate(top.PaymentsReceived)} payments/s");
        yield return ("sent", $"{Rate(top.PaymentsPaid)} payments/s");
        yield return ("refused", $"{Rate(top.PaymentsRefused)} payments/s");
        yield return ("updates accepted", $"{Rate(top.UpdatesAccepted)}/s");
        yield return ("coalesced", $"{Rate(top.UpdatesCoalesced)}/s");
        yield return ("refused updates", $"{Rate(top.UpdatesRefused)}/s");
        yield return ("told", $"{Rate(top.UpdatesTold)}/s");
        yield return ("acknowledged in", $"{Ms(top.AcknowledgementMsMedian)} median, {Ms(top.AcknowledgementMs99)} 99 %");
        yield return ("synced in", $"{Ms(top.SyncMsMedian)} median, {Ms(top.SyncMs99)} 99 %");
        yield return ("commits", $"{Rate(top.Commits)}/s of {Rate(top.CommandsPerCommit)}");
        yield return ("queue", $"{top.QueueLength} of {top.QueueMax}");
        yield return ("under way", Plural.Of(top.PaymentsUnderWay, "payment"));
        yield return ("peers", $"{top.PeersConnected} connected");
        yield return ("chain", (top.ChainIsCurrent, top.ChainProblem.Length) switch
        {
            (false, _) => $"OUT OF SIGHT, {Plural.Of(top.BlocksBehind, "block")} behind",
            (true, > 0) => $"NO ANSWER, {Plural.Of(top.BlocksBehind, "block")} behind",
            _ => $"{Plural.Of(top.BlocksBehind, "block")} behind",
        });
    }

    private static void Print(TopFigures figures, Terminal terminal)
    {
        if (terminal.Json) terminal.Document(JsonSerializer.SerializeToElement(figures, JsonSerializerOptions.Web));
        else terminal.Line($"{figures.At:HH:mm:ss}  {string.Join("; ", Values(figures).Select(it => $"{it.Name} {it.Value}"))}");
    }

    private static Panel View(TopFigures figures, string trouble)
    {
        List<(string, string)> fields = [.. Values(figures)];
        if (figures.IsFresh) fields.Add(("", "started again"));
        if (trouble.Length > 0) fields.Add(("", trouble));
        return new Panel(Views.Fields(fields)) { Header = new PanelHeader($"{figures.At:HH:mm:ss} UTC, q ends"), Border = BoxBorder.Rounded };
    }

    private static string Rate(double perSecond) => perSecond.ToString(perSecond < 10 ? "0.#" : "#,0", CultureInfo.InvariantCulture);

    private static string Ms(double? ms) => ms is { } value ? value.ToString("0.##", CultureInfo.InvariantCulture) + " ms" : "-";
}
