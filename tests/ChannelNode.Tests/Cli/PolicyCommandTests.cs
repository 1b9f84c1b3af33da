using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Xunit;
using AmountWords = ChannelNode.Engine.AmountWords;

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

    /// <summary>An export is for keeping: it does not end in the middle for want of a name.</summary>
    [Theory]
    [InlineData(StatusCode.PermissionDenied, "SCOPE_MISSING")]
    [InlineData(StatusCode.ResourceExhausted, "TOO_MANY_REQUESTS")]
    [InlineData(StatusCode.Unavailable, "CHAIN_UNAVAILABLE")]
    public async Task AuditLog_OfTokensThatTheNodeDoesNotTellOf_IsInSmallestUnits(StatusCode code, string reason)
    {
        const string token = "0x00000000000000000000000000000000000000d6";
        await using FakeNode node = await FakeNode.StartAsync(answers =>
        {
            answers.Token = _ => throw FakeNode.Refuse(code, reason, "not you");
            answers.Audit.Add(new PolicyAuditEntry
            {
                Cursor = 7,
                Kind = PolicyAuditKind.DepositRefused,
                Token = token,
                Rule = "deposit",
                Value = "2500000",
                Limit = "2000000",
                Count = 1,
                Detail = $"would be {AmountWords.Of(2_500_000, ChannelNode.Core.Address.Read(Convert.FromHexString(token[2..])))}",
            });
            answers.Audit.Add(new PolicyAuditEntry { Cursor = 8, Kind = PolicyAuditKind.RulesChanged, Count = 1, Detail = "the last" });
        });

        CliRun run = await CliRun.AskAsync(node, "policy", "audit", "export");
        CliRun named = await CliRun.AskAsync(node, "policy", "audit", "export", "--token-info", token + "=DUSD:6");

        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        Assert.Contains("by deposit, value 2500000 units, limit 2000000 units", run.OutputLines[0]);
        Assert.Matches("would be 2500000 units of 0x0+[dD]6", run.OutputLines[0]);
        Assert.EndsWith("the last", run.OutputLines[1]);
        Assert.Contains("by deposit, value 2.5 DUSD, limit 2 DUSD", named.OutputLines[0]);
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
