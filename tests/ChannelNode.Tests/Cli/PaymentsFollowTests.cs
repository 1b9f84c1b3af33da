using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class PaymentsFollowTests
{
    private SubscribePaymentsRequest? _asked;

    [Fact]
    public async Task Json_IsALineForEachPayment()
    {
        await using FakeNode node = await StartAsync(received: 2);

        CliRun run = await CliRun.AskAsync(node, "payments", "follow", "--count", "1", "--json");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(
            "{ \"cursor\": \"1\", \"channelId\": \"" + FakeNode.IdA + "\", \"amount\": \"5\", \"itemId\": \"aXRlbS0x\", "
            + "\"totalReceived\": \"5\", \"acceptedAtMs\": \"1700000000000\", \"token\": \"\", \"payer\": \"\" }\n",
            run.Output);
    }

    [Fact]
    public async Task UntilIdle_EndsWithTheNewestPaymentThatWasThere()
    {
        await using FakeNode node = await StartAsync(received: 4);

        CliRun run = await CliRun.AskAsync(node, "payments", "follow", "--until-idle");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(4, run.OutputLines.Length);
        Assert.Equal($"4  2023-11-14 22:13:20.000  {FakeNode.IdB}  5 wei  total 20 wei  item-4", run.OutputLines[3]);
    }

    [Fact]
    public async Task UntilIdleOfOneChannel_EndsThoughTheNewestIsAnotherChannels()
    {
        await using FakeNode node = await StartAsync(received: 4);

        CliRun run = await CliRun.AskAsync(
            node, "payments", "follow", "--until-idle", "--channel", "aaaaaa1", "--json");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(2, run.OutputLines.Length);
        Assert.All(run.OutputLines, line => Assert.Contains(FakeNode.IdA, line));
    }

    [Fact]
    public async Task UntilIdle_WhenNothingIsNew_EndsAtOnce()
    {
        await using FakeNode node = await StartAsync(received: 4);

        CliRun run = await CliRun.AskAsync(node, "payments", "follow", "--until-idle", "--after", "4");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Empty(run.Output);
        Assert.Equal(new SubscribePaymentsRequest { AfterCursor = 4, KeptOnly = true }, _asked);
    }

    [Fact]
    public async Task AfterAndChannel_ArePassedOn()
    {
        await using FakeNode node = await StartAsync(received: 4);

        await CliRun.AskAsync(node, "payments", "follow", "--after", "2", "--channel", "aaaaaa1", "--count", "1");

        Assert.Equal(new SubscribePaymentsRequest { AfterCursor = 2, ChannelId = FakeNode.IdA }, _asked);
    }

    [Theory]
    [InlineData("\u001b[2J", "0x1b5b324a")]
    [InlineData("[red]x[/]", "[red]x[/]")]
    [InlineData("caf\u00e9", "caf\u00e9")]
    [InlineData("a\u202eb", "0x61e280ae62")]
    public async Task ItemIdForPeople_IsTextOnlyWhenItIsHarmless(string itemId, string shown)
    {
        await using FakeNode node = await StartAsync(received: 1, _ => ByteString.CopyFromUtf8(itemId));

        CliRun run = await CliRun.AskAsync(node, "payments", "follow", "--until-idle");

        Assert.EndsWith($"  {shown}\n", run.Output);
    }

    [Fact]
    public async Task ItemIdThatIsNoText_IsHex()
    {
        await using FakeNode node = await StartAsync(received: 1, _ => ByteString.CopyFrom(0xff, 0x00));

        CliRun run = await CliRun.AskAsync(node, "payments", "follow", "--until-idle");

        Assert.EndsWith("  0xff00\n", run.Output);
    }

    [Fact]
    public async Task CursorAboveEveryPayment_IsTheNodesRefusal()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Received = request =>
            throw FakeNode.Refuse(StatusCode.OutOfRange, "CURSOR_UNKNOWN", $"after_cursor {request.AfterCursor} is above 4"));

        CliRun run = await CliRun.AskAsync(node, "payments", "follow", "--after", "9");

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Equal("error: CURSOR_UNKNOWN: after_cursor 9 is above 4\n", run.Error);
    }

    private Task<FakeNode> StartAsync(int received, Func<int, ByteString>? itemIdOf = null) => FakeNode.StartAsync(answers =>
    {
        answers.Info = () => new GetInfoResponse { ReceivedCursor = (ulong)received };
        answers.Received = request =>
        {
            _asked = request;
            var response = new SubscribePaymentsResponse();
            for (int cursor = (int)request.AfterCursor + 1; cursor <= received; cursor++)
                response.Payments.Add(Payment(cursor, itemIdOf ?? (i => ByteString.CopyFromUtf8($"item-{i}"))));
            return response;
        };
    });

    private static ReceivedPayment Payment(int cursor, Func<int, ByteString> itemIdOf) => new()
    {
        Cursor = (ulong)cursor,
        ChannelId = cursor % 2 == 1 ? FakeNode.IdA : FakeNode.IdB,
        Amount = "5",
        ItemId = itemIdOf(cursor),
        TotalReceived = (cursor * 5).ToString(),
        AcceptedAtMs = 1_700_000_000_000,
    };
}
