using System.Text.RegularExpressions;
using ChannelNode.Cli;
using ChannelNode.Engine;
using ChannelNode.Tests.Cli;
using Xunit;

namespace ChannelNode.Tests.Tidy;

/// <summary>The unit's and the compose file's command lines, as the node itself reads them, and what they lean on beside them.</summary>
public sealed partial class OperatedNodeTests
{
    private const string Contract = "0x5fbdb2315678afecb367f032d93f642f64180aa3";

    private static readonly string[] Unit = File.ReadAllLines(Repository.PathOf("node/ops/systemd/channelnode.service"));
    private static readonly string[] Image = File.ReadAllLines(Repository.PathOf("node/ops/docker/Dockerfile"));
    private static readonly string[] Compose = File.ReadAllLines(Repository.PathOf("node/ops/docker/compose.yaml"));

    /// <summary>The values of a unit's setting.</summary>
    private static string[] Settings(string name) =>
        [.. Unit.Where(line => line.StartsWith(name + "=", StringComparison.Ordinal)).Select(line => line[(name.Length + 1)..])];

    private static string Setting(string name) => Assert.Single(Settings(name));

    private static async Task<NodeOptions> RunAsync(IEnumerable<string> words)
    {
        string[] all = [.. words];
        Assert.Equal("run", all[0]);
        (CliRun run, NodeOptions? options) = await CliRun.RunNodeAsync(all[1..]);
        Assert.True(options is not null, run.Error);
        return options;
    }

    [Fact]
    public async Task Unit_StartsANode_OfTheSecretsThatItLoads()
    {
        string start = Setting("ExecStart");
        string[] given = GivenOptions().Match(string.Join('\n', Unit)).Groups["options"].Value
            .Replace("wss://...", "wss://chain.example").Replace("0x...", Contract).Split(' ');
        NodeOptions options = await RunAsync(start.Split(' ').Skip(1).SelectMany(word => word == "$OPTIONS" ? given : [word
            .Replace("${STATE_DIRECTORY}", "/var/lib/" + Setting("StateDirectory")).Replace("${CREDENTIALS_DIRECTORY}", "/run/credentials")]));

        Assert.Equal("/var/lib/channelnode/node", options.DataDirectory);
        Assert.Equal("wss://chain.example", options.RpcUrl);
        Assert.Equal("/run/credentials/signer.key", options.KeyFile);
        Assert.Equal("/run/credentials/signer.password", options.PasswordFile);
        Assert.InRange(options.DrainSeconds, 1u, uint.Parse(Setting("TimeoutStopSec")) - 10);

        string[][] loaded = [.. Settings("LoadCredential").Select(value => value.Split(':'))];
        Assert.Equal(Credential().Matches(start).Select(match => match.Groups[1].Value), loaded.Select(it => it[0]));
        Assert.Equal(loaded.Select(it => it[1]).Append(Setting("EnvironmentFile")), Installed("600"));
        Assert.Equal([start.Split(' ')[0]], Installed("755"));
    }

    /// <summary>What only an operator mends is not tried again; all else is, for ever.</summary>
    [Fact]
    public void Unit_IsStartedAgain_ButNotWithWrongSettings()
    {
        Assert.Equal(("always", "0"), (Setting("Restart"), Setting("StartLimitIntervalSec")));
        Assert.Equal($"{ExitCode.WrongUsage}", Setting("RestartPreventExitStatus"));
    }

    /// <summary>What its head says of backups is what is made: the rest of the disk cannot be written to.</summary>
    [Fact]
    public void Unit_MakesTheFolderForBackups_ThatItsHeadNames()
    {
        string folder = Setting("ExecStartPre").Split(' ')[^1].Replace("${STATE_DIRECTORY}", "/var/lib/" + Setting("StateDirectory"));

        Assert.Contains(Unit, line => line.StartsWith('#') && line.Contains("--backup-to " + folder + ","));
        Assert.Contains(Unit, line => line.StartsWith('#') && line.Contains("libsecp256k1"));
        Assert.Equal("strict", Setting("ProtectSystem"));
    }

    /// <summary>Where the unit's head says that files are to be installed before the first start.</summary>
    private static IEnumerable<string> Installed(string mode) => Unit
        .Select(line => Install().Match(line)).Where(match => match.Success && match.Groups["mode"].Value == mode)
        .Select(match => match.Groups["to"].Value);

    [Fact]
    public async Task Compose_StartsANode_ThatHasItsFolderItsPortAndItsChain()
    {
        string[] node = Service("node"), anvil = Service("anvil");
        NodeOptions options = await RunAsync(
            [.. node.Where(line => line.StartsWith("- ", StringComparison.Ordinal)).Select(line => line[2..]), $"--data-dir={ImageFolder()}"]);

        Assert.DoesNotContain(node, line => line.Contains("data-dir")); // The image's own, in which commands look for the node's first token.
        string[] volume = Listed(node, "volumes").Single().Split(':');
        Assert.StartsWith(volume[1] + "/", options.DataDirectory);
        Assert.Contains("  " + volume[0] + ":", Compose[Array.IndexOf(Compose, "volumes:")..]);
        Assert.Contains("VOLUME " + volume[1], Image);
        Assert.StartsWith(volume[1] + "/", options.KeyFile); // Nothing else can be written: the image is read only.

        string port = options.PeerListen.Split(':')[^1];
        Assert.Equal("0.0.0.0:" + port, options.PeerListen);
        Assert.Equal([$"{port}:{port}"], Listed(node, "ports"));
        Assert.Contains("EXPOSE " + port, Image);

        Assert.True(options.IsTrial);
        Assert.Equal("ws://anvil:8545", options.RpcUrl);
        Assert.Equal(["anvil", "--host", "0.0.0.0"], Listed(anvil, "entrypoint").Take(3));
        Assert.DoesNotContain("--port", Listed(anvil, "entrypoint"));
        Assert.Equal(["CMD", "cast", "block-number", "--rpc-url", "http://127.0.0.1:8545"], Listed(anvil, "test"));
        Assert.Contains("condition: service_healthy", node);

        Assert.InRange(options.DrainSeconds, 1u, uint.Parse(Value(node, "stop_grace_period").TrimEnd('s')) - 10);
        CheckUnpacked(Listed(node, "tmpfs"));
        Assert.Equal("node/ops/docker/Dockerfile", Value(node, "dockerfile"));
        Assert.Equal(Repository.Root, Path.GetFullPath(Path.Combine(Repository.PathOf("node/ops/docker"), Value(node, "context"))));
    }

    private static string ImageFolder() =>
        Assert.Single(Image, line => line.Trim().StartsWith(NodeFlags.DataVariable + "=", StringComparison.Ordinal)).Trim().Split('=')[1];

    /// <summary>Nothing of it can be unpacked where the image runs: what is written in a tmpfs cannot be run, and the rest cannot be written.</summary>
    private static void CheckUnpacked(string[] writable)
    {
        string[] set = [.. Image.SelectMany(line => UnpackedTo().Matches(line)).Select(match => match.Groups["folder"].Value)];
        Assert.Equal([set[0], set[0]], set);
        Assert.StartsWith("/app/", set[0]);
        Assert.DoesNotContain(writable, folder => set[0].StartsWith(folder, StringComparison.Ordinal));
        int program = Array.FindIndex(Image, line => line.Contains("scripts/publish.sh --self-contained"));
        int unpacked = Array.FindIndex(Image, line => line.StartsWith("RUN DOTNET_BUNDLE_EXTRACT_BASE_DIR=", StringComparison.Ordinal));
        Assert.InRange(unpacked, program + 1, Array.FindIndex(Image, line => line.StartsWith("COPY --from=build /app /app", StringComparison.Ordinal)));
        Assert.Contains("/app/channelnode --version", Image[unpacked]);
        Assert.Contains("chmod -R a+rX " + set[0], Image[unpacked + 1]);
    }

    /// <summary>Without any arguments it asks the node beside it, whose API is where it is by default.</summary>
    [Fact]
    public async Task HealthCheckOfTheImage_IsACommand_ThatFindsTheNode()
    {
        string check = Assert.Single(Image, line => line.StartsWith("HEALTHCHECK ", StringComparison.Ordinal));
        string[] words = [.. Quoted().Matches(check).Select(match => match.Groups[1].Value)];
        NodeOptions options = await RunAsync(["run", "--rpc-url", "ws://h", "--contract", Contract, "--data-dir", "d"]);
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun asked = await CliRun.AskAsync(node, words[1..]);

        Assert.Equal("/app/channelnode", words[0]);
        Assert.Equal((ExitCode.Done, ""), (asked.ExitCode, asked.Error));
        Assert.Equal(NodeFlags.DefaultNode, "http://" + options.ApiListen);
        Assert.DoesNotContain("healthcheck:", Service("node"));
        Assert.DoesNotContain(Service("node"), line => line.Contains("api-listen"));
    }

    /// <summary>The lines of one service, without what they are indented by.</summary>
    private static string[] Service(string name)
    {
        int first = Array.IndexOf(Compose, $"  {name}:") + 1;
        Assert.NotEqual(0, first);
        return [.. Compose.Skip(first).TakeWhile(line => line.Length == 0 || line.StartsWith("    ", StringComparison.Ordinal)).Select(line => line.Trim())];
    }

    private static string Value(string[] service, string name) =>
        Assert.Single(service, line => line.StartsWith(name + ": ", StringComparison.Ordinal))[(name.Length + 2)..];

    private static string[] Listed(string[] service, string name) => [.. Quoted().Matches(Value(service, name)).Select(match => match.Groups[1].Value)];

    [GeneratedRegex("OPTIONS=\"(?<options>[^\"]+)\"")]
    private static partial Regex GivenOptions();

    [GeneratedRegex(@"\$\{CREDENTIALS_DIRECTORY\}/(\S+)")]
    private static partial Regex Credential();

    [GeneratedRegex(@"^#\s+install -D -m (?<mode>\d+) \S+ (?<to>\S+)")]
    private static partial Regex Install();

    [GeneratedRegex(@"DOTNET_BUNDLE_EXTRACT_BASE_DIR=(?<folder>\S+)")]
    private static partial Regex UnpackedTo();

    [GeneratedRegex("\"([^\"]+)\"")]
    private static partial Regex Quoted();
}
