using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class PaymentsExportTests
{
    private const string Header = "cursor,accepted_at,channel_id,token,amount,total_received,item_id_hex,item_text,payer\r\n";

    private SubscribePaymentsRequest? _asked;

    [Fact]
    public async Task Csv_HasAHeaderExactAmountsAndTimesInUtc()
    {
        await using FakeNode node = await StartAsync("article-17");

        CliRun run = await CliRun.AskAsync(node, "payments", "export");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(
            Header + $"1,2023-11-14T22:13:20.123Z,{FakeNode.IdA},0x05,340282366920938463463374607431768211455,7,"
            + "0x61727469636c652d3137,article-17,0xpeer\r\n",
            run.Output);
        Assert.Equal(new SubscribePaymentsRequest { AfterCursor = 3, KeptOnly = true }, _asked);
    }

    /// <summary>Whoever does the books must not take a part for all.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(true, "--from", "2023-11-14")]
    [InlineData(false, "--from", "2023-11-15")]
    [InlineData(false, "--after", "3")]
    public async Task WhatIsNotKeptAnyMore_IsToldBesideTheRows(bool isTold, params string[] flags)
    {
        await using FakeNode node = await StartAsync("article-17");

        CliRun run = await CliRun.AskAsync(node, ["payments", "export", .. flags]);

        Assert.StartsWith(Header, run.Output);
        Assert.Equal(
            isTold
                ? "note: the first 3 payments are not in this: they are not kept any more (--received-kept-hours, --received-bytes-max); "
                + "what is kept begins 2023-11-14T22:13:20.123Z\n"
                : "",
            run.Error);
    }

    [Theory]
    [InlineData("a,b", "\"a,b\"")]
    [InlineData("say \"hi\"", "\"say \"\"hi\"\"\"")]
    [InlineData("=1+2", "'=1+2")]
    [InlineData("+1", "'+1")]
    [InlineData("-1", "'-1")]
    [InlineData("@A1", "'@A1")]
    [InlineData("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\"")]
    [InlineData("a\nb", "")] // Not what can be shown: in hex only.
    [InlineData("\t=1", "")]
    [InlineData("café", "café")]
    public async Task Csv_QuotesAndRunsNoFormula(string item, string field)
    {
        await using FakeNode node = await StartAsync(item);

        CliRun run = await CliRun.AskAsync(node, "payments", "export");

        Assert.EndsWith($",0x{Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(item))},{field},0xpeer\r\n", run.Output);
    }

    [Fact]
    public async Task JsonLines_AreADocumentEachOfTheSameFields()
    {
        await using FakeNode node = await StartAsync("=1\"", "two");

        CliRun run = await CliRun.AskAsync(node, "payments", "export", "--format", "jsonl", "--after", "0", "--channel", "aaaaaa1");

        Assert.Equal(2, run.OutputLines.Length);
        Assert.Equal(
            "{\"cursor\":\"1\",\"acceptedAt\":\"2023-11-14T22:13:20.123Z\",\"channelId\":\"" + FakeNode.IdA + "\",\"token\":\"0x05\","
            + "\"amount\":\"340282366920938463463374607431768211455\",\"totalReceived\":\"7\",\"itemIdHex\":\"0x3d3122\",\"itemText\":\"=1\\\"\","
            + "\"payer\":\"0xpeer\"}",
            run.OutputLines[0]);
        Assert.Equal(new SubscribePaymentsRequest { ChannelId = FakeNode.IdA, KeptOnly = true }, _asked);
    }

    [Theory]
    [InlineData("--from", "2023-11-14T22:13:21Z", 2)]
    [InlineData("--to", "2023-11-14T22:13:21Z", 1)]
    [InlineData("--from", "2023-11-15", 0)]
    [InlineData("--to", "2023-11-15", 3)]
    public async Task Times_BoundWhatIsWritten(string flag, string time, int rows)
    {
        await using FakeNode node = await StartAsync("a", "b", "c"); // A second apart.

        CliRun run = await CliRun.AskAsync(node, "payments", "export", flag, time);

        Assert.Equal(1 + rows, run.OutputLines.Length);
    }

    [Theory]
    [InlineData("--from", "yesterday")]
    [InlineData("--to", "2023-11-15 10:00")]
    public async Task TimeThatIsNone_IsRefusedByName(string flag, string time)
    {
        CliRun run = await CliRun.AsyncOf("payments", "export", flag, time);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains($"{flag}: '{time}' is not a time", run.Error);
    }

    [Fact]
    public async Task TimesInTheWrongOrder_AreRefused_InsteadOfAnExportOfNothing()
    {
        CliRun run = await CliRun.AsyncOf("payments", "export", "--from", "2026-02-01", "--to", "2026-01-01T12:00:00Z");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains("--from: is 2026-02-01, expected a time before 2026-01-01T12:00:00Z, that of --to", run.Error);
    }

    [Fact]
    public async Task Sent_NeedsAChannel()
    {
        CliRun run = await CliRun.AsyncOf("payments", "export", "--sent");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains("--channel: needed with --sent", run.Error);
    }

    private Task<FakeNode> StartAsync(params string[] items) => FakeNode.StartAsync(answers =>
    {
        answers.Info = () => new GetInfoResponse { ReceivedCursor = 9, DroppedCursor = 3 };
        answers.Get = id =>
        {
            Channel channel = FakeNode.Channel(id);
            channel.Peer = "0xpeer";
            return channel;
        };
        answers.Received = request =>
        {
            _asked = request;
            SubscribePaymentsResponse response = new();
            foreach (string item in items)
            {
                response.Payments.Add(new ReceivedPayment
                {
                    Cursor = (ulong)response.Payments.Count + 1,
                    ChannelId = FakeNode.IdA,
                    Token = "0x05",
                    Amount = UInt128.MaxValue.ToString(),
                    TotalReceived = "7",
                    ItemId = ByteString.CopyFromUtf8(item),
                    AcceptedAtMs = 1_700_000_000_123 + (1_000 * response.Payments.Count),
                });
            }

            return response;
        };
    });
}
