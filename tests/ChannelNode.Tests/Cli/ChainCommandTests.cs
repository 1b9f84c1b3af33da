using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class ChainCommandTests
{
    [Fact]
    public async Task Jobs_ShowsAgeNonceFeesAndDeadline()
    {
        ulong now = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Jobs = _ => new ListJobsResponse
        {
            Jobs =
            {
                new Job
                {
                    Number = 7, Kind = JobKind.Dispute, Status = JobStatus.Sent, Nonce = 41, MaxFeeWei = "1500000001", Attempts = 2,
                    SpentWei = "210000000000000",
                    CreatedAtSeconds = now - 100, DeadlineSeconds = now + 9_950, Problem = Refusal.FeeTooHigh,
                    ChannelIds = { FakeNode.IdA },
                },
            },
        });

        CliRun run = await CliRun.AskAsync(node, "chain", "jobs");

        foreach (string part in (string[])["Dispute", "Sent", "41", "1.500000001 gwei", "0.00021 ETH", "in 99", "FEE_TOO_HIGH", FakeNode.IdA])
            Assert.Contains(part, run.Output);
    }

    [Fact]
    public async Task Jobs_AsksForEndedOnesWhenTold()
    {
        List<bool> asked = [];
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Jobs = request =>
        {
            asked.Add(request.All);
            return new ListJobsResponse();
        });

        CliRun run = await CliRun.AskAsync(node, "chain", "jobs");
        await CliRun.AskAsync(node, "chain", "jobs", "--all", "--json");

        Assert.Equal([false, true, true], asked); // Also whether there would be any.
        Assert.Equal("no jobs\n", run.Output);
    }

    [Theory]
    [InlineData(1, "no jobs under way; --all shows 1 that has ended\n")]
    [InlineData(2, "no jobs under way; --all shows 2 that have ended\n")]
    public async Task Jobs_WhenAllHaveEnded_TellsOfThem(int ended, string said)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Jobs = request =>
        {
            ListJobsResponse jobs = new();
            if (request.All) jobs.Jobs.AddRange(Enumerable.Range(0, ended).Select(_ => new Job()));
            return jobs;
        });

        Assert.Equal(said, (await CliRun.AskAsync(node, "chain", "jobs")).Output);
    }

    [Theory]
    [InlineData(JobStatus.Done, "")]
    [InlineData(JobStatus.Failed, "")]
    [InlineData(JobStatus.Waiting, "over")]
    public async Task Jobs_ThatHaveEnded_HaveNoDeadline(JobStatus status, string deadline)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Jobs = _ => new ListJobsResponse
        {
            Jobs = { new Job { Kind = JobKind.Close, Status = status, SpentWei = "0", DeadlineSeconds = 1 } },
        });

        CliRun run = await CliRun.AskAsync(node, "chain", "jobs", "--all");

        Assert.Equal(deadline.Length > 0, run.Output.Contains("over", StringComparison.Ordinal));
        Assert.DoesNotContain(" wei", run.Output);
    }

    [Theory]
    [InlineData(JobStatus.Failed, "before anything was sent", "job 7 (deposit/x) is taken back by carol before anything was sent\n")]
    [InlineData(
        JobStatus.Sent, "and replaced",
        "job 7 (deposit/x) is taken back by carol and replaced; should the first one be mined before, it is done all the same: "
        + "'channelnode chain jobs --all' shows which\n")]
    public async Task Cancel_SaysWhatHasBecomeOfTheJob(JobStatus status, string how, string said)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Cancel = number => new Job
        {
            Number = number,
            Status = status,
            Purpose = "deposit/x",
            Reason = Refusal.JobCancelled,
            Message = $"taken back by carol {how}",
        });

        Assert.Equal(said, (await CliRun.AskAsync(node, "chain", "cancel", "7", "--yes", "--wait", "false")).Output);
        CliRun unsure = await CliRun.AskAsync(node, "chain", "cancel", "7");
        Assert.Equal(ExitCode.WrongUsage, unsure.ExitCode);
        Assert.Contains("NOT_CONFIRMED", unsure.Error);
    }

    private static Job TakenBack(JobStatus status, string hash) => new()
    {
        Number = 7,
        Status = status,
        Purpose = "deposit/x",
        Reason = Refusal.JobCancelled,
        TransactionHash = hash,
        Message = "taken back by carol",
    };

    private static RpcException Kept(string why, string status) =>
        FakeNode.Refuse(StatusCode.FailedPrecondition, "JOB_NOT_CANCELLABLE", $"number 7 (deposit/x) {why}", ("status", status));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancel_WaitsUntilNothingOfItCanBeDone_AndShowsItsSteps(bool json)
    {
        Queue<Job> answers = new([
            TakenBack(JobStatus.Sent, "0x01"), TakenBack(JobStatus.Sent, "0x01"), TakenBack(JobStatus.Sent, "0x02"), TakenBack(JobStatus.Mined, "0x02"),
            TakenBack(JobStatus.Failed, "0x02"),
        ]);
        await using FakeNode node = await FakeNode.StartAsync(it => it.Cancel = _ => answers.Dequeue());

        CliRun run = await CliRun.AskAsync(node, json ? ["chain", "cancel", "7", "--yes", "--json"] : ["chain", "cancel", "7", "--yes"]);

        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        string[] said =
        [
            "job 7 (deposit/x) is taken back by carol", "transaction sent: 0x02", "mined: 0x02", "confirmed: nothing of it is done",
        ];
        if (json) Assert.Equal(said.Length, run.OutputLines.Count(line => line.Contains("\"job\"", StringComparison.Ordinal)));
        else Assert.Equal(said, run.OutputLines);
    }

    /// <summary>A reorganisation may take its block away: then it is taken back after all.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Cancel_OfAJobThatIsMinedFirst_FailsWhenThatIsConfirmed(bool isReorganized)
    {
        Queue<Func<Job>> answers = new([
            () => TakenBack(JobStatus.Sent, "0x01"), () => throw Kept("is mined, in block 5", "mined"), () => throw Kept("is mined, in block 5", "mined"),
            () => isReorganized ? TakenBack(JobStatus.Failed, "0x02") : throw Kept("has ended: done", "done"),
        ]);
        await using FakeNode node = await FakeNode.StartAsync(it => it.Cancel = _ => answers.Dequeue()());

        CliRun run = await CliRun.AskAsync(node, "chain", "cancel", "7", "--yes");

        Assert.Equal(isReorganized ? ExitCode.Done : ExitCode.Refused, run.ExitCode);
        Assert.Equal(isReorganized ? "" : "error: JOB_NOT_CANCELLABLE: number 7 (deposit/x) has ended: done\n", run.Error);
        Assert.Equal("number 7 (deposit/x) is mined, in block 5: it was quicker; waiting for confirmations", run.OutputLines[1]);
        Assert.Equal(isReorganized ? 3 : 2, run.OutputLines.Length);
    }

    /// <summary>What can be refused at once is refused with nothing said before.</summary>
    [Fact]
    public async Task Cancel_OfAJobThatIsMined_IsRefusedAtOnce()
    {
        int asked = 0;
        await using FakeNode node = await FakeNode.StartAsync(it => it.Cancel = _ =>
        {
            asked++;
            throw Kept("is mined, in block 5", "mined");
        });

        CliRun run = await CliRun.AskAsync(node, "chain", "cancel", "7", "--yes");

        Assert.Equal((ExitCode.Refused, "", 1), (run.ExitCode, run.Output, asked));
        Assert.Equal("error: JOB_NOT_CANCELLABLE: number 7 (deposit/x) is mined, in block 5\n", run.Error);
    }

    [Fact]
    public async Task Cancel_ThatIsNotWaitedFor_SaysWhatTheNodeGoesOnWith()
    {
        using var stop = new CancellationTokenSource();
        await using FakeNode node = await FakeNode.StartAsync(it => it.Cancel = _ =>
        {
            stop.CancelAfter(200);
            return TakenBack(JobStatus.Sent, "0x01");
        });

        CliRun run = await CliRun.WithActionsAsync(CliRun.NoActions, ["chain", "cancel", "7", "--yes", "--node", node.Url], stop.Token);

        Assert.Equal(ExitCode.Interrupted, run.ExitCode);
        Assert.Equal(
            "error: INTERRUPTED: stopped waiting; job 7 is taken back, and 'channelnode chain jobs --all' shows what becomes of it\n", run.Error);
    }

    [Theory]
    [InlineData("--rpc-url: needed with --data-dir", "--data-dir", "alice")]
    [InlineData("--rpc-url: goes with --data-dir", "--rpc-url", "ws://127.0.0.1:1")]
    [InlineData("--from-block: goes with --data-dir", "--from-block", "7")]
    public async Task Verify_OfAFolderOrARunningNode_TakesNoFlagsOfTheOther(string says, params string[] flags)
    {
        CliRun run = await CliRun.AsyncOf(["chain", "verify", .. flags]);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains(says, run.Error);
    }
}
