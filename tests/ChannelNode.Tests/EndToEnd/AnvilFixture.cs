using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Tests.Signing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Tests that share one chain: name it with <c>[Collection(AnvilCollection.Name)]</c>. They run one by one.</summary>
[CollectionDefinition(Name)]
public sealed class AnvilCollection : ICollectionFixture<AnvilFixture>
{
    public const string Name = "Anvil";
}

/// <summary>The same on a second chain, beside the first: what kills processes.</summary>
[CollectionDefinition(Name)]
public sealed class KillsCollection : ICollectionFixture<AnvilFixture>
{
    public const string Name = "Anvil, kills";
}

/// <summary>And more of them on one of their own: all of them one by one would take longest of all.</summary>
[CollectionDefinition(Name)]
public sealed class KilledJobsCollection : ICollectionFixture<AnvilFixture>
{
    public const string Name = "Anvil, killed jobs";
}

/// <summary>And those that restart nodes while they pay.</summary>
[CollectionDefinition(Name)]
public sealed class RestartsCollection : ICollectionFixture<AnvilFixture>
{
    public const string Name = "Anvil, restarts";
}

/// <summary>And on a third: what is done on the chain more than off it.</summary>
[CollectionDefinition(Name)]
public sealed class ChainCollection : ICollectionFixture<AnvilFixture>
{
    public const string Name = "Anvil, chain";
}

/// <summary>And on a fourth: who calls a node, by which door and with which words.</summary>
[CollectionDefinition(Name)]
public sealed class DoorsCollection : ICollectionFixture<AnvilFixture>
{
    public const string Name = "Anvil, doors";
}

/// <summary>
/// A real Anvil on a free port of 127.0.0.1, mining a block per transaction. It ends with this object, and also when
/// the test process dies: its shell reads our end of a pipe, which the system closes then.
/// </summary>
public sealed partial class AnvilFixture : IAsyncLifetime, IAsyncDisposable
{
    public const ulong ChainId = 31337;

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    private readonly List<PrivateKey> _keys = [];
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<int> _port = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Process? _process;
    private RpcClient? _rpc;
    private Task<Address>? _contract;
    private Task<Address>? _token;
    private Task<Address>? _dollar;

    public string HttpUrl { get; private set; } = "";

    public string WebSocketUrl { get; private set; } = "";

    /// <summary>Ten funded accounts. Each may have one sender at a time: two would take each other's nonces.</summary>
    internal IReadOnlyList<PrivateKey> Keys => _keys;

    /// <summary>Where a test wants a chain of its own. <paramref name="arguments"/>: of anvil.</summary>
    public static async Task<AnvilFixture> StartAsync(params string[] arguments)
    {
        var anvil = new AnvilFixture();
        await anvil.StartProcessAsync(arguments);
        return anvil;
    }

    public Task InitializeAsync() => StartProcessAsync([]);

    async Task IAsyncLifetime.DisposeAsync() => await DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        if (_rpc is not null) await _rpc.DisposeAsync();
        foreach (PrivateKey key in _keys) key.Dispose();
        if (_process is null) return;
        _process.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
        _process = null;
    }

    /// <summary>One for all tests of this chain.</summary>
    internal Task<Address> PaymentChannelsAsync() => _contract ??= NewPaymentChannelsAsync();

    /// <summary>One that holds nothing.</summary>
    internal Task<Address> NewPaymentChannelsAsync() => DeployAsync(ContractArtifact.PaymentChannels.Bytecode);

    /// <summary>One for all tests of this chain: 6 decimals, and <see cref="MintAsync"/> makes as much as is asked.</summary>
    internal Task<Address> TokenAsync() => _token ??= DeployAsync(TokenCode("TestToken"));

    /// <summary>Like the token, and takes permits and authorizations too.</summary>
    internal Task<Address> DollarAsync() => _dollar ??= DeployAsync(TokenCode("GaslessToken"));

    internal async Task MintAsync(Address to, UInt128 amount) =>
        await MintAsync(await TokenAsync(), to, amount);

    internal async Task MintAsync(Address token, Address to, UInt128 amount) =>
        await SendFromDeployerAsync(new Call(token, 0, MintCall(to, amount)));

    /// <summary>Calldata by which anyone makes as much of either token as he likes.</summary>
    internal static byte[] MintCall(Address to, UInt128 amount) =>
        new AbiWriter(2).Account(to).Number(amount).ToArray(ContractArtifact.Load("TestToken").Selector("mint"));

    private static byte[] TokenCode(string artifact) => new AbiWriter(3)
        .Bytes("Test Dollar"u8).Bytes("TUSD"u8).Number(6)
        .ToArray(ContractArtifact.Load(artifact).Bytecode.Span);

    public async Task<T> RpcAsync<T>(string method, params object?[] arguments) =>
        await _rpc!.CallAsync<T>(method, arguments, CancellationToken.None);

    public Task MineAsync(int blocks = 1) => RpcAsync<object?>("anvil_mine", Quantity.Format((UInt128)blocks));

    /// <summary>A block every now and then, until something is so.</summary>
    public async Task MineUntilAsync(Func<Task<bool>> reached)
    {
        for (int look = 0; look < 300; look++)
        {
            if (await reached()) return;
            await MineAsync();
            await Task.Delay(150);
        }

        throw new TimeoutException("never reached");
    }

    /// <summary>The next block comes this much later, and is mined at once.</summary>
    public async Task PassTimeAsync(uint seconds)
    {
        await RpcAsync<object?>("evm_increaseTime", Quantity.Format(seconds));
        await MineAsync();
    }

    public async Task<ulong> HeadAsync() => Quantity.ToUInt64(await RpcAsync<string>("eth_blockNumber"), "head");

    /// <summary>Replaces the newest blocks by as many, which hold other transactions, if any.</summary>
    public Task ReorgAsync(int depth) => RpcAsync<object?>("anvil_reorg", depth, Array.Empty<object>());

    /// <summary>Unix time of the newest block.</summary>
    internal async Task<ulong> NowSecondsAsync()
    {
        var rpc = new EthereumRpc(_rpc!);
        ulong head = await rpc.BlockNumberAsync(CancellationToken.None);
        return (await rpc.BlockAsync(head, CancellationToken.None))!.TimestampSeconds;
    }

    /// <summary>The last dev account deploys and mints, so that it never gets between a test's own transactions.</summary>
    internal async Task<Address> DeployAsync(ReadOnlyMemory<byte> initCode) =>
        (await SendFromDeployerAsync(new Call(null, 0, initCode))).Created!.Value;

    private Task<MinedTransaction> SendFromDeployerAsync(Call call)
    {
        PrivateKey key = _keys[^1];
        var sender = new TransactionSender(
            new EthereumRpc(_rpc!), ChainId, key.Address, key.SignAsync, TimeSpan.FromMilliseconds(50), TimeProvider.System,
            NullLogger.Instance);
        return sender.SendAsync("test set-up", call, null, CancellationToken.None);
    }

    private async Task StartProcessAsync(string[] arguments)
    {
        var start = new ProcessStartInfo("/bin/sh")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // cat ends when we close the pipe, or die.
        const string Script = "\"$@\" & anvil=$!; cat > /dev/null; kill $anvil; wait $anvil";
        string[] all = ["-c", Script, "sh", FindAnvil(), "--host", "127.0.0.1", "--port", "0", .. arguments];
        foreach (string argument in all) start.ArgumentList.Add(argument);

        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        try
        {
            int port = await _port.Task.WaitAsync(StartLimit);
            HttpUrl = $"http://127.0.0.1:{port}";
            WebSocketUrl = $"ws://127.0.0.1:{port}";
            _rpc = new RpcClient(HttpUrl, TimeProvider.System, NullLogger.Instance);
        }
        catch (TimeoutException)
        {
            await DisposeAsync();
            throw new InvalidOperationException($"Anvil did not start:\n{_output}");
        }
    }

    /// <summary>Anvil prints its keys and, at last, where it listens.</summary>
    private void Read(string? line)
    {
        if (line is null || _port.Task.IsCompleted) return;
        _output.AppendLine(line);
        if (KeyLine().Match(line) is { Success: true } key) _keys.Add(new PrivateKey(Hex.Parse(key.Groups[1].Value)));
        if (ListeningLine().Match(line) is { Success: true } address)
            _port.TrySetResult(int.Parse(address.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));
    }

    private static string FindAnvil()
    {
        string modules = Path.Combine(Vectors.RepositoryRoot, "contracts", "node_modules");
        string[] places =
        [
            Path.Combine(modules, "@foundry-rs", "anvil-linux-amd64", "bin", "anvil"),
            Path.Combine(modules, "@foundry-rs", "anvil-linux-arm64", "bin", "anvil"),
            Path.Combine(modules, ".bin", "anvil"),
        ];
        return places.FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException("Anvil is not installed: run npm ci in contracts");
    }

    [GeneratedRegex(@"^\(\d+\) (0x[0-9a-f]{64})$")]
    private static partial Regex KeyLine();

    [GeneratedRegex(@"^Listening on 127\.0\.0\.1:(\d+)")]
    private static partial Regex ListeningLine();
}
