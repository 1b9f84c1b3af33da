using System.Runtime.Versioning;
using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Engine;
using ChannelNode.Signing;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>Settings that can each be read, and not be had together or not be served safely: all of them are told, and none twice.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class SettingFaultTests : IDisposable
{
    private const string Contract = "0x00000000000000000000000000000000000000cc";

    private static readonly string[] Required = ["--data-dir", "d", "--rpc-url", "ws://h", "--contract", Contract];

    private readonly string _file = Path.Combine(Directory.CreateTempSubdirectory("channelnode-faults-").FullName, "settings.json");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_file)!, recursive: true);

    [Fact]
    public async Task FaultsOfAllKinds_AreAllToldAtOnce_ByCheckAndByRun()
    {
        await File.WriteAllTextAsync(
            _file,
            $$"""
            {
              "data-dir": "d", "contract": "{{Contract}}", "poll-sm": 5, "poll-ms": 10, "api-listen": "0.0.0.0:9801", "json-listen": "0.0.0.0:9806",
              "metrics-listen": "[::]:9801", "peer-listen": "127.0.0.1:9806", "tls-cert": "node.cert", "key-file": "k", "signer-url": "http://signer:9000",
              "backup-to": "backups", "dispute-window": 100, "webhook-url": ["https://a.example", "https://a.example"], "webhook-secret-file": ["s"]
            }
            """);

        CliRun check = await CliRun.AsyncOf("config", "check", "--config", _file);
        (CliRun run, var options) = await CliRun.RunNodeAsync("--config", _file);
        CliRun json = await CliRun.AsyncOf("config", "check", "--json", "--config", _file);

        const string Tokens = "is reached from other machines, and without TLS whoever is on the way reads the tokens that spend this node's money";
        const string Made = "(a certificate is made where none is given by --tls-cert and --tls-key)";
        string[] expected =
        [
            $"{_file}: poll-sm is no setting; the nearest is poll-ms",
            "Option '--rpc-url' is required; see 'channelnode run --help'",
            $"{_file}: --poll-ms: '10' is not a whole number from 50 to 60000",
            $"{_file}: --signer-url: http://signer:9000 goes without --key-file k: the signer has the key",
            $"{_file}: --webhook-secret-file: 1 was given for 2 --webhook-url, expected one for each",
            $"{_file}: --webhook-url: https://a.example was given 2 times, expected each once",
            $"{_file}: --api-listen: 0.0.0.0:9801 {Tokens}: add --api-tls {Made}, or listen on 127.0.0.1 or unix:/path",
            $"{_file}: --json-listen: 0.0.0.0:9806 {Tokens}: add --api-tls, which is for this port too {Made}, or listen on 127.0.0.1",
            $"{_file}: --metrics-listen: [::]:9801 is reached from other machines, and without TLS whoever is on the way reads what this node "
                + $"counts, and the token that is shown for it: add --api-tls, which is for metrics too {Made}, or listen on 127.0.0.1",
            $"--tls-key: is missing beside --tls-cert node.cert: a certificate is given with its key, or neither",
            $"{_file}: --tls-cert: node.cert is given, and nothing is served over TLS: add --api-tls or --peer-tls",
            $"{_file}: --json-listen: 0.0.0.0:9806 is taken by --peer-listen 127.0.0.1:9806: each needs a port of its own (0 takes a free one)",
            $"{_file}: --metrics-listen: [::]:9801 is taken by --api-listen 0.0.0.0:9801: each needs a port of its own (0 takes a free one)",
            $"--backup-recipient: needed with --backup-to backups: whose key opens the backups?",
            $"{_file}: --dispute-window: 100 is less than --dispute-window-min, 3600: the node would offer what it refuses itself",
        ];
        Assert.Equal(ExitCode.WrongUsage, check.ExitCode);
        Assert.Equal(expected.Order().Select(line => "error: INVALID_ARGUMENT: " + line), check.ErrorLines.Order());
        Assert.Equal((ExitCode.WrongUsage, check.Error, true), (run.ExitCode, run.Error, options is null));
        JsonElement errors = JsonDocument.Parse(json.Error).RootElement.GetProperty("errors");
        Assert.Equal(expected.Length, errors.GetArrayLength());
        Assert.Contains(errors.EnumerateArray(), error => error.GetProperty("field").GetString() == "--metrics-listen");
    }

    /// <summary>What cannot be read may be anything: nothing is made up of it.</summary>
    [Theory]
    [InlineData("--dispute-window-min", "none", "--dispute-window", "100")]
    [InlineData("--api-listen", "here", "--peer-listen", "127.0.0.1:9801")]
    [InlineData("--backup-recipient", "me", "--backup-to", "backups")]
    [InlineData("--signer-url", "signer", "--signer-address", Contract)]
    public async Task SettingThatCannotBeRead_IsTheOnlyFault(string wrong, string value, string beside, string right)
    {
        (CliRun run, _) = await CliRun.RunNodeAsync([.. Required, wrong, value, beside, right]);

        Assert.StartsWith($"error: INVALID_ARGUMENT: {wrong}: '{value}' is not ", Assert.Single(run.ErrorLines));
    }

    [Theory]
    [InlineData("maybe", "--api-tls: 'maybe' is not true or false")]
    [InlineData("1", "--api-tls: '1' is not true or false")]
    public async Task SwitchThatIsNoTruthValue_NamesFieldValueAndLimit(string value, string message)
    {
        await File.WriteAllTextAsync(_file, $$"""{"api-tls": "{{value}}"}""");

        (CliRun byFile, _) = await CliRun.RunNodeAsync([.. Required, "--config", _file]);
        (CliRun typed, _) = await CliRun.RunNodeAsync([.. Required, $"--api-tls={value}"]);

        Assert.Equal($"error: INVALID_ARGUMENT: {_file}: {message}\n", byFile.Error);
        Assert.Equal($"error: INVALID_ARGUMENT: {message}\n", typed.Error);
    }

    [Theory]
    [InlineData("127.0.0.1:9900", "127.0.0.1:9900", false)]
    [InlineData("localhost:9900", "127.0.0.1:9900", false)]
    [InlineData("127.0.0.1:9900", "0.0.0.0:9900", false)]
    [InlineData("127.0.0.1:9900", "[::]:9900", false)]
    [InlineData("127.0.0.1:9900", "[::1]:9900", true)]
    [InlineData("[::1]:9900", "0.0.0.0:9900", true)]
    [InlineData("127.0.0.1:9900", "127.0.0.2:9900", true)]
    [InlineData("127.0.0.1:0", "127.0.0.1:0", true)]
    [InlineData("unix:/run/cn.sock", "127.0.0.1:9900", true)]
    public async Task OnePortForTwoDoors_IsAFault(string api, string peers, bool isRight)
    {
        (CliRun run, _) = await CliRun.RunNodeAsync([.. Required, "--api-listen", api, "--peer-listen", peers]);

        Assert.Equal(
            isRight ? "" : $"error: INVALID_ARGUMENT: --peer-listen: {peers} is taken by --api-listen {api}: each needs a port of its own (0 takes a free one)\n",
            run.Error);
    }

    [Theory]
    [InlineData("--api-tls --api-listen 0.0.0.0:1 --json-listen 0.0.0.0:2 --metrics-listen 0.0.0.0:3", "")]
    [InlineData("--api-tls --tls-cert a --tls-key b", "")]
    [InlineData("--peer-tls --tls-key b", "--tls-cert: is missing beside --tls-key b: a certificate is given with its key, or neither")]
    [InlineData("--tls-cert a --tls-key b", "--tls-cert: a is given, and nothing is served over TLS: add --api-tls or --peer-tls")]
    [InlineData("--signer-address " + Contract, "--signer-address: " + Contract + " is one of a signer's keys, and no --signer-url names a signer")]
    [InlineData("--backup-recipient age1", "--backup-recipient: 'age1' is not age1 and 58 letters, as 'backup key new' prints them")]
    [InlineData("--tls-domain a.example", "--tls-domain: a.example is given, and nothing is served over TLS: add --api-tls or --peer-tls")]
    [InlineData("--tls-domain a.example --peer-tls", "")]
    [InlineData("--peer-listen 0.0.0.0:9802", "")] // Peers prove who they are.
    [InlineData("--cors-origin https://a.example --access-token-required", "--cors-origin: https://a.example is given, and neither JSON nor gRPC-Web is served: add --json-listen")]
    [InlineData("--json-host a.example --access-token-required", "--json-host: a.example is given, and neither JSON nor gRPC-Web is served: add --json-listen")]
    [InlineData(
        "--rpc-url https://h --poll-ms 20000 --chain-silence 20",
        "--poll-ms: 20000 is not less than --chain-silence, 20 seconds: over HTTP nothing is heard of the chain between two questions, and so nothing would be paid or accepted")]
    [InlineData("--rpc-url https://h --poll-ms 19999 --chain-silence 20", "")]
    [InlineData("--poll-ms 60000 --chain-silence 20", "")] // Over a WebSocket the chain speaks by itself.
    public async Task FaultsOfANode_AreThese(string flags, string message)
    {
        string[] required = flags.Contains("--rpc-url") ? [.. Required.Where(flag => flag is not ("--rpc-url" or "ws://h"))] : Required;
        (CliRun run, _) = await CliRun.RunNodeAsync([.. required, .. flags.Split(' ')]);

        Assert.Equal(message.Length == 0 ? "" : $"error: INVALID_ARGUMENT: {message}\n", run.Error);
    }

    [Fact]
    public async Task FaultsOfAWatchtower_AreAllTold()
    {
        (CliRun run, _) = await CliRun.RunWatchtowerAsync(
            [.. Required, "--listen", "0.0.0.0:9803", "--metrics-listen", "0.0.0.0:9803", "--tls-cert", "a", "--signer-url", "http://s", "--key-file", "k"]);
        CliRun check = await CliRun.AsyncOf("config", "check", "watchtower", "--tls", "--tls-cert", "a", "--data-dir", "d");

        Assert.Equal(
            [
                "error: INVALID_ARGUMENT: --signer-url: http://s goes without --key-file k: the signer has the key",
                "error: INVALID_ARGUMENT: --metrics-listen: 0.0.0.0:9803 is reached from other machines, and a watchtower has no access tokens to ask "
                    + "for: listen on 127.0.0.1, and let a proxy that asks who comes stand before it",
                "error: INVALID_ARGUMENT: --tls-key: is missing beside --tls-cert a: a certificate is given with its key, or neither",
                "error: INVALID_ARGUMENT: --tls-cert: a is given, and nothing is served over TLS: add --tls",
                "error: INVALID_ARGUMENT: --metrics-listen: 0.0.0.0:9803 is taken by --listen 0.0.0.0:9803: each needs a port of its own (0 takes a free one)",
            ],
            run.ErrorLines);
        Assert.Equal(
            [
                "error: INVALID_ARGUMENT: Option '--rpc-url' is required; see 'channelnode watchtower --help'",
                "error: INVALID_ARGUMENT: Option '--contract' is required; see 'channelnode watchtower --help'",
                "error: INVALID_ARGUMENT: --tls-key: is missing beside --tls-cert a: a certificate is given with its key, or neither",
            ],
            check.ErrorLines);
    }

    /// <summary>As the program itself checks: with the files, each fault with its flag, its path and why.</summary>
    [Fact]
    public async Task FilesThatAStartWouldRefuse_AreAllToldByCheckAndByRun_AndNothingIsMade()
    {
        string folder = Path.GetDirectoryName(_file)!, file = Path.Combine(folder, "file"), open = Path.Combine(folder, "open");
        await File.WriteAllTextAsync(file, "{");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllTextAsync(open, "0123456789abcdef");
        File.SetUnixFileMode(open, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        string[] args =
        [
            "--data-dir", $"{file}/d", "--rpc-url", "ws://h", "--contract", Contract, "--key-file", $"{folder}/no/such.key", "--api-tls", "--password-file", $"{folder}/no.word",
            "--tls-cert", folder, "--tls-key", $"{folder}/none", "--webhook-url", "http://h", "--webhook-secret-file", open,
        ];

        CliRun check = await CliRun.WithActionsAsync(WithFiles, ["config", "check", .. args]);
        CliRun run = await CliRun.WithActionsAsync(WithFiles, ["run", .. args]);
        CliRun show = await CliRun.WithActionsAsync(WithFiles, ["config", "show", .. args]);

        Assert.Equal(
            [
                $"error: INVALID_ARGUMENT: --data-dir: {file}/d cannot be made: {file} is a file",
                $"error: INVALID_ARGUMENT: --key-file: {folder}/no/such.key is not there: there is no folder {folder}/no; 'channelnode key new' makes one",
                $"error: INVALID_ARGUMENT: --password-file: {folder}/no.word is not there",
                $"error: INVALID_ARGUMENT: --tls-cert: {folder} is a folder, expected a file",
                $"error: INVALID_ARGUMENT: --tls-key: {folder}/none is not there",
                $"error: INVALID_ARGUMENT: --webhook-secret-file: {open} may be used by others than its owner: restrict it with: chmod 600 {open}",
            ],
            check.ErrorLines);
        Assert.Equal((ExitCode.WrongUsage, ExitCode.WrongUsage, check.Error), (check.ExitCode, run.ExitCode, run.Error));
        Assert.Equal(ExitCode.Done, show.ExitCode);
        Assert.Equal([file, open], Directory.GetFileSystemEntries(folder).Order());
    }

    [Theory]
    [InlineData("--key-file", "{", "--key-file: {0} ")] // A keystore that is none.
    [InlineData("--key-file", "0x12", "--key-file: {0} does not hold a private key: 0x and 64 hex digits are expected, or a keystore")]
    [InlineData("--network anvil --key-file", "0x12", "--key-file: {0} does not hold a private key: 0x and 64 hex digits are expected, or a keystore")]
    [InlineData("--signer-url http://s --data-dir", "", "--data-dir: {0} is a file, expected a folder")]
    public async Task ContentThatAStartWouldRefuse_IsAFault(string flags, string content, string message)
    {
        string file = Path.Combine(Path.GetDirectoryName(_file)!, "file");
        await File.WriteAllTextAsync(file, content);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        string[] required = ["--rpc-url", "ws://h", "--contract", Contract, .. flags.Contains("--data-dir") ? [] : (string[])["--data-dir", "d"]];

        CliRun check = await CliRun.WithActionsAsync(WithFiles, ["config", "check", .. required, .. flags.Split(' '), file]);

        Assert.StartsWith("error: INVALID_ARGUMENT: " + message.Replace("{0}", file), Assert.Single(check.ErrorLines));
    }

    [Fact]
    public async Task PasswordFileOfAKeystore_AndFilesOfAWatchtower_AreLookedAtToo()
    {
        string folder = Path.GetDirectoryName(_file)!, key = Path.Combine(folder, "k"), none = Path.Combine(folder, "none");
        using (Secret password = new("a password"u8)) KeyFile.Create(key, password, new KeystoreCost(2, 1, 1)).Dispose();

        CliRun node = await CliRun.WithActionsAsync(WithFiles, ["config", "check", .. Required, "--key-file", key, "--password-file", none]);
        CliRun tower = await CliRun.WithActionsAsync(
            WithFiles, ["config", "check", "watchtower", .. Required, "--key-file", none, "--tls", "--tls-cert", none, "--tls-key", none]);
        CliRun anvil = await CliRun.WithActionsAsync(WithFiles, ["config", "check", "--network", "anvil", "--data-dir", Path.Combine(folder, "new")]);

        Assert.Equal($"error: INVALID_ARGUMENT: --password-file: the password file {none} is not there\n", node.Error);
        Assert.Equal(
            [
                $"error: INVALID_ARGUMENT: --key-file: {none} is not there; 'channelnode key new' makes one",
                $"error: INVALID_ARGUMENT: --tls-cert: {none} is not there",
                $"error: INVALID_ARGUMENT: --tls-key: {none} is not there",
            ],
            tower.ErrorLines);
        Assert.Equal(("", ExitCode.Done), (anvil.Error, anvil.ExitCode));
        CliRun trialTower = await CliRun.WithActionsAsync(WithFiles, ["config", "check", "watchtower", "--network", "anvil", "--data-dir", folder]);
        Assert.StartsWith($"error: INVALID_ARGUMENT: --key-file: {folder}/signer.key is not there", trialTower.Error);
    }

    /// <summary>It might have named the key.</summary>
    [Fact]
    public async Task FileOfSettingsThatCannotBeRead_IsTheOnlyFault()
    {
        await File.WriteAllTextAsync(_file, "{");

        CliRun check = await CliRun.WithActionsAsync(WithFiles, ["config", "check", .. Required, "--config", _file]);

        Assert.StartsWith($"error: INVALID_ARGUMENT: --config: {_file}, line 1: ", Assert.Single(check.ErrorLines));
    }

    [Theory]
    [InlineData("--access-token-file none info", "INVALID_ARGUMENT: --access-token-file: none is not there")]
    [InlineData("--tls-cert /none/there info --node https://h", "INVALID_ARGUMENT: --tls-cert: /none/there is not there: there is no folder /none")]
    [InlineData("backup create --to /none/there --recipient age1", "FILE_ERROR: /none/there cannot be written: there is no folder /none")]
    [InlineData("policy import --list deny /none/there", "FILE_ERROR: /none/there is not there: there is no folder /none")]
    [InlineData("policy import --list deny /", "FILE_ERROR: / is a folder, expected a file")]
    public async Task FileOfACommandThatCannotBeUsed_IsNamedWithWhy(string command, string message)
    {
        CliRun run = await CliRun.AsyncOf(command.Split(' '));

        Assert.Equal($"error: {message}\n", run.Error);
    }

    [Fact]
    public void FileThatMayNotBeRead_NamesWhoMayNotAndItsMode()
    {
        File.WriteAllText(_file, "");
        File.SetUnixFileMode(_file, UnixFileMode.UserRead);

        Assert.Equal($"may not be read by {Environment.UserName}, as whom this runs (mode 400)", FileTrouble.WhyUnread(_file, new UnauthorizedAccessException()));
    }

    private static readonly CliActions WithFiles = CliRun.NoActions with { NodeFiles = Preflight.Of, WatchtowerFiles = Preflight.Of };
}
