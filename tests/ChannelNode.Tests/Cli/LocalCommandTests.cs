using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class LocalCommandTests
{
    private static readonly Address Someone = new(0, 0, 0xabc);

    [Fact]
    public async Task KeyNew_PrintsTheAddressAndTheFile()
    {
        var actions = CliRun.NoActions with { Keys = CliRun.NoKeys with { Create = (_, _, _) => Someone } };

        CliRun people = await CliRun.WithActionsAsync(actions, ["key", "new"]);
        CliRun json = await CliRun.WithActionsAsync(actions, ["key", "new", "--file", "alice.key", "--json"]);

        Assert.StartsWith($"{Someone}  key written to channelnode.key", people.Output);
        Assert.Equal($$"""{"address":"{{Someone}}","file":"alice.key"}""" + "\n", json.Output);
    }

    [Fact]
    public async Task KeyNew_WhenTheFileExists_SaysSo()
    {
        var actions = CliRun.NoActions with
        {
            Keys = CliRun.NoKeys with { Create = (path, _, _) => throw new IOException($"{path} exists already") },
        };

        CliRun run = await CliRun.WithActionsAsync(actions, ["key", "new", "--file", "alice.key"]);

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Equal("error: FILE_ERROR: alice.key exists already\n", run.Error);
    }

    [Fact]
    public async Task BackupToAFileThatIsThere_IsRefusedBeforeTheNodeIsAsked()
    {
        string file = Path.GetTempFileName();

        CliRun run = await CliRun.AsyncOf("backup", "create", "--to", file, "--recipient", "age1", "--node", "http://127.0.0.1:1");
        CliRun folder = await CliRun.AsyncOf("backup", "create", "--to", Path.GetTempPath(), "--force", "--recipient", "age1", "--node", "http://127.0.0.1:1");

        Assert.Equal((ExitCode.WrongUsage, $"error: INVALID_ARGUMENT: --to: {file} exists; --force replaces it\n"), (run.ExitCode, run.Error));
        Assert.Equal($"error: INVALID_ARGUMENT: --to: {Path.GetTempPath()} is a folder, expected a file\n", folder.Error);
        File.Delete(file);
    }

    [Fact]
    public async Task ContractDeploy_PrintsTheContract()
    {
        var asked = ("", new KeySource("", ""));
        var actions = CliRun.NoActions with
        {
            DeployContract = (rpcUrl, key, _) =>
            {
                asked = (rpcUrl, key);
                return Task.FromResult((Someone, new Bytes32(0, 0, 0, 1), 123ul));
            },
        };

        CliRun run = await CliRun.WithActionsAsync(
            actions, ["contract", "deploy", "--rpc-url", "ws://127.0.0.1:8545", "--key-file", "k", "--password-file", "p", "--json"]);

        Assert.Equal(("ws://127.0.0.1:8545", new KeySource("k", "p")), asked);
        Assert.Equal(
            $$"""{"contract":"{{Someone}}","transactionHash":"{{new Bytes32(0, 0, 0, 1)}}","gasUsed":"123"}""" + "\n",
            run.Output);
    }

    [Theory]
    [InlineData(Refusal.ChainUnavailable, "CHAIN_UNAVAILABLE", ExitCode.ChainTrouble)]
    [InlineData(Refusal.TransactionReverted, "TRANSACTION_REVERTED", ExitCode.ChainTrouble)]
    [InlineData(Refusal.InsufficientFunds, "INSUFFICIENT_FUNDS", ExitCode.Refused)]
    public async Task ContractDeploy_WhenRefused_NamesTheReason(Refusal refusal, string reason, int exitCode)
    {
        var actions = CliRun.NoActions with
        {
            DeployContract = (_, _, _) => throw new RefusalException(refusal, "no luck") { Field = "rpc_url" },
        };

        CliRun run = await CliRun.WithActionsAsync(
            actions, ["contract", "deploy", "--rpc-url", "ws://127.0.0.1:8545", "--json"]);

        Assert.Equal(exitCode, run.ExitCode);
        Assert.Equal(
            $$$"""{"error":{"reason":"{{{reason}}}","message":"no luck","field":"rpc_url"}}""" + "\n", run.Error);
    }

    [Fact]
    public async Task EveryCommand_HelpsWithAnExampleAndTheExitCodes()
    {
        string[][] commands =
        [
            [], ["run"], ["watchtower"], ["key"], ["key", "new"], ["key", "import"], ["key", "export-address"],
            ["key", "change-password"], ["config"], ["config", "check"], ["config", "show"], ["contract"], ["contract", "deploy"], ["info"], ["channel"],
            ["channel", "open"], ["channel", "list"], ["channel", "show"], ["channel", "deposit"], ["channel", "close"],
            ["channel", "start-close"], ["channel", "settle"], ["channel", "claim"],
            ["channel", "credits"], ["channel", "withdraw-credit"], ["token"], ["token", "create"], ["token", "show"], ["token", "list"], ["token", "revoke"],
            ["pay"], ["payments"], ["payments", "follow"],
            ["payments", "export"], ["backup"], ["backup", "key"], ["backup", "key", "new"], ["backup", "create"], ["backup", "verify"],
            ["backup", "restore"],
        ];
        foreach (string[] command in commands)
        {
            CliRun run = await CliRun.AsyncOf([.. command, "--help"]);

            Assert.Equal(ExitCode.Done, run.ExitCode);
            Assert.Contains("Example:\n  channelnode " + command.FirstOrDefault(), run.Output.ReplaceLineEndings("\n"));
            Assert.Contains("130  interrupted", run.Output);
        }
    }

    [Theory]
    [InlineData("", true, true, true, true)]
    [InlineData("run", false, false, true, true)]
    [InlineData("key new", false, false, false, false)]
    [InlineData("contract", false, false, true, false)]
    [InlineData("channel", true, true, true, false)]
    [InlineData("info", true, true, true, false)]
    [InlineData("chain verify", true, true, true, false)]
    [InlineData("chain rescan", false, false, true, false)]
    public async Task Help_NamesOnlyWhatTheCommandTakesAndAnswers(
        string command, bool takesNode, bool unreachable, bool chain, bool failed)
    {
        string[] path = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);

        CliRun run = await CliRun.AsyncOf([.. path, "--help"]);

        Assert.Equal(takesNode, run.Output.Contains("--node", StringComparison.Ordinal));
        Assert.Equal(unreachable, run.Output.Contains("  3    ", StringComparison.Ordinal));
        Assert.Equal(chain, run.Output.Contains("  4    ", StringComparison.Ordinal));
        Assert.Equal(failed, run.Output.Contains("  70   ", StringComparison.Ordinal));
    }
}
