using System.Text.RegularExpressions;
using ChannelNode.Core;
using ChannelNode.Signing;
using Grpc.Core;
using Grpc.Net.Client;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>The real node as its own process, with a database of its own.</summary>
internal sealed partial class NodeUnderTest : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    private readonly string _program;
    private readonly string _folder;
    private readonly Anvil _anvil;
    private ChildProcess? _process;
    private GrpcChannel? _channel;

    private NodeUnderTest(string program, string folder, Anvil anvil, Address signer)
    {
        (_program, _folder, _anvil, Signer) = (program, folder, anvil, signer);
    }

    public static string BuiltHere { get; } = Path.Combine(AppContext.BaseDirectory, "channelnode.dll");

    public Address Signer { get; }

    public string DataFolder => Path.Combine(_folder, "data");

    public string PeerUrl { get; private set; } = "";

    public int ProcessId => _process!.Id;

    public Wire.NodeService.NodeServiceClient Api { get; private set; } = null!;

    /// <summary>For clients that write and read the API's bytes themselves.</summary>
    public CallInvoker Invoker => _channel!.CreateCallInvoker();

    /// <summary>What is not the default of a node: every peer here opens many channels, all at once, and pays from young deposits.</summary>
    public static IReadOnlyList<string> Flags { get; } =
    [
        "--dispute-window-min", "10", "--unfunded-per-peer-max", "10000", "--unfunded-max", "1000000",
        "--credit-small-total", "0", "--credit-larger-total", "0",
    ];

    /// <summary>Makes the node's key and folder; starts nothing.</summary>
    public static async Task<NodeUnderTest> CreateAsync(string program, string folder, Anvil anvil)
    {
        Directory.CreateDirectory(folder);
        using PrivateKey key = KeyFile.Create(Path.Combine(folder, "key"));
        await anvil.FundAsync(key.Address);
        return new NodeUnderTest(program, folder, anvil, key.Address);
    }

    public async Task StartAsync(params string[] moreFlags)
    {
        _process = await ChildProcess.StartAsync(
            "the node", line => ReadyLine().IsMatch(line),
            [
                .. _program.EndsWith(".dll", StringComparison.Ordinal) ? (string[])["dotnet", _program] : [_program], "run",
                "--data-dir", DataFolder, "--key-file", Path.Combine(_folder, "key"),
                "--rpc-url", _anvil.Url, "--contract", _anvil.Contract.ToString(),
                "--api-listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0", "--access-token-required=false", .. Flags, .. moreFlags,
            ]);
        await _process.WhenReadyAsync(StartLimit);
        Match ready = ReadyLine().Match(_process.ReadyLine);
        PeerUrl = ready.Groups[2].Value;
        _channel = GrpcChannel.ForAddress(ready.Groups[1].Value);
        Api = new Wire.NodeService.NodeServiceClient(_channel);
    }

    public async Task StopAsync()
    {
        _channel?.Dispose();
        if (_process is not null) await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>What it logged, for when something fails.</summary>
    public string Output => _process?.Output ?? "";

    public async Task<Wire.Channel> ChannelAsync(ChannelId id) =>
        (await Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = id.ToString() })).Channel;

    public async Task<ulong> ReceivedCursorAsync() => (await Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor;

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [GeneratedRegex(" ready: api (\\S+) peers (\\S+)")]
    private static partial Regex ReadyLine();
}
