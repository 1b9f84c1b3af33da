using System.CommandLine;
using System.Diagnostics;
using System.Text.RegularExpressions;
using ChannelNode.Cli;
using ChannelNode.Signing;
using ChannelNode.Tests.Cli;
using ChannelNode.Tests.Tidy;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// Every example of every --help, and every command of the README, as they stand there, on a real chain and real nodes. What
/// is only known when they run is put in by a few rules (<see cref="ExampleRig.Known"/>).
/// </summary>
[Collection(AnvilCollection.Name)]
public sealed class DocumentedCommandTests(AnvilFixture anvil) : IAsyncLifetime
{
    private ExampleRig _rig = null!;

    public async Task InitializeAsync() => _rig = await ExampleRig.StartAsync(anvil);

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    [Fact]
    public async Task EveryExampleOfEveryHelp_Runs()
    {
        CommandShell shell = new(CliRun.NoActions, TimeProvider.System, TextWriter.Null, TextWriter.Null);
        List<string> examples = [.. ExamplesOf(CommandLine.Root(shell)).Distinct()];

        Assert.True(examples.Count > 40);
        foreach (string example in examples) await _rig.RunAsync(example);
    }

    private static IEnumerable<string> ExamplesOf(Command command) =>
        Lines(CliCommand.ExampleOf(command)).Concat(command.Subcommands.SelectMany(ExamplesOf));

    [Fact]
    public async Task EveryCommandOfTheReadme_Runs()
    {
        string readme = File.ReadAllText(Repository.PathOf("README.md"));
        List<string> commands =
        [
            .. Regex.Matches(readme, "```sh\n(.*?)```", RegexOptions.Singleline)
                .SelectMany(block => Lines(Regex.Replace(block.Groups[1].Value, @"\s+# .*$", "", RegexOptions.Multiline)))
                .Where(line => !line.StartsWith("alias ", StringComparison.Ordinal))
                .Except(ReadmeStartTests.Commands()),
        ];

        Assert.True(commands.Count > 6);
        foreach (string command in commands) await _rig.RunAsync(command);
    }

    private static IEnumerable<string> Lines(string text) => text.ReplaceLineEndings("\n").Replace("\\\n", " ").Split('\n')
        .Select(line => line.Trim()).Where(line => line.Length > 0);
}

/// <summary>Two nodes, their channels and files, and what stands for them in examples.</summary>
internal sealed partial class ExampleRig : IAsyncDisposable
{
    /// <summary>What goes on until it is stopped, and is stopped when it has begun.</summary>
    private static readonly string[] GoOn = ["events --follow", "payments follow --after"];

    /// <summary>Programs of their own: they hold a database, or write where they stand.</summary>
    private static readonly string[] Processes =
        ["run", "watchtower", "contract", "chain rescan", "chain verify --data-dir"];

    /// <summary>
    /// What asks for passwords, files of settings, tokens or backups, or watches a terminal: run by their own tests (KeyCommandTests,
    /// ConfigTests, TokenCommandTests, BackupTests, RestoredPayerTests, StatusCommandTests, TopCommandTests, PaymentsExportTests).
    /// </summary>
    private static readonly string[] Elsewhere = ["key", "config", "token", "backup", "status", "top", "payments export"];

    /// <summary>What nothing here can make succeed, and the name by which it is refused then.</summary>
    private static readonly Dictionary<string, string> Refused = new()
    {
        ["channel settle"] = "WINDOW_OPEN",
        ["channel withdraw-credit"] = "NO_CREDIT",
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-examples-").FullName;
    private readonly AnvilFixture _anvil;
    private readonly TestChain _chain;
    private readonly TestNode _alice;
    private readonly TestNode _bob;
    private string _channel = "";
    private int _processes;

    private ExampleRig(AnvilFixture anvil, TestChain chain, TestNode alice, TestNode bob) =>
        (_anvil, _chain, _alice, _bob) = (anvil, chain, alice, bob);

    public static async Task<ExampleRig> StartAsync(AnvilFixture anvil)
    {
        TestChain chain = await TestChain.OpenAsync(anvil);
        ExampleRig rig = new(anvil, chain, await TestNode.StartAsync(chain), await TestNode.StartAsync(chain));
        await rig.PrepareAsync();
        return rig;
    }

    /// <summary>A channel to use, one that owes alice something, and the files that examples name.</summary>
    private async Task PrepareAsync()
    {
        const string ether = "1000000000000000000";
        _channel = await _alice.OpenAsync(_bob, ether);
        string owing = await _bob.OpenAsync(_alice, ether, oneWay: true);
        await _bob.PayAsync(owing, "1000");
        await File.WriteAllTextAsync(Path.Combine(_folder, "sanctioned.txt"), "# from the office\n0x70997970C51812dc3A010C7d01b50e0d17dc79C8 ticket 1\n");
        await WriteAttestationAsync();
    }

    private async Task WriteAttestationAsync()
    {
        PrivateKey attestor = _anvil.Keys[5];
        ulong now = await _anvil.NowSecondsAsync();
        ChannelNode.Core.PeerAttestation said = new(_bob.Signer, "institution", now + 1_000_000_000, now, _alice.Signer);
        SignatureScheme scheme = new(attestor, _chain.ChainId, _chain.Contract);
        await _alice.Api.ChangeAttestorAsync(new Wire.ChangeAttestorRequest { Attestor = attestor.Address.ToString() });
        await File.WriteAllTextAsync(
            Path.Combine(_folder, "alice.attestation.json"),
            $$"""
            {"peer":"{{said.Peer}}","tier":"{{said.Tier}}","validUntil":{{said.ValidUntilSeconds}},"issuedAt":{{said.IssuedAtSeconds}},
             "node":"{{said.Node}}","attestor":"{{attestor.Address}}","signature":"{{attestor.Sign(scheme.IdOf(said))}}"}
            """);
    }

    /// <summary>What stands in examples for what is only known here.</summary>
    public string Known(string line) => line
        .Replace("source <(channelnode completion", "channelnode completion").Replace(")", "").Replace(" | source", "")
        .Replace("run ... ", "run --data-dir alice --key-file alice.key --rpc-url ws://127.0.0.1:8545 --contract 0x5FbDB2315678afecb367f032d93F642f64180aa3 ")
        .Replace("wss://...", _anvil.WebSocketUrl).Replace("0x... ", $"{_chain.Contract} ")
        .Replace("ws://127.0.0.1:8545", _anvil.WebSocketUrl).Replace("0x5FbDB2315678afecb367f032d93F642f64180aa3", _chain.Contract.ToString())
        .Replace("http://127.0.0.1:9812", _bob.PeerUrl).Replace("0x1a2b3c", _channel).Replace("0.0.0.0:9803", "127.0.0.1:0")
        .Replace("http://tower.example:9803", "http://127.0.0.1:1").Replace("--after 1200", "--after 0");

    public async Task RunAsync(string line)
    {
        List<string> words = [.. Word().Matches(Known(line)).Select(word => word.Groups[1].Success ? word.Groups[1].Value : word.Value)];
        TestNode node = words[0] == "bob" ? _bob : _alice;
        string[] arguments = [.. words[1..].Select(FileOf)];
        string command = string.Join(' ', words[1..]);
        if (Elsewhere.Any(it => command == it || command.StartsWith(it + " ", StringComparison.Ordinal))) return;
        if (Processes.Any(it => command == it || command.StartsWith(it + " ", StringComparison.Ordinal))) await RunProcessAsync(line, words[1..]);
        else await RunHereAsync(line, command, [.. arguments, .. command.StartsWith("completion", StringComparison.Ordinal) ? [] : new[] { "--node", node.Host.ApiUrl }]);
        await AfterAsync(command);
    }

    private async Task RunHereAsync(string line, string command, string[] arguments)
    {
        bool goesOn = GoOn.Any(it => command.StartsWith(it, StringComparison.Ordinal)) || (command.StartsWith("events", StringComparison.Ordinal) && command.Contains("--follow"));
        using CancellationTokenSource stop = new(goesOn ? TimeSpan.FromSeconds(1) : TimeSpan.FromMinutes(1));
        CliRun run = await CliRun.WithActionsAsync(CliRun.NoActions, arguments, stop.Token);
        string? refusal = Refused.FirstOrDefault(it => command.StartsWith(it.Key, StringComparison.Ordinal)).Value;
        if (refusal is not null) Assert.True(run.Error.StartsWith($"error: {refusal}: ", StringComparison.Ordinal), $"{line}: exit code {run.ExitCode}: {run.Output} {run.Error}");
        else Assert.True(run.ExitCode == (goesOn ? ExitCode.Interrupted : ExitCode.Done), $"{line}: exit code {run.ExitCode}: {run.Output} {run.Error}");
    }

    /// <summary>The next example finds a channel that can be used, and one that is closing.</summary>
    private async Task AfterAsync(string command)
    {
        if (command.StartsWith("channel close", StringComparison.Ordinal)) _channel = await _alice.OpenAsync(_bob, "1000000000000000000");
        if (command.StartsWith("channel settle", StringComparison.Ordinal)) _channel = await _alice.OpenAsync(_bob, "1000000000000000000");
    }

    /// <summary>Where it says that it is ready it is stopped; else it must end well. Each has a folder of its own.</summary>
    private async Task RunProcessAsync(string line, List<string> words)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, $"{_processes++}")).FullName;
        bool stays = words[0] is "run" or "watchtower";
        if (words[0] != "key") await GiveKeysAsync(folder);
        if (words.Contains("alice") && words[0] == "chain") await MakeDatabaseAsync(folder);
        string[] doors = words[0] == "run" ? ["--api-listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"] : [];
        ProcessStartInfo start = new("dotnet", [Path.Combine(AppContext.BaseDirectory, "channelnode.dll"), .. words, .. doors])
        { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string? said = await process.StandardOutput.ReadLineAsync(TestChain.Limit);
        if (stays)
        {
            Assert.True(said?.Contains(" ready: ", StringComparison.Ordinal) == true, $"{line}: {said} {(said is null ? await errors : "")}");
            process.Kill();
            await process.WaitForExitAsync(TestChain.Limit);
            return;
        }

        await process.StandardOutput.ReadToEndAsync(TestChain.Limit);
        await process.WaitForExitAsync(TestChain.Limit);
        Assert.True(process.ExitCode == 0, $"{line}: exit code {process.ExitCode}: {said} {await errors}");
    }

    private async Task GiveKeysAsync(string folder)
    {
        using PrivateKey key = KeyFile.Create(Path.Combine(folder, "alice.key"));
        await _chain.FundAsync(key.Address);
        foreach (string name in (string[])["tower.key", "channelnode.key"]) File.Copy(Path.Combine(folder, "alice.key"), Path.Combine(folder, name));
    }

    private async Task MakeDatabaseAsync(string folder)
    {
        TestNode node = await TestNode.StartAsync(_chain, options => options with { DataDirectory = Path.Combine(folder, "alice") });
        await node.StopAsync();
    }

    /// <summary>Files lie in the folder of this run.</summary>
    private string FileOf(string word) =>
        word.EndsWith(".txt", StringComparison.Ordinal) || word.EndsWith(".json", StringComparison.Ordinal) || word.EndsWith(".csv", StringComparison.Ordinal)
            ? Path.Combine(_folder, word)
            : word;

    public async ValueTask DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>As a shell takes a line apart, as far as examples need it.</summary>
    [GeneratedRegex("'([^']*)'|[^ ]+")]
    private static partial Regex Word();
}
