using ChannelNode.Cli;
using ChannelNode.Proto.V1;
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

        Assert.Equal(said, (await CliRun.AskAsync(node, "chain", "cancel", "7", "--yes")).Output);
        CliRun unsure = await CliRun.AskAsync(node, "chain", "cancel", "7");
        Assert.Equal(ExitCode.WrongUsage, unsure.ExitCode);
        Assert.Contains("NOT_CONFIRMED", unsure.Error);
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
