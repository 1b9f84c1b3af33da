using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class TopCommandTests
{
    /// <summary>The node's answer number so many: two seconds after the one before.</summary>
    private static GetStatusResponse Answer(ulong number, long startedAtMs = 1_000) => new()
    {
        StartedAtMs = startedAtMs,
        NowMs = 1_700_000_000_000 + 2_000 * (long)number,
        PeersConnected = 3,
        Chain = new ChainStatus { BlockNumber = 5, HeadNumber = 7, Current = true },
        Counts = new Counts
        {
            UpdatesAccepted = 2_000 * number,
            PaymentsReceived = 20_000_000 * number,
            PaymentsPaid = 3 * number,
            UpdatesRefused = { new RefusalCount { Reason = Refusal.WrongSigner, Count = 8 * number } },
            Commits = 10 * number,
            CommandsCommitted = 25 * number,
            LedgerQueueLength = 12,
            LedgerQueueMax = 100,
            PaymentsUnderWay = 4,
            Acknowledgements =
            {
                new DurationCount { UpToUs = 1_000, Count = 60 * number },
                new DurationCount { UpToUs = 2_500, Count = 38 * number + 1_000 },
                new DurationCount { UpToUs = 9_000, Count = 2 * number },
            },
        },
    };

    [Fact]
    public async Task Lines_TellTheDifferencesOfTwoAnswers()
    {
        ulong asked = 0;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = request =>
        {
            Assert.True(request.Brief);
            return Answer(asked++);
        });

        CliRun run = await CliRun.AskAsync(node, "top", "--every-ms", "100", "--count", "2");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(
            "22:13:22  received 10,000,000 payments/s; sent 1.5 payments/s; refused 0 payments/s; updates accepted 1,000/s; "
            + "coalesced 0/s; refused updates 4/s; told 0/s; acknowledged in 1 ms median, 9 ms 99 %; synced in - median, - 99 %; "
            + "commits 5/s of 2.5; queue 12 of 100; under way 4 payments; peers 3 connected; chain 2 blocks behind",
            run.OutputLines[0]);
        Assert.StartsWith("22:13:24  received 10,000,000", run.OutputLines[1]);
        Assert.Equal(2, run.OutputLines.Length);
        Assert.Equal(3UL, asked);
    }

    [Theory]
    [InlineData(true, "", "chain 1 block behind")]
    [InlineData(true, "refused", "chain NO ANSWER, 1 block behind")]
    [InlineData(false, "refused", "chain OUT OF SIGHT, 1 block behind")]
    public async Task Chain_ThatGivesNoAnswer_IsSaidAtOnce(bool current, string problem, string expected)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ => new GetStatusResponse
        {
            Counts = new Counts(),
            Chain = new ChainStatus { BlockNumber = 6, HeadNumber = 7, Current = current, Problem = problem },
        });

        Assert.EndsWith(expected + "\n", (await CliRun.AskAsync(node, "top", "--every-ms", "100", "--count", "1")).Output);
    }

    [Fact]
    public async Task Json_IsADocumentForEachLook()
    {
        ulong asked = 0;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ => Answer(asked++));

        CliRun run = await CliRun.AskAsync(node, "top", "--every-ms", "100", "--count", "2", "--json");

        JsonElement look = JsonDocument.Parse(run.OutputLines[1]).RootElement;
        Assert.Equal(1_000, look.GetProperty("updatesAccepted").GetDouble());
        Assert.Equal(9, look.GetProperty("acknowledgementMs99").GetDouble());
        Assert.Equal(JsonValueKind.Null, look.GetProperty("syncMs99").ValueKind);
    }

    [Fact]
    public void NodeThatWasStartedAgain_HasTheRatesOfItsNewLife()
    {
        GetStatusResponse old = Answer(50), fresh = Answer(0, startedAtMs: 1_699_999_999_000);
        fresh.Counts.UpdatesAccepted = 500;

        TopFigures figures = TopFigures.Between(old, fresh);

        Assert.True(figures.IsFresh);
        Assert.Equal(500, figures.UpdatesAccepted);
    }

    [Fact]
    public async Task NodeThatIsAwayForAMoment_IsWaitedFor_ButNotAtTheBegin()
    {
        ulong asked = 0;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ =>
            asked++ == 1 ? throw new RpcException(new Status(StatusCode.Unavailable, "away")) : Answer(asked));
        CliRun run = await CliRun.AskAsync(node, "top", "--every-ms", "100", "--count", "2");
        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(2, run.OutputLines.Length);

        await node.DisposeAsync();
        CliRun none = await CliRun.AsyncOf("top", "--count", "1", "--node", "http://127.0.0.1:1");
        Assert.Equal(ExitCode.NodeUnreachable, none.ExitCode);
    }
}
