using ChannelNode.Cli;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>A tier is changed where it is there, and made where that is asked for: a mistyped one would limit nobody.</summary>
public sealed class PolicyCommandTests
{
    [Theory]
    [InlineData("--tier verified", null)]
    [InlineData("--tier friends --new", null)]
    [InlineData("--peer 0x70997970C51812dc3A010C7d01b50e0d17dc79C8", null)]
    [InlineData("--tier verifed", "--tier: 'verifed' is no tier, expected unverified or verified; --new makes one")]
    [InlineData("--tier verifed --remove", "--tier: 'verifed' is no tier, expected unverified or verified; --new makes one")]
    [InlineData("--tier verified --new", "--new: there is a tier verified already; without --new its rules are changed")]
    [InlineData("--peer 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --new", "--new: goes with --tier: a peer's rules are its own")]
    [InlineData("--tier verified --new --remove", "--new: goes without --remove")]
    public async Task TierThatIsNone_IsMadeOnlyWhereAskedFor(string flags, string? refused)
    {
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun run = await CliRun.AskAsync(node, ["policy", "set", .. flags.Split(' '), "--channels-max", "3"]);

        Assert.Equal(refused is null ? "" : $"error: INVALID_ARGUMENT: {refused}\n", run.Error);
        Assert.Equal(refused is null ? ExitCode.Done : ExitCode.WrongUsage, run.ExitCode);
        Assert.Equal(refused is null ? 1 : 0, node.Answers.PolicyChanges.Count);
    }

    [Theory]
    [InlineData("--token", "0x0000000000000000000000000000000000000000")]
    [InlineData("--any-token=false")]
    public async Task ChangeOfNothing_IsRefused(params string[] more)
    {
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun run = await CliRun.AskAsync(node, ["policy", "set", "--tier", "verified", .. more]);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.StartsWith("error: INVALID_ARGUMENT: --tier, --peer: name whose rules change, and nothing is given that changes", run.Error);
        Assert.Empty(node.Answers.PolicyChanges);
    }

    /// <summary>As a download that failed leaves one: it would let in everybody who was denied.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("# sanctioned\n\n")]
    public async Task FileWithoutAnAddress_IsNoList_UnlessThatIsAskedFor(string text)
    {
        await using FakeNode node = await FakeNode.StartAsync();
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);

            CliRun run = await CliRun.AskAsync(node, "policy", "import", "--list", "deny", file);
            CliRun meant = await CliRun.AskAsync(node, "policy", "import", "--list", "deny", file, "--empty");

            Assert.Equal($"error: INVALID_ARGUMENT: {file} has no address: with --empty the deny list would have none any more\n", run.Error);
            Assert.DoesNotContain("no address", meant.Error);
            Assert.StartsWith("error: NODE_UNREACHABLE", meant.Error); // It was sent, to what here takes no lists.
        }
        finally
        {
            File.Delete(file);
        }
    }
}
