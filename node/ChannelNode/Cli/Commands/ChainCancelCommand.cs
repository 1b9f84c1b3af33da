using System.CommandLine;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Spectre.Console;

namespace ChannelNode.Cli;

/// <summary>chain cancel</summary>
internal static class ChainCancelCommand
{
    private const string NotCancellable = "JOB_NOT_CANCELLABLE";

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(500);

    public static CliCommand Create(CommandShell shell)
    {
        Argument<ulong> number = new("number") { Description = "The job's number, as 'chain jobs' shows it" };
        var command = new CliCommand(
            "cancel",
            "Takes back a deposit, a start of a close or a withdrawal of credit that is not mined. Of one that is sent a transaction that does "
            + "nothing takes the place, which costs gas; should the first one be mined before, it is done all the same, and the command fails.",
            "channelnode chain cancel 1200 --yes") { number };
        Confirmation confirmation = Confirmation.On(command);
        Waiting waiting = Waiting.On(
            command, "Wait until it is known which of both was mined; with 'false' only until it is taken back ('channelnode chain jobs' shows it)");
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            confirmation.Require(parsed, terminal, $"Take back job {parsed.GetValue(number)}, and replace its transaction where it has one");
            TakenBack job = new(parsed.GetValue(number), node, terminal, shell.Time);
            bool untilEnd = waiting.UntilConfirmed(parsed);
            if (!terminal.Live) await job.FollowAsync(untilEnd, cancel);
            else await terminal.Screen.Status().StartAsync("waiting for what is mined", _ => job.FollowAsync(untilEnd, cancel));
            return ExitCode.Done;
        });
    }

    /// <summary>One job, from the first time that it is asked for to be taken back. To ask again changes nothing, and tells how it stands.</summary>
    private sealed class TakenBack(ulong number, NodeConnection node, Terminal terminal, TimeProvider time)
    {
        private const string OrDone = "; should the first one be mined before, it is done all the same: 'channelnode chain jobs --all' shows which";

        private Job? _told;
        private bool _isMinedFirst;

        /// <summary>Ends when nothing of the job is done any more; throws where it is done all the same.</summary>
        public async Task FollowAsync(bool untilEnd, CancellationToken cancel)
        {
            try
            {
                while (await LookAsync(untilEnd, cancel) && untilEnd) await Task.Delay(BetweenLooks, time, cancel);
            }
            catch (Exception stopped) when (_told is not null && node.FailureOf(stopped, cancel) is { Reason: not NotCancellable } failure)
            {
                string said = failure.ExitCode == ExitCode.Interrupted ? "stopped waiting" : failure.Message;
                throw new CommandException(failure with
                {
                    Message = $"{said}; job {number} is {(_isMinedFirst ? "mined" : "taken back")}, and 'channelnode chain jobs --all' shows what becomes of it",
                });
            }
        }

        /// <summary>Whether it is not over.</summary>
        private async Task<bool> LookAsync(bool untilEnd, CancellationToken cancel)
        {
            try
            {
                CancelJobResponse answer = await node.Client.CancelJobAsync(new CancelJobRequest { Number = number }, cancellationToken: cancel);
                if (!answer.Job.Equals(_told)) Tell(answer, untilEnd);
                _told = answer.Job;
                return answer.Job.Status != JobStatus.Failed;
            }
            catch (RpcException kept) when (
                _told is not null && Failure.ErrorInfoOf(kept) is { Reason: NotCancellable } info && info.Metadata.GetValueOrDefault("status") == "mined")
            {
                if (!_isMinedFirst && !terminal.Json) terminal.Line($"{kept.Status.Detail}: it was quicker; waiting for confirmations");
                _isMinedFirst = true;
                return true;
            }
        }

        private void Tell(CancelJobResponse answer, bool untilEnd)
        {
            Job job = answer.Job;
            if (terminal.Json) terminal.Document(answer);
            else if (_told is null) terminal.Line($"job {job.Number} ({job.Purpose}) is {job.Message}{(untilEnd || job.Status == JobStatus.Failed ? "" : OrDone)}");
            else if (job.Status == JobStatus.Failed) terminal.Line("confirmed: nothing of it is done");
            else if (job.Status == JobStatus.Mined && _told.Status != JobStatus.Mined) terminal.Line($"mined: {job.TransactionHash}");
            else if (job.TransactionHash != _told.TransactionHash) terminal.Line($"transaction sent: {job.TransactionHash}");
        }
    }
}
