using System.Collections.Concurrent;
using System.Runtime.Versioning;
using System.Text;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Signing;
using Microsoft.Extensions.Logging;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Nothing that a node prints or logs, whatever goes wrong, shows its key or its password in any form.</summary>
[Collection(DoorsCollection.Name)]
[UnsupportedOSPlatform("windows")]
public sealed class SecretsTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const string Password = "Zugang-7-Kranich-42";
    private const string WrongPassword = "Zugang-8-Kranich-43";

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-secrets-").FullName;
    private readonly byte[] _key = new byte[PrivateKey.Size];
    private readonly StringBuilder _printed = new();
    private TestChain _chain = null!;
    private Address _address;

    private string KeyPath => Path.Combine(_folder, "node.key");

    private string HexPath => Path.Combine(_folder, "node.hex");

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        using PrivateKey key = KeyFile.Create(HexPath);
        key.CopyTo(_key);
        _address = key.Address;
        await _chain.FundAsync(_address);
    }

    public async Task DisposeAsync()
    {
        await _chain.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task NothingPrinted_ShowsTheKeyOrThePassword()
    {
        string[] run =
        [
            "run", "--data-dir", Path.Combine(_folder, "data"), "--key-file", KeyPath, "--rpc-url", _chain.RpcUrl,
            "--contract", _chain.Contract.ToString(), "--api-listen", "127.0.0.1:0",
        ];
        await PrintAsync(Password, "key", "import", "--from", HexPath, "--file", KeyPath);
        await PrintAsync(Password, "key", "import", "--from", HexPath, "--file", KeyPath, "--json");
        await PrintAsync(WrongPassword, "key", "export-address", "--file", KeyPath, "--verify");
        await PrintAsync(WrongPassword, [.. run, "--peer-listen", "127.0.0.1:0"]);
        await PrintAsync(Password, [.. run, "--peer-listen", new Uri(_chain.RpcUrl).Authority]);
        await PrintAsync(Password, "contract", "deploy", "--rpc-url", _chain.RpcUrl, "--key-file", KeyPath);
        await PrintAsync(Password, "contract", "deploy", "--rpc-url", "http://127.0.0.1:1", "--key-file", KeyPath);
        await PrintAsync(Password, "key", "export-address", "--file", HexPath + "x", "--verify");
        await RunAndPayAsync(Put("password", Password));

        string printed = _printed.ToString();
        Assert.Contains("the password does not open", printed, StringComparison.Ordinal);
        Assert.Contains("is taken by another program", printed, StringComparison.Ordinal);
        Assert.Contains("deployed by", printed, StringComparison.Ordinal);
        Assert.Contains(_address.ToString(), printed, StringComparison.Ordinal);
        foreach (string form in Forms()) Assert.DoesNotContain(form, printed, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void EachForm_IsFoundWhereItIsPrinted()
    {
        Assert.Contains(Forms(), form => $"key 0x{Convert.ToHexString(_key)}".Contains(form, StringComparison.OrdinalIgnoreCase));
        Assert.Contains(Forms(), form => Convert.ToBase64String(_key).Contains(form, StringComparison.OrdinalIgnoreCase));
        Assert.Contains(Forms(), form => $"password={Password}".Contains(form, StringComparison.OrdinalIgnoreCase));
        Assert.Equal(Forms().Count(), Forms().Distinct().Count());
    }

    private IEnumerable<string> Forms()
    {
        foreach (byte[] secret in (byte[][])[_key, Encoding.UTF8.GetBytes(Password), Encoding.UTF8.GetBytes(WrongPassword)])
        {
            yield return Convert.ToHexStringLower(secret);
            yield return Convert.ToBase64String(secret).TrimEnd('=');
            yield return Encoding.Latin1.GetString(secret);
            yield return string.Join(',', secret);
            yield return string.Join(", ", secret);
        }

        yield return Convert.ToBase64String(_key).TrimEnd('=').Replace('+', '-').Replace('/', '_') + " ";
        yield return Convert.ToBase64String(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(_key))).TrimEnd('=');
    }

    private async Task PrintAsync(string password, params string[] arguments)
    {
        ProgramRun run = await ProgramRun.WithAsync(new Dictionary<string, string> { [Passwords.Variable] = password }, arguments);
        Assert.NotEqual(ExitCode.Failed, run.ExitCode);
        _printed.AppendLine(run.All);
    }

    /// <summary>In this process, so that every line of every level is heard.</summary>
    private async Task RunAndPayAsync(string passwordFile)
    {
        using EveryLine lines = new(_printed);
        NodeOptions options = new()
        {
            DataDirectory = Path.Combine(_folder, "data"),
            KeyFile = KeyPath,
            PasswordFile = passwordFile,
            RpcUrl = _chain.RpcUrl,
            Contract = _chain.Contract,
            ApiListen = "127.0.0.1:0",
            AccessTokenRequired = false,
            PeerListen = "127.0.0.1:0",
            DisputeWindowSeconds = 600,
            DisputeWindowSecondsMin = 10,
        };
        await using TestNode payee = await TestNode.StartAsync(_chain);
        await using (NodeHost host = await NodeHost.StartAsync(options, lines, TestChain.Limit))
        {
            using var channel = global::Grpc.Net.Client.GrpcChannel.ForAddress(host.ApiUrl);
            var api = new Wire.NodeService.NodeServiceClient(channel);
            using var opening = api.OpenChannel(new Wire.OpenChannelRequest { PeerUrl = payee.PeerUrl, Amount = "1000" });
            string id = "";
            while (await opening.ResponseStream.MoveNext(TestChain.Limit)) id = opening.ResponseStream.Current.Progress.ChannelId;
            Wire.PayResponse paid = await api.PayAsync(
                new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = id, Amount = "7" } });
            Wire.GetInfoResponse info = await api.GetInfoAsync(new Wire.GetInfoRequest());
            lock (_printed) _printed.AppendLine($"{paid}\n{info}\n{host.Node.Options}");
        }

        Assert.NotEmpty(lines.Levels);
    }

    private string Put(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    private sealed class EveryLine(StringBuilder printed) : ILoggerFactory, ILogger
    {
        public ConcurrentBag<LogLevel> Levels { get; } = [];

        public void AddProvider(ILoggerProvider provider) { }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Levels.Add(logLevel);
            lock (printed) printed.AppendLine($"{formatter(state, exception)} {state} {exception}");
        }

        public void Dispose() { }
    }
}
