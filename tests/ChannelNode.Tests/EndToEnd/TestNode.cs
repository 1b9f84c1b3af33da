using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Signing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A whole node in this process, wired as the program wires it: real gRPC, real RocksDB, real chain.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private NodeOptions _options;
    private ApiCaller? _caller;

    private readonly ILoggerFactory _logs;

    private TestNode(NodeOptions options, ILoggerFactory? logs) => (_options, _logs) = (options, logs ?? NullLoggerFactory.Instance);

    public NodeHost Host { get; private set; } = null!;

    public Wire.NodeService.NodeServiceClient Api { get; private set; } = null!;

    public Address Signer => Host.Node.Us.Signer;

    public string PeerUrl => Host.PeerUrl;

    public string DataDirectory => _options.DataDirectory;

    /// <summary>A node with a fresh key, funded unless it is to do without ether, and an empty database.</summary>
    public static async Task<TestNode> StartAsync(
        TestChain chain, Func<NodeOptions, NodeOptions>? change = null, bool funded = true, ILoggerFactory? logs = null)
    {
        string folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
        string keyFile = Path.Combine(folder, "key");
        using (PrivateKey key = KeyFile.Create(keyFile))
            if (funded) await chain.FundAsync(key.Address);
        NodeOptions options = new()
        {
            DataDirectory = Path.Combine(folder, "data"),
            KeyFile = keyFile,
            RpcUrl = chain.RpcUrl,
            Contract = chain.Contract,
            ApiListen = "127.0.0.1:0",
            AccessTokenRequired = false,
            PeerListen = "127.0.0.1:0",
            PollMs = 100,
            DisputeWindowSeconds = 600,
            DisputeWindowSecondsMin = 10,
        };
        TestNode node = new(change is null ? options : change(options), logs);
        await node.StartAsync();
        return node;
    }

    /// <summary>Again, with the same folder and other settings.</summary>
    public Task StartAsync(Func<NodeOptions, NodeOptions> change)
    {
        _options = change(_options);
        return StartAsync();
    }

    public async Task StartAsync()
    {
        Host = await NodeHost.StartAsync(_options, _logs, CancellationToken.None);
        _caller = new ApiCaller(Host.ApiUrl);
        Api = _caller.Api;
    }

    /// <summary>From now on <see cref="Api"/> shows the node's first token, which is answered.</summary>
    public string ShowAdminToken()
    {
        string token = File.ReadAllText(Path.Combine(DataDirectory, "admin.token")).Trim();
        _caller?.Dispose();
        _caller = new ApiCaller(Host.ApiUrl, token);
        Api = _caller.Api;
        return token;
    }

    public async Task StopAsync()
    {
        _caller?.Dispose();
        await Host.DisposeAsync();
    }

    public async Task<string> OpenAsync(
        TestNode peer, string amount, bool oneWay = false, string token = "", bool gasless = false)
    {
        string id = await OpenAsync(peer.PeerUrl, amount, oneWay, token, gasless);
        await peer.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        return id;
    }

    /// <summary>Returns when this node takes it for open; the peer may see it later.</summary>
    public async Task<string> OpenAsync(
        string peerUrl, string amount, bool oneWay = false, string token = "", bool gasless = false)
    {
        using var call = Api.OpenChannel(new Wire.OpenChannelRequest
        {
            PeerUrl = peerUrl,
            Amount = amount,
            OneWay = oneWay,
            Token = token,
            Gasless = gasless,
        });
        string id = string.Empty;
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) id = call.ResponseStream.Current.Progress.ChannelId;
        return id;
    }

    public async Task<Wire.Channel> ChannelAsync(string id) =>
        (await Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = id })).Channel;

    /// <summary>Looks until the channel is as expected; fails with its state after half a minute.</summary>
    public async Task<Wire.Channel> UntilAsync(string id, Func<Wire.Channel, bool> reached)
    {
        Wire.Channel channel = new();
        for (int look = 0; look < 600; look++)
        {
            channel = await ChannelAsync(id);
            if (reached(channel)) return channel;
            await Task.Delay(50);
        }

        Assert.Fail($"never reached; the channel is {channel}");
        return channel;
    }

    public async Task<Wire.PayResponse> PayAsync(string id, string amount, string key = "", string item = "item") =>
        await Api.PayAsync(
            new Wire.PayRequest
            {
                Payment = new Wire.Payment
                {
                    ChannelId = id,
                    Amount = amount,
                    ItemId = Google.Protobuf.ByteString.CopyFromUtf8(item),
                    IdempotencyKey = key,
                },
            },
            deadline: DateTime.UtcNow.AddSeconds(30));

    public async ValueTask DisposeAsync() => await StopAsync();
}
