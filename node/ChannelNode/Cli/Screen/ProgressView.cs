using ChannelNode.Proto.V1;
using Grpc.Core;
using Spectre.Console;
using Progress = ChannelNode.Proto.V1.Progress;

namespace ChannelNode.Cli;

/// <summary>Shows how a job on chain comes along: a line per step, and while a person watches, what it waits for.</summary>
internal static class ProgressView
{
    /// <summary>Ends when the job is done; throws what the node answers when it cannot be done.</summary>
    public static async Task<int> FollowAsync<T>(
        this Terminal terminal, AsyncServerStreamingCall<T> call, Func<T, Progress> progressOf, TokenUnits units, CancellationToken cancel,
        bool untilConfirmed = true)
    {
        using (call)
        {
            if (!terminal.Live)
            {
                await ReadAsync(terminal, call, progressOf, units, _ => { }, untilConfirmed, cancel);
                return ExitCode.Done;
            }
            await terminal.Screen.Status().StartAsync(
                "asking the node",
                status => ReadAsync(terminal, call, progressOf, units, waitsFor => status.Status = waitsFor, untilConfirmed, cancel));
            return ExitCode.Done;
        }
    }

    private static async Task ReadAsync<T>(
        Terminal terminal, AsyncServerStreamingCall<T> call, Func<T, Progress> progressOf, TokenUnits units, Action<string> waitsFor,
        bool untilConfirmed, CancellationToken cancel)
    {
        Progress? last = null;
        ulong job = 0;
        try
        {
            while (await call.ResponseStream.MoveNext(cancel))
            {
                Progress step = progressOf(call.ResponseStream.Current);
                last = step;
                if (step.Job > 0) job = step.Job;
                if (terminal.Json) terminal.Document(step);
                else terminal.Line(await units.TryInAsync(Sentence(step), cancel));
                if (!untilConfirmed && step.Stage is Stage.Sent or Stage.Mined or Stage.Confirmed) return; // The node goes on with it.
                waitsFor(Next(step.Stage));
            }
        }
        catch (Exception stopped) when (Failure.Of(stopped, cancel) is { } failure && GoesOn(stopped, failure, last))
        {
            string which = job > 0 ? $"job {job}" : "what it has begun";
            string said = failure.ExitCode == ExitCode.Interrupted ? "stopped waiting" : failure.Message;
            throw new CommandException(failure with
            {
                Message = $"{said}; the node goes on with {which}: look at 'channelnode chain jobs' and the channel before asking again",
            });
        }
    }

    /// <summary>A job is not bound to the call that asked for it: only a node that has refused has stopped.</summary>
    private static bool GoesOn(Exception stopped, Failure failure, Progress? last) =>
        failure.ExitCode == ExitCode.Interrupted
        || (last is not null && last.Stage != Stage.Confirmed
            && (failure.Reason is "DRAINING" or "NOT_READY" || (stopped is RpcException rpc && Failure.ErrorInfoOf(rpc) is null)));

    /// <summary>The node's own words, except where the step's figures say more.</summary>
    private static string Sentence(Progress step)
    {
        string which = step.ChannelId.Length > 0 && step.Stage is Stage.Agreed or Stage.Confirmed ? $": {step.ChannelId}" : "";
        return step.Stage switch
        {
            Stage.Sent => $"transaction sent: {step.TransactionHash}",
            Stage.Mined => $"mined in block {step.BlockNumber}, gas {step.GasUsed}",
            _ => (step.Note.Length > 0 ? step.Note : Failure.ReasonOf(step.Stage).ToLowerInvariant()) + which,
        };
    }

    /// <summary>Constant texts: Spectre reads a status as markup.</summary>
    private static string Next(Stage reached) => reached switch
    {
        Stage.Agreeing => "waiting for the peer",
        Stage.Agreed or Stage.Queued => "sending the transaction",
        Stage.Sent => "waiting for a block",
        Stage.Mined => "waiting for confirmations",
        _ => "finishing",
    };
}
