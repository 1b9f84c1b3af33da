using ChannelNode.Cli;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class FieldTests
{
    private const string AmountLimit =
        "is not an amount such as 1000000 (smallest units), '0.5 ETH', '3 gwei', '1.25 USDC', up to 2^112 - 1 smallest units";

    [Theory]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.5.0")]
    [InlineData(".5")]
    [InlineData("1e18")]
    [InlineData("1,000")]
    [InlineData("0x10")]
    [InlineData(" 1")]
    [InlineData("")]
    [InlineData("one")]
    [InlineData("5192296858534827628530496329220096")]
    [InlineData("340282366920938463463374607431768211456")]
    public async Task BadAmount_NamesFieldValueAndLimit(string amount)
    {
        CliRun run = await CliRun.AsyncOf("channel", "deposit", FakeNode.IdA, "--amount", amount);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Equal($"error: INVALID_ARGUMENT: --amount: '{amount}' {AmountLimit}\n", run.Error);
        Assert.Empty(run.Output);
    }

    [Theory]
    [InlineData("0", "is nothing: expected one smallest unit at least (of ether: 1 wei), such as 1000000, '0.5 ETH', '1.25 USDC'")]
    [InlineData("0.00", "is nothing: expected one smallest unit at least (of ether: 1 wei), such as 1000000, '0.5 ETH', '1.25 USDC'")]
    [InlineData(
        "1.5", "has no unit, and so would be a part of the smallest one: expected '1.5 ETH', '1.5 USDC', or whole smallest units (of ether: wei), such as 1000000")]
    public async Task AmountThatIsNearlyOne_SaysWhatOneLooksLike(string amount, string why)
    {
        CliRun option = await CliRun.AsyncOf("channel", "deposit", FakeNode.IdA, "--amount", amount);
        CliRun argument = await CliRun.AsyncOf("pay", FakeNode.IdA, amount);

        Assert.Equal($"error: INVALID_ARGUMENT: --amount: '{amount}' {why}\n", option.Error);
        Assert.Equal($"error: INVALID_ARGUMENT: amount: '{amount}' {why}\n", argument.Error);
    }

    [Theory]
    [InlineData("1", "1 wei")]
    [InlineData("5192296858534827628530496329220095", "5192296858534827.628530496329220095 ETH")]
    public async Task AmountAtItsLimits_Passes(string amount, string shown)
    {
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun run = await CliRun.AskAsync(node, "pay", FakeNode.IdA, amount);

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.StartsWith($"{shown} paid; total sent {shown} (key ", run.Output);
    }

    [Theory]
    [InlineData("0x12345")]
    [InlineData("12345")]
    [InlineData("0x12345g")]
    [InlineData("0xaaaaaa11111111111111111111111111111111111111111111111111111111111")]
    public async Task BadChannelId_NamesFieldValueAndLimit(string id)
    {
        CliRun run = await CliRun.AsyncOf("channel", "show", id);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Equal(
            $"error: INVALID_ARGUMENT: channel: '{id}' is not a channel id of 64 hex digits, or the first 6 or more of "
            + "them, with or without 0x\n",
            run.Error);
    }

    [Theory]
    [InlineData("--token", "0x12", "is not an address of 40 hex digits, with or without 0x")]
    [InlineData("--peer-signer", "alice", "is not an address of 40 hex digits, with or without 0x")]
    [InlineData("--salt", "0x12", "is not 32 bytes as 64 hex digits, with or without 0x")]
    [InlineData("--window", "9", "is not a whole number from 10 to 2592000")]
    [InlineData("--window", "2592001", "is not a whole number from 10 to 2592000")]
    [InlineData("--peer", "127.0.0.1:9802", "is not a URL that begins with http:// or https://")]
    [InlineData("--node", "ftp://node", "is not a URL that begins with http://, https:// or unix:/")]
    public async Task BadTerms_NameFieldValueAndLimit(string field, string value, string limit)
    {
        string[] peer = field == "--peer" ? [] : ["--peer", "http://127.0.0.1:9802"];
        CliRun run = await CliRun.AsyncOf(["channel", "open", "--amount", "5", field, value, .. peer]);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Equal($"error: INVALID_ARGUMENT: {field}: '{value}' {limit}\n", run.Error);
    }

    [Theory]
    [InlineData("--window", "10", "is about many payments: give --count too")]
    [InlineData("--count", "0", "is not a whole number from 1 to 10000000")]
    [InlineData("--count", "10000001", "is not a whole number from 1 to 10000000")]
    [InlineData("--window", "16385", "is not a whole number from 1 to 16384")]
    [InlineData("--timeout", "86401", "is not a whole number from 1 to 86400")]
    [InlineData("--key", "", "is not text of 1 to 64 bytes")]
    public async Task BadPayOption_NamesFieldValueAndLimit(string field, string value, string limit)
    {
        string[] count = field is "--window" or "--timeout" && !limit.EndsWith("give --count too") ? ["--count", "2"] : [];
        CliRun run = await CliRun.AsyncOf(["pay", FakeNode.IdA, "5", field, value, .. count]);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Equal($"error: INVALID_ARGUMENT: {field}: '{value}' {limit}\n", run.Error);
    }

    [Theory]
    [InlineData("--item")]
    [InlineData("--key")]
    public async Task TextOf65Bytes_IsNamedWithItsLimit(string field)
    {
        string tooLong = new string('x', 63) + "é";

        CliRun run = await CliRun.AsyncOf("pay", FakeNode.IdA, "5", field, tooLong);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains($"{field}: '{tooLong}' is not text of", run.Error);
    }

    [Theory]
    [InlineData("--item")]
    [InlineData("--key")]
    public async Task TextThatIsTooLongWithItsNumber_IsNamedWithItsLimit(string field)
    {
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun run = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "5", "--count", "1001", field, new string('x', 60));

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains($"{field}: '{new string('x', 60)}-1000' has 65 bytes; the limit is 64", run.Error);
    }

    [Fact]
    public async Task ManyWrongValues_AreAllNamedAtOnce()
    {
        CliRun run = await CliRun.AsyncOf("pay", "0x12", "1.5", "--count", "many");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Equal(3, run.ErrorLines.Length);
    }

    [Fact]
    public async Task ManyWrongValues_InJson_AreOneDocument()
    {
        CliRun run = await CliRun.AsyncOf("pay", FakeNode.IdA, "0", "--count", "0", "--json");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Single(run.ErrorLines);
        Assert.Equal("INVALID_ARGUMENT", run.ErrorDocument.GetProperty("reason").GetString());
        Assert.Equal("--count", run.ErrorDocument.GetProperty("field").GetString());
        Assert.Contains("\"field\":\"amount\"", run.Error);
    }

    [Theory]
    [InlineData(new[] { "channel", "open", "--amount", "5" }, "--peer: give the peer's URL, or --peer-signer for a known peer")]
    [InlineData(new[] { "pay", FakeNode.IdA }, "amount")]
    [InlineData(new[] { "channel" }, "Required command was not provided; see 'channelnode channel --help'")]
    [InlineData(new[] { "chanel" }, "Unrecognized command or argument 'chanel': did you mean channel? See 'channelnode --help'")]
    [InlineData(new[] { "chanel", "list" }, "Unrecognized command or argument 'chanel': did you mean channel? See 'channelnode --help'")]
    [InlineData(new[] { "info", "--jsn" }, "Unrecognized command or argument '--jsn': did you mean --json? See 'channelnode info --help'")]
    [InlineData(new[] { "channel", "open", "--peer", "http://127.0.0.1:1", "--amount", "1", "--dispute-window", "600" }, "'--dispute-window': did you mean --window? See")]
    [InlineData(new[] { "channel", "close", FakeNode.IdA, "--quite-else", "600" }, "'--quite-else'; see 'channelnode channel close --help'")]
    [InlineData(new string[0], "Required command was not provided; see 'channelnode --help'")]
    public async Task WhatIsMissingOrUnknown_IsNamedInOneLine(string[] args, string named)
    {
        CliRun run = await CliRun.AsyncOf(args);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Single(run.ErrorLines);
        Assert.Contains(named, run.Error);
    }
}
