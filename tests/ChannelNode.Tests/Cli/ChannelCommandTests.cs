using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class ChannelCommandTests
{
    /// <summary>Scripts parse this; a change here breaks them.</summary>
    private const string ChannelJson =
        "{ \"channelId\": \"" + FakeNode.IdA + "\", \"status\": \"CHANNEL_STATUS_OPEN\", "
        + "\"peer\": \"0x00000000000000000000000000000000000000b0\", \"peerConnected\": true, \"ourSide\": \"a\", "
        + "\"token\": \"0x0000000000000000000000000000000000000000\", \"disputeWindowSeconds\": 3600, \"oneWay\": false, "
        + "\"salt\": \"0x5555555555555555555555555555555555555555555555555555555555555555\", "
        + "\"ourBalance\": \"900\", \"theirBalance\": \"100\", \"sent\": \"100\", \"acknowledged\": \"100\", "
        + "\"received\": \"0\", \"ourPot\": \"1000\", \"theirPot\": \"0\", \"ourRecordedSent\": \"0\", "
        + "\"theirRecordedSent\": \"0\", \"closesAtSeconds\": \"0\", \"peerRefusal\": \"REFUSAL_UNSPECIFIED\", "
        + "\"ourOwner\": \"0x00000000000000000000000000000000000000a1\", "
        + "\"theirOwner\": \"0x00000000000000000000000000000000000000b1\", \"ourUncredited\": \"600\", \"theirUncredited\": \"0\", \"peerProves\": \"\", \"restoredUnconfirmed\": false, \"restoredHeldUntilSeconds\": \"0\", \"peerRefusalUntilSeconds\": \"0\", \"sentUnrecorded\": \"\" }";

    [Fact]
    public async Task Show_InJson_HasEveryField()
    {
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun run = await CliRun.AskAsync(node, "channel", "show", FakeNode.IdA, "--json");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(ChannelJson + "\n", run.Output);
    }

    [Fact]
    public async Task List_InJson_HoldsTheSameChannels()
    {
        await using FakeNode node = await FakeNode.StartAsync(
            answers => answers.List = _ => new ListChannelsResponse { Channels = { FakeNode.Channel(FakeNode.IdA) } });

        CliRun run = await CliRun.AskAsync(node, "channel", "list", "--json");

        Assert.Equal("{ \"channels\": [ " + ChannelJson + " ], \"nextPageToken\": \"\" }\n", run.Output);
    }

    [Fact]
    public async Task List_WalksAllPages()
    {
        List<string> tokens = [];
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.List = request =>
        {
            tokens.Add(request.PageToken);
            return tokens.Count == 1
                ? new ListChannelsResponse { Channels = { FakeNode.Channel(FakeNode.IdA) }, NextPageToken = "next" }
                : new ListChannelsResponse { Channels = { FakeNode.Channel(FakeNode.IdB) } };
        });

        CliRun run = await CliRun.AskAsync(node, "channel", "list");

        Assert.Equal(["", "next"], tokens);
        Assert.Contains(FakeNode.IdA, run.Output);
        Assert.Contains(FakeNode.IdB, run.Output);
    }

    [Theory]
    [InlineData("proposed", ChannelStatus.Proposed)]
    [InlineData("close-agreed", ChannelStatus.CloseAgreed)]
    [InlineData("closed", ChannelStatus.Closed)]
    public async Task List_OfOneStatus_AsksForIt(string word, ChannelStatus status)
    {
        ChannelStatus? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.List = request =>
        {
            asked = request.Status;
            return new ListChannelsResponse();
        });

        CliRun run = await CliRun.AskAsync(node, "channel", "list", "--status", word);

        Assert.Equal(status, asked);
        Assert.Equal("no channels\n", run.Output);
    }

    [Fact]
    public async Task List_OfUnknownStatus_NamesTheWords()
    {
        CliRun run = await CliRun.AsyncOf("channel", "list", "--status", "dead");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains("--status: 'dead' is not one of proposed, open, close-agreed, closing, closed", run.Error);
    }

    [Fact]
    public async Task List_ForPeople_IsATableWithWholeIdsWhenNobodyWatches()
    {
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun run = await CliRun.AskAsync(node, "channel", "list");

        Assert.Contains(FakeNode.IdA, run.Output);
        Assert.Contains("duplex", run.Output);
        Assert.DoesNotContain('\u001b', run.Output);
    }

    [Fact]
    public async Task Show_OfTextFromAPeer_CarriesNoMarkupAndNoControlCharacters()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Get = id =>
        {
            Channel channel = FakeNode.Channel(id);
            channel.Peer = "[red]\u001b[2Jmallory\r\n[/]";
            return channel;
        });

        CliRun run = await CliRun.AskAsync(node, "channel", "show", FakeNode.IdA);

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Contains("[red]\uFFFD[2Jmallory\uFFFD\uFFFD[/]", run.Output);
    }

    [Theory]
    [InlineData(ChannelStatus.Closed, "300000000000000000", true)]
    [InlineData(ChannelStatus.Closed, "0", false)]
    [InlineData(ChannelStatus.Closing, "300000000000000000", false)]
    public async Task Show_OfAClosedChannel_SaysWhatWasSignedAndNeverTaken(ChannelStatus status, string notTaken, bool says)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Get = id =>
        {
            Channel channel = FakeNode.Channel(id);
            (channel.Status, channel.Acknowledged, channel.PeerRefusal) = (status, "700000000000000000", Refusal.ChannelClosing);
            channel.Sent = $"{ulong.Parse(channel.Acknowledged) + ulong.Parse(notTaken)}";
            return channel;
        });

        CliRun run = await CliRun.AskAsync(node, "channel", "show", FakeNode.IdA);

        Assert.Equal(says, run.Output.Contains("0.3 ETH signed and not taken by the peer: nothing was paid for that."));
        Assert.Equal(!says, run.Output.Contains("the peer refuses our newest update: CHANNEL_CLOSING"));
    }

    [Theory]
    [InlineData("0xaaaaaa1", FakeNode.IdA)]
    [InlineData("AAAAAA2", FakeNode.IdB)]
    [InlineData(FakeNode.IdB, FakeNode.IdB)]
    public async Task BeginningOfAnId_StandsForTheWholeOne(string given, string whole)
    {
        string asked = "";
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Get = id => FakeNode.Channel(asked = id));

        await CliRun.AskAsync(node, "channel", "show", given);

        Assert.Equal(whole, asked);
    }

    [Fact]
    public async Task BeginningOfTwoIds_AsksForMoreDigits()
    {
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun run = await CliRun.AskAsync(node, "channel", "show", "aaaaaa");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Equal("error: INVALID_ARGUMENT: channel: 2 channels' ids begin with 0xaaaaaa; give more digits\n", run.Error);
    }

    [Fact]
    public async Task BeginningOfNoId_IsAnUnknownChannel()
    {
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun run = await CliRun.AskAsync(node, "channel", "show", "bbbbbb", "--json");

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Equal("UNKNOWN_CHANNEL", run.ErrorDocument.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Open_SendsItsTermsAndShowsTheSteps()
    {
        IMessage? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = request =>
        {
            asked = request;
            return Answers.Steps();
        });

        CliRun run = await CliRun.AskAsync(
            node, "channel", "open", "--yes", "--peer", "http://127.0.0.1:9802", "--peer-signer", "00000000000000000000000000000000000000BB",
            "--amount", "1000", "--token", "0x00000000000000000000000000000000000000ee", "--window", "60", "--one-way",
            "--salt", new string('7', 64), "--gasless");

        Assert.Equal(
            new OpenChannelRequest
            {
                PeerUrl = "http://127.0.0.1:9802",
                Peer = "0x00000000000000000000000000000000000000bb",
                Amount = "1000",
                Token = "0x00000000000000000000000000000000000000ee",
                DisputeWindowSeconds = 60,
                OneWay = true,
                Salt = "0x" + new string('7', 64),
                Gasless = true,
            },
            asked);
        Assert.Equal(
            $"transaction sent: 0xfeed\nmined in block 7, gas 51234\nconfirmed: {FakeNode.IdA}\n", run.Output);
    }

    [Fact]
    public async Task Open_WithWhatIsRequiredOnly_LeavesTheRestToTheNode()
    {
        IMessage? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = request =>
        {
            asked = request;
            return [];
        });

        await CliRun.AskAsync(node, "channel", "open", "--yes", "--peer", "http://127.0.0.1:9802", "--amount", "1");

        Assert.Equal(new OpenChannelRequest { PeerUrl = "http://127.0.0.1:9802", Amount = "1" }, asked);
    }

    [Theory]
    [InlineData("deposit", "--amount", "5")]
    [InlineData("close")]
    [InlineData("start-close")]
    [InlineData("settle")]
    [InlineData("claim")]
    public async Task JobOnChain_InJson_IsALineForEachStep(string command, params string[] more)
    {
        IMessage? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = request =>
        {
            asked = request;
            return Answers.Steps();
        });

        CliRun run = await CliRun.AskAsync(node, ["channel", command, "aaaaaa1", .. more, "--json", "--yes"]);

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Contains(FakeNode.IdA, asked!.ToString());
        Assert.Equal(3, run.OutputLines.Length);
        Assert.Equal(
            "{ \"stage\": \"STAGE_MINED\", \"channelId\": \"" + FakeNode.IdA + "\", \"transactionHash\": \"0xfeed\", "
            + "\"blockNumber\": \"7\", \"gasUsed\": \"51234\", \"note\": \"\", \"job\": \"0\" }",
            run.OutputLines[1]);
    }

    [Fact]
    public async Task Claim_OfNoChannel_AsksForAll()
    {
        IMessage? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = request =>
        {
            asked = request;
            return [];
        });

        CliRun run = await CliRun.AskAsync(node, "channel", "claim", "--yes");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(new ClaimChannelsRequest(), asked);
    }

    [Fact]
    public async Task Deposit_IntoManyChannels_IsOneJob()
    {
        IMessage? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = request =>
        {
            asked = request;
            return [];
        });

        CliRun run = await CliRun.AskAsync(node, "channel", "deposit", "--yes", FakeNode.IdA, FakeNode.IdB, "--amount", "5");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(
            new DepositChannelsRequest
            {
                Deposits =
                {
                    new ChannelDeposit { ChannelId = FakeNode.IdA, Amount = "5" },
                    new ChannelDeposit { ChannelId = FakeNode.IdB, Amount = "5" },
                },
            },
            asked);
    }

    [Theory]
    [InlineData("0", "the first 30 wei of what is deposited are the peer's at once")]
    [InlineData("5", "the first 25 wei of what is deposited are the peer's at once")] // A deposit that was too small.
    [InlineData("30", "")]
    public async Task DepositAfterASettlingThatDidNotRecordAll_SaysWhatThePeerHasOfIt(string ourPot, string said)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Get = id =>
        {
            Channel channel = FakeNode.Channel(id);
            (channel.Sent, channel.OurRecordedSent, channel.Received, channel.OurPot) = ("41", "1", "10", ourPot);
            return channel;
        });

        CliRun run = await CliRun.AskAsync(node, "channel", "deposit", "--yes", FakeNode.IdA, "--amount", "5");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        if (said.Length == 0) Assert.Empty(run.Error);
        else Assert.Contains(said, run.Error);
    }

    /// <summary>A token that may open channels and not read.</summary>
    [Fact]
    public async Task DepositByOneWhoMayNotRead_IsMade()
    {
        await using FakeNode node = await FakeNode.StartAsync(
            answers => answers.Get = _ => throw FakeNode.Refuse(StatusCode.PermissionDenied, "SCOPE_MISSING", "scope read is missing"));

        CliRun run = await CliRun.AskAsync(node, "channel", "deposit", "--yes", FakeNode.IdA, "--amount", "5");

        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
    }

    [Fact]
    public async Task Deposit_Gasless_IsOfOneChannel()
    {
        IMessage? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = request =>
        {
            asked = request;
            return [];
        });

        await CliRun.AskAsync(node, "channel", "deposit", "--yes", FakeNode.IdA, "--amount", "5", "--gasless");
        Assert.Equal(new DepositChannelRequest { ChannelId = FakeNode.IdA, Amount = "5", Gasless = true }, asked);

        CliRun run = await CliRun.AskAsync(
            node, "channel", "deposit", "--yes", FakeNode.IdA, FakeNode.IdB, "--amount", "5", "--gasless");
        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains("--gasless", run.Error);
    }

    [Theory]
    [InlineData(FakeNode.IdB)]
    [InlineData("--gasless")]
    public async Task Deposit_WithKey_IsOfOneChannelAndOfThisNodesOwn(string other)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = _ => []);

        CliRun run = await CliRun.AskAsync(
            node, "channel", "deposit", "--yes", FakeNode.IdA, other, "--amount", "5", "--key", "top-up-7");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains("--key", run.Error);
    }

    [Fact]
    public async Task Credits_AreListedAndWithdrawn()
    {
        IMessage? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = request =>
        {
            asked = request;
            return [];
        });

        CliRun listed = await CliRun.AskAsync(node, "channel", "credits");
        CliRun withdrawn = await CliRun.AskAsync(
            node, "channel", "withdraw-credit", "--yes", "--token", "0x00000000000000000000000000000000000000ee");

        Assert.Contains("700", listed.Output);
        Assert.Equal(ExitCode.Done, withdrawn.ExitCode);
        Assert.Equal(new WithdrawCreditRequest { Token = "0x00000000000000000000000000000000000000ee" }, asked);
    }

    [Fact]
    public async Task JobThatFailsOnItsWay_ShowsTheStepsBeforeAndItsReason()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = _ => StepThen(
            FakeNode.Refuse(StatusCode.Aborted, "TRANSACTION_REVERTED", "the deposit reverted")));

        CliRun run = await CliRun.AskAsync(node, "channel", "settle", "--yes", FakeNode.IdA);

        Assert.Equal(ExitCode.ChainTrouble, run.ExitCode);
        Assert.Equal("transaction sent: 0xfeed\n", run.Output);
        Assert.Equal("error: TRANSACTION_REVERTED: the deposit reverted\n", run.Error);
    }

    private static IEnumerable<Progress> StepThen(RpcException failure)
    {
        yield return Answers.Steps().First();
        throw failure;
    }
}
