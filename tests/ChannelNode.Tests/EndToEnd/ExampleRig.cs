using System.Diagnostics;
using System.Text.RegularExpressions;
using ChannelNode.Backups;
using ChannelNode.Cli;
using ChannelNode.Engine;
using ChannelNode.Signing;
using ChannelNode.Tests.Cli;
using ChannelNode.Tests.Signing;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Nodes, their channels and files, a signer elsewhere, and what stands for them in examples.</summary>
internal sealed partial class ExampleRig : IAsyncDisposable
{
    private const string Password = "of this run only";

    /// <summary>What goes on until it is stopped, and is stopped when it has begun.</summary>
    private static readonly string[] GoOn = ["payments follow --after", "top"];

    /// <summary>Programs of their own: they hold a database, ask for passwords, or write where they stand.</summary>
    private static readonly string[] Processes =
        ["run", "watchtower", "contract", "chain rescan", "chain verify --data-dir", "key", "config", "backup key", "backup verify", "backup restore"];

    /// <summary>What nothing here can make succeed, and the name by which it is refused then.</summary>
    private static readonly Dictionary<string, string> Refused = new()
    {
        ["channel settle"] = "WINDOW_OPEN",
        ["channel withdraw-credit"] = "NO_CREDIT",
        ["chain cancel"] = "UNKNOWN_JOB",
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-examples-").FullName;
    private readonly AnvilFixture _anvil;
    private readonly TestChain _chain;
    private readonly TestNode _alice;
    private readonly TestNode _bob;
    private readonly TestNode _distant;
    private readonly TestSigner _signer;
    private readonly AgeRecipient _recipient;
    private string _channel = "";
    private int _processes;

    private ExampleRig(AnvilFixture anvil, TestChain chain, TestNode alice, TestNode bob, TestNode distant, TestSigner signer)
    {
        (_anvil, _chain, _alice, _bob, _distant, _signer) = (anvil, chain, alice, bob, distant, signer);
        _recipient = AgeIdentity.CreateFile(PathOf("backup.key"), TimeProvider.System.GetUtcNow());
    }

    public static async Task<ExampleRig> StartAsync(AnvilFixture anvil)
    {
        TestChain chain = await TestChain.OpenAsync(anvil);
        TestNode distant = await TestNode.StartAsync(chain, options => options with { ApiTls = true, AccessTokenRequired = true });
        ExampleRig rig = new(
            anvil, chain, await TestNode.StartAsync(chain), await TestNode.StartAsync(chain), distant, await TestSigner.StartAsync());
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
        await _chain.FundAsync(_signer.Address);
        await File.WriteAllTextAsync(PathOf("sanctioned.txt"), "# from the office\n0x70997970C51812dc3A010C7d01b50e0d17dc79C8 ticket 1\n");
        await WriteAttestationAsync();
        for (int token = 1; token <= 3; token++)
        {
            await _alice.Api.CreateAccessTokenAsync(new Wire.CreateAccessTokenRequest
            {
                Name = $"{token}",
                Scopes = { Wire.Scope.Read, Wire.Scope.Pay },
                Caps = { new Wire.SpendingCap { PerDay = ether } },
            });
        }

        await RunAsync("alice backup create --to kept.backup --recipient age1...");
        File.Copy(Path.Combine(_distant.DataDirectory, "admin.token"), PathOf("admin.token"));
    }

    private async Task WriteAttestationAsync()
    {
        PrivateKey attestor = _anvil.Keys[5];
        ulong now = await _anvil.NowSecondsAsync();
        ChannelNode.Core.PeerAttestation said = new(_bob.Signer, "institution", now + 1_000_000_000, now, _alice.Signer);
        SignatureScheme scheme = new(attestor, _chain.ChainId, _chain.Contract);
        await _alice.Api.ChangeAttestorAsync(new Wire.ChangeAttestorRequest { Attestor = attestor.Address.ToString() });
        await File.WriteAllTextAsync(
            PathOf("alice.attestation.json"),
            $$"""
            {"peer":"{{said.Peer}}","tier":"{{said.Tier}}","validUntil":{{said.ValidUntilSeconds}},"issuedAt":{{said.IssuedAtSeconds}},
             "node":"{{said.Node}}","attestor":"{{attestor.Address}}","signature":"{{attestor.Sign(scheme.IdOf(said))}}"}
            """);
    }

    /// <summary>What stands in examples for what is only known here.</summary>
    public string Known(string line) => WithoutDots(line)
        .Replace("source <(channelnode completion", "channelnode completion").Replace(")", "").Replace(" | source", "")
        .Replace("COMMAND --help", "pay --help").Replace("age1...", _recipient.Text).Replace("FOLDER", "backups")
        .Replace("wss://...", _anvil.WebSocketUrl).Replace("0x... ", $"{_chain.Contract} ")
        .Replace("ws://127.0.0.1:8545", _anvil.WebSocketUrl).Replace("0x5FbDB2315678afecb367f032d93F642f64180aa3", _chain.Contract.ToString())
        .Replace("http://127.0.0.1:9812", _bob.PeerUrl).Replace("0x1a2b3c", _channel).Replace("0.0.0.0:9803", "127.0.0.1:0")
        .Replace("http://tower.example:9803", "http://127.0.0.1:1").Replace("--after 1200", "--after 0")
        .Replace("https://node.example:9801", _distant.Host.ApiUrl).Replace("9f86d0...", _distant.Host.TlsFingerprint)
        .Replace("0.0.0.0:9801", "0.0.0.0:0").Replace("127.0.0.1:9805", "127.0.0.1:0").Replace("127.0.0.1:9806", "127.0.0.1:0")
        .Replace("listen 127.0.0.1:9811", "listen 127.0.0.1:0").Replace("listen 127.0.0.1:9812", "listen 127.0.0.1:0")
        .Replace("http://127.0.0.1:9000", _signer.Url).Replace("/etc/channelnode/", "").Replace("--every-ms 5000", "--every-ms 100");

    /// <summary>What 'run ...' leaves out.</summary>
    private static string WithoutDots(string line)
    {
        if (!line.StartsWith("channelnode run ", StringComparison.Ordinal) || line.Contains("--help", StringComparison.Ordinal)
            || line.Contains("--network", StringComparison.Ordinal)) return line;
        line = line.Replace(" ...", "");
        string[] needed = ["--data-dir alice", "--rpc-url ws://127.0.0.1:8545", "--contract 0x5FbDB2315678afecb367f032d93F642f64180aa3"];
        foreach (string flag in needed) if (!line.Contains(flag[..flag.IndexOf(' ')], StringComparison.Ordinal)) line += $" {flag}";
        bool hasKey = line.Contains("--key-file", StringComparison.Ordinal) || line.Contains("--signer-url", StringComparison.Ordinal);
        return hasKey ? line : $"{line} --key-file alice.key";
    }

    public async Task RunAsync(string line)
    {
        List<string> words = [.. Word().Matches(Known(line)).Select(word => word.Groups[1].Success ? word.Groups[1].Value : word.Value)];
        Dictionary<string, string> variables = new() { ["CHANNELNODE_PASSWORD"] = Password, ["CHANNELNODE_NEW_PASSWORD"] = Password + "!" };
        if (words[0].Split('=') is [var name, var value])
        {
            variables[name] = value;
            words.RemoveAt(0);
        }

        if (words.IndexOf(">") is > 0 and var into) words = words[..into];
        string command = string.Join(' ', words[1..]);
        if (Is(command, Processes) && !command.EndsWith("--help", StringComparison.Ordinal)) await RunProcessAsync(line, words[1..], variables);
        else await RunHereAsync(line, command, words[0] == "bob" ? _bob : _alice, [.. words[1..].Select(FileOf)]);
        await AfterAsync(command);
    }

    private static bool Is(string command, string[] ones) =>
        ones.Any(it => command == it || command.StartsWith(it + " ", StringComparison.Ordinal));

    private async Task RunHereAsync(string line, string command, TestNode node, string[] arguments)
    {
        bool goesOn = (Is(command, GoOn) && !command.Contains("--count", StringComparison.Ordinal))
            || (command.StartsWith("events", StringComparison.Ordinal) && command.Contains("--follow", StringComparison.Ordinal));
        if (command.StartsWith("token create", StringComparison.Ordinal)) File.Delete(PathOf("shop.token")); // An example's before.
        using CancellationTokenSource stop = new(goesOn ? TimeSpan.FromSeconds(1) : TimeSpan.FromMinutes(1));
        bool asks = !command.StartsWith("completion", StringComparison.Ordinal) && !arguments.Contains("--node");
        CliRun run = await CliRun.WithActionsAsync(
            CliRun.NoActions, [.. arguments, .. asks ? new[] { "--node", node.Host.ApiUrl } : []], stop.Token);
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
    private async Task RunProcessAsync(string line, List<string> words, Dictionary<string, string> variables)
    {
        string folder = Directory.CreateDirectory(PathOf($"{_processes++}")).FullName;
        bool stays = words[0] is "run" or "watchtower";
        await GiveFilesAsync(folder, words);
        if (words.Contains("alice") && words[0] == "chain") await MakeDatabaseAsync(folder);
        string[] doors = words[0] == "run" ? ["--peer-listen", "--api-listen"] : [];
        words = [.. words, .. doors.Except(words).SelectMany(it => (string[])[it, "127.0.0.1:0"])];
        if (words.Contains("--network")) variables["CHANNELNODE_RPC_URL"] = _anvil.WebSocketUrl;
        ProcessStartInfo start = new("dotnet", [Path.Combine(AppContext.BaseDirectory, "channelnode.dll"), .. words])
        { WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in variables) start.Environment[name] = value;
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

    /// <summary>All that examples read, but what they are to write.</summary>
    private async Task GiveFilesAsync(string folder, List<string> words)
    {
        using PrivateKey key = PrivateKey.Generate();
        using Secret password = new(System.Text.Encoding.UTF8.GetBytes(Password));
        string plain = Path.Combine(folder, "old.hex");
        KeyFile.Write(plain, key, null);
        if (words[0] is "run" or "watchtower" or "contract") await _chain.FundAsync(key.Address);
        if (words is not ["key", "new" or "import", ..])
        {
            foreach (string name in (string[])["tower.key", "channelnode.key"]) File.Copy(plain, Path.Combine(folder, name));
            foreach (string name in (string[])["alice.key", "node.key"])
                KeyFile.Write(Path.Combine(folder, name), key, password, new KeystoreCost(4_096, 8, 1));
        }

        if (words is not ["backup", "key", ..]) File.Copy(PathOf("backup.key"), Path.Combine(folder, "backup.key"));
        if (words is ["backup", "verify" or "restore", ..]) File.Copy(PathOf("kept.backup"), Path.Combine(folder, "node.backup"));
        foreach ((string name, string text) in (ReadOnlySpan<(string, string)>)[("alice.password", Password), ("hook.secret", new string('5', 64))])
        {
            File.WriteAllText(Path.Combine(folder, name), text + "\n");
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(Path.Combine(folder, name), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        if (words[0] == "run") Directory.CreateDirectory(Path.Combine(folder, "backups")); // As FOLDER of --backup-to, which a node never makes.
        if (words[0] != "config") return;
        File.WriteAllText(
            Path.Combine(folder, "appsettings.json"),
            $$"""{"data-dir": "alice", "rpc-url": "{{_anvil.WebSocketUrl}}", "contract": "{{_chain.Contract}}", "poll-ms": 500}""");
    }

    private async Task MakeDatabaseAsync(string folder)
    {
        TestNode node = await TestNode.StartAsync(_chain, options => options with { DataDirectory = Path.Combine(folder, "alice") });
        await node.StopAsync();
    }

    private string PathOf(string name) => Path.Combine(_folder, name);

    /// <summary>Files lie in the folder of this run.</summary>
    private string FileOf(string word) =>
        Path.GetExtension(word) is ".txt" or ".json" or ".csv" or ".token" or ".backup" ? PathOf(word) : word;

    public async ValueTask DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _distant.DisposeAsync();
        await _signer.DisposeAsync();
        await _chain.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>As a shell takes a line apart, as far as examples need it.</summary>
    [GeneratedRegex("'([^']*)'|[^ ]+")]
    private static partial Regex Word();
}
