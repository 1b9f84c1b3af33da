using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>Settings from a preset, a file, the environment and flags; and the two commands that look at them.</summary>
public sealed class ConfigTests : IDisposable
{
    private const string Contract = "0x00000000000000000000000000000000000000cc";

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-config-").FullName;
    private readonly Dictionary<string, string> _variables = new() { ["HOME"] = "/root", ["CHANNELNODE_NODE"] = "http://127.0.0.1:1" };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string FilePath => Path.Combine(_folder, "appsettings.json");

    private void Put(string json) => File.WriteAllText(FilePath, json);

    private async Task<(CliRun Run, NodeOptions? Node, WatchtowerOptions? Tower)> RunAsync(params string[] args)
    {
        (NodeOptions? node, WatchtowerOptions? tower) = (null, null);
        CliActions actions = CliRun.NoActions with
        {
            RunNode = (given, _) => Task.FromResult((node = given) is null ? 1 : 0),
            RunWatchtower = (given, _) => Task.FromResult((tower = given) is null ? 1 : 0),
        };
        var output = new StringWriter { NewLine = "\n" };
        var error = new StringWriter { NewLine = "\n" };
        CommandShell shell = new(actions, TimeProvider.System, output, error) { Variables = _variables, Folder = _folder };
        int exitCode = await CommandLine.RunAsync(args, shell, output, CancellationToken.None);
        return (new CliRun(exitCode, output.ToString(), error.ToString()), node, tower);
    }

    [Fact]
    public async Task File_GivesEveryKindOfSetting()
    {
        Put($$"""
            {
              // The names are those of the flags.
              "data-dir": "alice", "rpc-url": "ws://127.0.0.1:8545", "contract": "{{Contract}}",
              "poll-ms": 250, "credit-larger": 5192296858534827628530496329220095, "finality": "safe",
              "accept-token": ["0x00000000000000000000000000000000000000a1", "0x00000000000000000000000000000000000000a2"],
              "Peer-Listen": "0.0.0.0:9000", "GasBudget": 7, "fee-max": "1.5 gwei",
            }
            """);

        (CliRun run, NodeOptions? options, _) = await RunAsync("run");

        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        Assert.Equal(("alice", "ws://127.0.0.1:8545", 250u), (options!.DataDirectory, options.RpcUrl, options.PollMs));
        Assert.Equal((Amounts.Max, FinalityTag.Safe), (options.CreditLargerMax, options.Finality));
        Assert.Equal(2, options.AcceptedTokens.Count);
        Assert.Equal(("0.0.0.0:9000", 7ul, 1_500_000_000ul), (options.PeerListen, options.GasBudgetWeiPerDay, options.FeeWeiMax));
    }

    /// <summary>With the flag, without; with the variable, without; with the file, without: the first that is there counts.</summary>
    [Theory]
    [InlineData("400", "300", "200", 400u)]
    [InlineData(null, "300", "200", 300u)]
    [InlineData(null, null, "200", 200u)]
    [InlineData(null, null, null, 4_000u)] // of the preset
    public async Task Order_IsPresetFileEnvironmentFlag(string? flag, string? variable, string? file, uint expected)
    {
        Put(file is null ? "{}" : $"{{\"poll-ms\": {file}}}");
        if (variable is not null) _variables["CHANNELNODE_POLL_MS"] = variable;
        string[] flags = flag is null ? [] : ["--poll-ms", flag];

        (CliRun run, NodeOptions? options, _) = await RunAsync(
            ["run", "--network", "mainnet", "--data-dir", "d", "--rpc-url", "ws://h", "--contract", Contract, .. flags]);

        Assert.Equal("", run.Error);
        Assert.Equal(expected, options!.PollMs);
    }

    [Fact]
    public async Task Environment_GivesListsWithCommasAndSwitches()
    {
        _variables["CHANNELNODE_DATA_DIR"] = "tower";
        _variables["CHANNELNODE_RPC_URL"] = "ws://127.0.0.1:8545";
        _variables["CHANNELNODE_CONTRACT"] = Contract;
        _variables["CHANNELNODE_SETTLE"] = "true";
        _variables["CHANNELNODE_ACCEPT"] = $"{Contract}, 0x00000000000000000000000000000000000000a1";
        _variables["CHANNELNODE_API_LISTEN"] = "127.0.0.1:1"; // of 'run': none of a watchtower's business

        (CliRun run, _, WatchtowerOptions? options) = await RunAsync("watchtower");

        Assert.Equal("", run.Error);
        Assert.True(options!.Settles);
        Assert.Equal(2, options.AcceptedSigners.Count);
    }

    [Fact]
    public async Task File_IsFoundBesideTheDatabaseOrNamed()
    {
        string data = Directory.CreateDirectory(Path.Combine(_folder, "data")).FullName;
        File.WriteAllText(Path.Combine(data, "appsettings.json"), $"{{\"rpc-url\": \"ws://beside\", \"contract\": \"{Contract}\"}}");
        string named = Path.Combine(_folder, "named.json");
        File.WriteAllText(named, $"{{\"data-dir\": \"x\", \"rpc-url\": \"ws://named\", \"contract\": \"{Contract}\"}}");

        (_, NodeOptions? beside, _) = await RunAsync("run", "--data-dir", data);
        (_, NodeOptions? byFlag, _) = await RunAsync("run", "--config", named);
        _variables["CHANNELNODE_CONFIG"] = named;
        (_, NodeOptions? byVariable, _) = await RunAsync("run");

        Assert.Equal(("ws://beside", "ws://named", "ws://named"), (beside!.RpcUrl, byFlag!.RpcUrl, byVariable!.RpcUrl));
    }

    [Fact]
    public async Task FileThatIsNamedAndNotThere_IsRefused()
    {
        (CliRun run, NodeOptions? options, _) = await RunAsync("run", "--config", Path.Combine(_folder, "nowhere.json"));

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Null(options);
        Assert.StartsWith($"error: INVALID_ARGUMENT: --config: {Path.Combine(_folder, "nowhere.json")} is not there\n", run.Error);
    }

    [Theory]
    [InlineData("""{"poll-sm": 5}""", "poll-sm is no setting; the nearest is poll-ms")]
    [InlineData("""{"Logging": {"LogLevel": {"Default": "Debug"}}}""", "Logging is no setting")]
    [InlineData("""{"run": {"poll-ms": 5}}""", "settings stand at the top, in no group")]
    [InlineData("""{"sessions-max": 5}""", "sessions-max is a setting of 'watchtower', not of 'run'")]
    [InlineData("""{"poll-ms": [1, 2]}""", "poll-ms is a list or group, expected a whole number from 50 to 60000")]
    [InlineData("""{"poll-ms": 100, "PollMs": 200}""", "poll-ms stands there twice")]
    [InlineData("""{"poll-ms": 100""", "line 1: the file ends here")]
    public async Task KeyThatIsNone_IsAnErrorWithTheFilesName(string json, string message)
    {
        Put(json);

        (CliRun run, NodeOptions? options, _) = await RunAsync(
            "run", "--data-dir", "d", "--rpc-url", "ws://h", "--contract", Contract);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Null(options);
        Assert.Contains(message, run.Error);
        Assert.Contains(FilePath, run.Error);
    }

    [Fact]
    public async Task VariableThatIsNearlyASetting_IsAnErrorAndOthersAreNot()
    {
        _variables["CHANNELNODE_SERVICE_HOST"] = "10.0.0.7"; // as a cluster sets it for a service of this name
        _variables["CHANNELNODE_PORT_9801_TCP"] = "tcp://10.0.0.7:9801";
        string[] args = ["run", "--data-dir", "d", "--rpc-url", "ws://h", "--contract", Contract];

        (CliRun right, _, _) = await RunAsync(args);
        _variables["CHANNELNODE_POL_MS"] = "500";
        (CliRun wrong, _, _) = await RunAsync(args);

        Assert.Equal(ExitCode.Done, right.ExitCode);
        Assert.Equal(
            "error: INVALID_ARGUMENT: CHANNELNODE_POL_MS is no setting; the nearest is CHANNELNODE_POLL_MS\n", wrong.Error);
    }

    /// <summary>A client that talks to another node than was meant, or without its token, would be hard to understand.</summary>
    [Theory]
    [InlineData("CHANNELNODE_NOD", "CHANNELNODE_NODE")]
    [InlineData("CHANNELNODE_ACCES_TOKN", "CHANNELNODE_ACCESS_TOKEN")]
    [InlineData("CHANNELNODE_TLS_FINGER_PRINTS", "CHANNELNODE_TLS_FINGERPRINT")]
    [InlineData("CHANNELNODE_PASWORD", "CHANNELNODE_PASSWORD")]
    [InlineData("CHANNELNODE_POL_MS", "CHANNELNODE_POLL_MS")]
    public async Task VariableThatIsNearlyOne_IsAnErrorOfEveryCommandOnce(string variable, string nearest)
    {
        _variables[variable] = "x";

        foreach (string[] args in (string[][])[["info"], ["run", "--network", "anvil"], ["config", "check", "--network", "anvil"]])
        {
            (CliRun run, NodeOptions? options, _) = await RunAsync(args);

            Assert.Equal((ExitCode.WrongUsage, $"error: INVALID_ARGUMENT: {variable} is no setting; the nearest is {nearest}\n"), (run.ExitCode, run.Error));
            Assert.Null(options);
        }
    }

    [Theory]
    [InlineData("CHANNELNODE_HOME")]
    [InlineData("CHANNELNODE_PORT")]
    [InlineData("CHANNELNODE_SERVICE_PORT")]
    [InlineData("CHANNELNODE_TESTS")]
    [InlineData("channelnode_nod")]
    public async Task VariableOfSomebodyElse_IsLeftAlone(string variable)
    {
        _variables[variable] = "x";

        (CliRun run, NodeOptions? options, _) = await RunAsync("run", "--network", "anvil");

        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        Assert.NotNull(options);
    }

    [Fact]
    public async Task Check_NamesEveryWrongFieldAtOnceWithValueLimitAndPlace()
    {
        Put("""{"poll-ms": 10, "confirmations": "many", "chain-idd": 1, "accept-token": ["0x12"]}""");
        _variables["CHANNELNODE_GAS_BUDGET"] = "-1";

        (CliRun run, NodeOptions? options, _) = await RunAsync("config", "check", "--owner", "0x1");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Null(options);
        Assert.Equal(
            [
                $"error: INVALID_ARGUMENT: {FilePath}: chain-idd is no setting; the nearest is chain-id",
                $"error: INVALID_ARGUMENT: {FilePath}: --confirmations: 'many' is not a whole number from 1 to 128",
                $"error: INVALID_ARGUMENT: {FilePath}: --poll-ms: '10' is not a whole number from 50 to 60000",
                $"error: INVALID_ARGUMENT: {FilePath}: --accept-token: '0x12' is not an address of 40 hex digits, with or without 0x",
                "error: INVALID_ARGUMENT: CHANNELNODE_GAS_BUDGET: --gas-budget: '-1' is not an amount from 0 wei to 18.446744073709551615 ETH, such as '0.5 ETH', '30 gwei', or wei as digits alone",
                "error: INVALID_ARGUMENT: --owner: '0x1' is not an address of 40 hex digits, with or without 0x",
                "error: INVALID_ARGUMENT: Option '--data-dir' is required; see 'channelnode run --help'",
                "error: INVALID_ARGUMENT: Option '--rpc-url' is required; see 'channelnode run --help'",
                "error: INVALID_ARGUMENT: Option '--contract' is required; see 'channelnode run --help'",
            ],
            run.ErrorLines.Order(Comparer<string>.Create((a, b) => Rank(a).CompareTo(Rank(b)))));

        static int Rank(string line) => Array.FindIndex(
            (string[])["chain-idd", "--confirmations", "--poll-ms", "--accept-token", "--gas-budget", "--owner", "--data-dir", "--rpc-url", "--contract"],
            line.Contains);
    }

    [Fact]
    public async Task Check_LooksAtSettingsTogether()
    {
        Put($$"""{"data-dir": "d", "rpc-url": "ws://h", "contract": "{{Contract}}", "dispute-window": 100}""");

        (CliRun run, _, _) = await RunAsync("config", "check");

        Assert.Contains("--dispute-window: 100 is less than --dispute-window-min, 3600", run.Error);
    }

    [Fact]
    public async Task Check_OfRightSettings_SaysSoAndRunsNothing()
    {
        Put($$"""{"data-dir": "d", "rpc-url": "ws://h", "contract": "{{Contract}}"}""");

        (CliRun run, NodeOptions? node, WatchtowerOptions? tower) = await RunAsync("config", "check");
        (CliRun json, _, _) = await RunAsync("config", "check", "watchtower", "--json");

        Assert.Equal((ExitCode.Done, ExitCode.Done), (run.ExitCode, json.ExitCode));
        Assert.Equal($"the settings of 'run' are right ({FilePath})\n", run.Output);
        Assert.Equal("watchtower", JsonDocument.Parse(json.Output).RootElement.GetProperty("command").GetString());
        Assert.True(node is null && tower is null);
    }

    [Fact]
    public async Task Show_TellsValueSourceUnitDefaultAndRange()
    {
        Put("""{"poll-ms": 500}""");
        _variables["CHANNELNODE_FEE_MAX"] = "900 gwei";

        (CliRun run, _, _) = await RunAsync("config", "show", "--network", "base", "--replace-after", "5", "--json");

        Assert.Equal("", run.Error);
        JsonElement shown = JsonDocument.Parse(run.Output).RootElement;
        Assert.Equal(
            "poll-ms 500 milliseconds 1000 a whole number from 50 to 60000", Line(shown, "poll-ms"));
        Assert.Equal(FilePath, Field(shown, "poll-ms", "source"));
        Assert.Equal("CHANNELNODE_FEE_MAX", Field(shown, "fee-max", "source"));
        Assert.Equal("fee-max 900000000000 wei per gas 200000000000 an amount from 1 wei to 1000000 gwei, such as '30 gwei', or wei as digits alone", Line(shown, "fee-max"));
        Assert.Equal("preset base", Field(shown, "chain-id", "source"));
        Assert.Equal("chain-id 8453 chain id 0 a whole number from 0 to 18446744073709551615", Line(shown, "chain-id"));
        Assert.Equal("flag", Field(shown, "replace-after", "source"));
        Assert.Equal("default", Field(shown, "api-listen", "source"));
        Assert.Equal("missing", Field(shown, "contract", "source"));
        Assert.Equal("USDC", shown.GetProperty("tokens")[0].GetProperty("symbol").GetString());
    }

    /// <summary>A unit that a setting's sentence does not speak of is taken from its flag: what is called a count is one.</summary>
    [Theory]
    [InlineData("run", "dispute-fee-max", "wei per gas")]
    [InlineData("run", "credit-small-total", "wei")]
    [InlineData("run", "credit-larger-total", "wei")]
    [InlineData("run", "token-credit-small-total", "smallest units")]
    [InlineData("run", "token-credit-larger-total", "smallest units")]
    [InlineData("run", "from-block", "block number")]
    [InlineData("run", "relay-deposits", "per hour")]
    [InlineData("run", "claim-from-gas-times", "times")]
    [InlineData("run", "wrong-signatures-max", "per second")]
    [InlineData("run", "traced-payments", "per million")]
    [InlineData("run", "channels-max", "count")]
    [InlineData("watchtower", "handshakes-per-second-max", "per second")]
    [InlineData("watchtower", "dispute-fee-max", "wei per gas")]
    public async Task Show_NamesTheUnitOfEachSetting(string command, string name, string unit)
    {
        (CliRun run, _, _) = await RunAsync("config", "show", command, "--network", "anvil", "--json");

        Assert.Equal(unit, Field(JsonDocument.Parse(run.Output).RootElement, name, "unit"));
    }

    [Theory]
    [InlineData("anvil")]
    [InlineData("mainnet")]
    public async Task ContractThatIsNone_IsNotCalledMissing(string network)
    {
        (CliRun run, _, _) = await RunAsync("config", "check", "--network", network, "--data-dir", "d", "--rpc-url", "ws://h", "--contract", "here");

        Assert.Equal("error: INVALID_ARGUMENT: --contract: 'here' is not an address of 40 hex digits, with or without 0x\n", run.Error);
    }

    [Fact]
    public async Task Show_ForPeople_IsATable()
    {
        (CliRun run, _, _) = await RunAsync("config", "show", "--network", "base");

        Assert.Contains("--", run.Output.Replace('─', '-'));
        Assert.Contains("preset base", run.Output);
        Assert.Contains("USDC on base: 0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913, 6 decimals", run.Output);
    }

    [Theory]
    [InlineData("sepolia", 11_155_111ul, 3_600u)]
    [InlineData("mainnet", 1ul, 14_400u)]
    [InlineData("base", 8_453ul, 14_400u)]
    public async Task Network_PresetsItsChainButNeverAContract(string network, ulong chainId, uint windowMin)
    {
        (CliRun missing, _, _) = await RunAsync("run", "--network", network, "--data-dir", "d", "--rpc-url", "ws://h");
        (CliRun run, NodeOptions? options, _) = await RunAsync(
            "run", "--network", network, "--data-dir", "d", "--rpc-url", "ws://h", "--contract", Contract);
        (_, _, WatchtowerOptions? tower) = await RunAsync(
            "watchtower", "--network", network, "--data-dir", "d", "--rpc-url", "ws://h", "--contract", Contract);

        Assert.Contains($"no contract is preset for {network}", missing.Error);
        Assert.Equal("", run.Error);
        Assert.Equal((chainId, windowMin), (options!.ChainId, options.DisputeWindowSecondsMin));
        Assert.Equal(chainId, tower!.Node.ChainId);
        Assert.Single(options.AcceptedTokens);
        Assert.False(options.IsTrial);
    }

    [Fact]
    public async Task Anvil_PresetsAllThatANodeNeeds()
    {
        (CliRun run, NodeOptions? options, _) = await RunAsync("run", "--network", "anvil");

        Assert.Equal("", run.Error);
        Assert.Equal((true, 31_337ul, "ws://127.0.0.1:8545"), (options!.IsTrial, options.ChainId, options.RpcUrl));
        Assert.Equal((Network.TrialContract, "anvil-node"), (options.Contract.ToString(), options.DataDirectory));
        Assert.Equal(Path.Combine("anvil-node", "signer.key"), options.KeyFile);
    }

    [Theory]
    [InlineData("--key-file=own.key", "own.key")]
    [InlineData("--data-dir=bob", "bob/signer.key")]
    [InlineData("--signer-url=http://127.0.0.1:9000", "channelnode.key")] // not looked at
    public async Task Anvil_TakesAnotherKeyOrFolder(string flag, string keyFile)
    {
        (CliRun run, NodeOptions? options, _) = await RunAsync("run", "--network", "anvil", flag);

        Assert.Equal(("", keyFile), (run.Error, options!.KeyFile));
    }

    [Fact]
    public async Task EmptyList_TakesAPresetsListBack()
    {
        Put("""{"network": "mainnet", "accept-token": []}""");

        (_, NodeOptions? options, _) = await RunAsync("run", "--data-dir", "d", "--rpc-url", "ws://h", "--contract", Contract);

        Assert.Equal(1ul, options!.ChainId);
        Assert.Empty(options.AcceptedTokens);
    }

    [Fact]
    public async Task KeyFileAndSigner_AreNotBothTaken()
    {
        (CliRun run, NodeOptions? options, _) = await RunAsync(
            "run", "--data-dir", "d", "--rpc-url", "ws://h", "--contract", Contract, "--key-file", "k", "--signer-url", "http://signer:9000");

        Assert.Null(options);
        Assert.StartsWith("error: INVALID_ARGUMENT: --signer-url: ", run.Error);
    }

    [Fact]
    public async Task Program_ReadsItsOwnEnvironmentAndTheNamedFile()
    {
        Put("""{"fee-max": 11}""");

        ProgramRun run = await ProgramRun.WithAsync(
            new Dictionary<string, string> { ["CHANNELNODE_POLL_MS"] = "777", ["CHANNELNODE_CONFIG"] = FilePath },
            "config", "show", "watchtower", "--json");

        JsonElement shown = JsonDocument.Parse(run.Output).RootElement;
        Assert.Equal(("777", "11"), (Value(shown, "poll-ms"), Value(shown, "fee-max")));
        Assert.Equal("CHANNELNODE_POLL_MS", Field(shown, "poll-ms", "source"));
    }

    private static string Value(JsonElement shown, string name) => Find(shown, name).GetProperty("value")[0].GetString()!;

    private static JsonElement Find(JsonElement shown, string name) =>
        shown.GetProperty("settings").EnumerateArray().Single(setting => setting.GetProperty("name").GetString() == name);

    private static string Field(JsonElement shown, string name, string field) => Find(shown, name).GetProperty(field).GetString()!;

    private static string Line(JsonElement shown, string name) =>
        $"{name} {Find(shown, name).GetProperty("value")[0]} {Field(shown, name, "unit")} {Field(shown, name, "default")} {Field(shown, name, "range")}";
}
