using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class PaymentsSumTests
{
    private const long Day = 86_400_000;

    /// <summary>About 2^112, the most that a channel can hold.</summary>
    private const string Most = "5192296858534827628530496329220095";

    private int _channelsAsked;

    private Task<FakeNode> StartAsync() => FakeNode.StartAsync(answers =>
    {
        answers.Get = id =>
        {
            _channelsAsked++;
            if (id == FakeNode.IdB) throw new RpcException(new Status(StatusCode.NotFound, "not kept"));
            Channel channel = FakeNode.Channel(id);
            channel.Peer = "0xpeer";
            return channel;
        };
        answers.Received = _ => new SubscribePaymentsResponse
        {
            Payments =
            {
                Payment(FakeNode.IdA, 2 * Day, "7", "one"), Payment(FakeNode.IdB, 1 * Day, Most, "two"), Payment(FakeNode.IdA, 1 * Day, "5", "one"),
                Payment(FakeNode.IdA, 1 * Day, "9", "one", "0x0000000000000000000000000000000000000005"),
                Payment(FakeNode.IdB, (3 * Day) - 1, Most, "\u0001"),
            },
        };
    });

    private static ReceivedPayment Payment(string channel, long atMs, string amount, string item, string? token = null) => new()
    {
        ChannelId = channel,
        Token = token ?? "0x0000000000000000000000000000000000000000",
        Amount = amount,
        ItemId = ByteString.CopyFromUtf8(item),
        AcceptedAtMs = atMs,
    };

    [Theory]
    [InlineData("token", ":4:10384593717069655257060992658440202", ":1:9")]
    [InlineData("day", "1970-01-02:2:5192296858534827628530496329220100", "1970-01-03:2:5192296858534827628530496329220102", "1970-01-02:1:9")]
    [InlineData("payer", ":2:10384593717069655257060992658440190", "0xpeer:2:12", "0xpeer:1:9")]
    [InlineData("item", "0x01:1:" + Most, "two:1:" + Most, "one:2:12", "one:1:9")]
    public async Task Json_HasExactSumsOfEachTokenByItself_InTheirOrder(string by, params string[] expected)
    {
        await using FakeNode node = await StartAsync();

        CliRun run = await CliRun.AskAsync(node, "payments", "sum", "--by", by, "--json");

        JsonElement[] rows = [.. run.OutputLines.Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(expected, rows.Select(row => $"{row.GetProperty("group")}:{row.GetProperty("payments")}:{row.GetProperty("amount").GetString()}"));
        Assert.All(rows, row => Assert.Equal(by, row.GetProperty("by").GetString()));
        Assert.Equal("0x0000000000000000000000000000000000000005", rows[^1].GetProperty("token").GetString());
        Assert.Equal(by == "payer" ? 2 : 0, _channelsAsked); // Each once.
    }

    [Fact]
    public async Task ForPeople_AmountsHaveTheirUnit_AndTimesBoundThem()
    {
        await using FakeNode node = await StartAsync();

        CliRun run = await CliRun.AskAsync(
            node, "payments", "sum", "--by", "day", "--to", "1970-01-03", "--token-info", "0x0000000000000000000000000000000000000005=USDC:1");

        Assert.Contains("5192296858534827.6285304963292201 ETH", run.Output);
        Assert.Contains("0.9 USDC", run.Output);
        Assert.DoesNotContain("1970-01-03", run.Output);
    }

    [Fact]
    public async Task Nothing_IsSaid()
    {
        await using FakeNode node = await StartAsync();

        CliRun run = await CliRun.AskAsync(node, "payments", "sum", "--from", "2030-01-01");

        Assert.Equal("no payments\n", run.Output);
    }
}
