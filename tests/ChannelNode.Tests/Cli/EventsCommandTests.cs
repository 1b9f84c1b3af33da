using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class EventsCommandTests
{
    private SubscribeEventsRequest? _asked;

    private Task<FakeNode> StartAsync() => FakeNode.StartAsync(answers =>
    {
        answers.Info = () => new GetInfoResponse { DroppedEventCursor = 6, EventCursor = 8 };
        answers.Events = request =>
        {
            _asked = request;
            return new SubscribeEventsResponse
            {
                Events =
                {
                    new OperatorEvent
                    {
                        Cursor = 7, TimeMs = 1_700_000_000_000, Kind = EventKind.ChannelClosing, Severity = EventSeverity.Warning,
                        ChannelIds = { FakeNode.IdA }, Sentence = "channel a is closing", ClosesAtSeconds = 1_700_000_600,
                        SecondsLeft = 600, Amount = "0", BlockNumber = 12,
                    },
                    new OperatorEvent
                    {
                        Cursor = 8, TimeMs = 1_700_000_001_000, Kind = EventKind.BudgetReached, Severity = EventSeverity.Alarm,
                        Sentence = "job 3: the day's gas\u001b[2J is spent", Amount = "0", JobNumber = 3, JobKind = JobKind.Dispute,
                        Nonce = 4, Reason = Refusal.BudgetReached,
                    },
                },
            };
        };
    });

    [Fact]
    public async Task Events_AreALineEach_FromTheOldestKept()
    {
        await using FakeNode node = await StartAsync();

        CliRun run = await CliRun.AskAsync(node, "events");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(
            "7  2023-11-14 22:13:20  WARNING  channel a is closing\n"
            + "8  2023-11-14 22:13:21  ALARM    job 3: the day's gas\uFFFD[2J is spent\n",
            run.Output);
        Assert.Equal(new SubscribeEventsRequest { AfterCursor = 6, KeptOnly = true }, _asked);
    }

    [Fact]
    public async Task AmountsInSentences_AreInTheTokensUnit_AndInJsonAsTheNodeHasThem()
    {
        const string dollar = "0x00000000000000000000000000000000000000d6", unknown = "0x00000000000000000000000000000000000000d7";
        string said = $"a deposit of 1250000 units of {dollar}, and 7 units of {unknown}";
        await using FakeNode node = await FakeNode.StartAsync(answers =>
        {
            answers.Info = () => new GetInfoResponse();
            answers.Events = _ => new SubscribeEventsResponse { Events = { new OperatorEvent { Sentence = said, Amount = "1250000" } } };
        });

        CliRun people = await CliRun.AskAsync(node, "events", "--token-info", $"{dollar}=DUSD:6");
        CliRun json = await CliRun.AskAsync(node, "events", "--json", "--token-info", $"{dollar}=DUSD:6");

        Assert.EndsWith($"a deposit of 1.25 DUSD, and 7 units of {unknown}\n", people.Output);
        Assert.Contains(said, json.Output);
        Assert.Contains("\"amount\": \"1250000\"", json.Output);
    }

    [Fact]
    public async Task Json_HasEveryFieldInEveryLine()
    {
        await using FakeNode node = await StartAsync();

        CliRun run = await CliRun.AskAsync(node, "events", "--json");

        Assert.Equal(
            "{ \"cursor\": \"7\", \"timeMs\": \"1700000000000\", \"kind\": \"EVENT_KIND_CHANNEL_CLOSING\", "
            + "\"severity\": \"EVENT_SEVERITY_WARNING\", \"channelIds\": [ \"" + FakeNode.IdA + "\" ], "
            + "\"sentence\": \"channel a is closing\", \"blockNumber\": \"12\", \"depth\": \"0\", "
            + "\"closesAtSeconds\": \"1700000600\", \"secondsLeft\": \"600\", \"amount\": \"0\", \"jobNumber\": \"0\", "
            + "\"jobKind\": \"JOB_KIND_UNSPECIFIED\", \"transactionHash\": \"\", \"maxFeeWei\": \"\", "
            + "\"reason\": \"REFUSAL_UNSPECIFIED\" }",
            run.OutputLines[0]);
        Assert.Contains("\"nonce\": \"4\"", run.OutputLines[1]);
    }

    [Fact]
    public async Task Filters_AreTheNodes()
    {
        await using FakeNode node = await StartAsync();

        await CliRun.AskAsync(
            node, "events", "--after", "2", "--channel", "aaaaaa1", "--kind", "window-ending", "--kind", "budget-reached");

        Assert.Equal(
            new SubscribeEventsRequest
            {
                AfterCursor = 2,
                ChannelId = FakeNode.IdA,
                KeptOnly = true,
                Kinds = { EventKind.WindowEnding, EventKind.BudgetReached },
            },
            _asked);
    }

    [Fact]
    public async Task Follow_GoesOnUntilStopped()
    {
        await using FakeNode node = await StartAsync();
        using CancellationTokenSource stop = new();
        Task<CliRun> running = CliRun.WithActionsAsync(CliRun.NoActions, ["events", "--follow", "--node", node.Url], stop.Token);

        while (_asked is null) await Task.Delay(10);
        Assert.False(_asked.KeptOnly);
        Assert.False(running.IsCompleted);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task KindThatIsNone_IsNamedWithThoseThatAre()
    {
        CliRun run = await CliRun.AsyncOf("events", "--kind", "party");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.StartsWith("error: INVALID_ARGUMENT: --kind: 'party' is not one of channel-opened, deposited,", run.Error);
    }

    [Fact]
    public async Task CursorThatIsNotKept_IsTheNodesRefusal()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Events = _ =>
            throw FakeNode.Refuse(StatusCode.OutOfRange, "CURSOR_EXPIRED", "after_cursor is 1, expected at least 6"));

        CliRun run = await CliRun.AskAsync(node, "events", "--after", "1");

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Equal("error: CURSOR_EXPIRED: after_cursor is 1, expected at least 6\n", run.Error);
    }
}
