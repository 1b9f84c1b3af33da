using System.Runtime.Versioning;
using ChannelNode.Cli;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>Settings that would count for nothing beside another one are faults where they were given; defaults give way.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class OverruledTests : IDisposable
{
    private const string Contract = "0x00000000000000000000000000000000000000cc";

    private static readonly string[] Required = ["--data-dir", "d", "--rpc-url", "ws://h", "--contract", Contract];

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-overruled-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("--confirmations-larger", 3, "less", "--confirmations", 9, "before those nothing of a deposit counts")]
    [InlineData("--channels-per-peer-max", 8, "more", "--channels-max", 7, "that is how many all peers may have together")]
    [InlineData("--unfunded-per-peer-max", 8, "more", "--unfunded-max", 7, "that is how many all peers may have together")]
    [InlineData("--unfunded-per-peer-max", 8, "more", "--channels-per-peer-max", 7, "one that waits for a deposit is a channel too")]
    [InlineData("--unfunded-max", 8, "more", "--channels-max", 7, "one that waits for a deposit is a channel too")]
    [InlineData("--updates-in-flight-max", 8, "more", "--in-flight-max", 7, "an update is of one payment at least")]
    public async Task OneOfAPair_IsAFaultWhereItWasGivenAndTheOtherLeavesNothingOfIt(
        string flag, int value, string more, string bound, int limit, string why)
    {
        (CliRun wrong, NodeOptions? none) = await CliRun.RunNodeAsync([.. Required, flag, $"{value}", bound, $"{limit}"]);
        (CliRun equal, _) = await CliRun.RunNodeAsync([.. Required, flag, $"{limit}", bound, $"{limit}"]);
        (CliRun alone, NodeOptions? some) = await CliRun.RunNodeAsync([.. Required, bound, $"{limit}"]);

        Assert.Equal($"error: INVALID_ARGUMENT: {flag}: {value} is {more} than {bound}, {limit}: {why}\n", wrong.Error);
        Assert.Null(none);
        Assert.Equal(("", ""), (equal.Error, alone.Error));
        Assert.NotNull(some);
    }

    [Theory]
    [InlineData("--fee-max 1000000000000 --dispute-fee-max 5", "--dispute-fee-max", "--fee-max")]
    [InlineData("--dispute-fee-max 5", "--dispute-fee-max", "--fee-max")] // The default is of those who gave nothing.
    [InlineData("--credit-small 2000000000000000000 --credit-larger 1000000000000000000", "--credit-small", "--credit-larger")]
    [InlineData("--credit-small 2000000000000000000", "--credit-small", "--credit-larger")]
    [InlineData("--token-credit-small 3 --token-credit-larger 2", "--token-credit-small", "--token-credit-larger")]
    [InlineData("--credit-small 3 --credit-small-total 2", "--credit-small", "--credit-small-total")]
    [InlineData("--credit-larger 300000000000000000 --credit-larger-total 2", "--credit-larger", "--credit-larger-total")]
    [InlineData("--token-credit-small 3 --token-credit-small-total 2", "--token-credit-small", "--token-credit-small-total")]
    [InlineData("--token-credit-larger 30000000 --token-credit-larger-total 2", "--token-credit-larger", "--token-credit-larger-total")]
    [InlineData("--credit-small-total 3 --credit-larger-total 2", "--credit-small-total", "--credit-larger-total")]
    [InlineData("--token-credit-small-total 3 --token-credit-larger-total 2", "--token-credit-small-total", "--token-credit-larger-total")]
    [InlineData("--connections-per-address-max 8193", "--connections-per-address-max", "--peer-connections-max")]
    [InlineData("--connections-per-address-max 9001 --api-connections-max 9000", "--connections-per-address-max", "--api-connections-max")]
    [InlineData("--connections-per-address-max 9000 --api-connections-max 9000", "", "")]
    [InlineData("--api-connections-max 7 --peer-connections-max 7", "", "")]
    [InlineData("--fee-max 900000000000000", "", "")] // Disputes offer as much then.
    [InlineData("--credit-small 3 --credit-small-total 0 --credit-larger-total 0", "", "")] // 0 is no limit.
    [InlineData("--credit-small-total 3 --credit-larger-total 0", "", "")]
    [InlineData("--credit-larger 0 --token-credit-larger 0", "", "")]
    public async Task FlagsOfANode_AreOverruledBy(string flags, string field, string bound)
    {
        (CliRun run, _) = await CliRun.RunNodeAsync([.. Required, .. flags.Split(' ')]);

        if (field.Length == 0) Assert.Equal("", run.Error);
        else Assert.Matches($"^error: INVALID_ARGUMENT: {field}: .+ is (more|less) than {bound}, .+: .+$", Assert.Single(run.ErrorLines));
    }

    [Fact]
    public async Task Amounts_AreNamedWithTheirUnit()
    {
        (CliRun run, _) = await CliRun.RunNodeAsync([.. Required, "--fee-max", "1000 gwei", "--dispute-fee-max", "5"]);

        Assert.Equal(
            "error: INVALID_ARGUMENT: --dispute-fee-max: 5 wei is less than --fee-max, 1000 gwei: a dispute may offer what any other transaction may\n",
            run.Error);
    }

    [Fact]
    public async Task Watchtowers_HaveSuchPairsToo()
    {
        (CliRun fees, _) = await CliRun.RunWatchtowerAsync([.. Required, "--dispute-fee-max", "5"]);
        (CliRun channels, _) = await CliRun.RunWatchtowerAsync([.. Required, "--channels-per-signer-max", "8", "--channels-max", "7"]);

        Assert.StartsWith("error: INVALID_ARGUMENT: --dispute-fee-max: ", fees.Error);
        Assert.Equal(
            "error: INVALID_ARGUMENT: --channels-per-signer-max: 8 is more than --channels-max, 7: that is how many are guarded of all signers together\n",
            channels.Error);
    }

    [Theory]
    [InlineData("anvil")]
    [InlineData("sepolia")]
    [InlineData("mainnet")]
    [InlineData("base")]
    public async Task Presets_AreNoFaults(string network)
    {
        string[] more = network == Network.Trial ? [] : Required;

        CliRun node = await CliRun.AsyncOf(["config", "check", "--network", network, .. more]);
        CliRun tower = await CliRun.AsyncOf(["config", "check", "watchtower", "--network", network, .. more]);

        Assert.Equal(("", ""), (node.Error, tower.Error));
    }

    [Fact]
    public async Task PlacesThatCannotBeUsed_AreNamedWithAllElseThatIsWrong()
    {
        string file = Path.Combine(_folder, "file"), backups = Path.Combine(_folder, "backups"), key = Path.Combine(_folder, "no.key");
        await File.WriteAllTextAsync(file, "");
        string[] recipient = ["--backup-recipient", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"];

        CliRun none = await CheckAsync([.. recipient, "--backup-to", backups, "--api-listen", $"unix:{_folder}/none/api.sock", "--confirmations-larger", "0"]);
        CliRun wrong = await CheckAsync([.. recipient, "--backup-to", file, "--api-listen", $"unix:{file}", "--key-file", key]);
        CliRun folder = await CheckAsync(["--api-listen", $"unix:{_folder}"]);
        Directory.CreateDirectory(backups);
        CliRun right = await CheckAsync([.. recipient, "--backup-to", backups, "--api-listen", $"unix:{_folder}/api.sock"]);

        Assert.Equal(
            [
                "error: INVALID_ARGUMENT: --confirmations-larger: '0' is not a whole number from 1 to 128",
                $"error: INVALID_ARGUMENT: --api-listen: unix:{_folder}/none/api.sock cannot be made: there is no folder {_folder}/none",
                $"error: INVALID_ARGUMENT: --backup-to: {backups} is not there: backups go to a folder that is there and may be written to",
            ],
            none.ErrorLines);
        Assert.Equal(
            [
                $"error: INVALID_ARGUMENT: --key-file: {key} is not there; 'channelnode key new' makes one",
                $"error: INVALID_ARGUMENT: --api-listen: unix:{file} is a file, and no socket that a node could have left",
                $"error: INVALID_ARGUMENT: --backup-to: {file} is a file, expected a folder",
            ],
            wrong.ErrorLines);
        Assert.Equal($"error: INVALID_ARGUMENT: --api-listen: unix:{_folder} is a folder, expected a place for a socket\n", folder.Error);
        Assert.Equal(("", ExitCode.Done), (right.Error, right.ExitCode));
        Assert.Equal([backups, file], Directory.GetFileSystemEntries(_folder).Order());
    }

    /// <summary>A disk that is not mounted is no reason to guard no channel: it is an alarm of the node that runs.</summary>
    [Fact]
    public async Task ANodeStarts_WhereItsBackupsHaveNoPlace()
    {
        bool hasStarted = false;
        CliActions actions = CliRun.NoActions with
        {
            NodeFiles = Preflight.Of,
            RunNode = (_, _) =>
            {
                hasStarted = true;
                return Task.FromResult(0);
            },
        };
        string[] flags =
        [
            "--signer-url", "http://s", "--backup-to", Path.Combine(_folder, "none"), "--backup-recipient",
            "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        ];

        CliRun check = await CliRun.WithActionsAsync(actions, ["config", "check", .. Required, .. flags]);
        CliRun run = await CliRun.WithActionsAsync(actions, ["run", .. Required, .. flags]);

        Assert.Contains("--backup-to", check.Error);
        Assert.Equal(("", ExitCode.Done, true), (run.Error, run.ExitCode, hasStarted));
    }

    private static Task<CliRun> CheckAsync(string[] flags)
    {
        string[] signer = flags.Contains("--key-file") ? [] : ["--signer-url", "http://s"];
        return CliRun.WithActionsAsync(
            CliRun.NoActions with { NodeFiles = Preflight.Of }, ["config", "check", .. Required, .. signer, .. flags]);
    }
}
