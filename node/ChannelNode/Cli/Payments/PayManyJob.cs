using ChannelNode.Proto.V1;
using Google.Protobuf;
using Spectre.Console;

namespace ChannelNode.Cli;

/// <summary>pay --count: runs the stream, shows how it goes, gives up when nothing goes through, sums up.</summary>
internal sealed class PayManyJob(
    NodeConnection node, TokenUnits units, PaymentPlan plan, int inFlightMax, TimeSpan patience, Terminal terminal, TimeProvider time)
{
    private static readonly TimeSpan LiveTick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LineTick = TimeSpan.FromSeconds(1);

    /// <summary>Whoever stopped the payments waits no longer for their unit.</summary>
    private static readonly TimeSpan SummaryMax = TimeSpan.FromSeconds(2);

    private readonly PaymentBook _book = new(plan.Count, time);
    private readonly WhyItWaits _why = new(node, units, plan, terminal, time);

    public async Task<int> RunAsync(CancellationToken cancel)
    {
        if (plan.TooLong() is { } sentence)
            throw new CommandException(new(ExitCode.WrongUsage, Failure.InvalidArgument, sentence, sentence.Split(':')[0]));
        if (!terminal.Json) terminal.Line($"key {plan.Key}: the same call with --key {plan.Key} pays nothing twice");

        Failure? failure = null;
        using var stream = new PaymentStream(node.Client, plan, _book, inFlightMax, time, PrintResult);
        try
        {
            await WithProgressAsync(shown => RunAsync(stream, shown, cancel));
        }
        catch (Exception exception) when (node.FailureOf(exception, cancel) is { } known)
        {
            failure = known;
        }
        using CancellationTokenSource brief = new(SummaryMax, time);
        CancellationToken summing = cancel.IsCancellationRequested ? brief.Token : cancel;
        PaymentSummary summary = await SummarizeAsync(summing);
        TokenUnit unit = terminal.Json ? TokenUnit.Ether : await units.TryOfChannelAsync(plan.ChannelId, summing);
        summary.Show(terminal, unit, plan.Key);
        failure ??= WhyNotAll(summary);
        if (failure is null) return ExitCode.Done;
        if (!terminal.Json) failure = failure with { Message = await units.TryInAsync(failure.Message, summing) };
        terminal.Fail(failure);
        return failure.ExitCode;
    }

    private async Task<PaymentSummary> SummarizeAsync(CancellationToken cancel)
    {
        PaymentSummary summary = _book.Summarize();
        if (terminal.Json) return summary;
        Dictionary<Refusal, string> messages = [];
        foreach ((Refusal refusal, string message) in summary.Messages) messages[refusal] = await units.TryInAsync(message, cancel);
        return summary with { Messages = messages };
    }

    private async Task RunAsync(PaymentStream stream, Action<string> shown, CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task watching = WatchAsync(shown, stop);
        try
        {
            await stream.RunAsync(stop.Token);
        }
        catch (Exception) when (stop.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new CommandException(GivenUp(stream));
        }
        finally
        {
            await stop.CancelAsync();
            await watching;
        }
    }

    /// <summary>
    /// Shows the rate, and why nothing goes through for a while; cancels <paramref name="stop"/> when that is so for too long.
    /// </summary>
    private async Task WatchAsync(Action<string> shown, CancellationTokenSource stop)
    {
        using var timer = new PeriodicTimer(terminal.Live ? LiveTick : LineTick, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop.Token))
            {
                double seconds = _book.Elapsed.TotalSeconds;
                shown($"{_book.Paid:N0} of {plan.Count:N0} paid, {_book.Paid / seconds:N0} payments/s");
                if (_book.SinceLastPaid > WhyItWaits.SilentFor) await _why.SayAsync(_book.WaitsFor, stop.Token);
                if (_book.SinceLastPaid > patience) await stop.CancelAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // The stream has ended.
        }
    }

    private async Task WithProgressAsync(Func<Action<string>, Task> work)
    {
        if (terminal.Json) await work(_ => { });
        else if (!terminal.Live) await work(terminal.Line);
        else await terminal.Screen.Status().StartAsync("paying", status => work(text => status.Status = text));
    }

    private void PrintResult(int index, PaymentResult result)
    {
        if (!terminal.Json) return;
        terminal.Document(new
        {
            index,
            itemId = ByteString.CopyFromUtf8(plan.ItemAt(index)).ToBase64(),
            idempotencyKey = plan.KeyAt(index),
            refusal = "REFUSAL_" + Failure.ReasonOf(result.Refusal),
            totalSent = result.TotalSent,
            repeated = result.Repeated,
            message = result.Message,
        });
    }

    private Failure GivenUp(PaymentStream stream)
    {
        string waited = $"no payment went through for {patience.TotalSeconds:N0} s (--timeout)";
        if (stream.LastBreak is { } broken)
            return new(ExitCode.NodeUnreachable, Failure.NodeUnreachable, $"{waited}: {Failure.CauseOf(broken)}");
        return WhyNotAll(_book.Summarize()) is { } refused
            ? refused with { Message = $"{waited}: {refused.Message}" }
            : new(ExitCode.Refused, "TIMEOUT", _why.OfThePeer.Length == 0 ? waited : $"{waited}: {_why.OfThePeer}");
    }

    private static Failure? WhyNotAll(PaymentSummary summary)
    {
        if (summary.Refused.Count == 0) return null;
        Refusal refusal = summary.StoppedBy != Refusal.Unspecified ? summary.StoppedBy : summary.Refused.MaxBy(entry => entry.Value).Key;
        int times = summary.Refused[refusal];
        string many = $"{times:N0} of {summary.Asked:N0} {(summary.Asked == 1 ? "payment" : "payments")} {(times == 1 ? "was" : "were")} refused";
        string reason = Failure.ReasonOf(refusal);
        string rest = summary.StoppedBy == Refusal.Unspecified || summary.NotSent == 0 ? "" : "; the rest would be too, and was not sent";
        return new(Failure.CodeOf(reason), reason, many + summary.Why(refusal) + rest);
    }
}
