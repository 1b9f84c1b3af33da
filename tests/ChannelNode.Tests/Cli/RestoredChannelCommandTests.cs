using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>What operators see, and say, of channels of a database that was lost.</summary>
public sealed class RestoredChannelCommandTests
{
    [Theory]
    [InlineData("", "0", false, 0, "open")]
    [InlineData("150", "0", false, 0, "open, state lost")]
    [InlineData("", "50", false, 7, "open, not resumed")]
    [InlineData("", "0", true, 7, "open, not confirmed")]
    [InlineData("", "0", false, 7, "open, held")]
    public async Task List_SaysWhyNothingIsPaid(string proves, string unrecorded, bool isUnconfirmed, ulong heldUntil, string status)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.List = _ =>
        {
            Channel channel = FakeNode.Channel(FakeNode.IdA);
            (channel.PeerProves, channel.SentUnrecorded) = (proves, unrecorded);
            (channel.RestoredUnconfirmed, channel.RestoredHeldUntilSeconds) = (isUnconfirmed, heldUntil);
            return new ListChannelsResponse { Channels = { channel } };
        });

        CliRun run = await CliRun.AskAsync(node, "channel", "list");

        string row = Assert.Single(run.Output.Split('\n'), line => line.Contains(FakeNode.IdA));
        Assert.Contains($" {status}  ", row);
    }

    [Fact]
    public async Task Resume_SaysWhatStaysUnknown_AndNothingWhereNothingDoes()
    {
        string unrecorded = "200";
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Get = id =>
        {
            Channel channel = FakeNode.Channel(id);
            (channel.Sent, channel.SentUnrecorded) = ("300", unrecorded);
            return channel;
        });

        CliRun unsure = await CliRun.AskAsync(node, "channel", "resume", FakeNode.IdA);
        CliRun resumed = await CliRun.AskAsync(node, "channel", "resume", FakeNode.IdA, "--yes");
        CliRun json = await CliRun.AskAsync(node, "channel", "resume", FakeNode.IdA, "--yes", "--json");
        unrecorded = "0";
        CliRun again = await CliRun.AskAsync(node, "channel", "resume", FakeNode.IdA, "--yes");

        Assert.Equal(ExitCode.WrongUsage, unsure.ExitCode);
        Assert.Contains("is paid in again; 200 wei sent (totals above 100, up to 300) stay in no book here", resumed.Output);
        Assert.Contains("Pay again in channel", unsure.Error);
        Assert.Contains("200 wei sent (totals above 100, up to 300)", unsure.Error);
        Assert.StartsWith("{ \"channel\": {", json.Output);
        Assert.Contains("nothing kept this channel from being paid in", again.Output);
    }
}
