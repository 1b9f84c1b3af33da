using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class StatusCommandTests
{
    private const string Ether = "0x0000000000000000000000000000000000000000";
    private const string Dollar = "0x00000000000000000000000000000000000000d6";
    private const long NowMs = 1_700_000_100_000;

    private static GetStatusResponse Status() => new()
    {
        Version = "1.2.3",
        Signer = "0x00000000000000000000000000000000000000a1",
        StartedAtMs = NowMs - 3_723_000,
        NowMs = NowMs,
        Chain = new ChainStatus
        {
            ChainId = 31337,
            BlockNumber = 90,
            BlockTimeSeconds = NowMs / 1_000 - 12,
            HeadNumber = 92,
            Current = true,
            SilentMs = 300,
            SilentMsMax = 60_000,
            Reorganizations = 2,
            DeepestReorganization = 3,
        },
        Channels =
        {
            new ChannelTotals
            {
                Token = Ether, Status = ChannelStatus.CloseAgreed, Count = 4, OurBalance = "900", TheirBalance = "100", AtRisk = "35",
                Uncredited = "7",
            },
            new ChannelTotals
            {
                Token = Dollar, Status = ChannelStatus.Open, Count = 1, OurBalance = "1250000", TheirBalance = "1", AtRisk = "0", Uncredited = "0",
                NotResumed = 2, SentUnrecorded = "70000",
            },
        },
        Deadlines =
        {
            new Deadline { Kind = DeadlineKind.Protection, SecondsLeft = 90, ChannelId = FakeNode.IdA },
            new Deadline { Kind = DeadlineKind.Job, JobNumber = 8 },
        },
        Jobs = { new PendingJobs { Kind = JobKind.StartClose, Count = 2, OldestSeconds = 61 } },
        JobsBlocked = 1,
        Gas = new GasStatus { LeftWei = "99500000000000000", LimitWei = "100000000000000000", ProtectiveLeftWei = "15", ProtectiveLimitWei = "30" },
        PeersConnected = 3,
        PeersKnown = 5,
        Watchtowers = { new WatchtowerInfo { Url = "http://tower", Connected = true, ChannelsGuarded = 6, ChannelsLagging = 1, LaggingMs = 4_000 } },
        Webhooks = { new WebhookStatus { Url = "https://site", PaymentsWaiting = 12, EventsWaiting = 3, FailingMs = 61_000, Problem = "HTTP 500" } },
        Alarms = new AlarmSummary
        {
            Alarms = 1,
            Warnings = 11,
            Newest = { new OperatorEvent { Severity = EventSeverity.Alarm, TimeMs = NowMs, Sentence = $"a window\u001b[2J ends, 1250001 units of {Dollar} are lost" } },
        },
        Disk = new DiskStatus { StoreBytes = 5 << 20, JournalBytes = 2 << 20, FreeBytes = 100UL << 30, SizeBytes = 2UL << 40 },
        Counts = new Counts
        {
            PaymentsReceived = 50,
            PaymentsPaid = 40,
            PaymentsUnderWay = 2,
            UpdatesAccepted = 30,
            UpdatesCoalesced = 20,
            UpdatesRefused = { new RefusalCount { Reason = Refusal.WrongSigner, Count = 4 }, new RefusalCount { Reason = Refusal.StaleSent, Count = 5 } },
        },
    };

    [Fact]
    public async Task Status_ShowsEverythingOnOneScreen_AndNothingMovesTheCursor()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ => Status());

        CliRun run = await CliRun.AskAsync(node, "status", "--token-info", $"{Dollar}=DUSD:6");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        string[] expected =
        [
            "0x00000000000000000000000000000000000000a1, version 1.2.3, up for 1 h 2 min",
            "31337, block 90, 12 s old, 2 behind, followed, reorganised 2 times, by 3 blocks at most",
            "3 connected of 5 known",
            "received 50, sent 40, under way 2, refused 0",
            "accepted 30, coalesced 20, refused 9",
            $"in 1 min 30 s, channel {FakeNode.IdA}",
            "over, job 8",
            "0.0995 ETH of 0.1 ETH; for disputes 15 wei of 30 wei",
            "database 5 MiB, of it payments received 2 MiB; free 100 GiB of 2 TiB",
            "1 alarm, 11 warnings",
            "2 open channels NOT RESUMED, 0.07 DUSD sent and in no book here: nothing is paid there before 'channelnode channel resume'",
            "1 of them cannot go on for now; see 'channelnode chain jobs'",
            "2023-11-14 22:15:00  ALARM    a window\uFFFD[2J ends, 1.250001 DUSD are lost",
            "earlier ones: 'channelnode events'",
        ];
        foreach (string line in expected) Assert.Contains(line, run.Output);
        Assert.Contains(run.OutputLines, line => Words(line) == "ether close-agreed 4 900 wei 100 wei 35 wei 7 wei");
        Assert.Contains(run.OutputLines, line => Words(line) == $"DUSD {Views.Short(Dollar)} open 1 1.25 DUSD 0.000001 DUSD 0 DUSD 0 DUSD");
        Assert.Contains(run.OutputLines, line => Words(line) == "start-close 2 1 min 1 s");
        Assert.Contains(run.OutputLines, line => Words(line) == "http://tower yes 6 1 4 s 0");
        Assert.Contains(run.OutputLines, line => Words(line) == "https://site nothing for 1 min 1 s 12 3 HTTP 500");
        Assert.InRange(run.OutputLines.Length, 20, 50); // One screen.

        static string Words(string line) => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task DiskThatIsFull_IsSaidInCapitals()
    {
        GetStatusResponse status = Status();
        status.Disk.Low = true;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ => status);

        Assert.Contains(
            "free 100 GiB of 2 TiB, LESS THAN --disk-reserve: nothing is paid, accepted or opened",
            (await CliRun.AskAsync(node, "status")).Output.ReplaceLineEndings(" "));
    }

    [Theory]
    [InlineData(true, "SILENT for 1 min 15 s: nothing is paid or accepted")]
    [InlineData(false, "CATCHING UP: nothing is paid or accepted")]
    public async Task ChainOutOfSight_IsSaidInCapitals(bool wasSeen, string expected)
    {
        GetStatusResponse status = Status();
        status.Chain.Current = false;
        if (wasSeen) status.Chain.SilentMs = 75_000;
        else status.Chain.ClearSilentMs();
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ => status);

        Assert.Contains(expected, (await CliRun.AskAsync(node, "status")).Output);
    }

    /// <summary>For a while it counts as followed still: since when nothing was heard, and what comes of it, is said from the first moment.</summary>
    [Theory]
    [InlineData(true, 12_000ul, null, "followed, heard 12 s ago")]
    [InlineData(true, 12_000ul, 11_000ul, "NO ANSWER for 11 s (connection refused); if that lasts 48 s more, nothing is paid or accepted")]
    [InlineData(false, 75_000ul, 70_000ul, "SILENT for 1 min 15 s: nothing is paid or accepted (connection refused)")]
    public async Task ChainThatGivesNoAnswer_IsSaidAtOnce(bool current, ulong silentMs, ulong? awayMs, string expected)
    {
        GetStatusResponse status = Status();
        (status.Chain.Current, status.Chain.SilentMs) = (current, silentMs);
        if (awayMs is { } away) (status.Chain.AwayMs, status.Chain.Problem) = (away, "connection refused");
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ => status);

        Assert.Contains(expected, (await CliRun.AskAsync(node, "status")).Output);
    }

    [Theory]
    [InlineData(true, "http://127.0.0.1:9000, signs; answered 7, failed 2")]
    [InlineData(false, "http://127.0.0.1:9000, AWAY for 1 min 5 s: nothing is paid, no dispute can be signed (it answers 503); answered 7, failed 2")]
    public async Task SignerElsewhere_IsShown_AndInCapitalsWhileItIsAway(bool reachable, string expected)
    {
        GetStatusResponse status = Status();
        status.ExternalSigner = new SignerStatus { Url = "http://127.0.0.1:9000", Reachable = reachable, Answered = 7, Failed = 2 };
        if (!reachable) (status.ExternalSigner.AwayMs, status.ExternalSigner.Problem) = (65_000, "it answers 503");
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ => status);

        Assert.Contains(expected, (await CliRun.AskAsync(node, "status")).Output.ReplaceLineEndings(" "));
    }

    [Fact]
    public async Task Json_IsTheNodesAnswer_WithEveryField()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ => Status());

        CliRun run = await CliRun.AskAsync(node, "status", "--json");

        JsonElement status = JsonDocument.Parse(Assert.Single(run.OutputLines)).RootElement;
        Assert.Equal("35", status.GetProperty("channels")[0].GetProperty("atRisk").GetString());
        Assert.Equal("0", status.GetProperty("counts").GetProperty("commits").GetString());
        Assert.Equal(Status(), GetStatusResponse.Parser.ParseJson(run.Output));
    }

    [Fact]
    public async Task NodeWithoutAnything_HasAStatusToo()
    {
        GetStatusResponse fresh = new() { Chain = new(), Gas = new(), Alarms = new(), Disk = new(), Counts = new() };
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Status = _ => fresh);

        CliRun run = await CliRun.AskAsync(node, "status");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Contains("no channels", run.Output);
    }
}
