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
                    Number = 7, Kind = JobKind.Dispute, Status = JobStatus.Sent, Nonce = 41, MaxFeeWei = "123456", Attempts = 2,
                    CreatedAtSeconds = now - 100, DeadlineSeconds = now + 9_950, Problem = Refusal.FeeTooHigh,
                    ChannelIds = { FakeNode.IdA },
                },
            },
        });

        CliRun run = await CliRun.AskAsync(node, "chain", "jobs");

        foreach (string part in (string[])["Dispute", "Sent", "41", "123456", "in 99", "FeeTooHigh", FakeNode.IdA])
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

        Assert.Equal([false, true], asked);
        Assert.Equal("no jobs\n", run.Output);
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
