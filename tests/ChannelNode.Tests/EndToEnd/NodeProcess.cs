using System.Diagnostics;
using ChannelNode.Core;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Grpc.Core;
using Grpc.Net.Client;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A node as its own process, so that it can be killed as a machine's failure would kill it.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly TestChain _chain;
    private readonly string[] _more;
    private readonly int _apiPort = Ports.Free();
    private readonly int _peerPort = Ports.Free();
    private ProgramProcess? _process;
    private volatile string[]? _killAt;
    private TaskCompletionSource _killed = new();
    private GrpcChannel? _channel;

    /// <summary>To call what goes beside NodeService.</summary>
    public GrpcChannel Channel => _channel!;

    /// <summary>Variables that it is started with.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    private NodeProcess(TestChain chain, string[] more) => (_chain, _more) = (chain, more);

    /// <summary>All lines that it has logged, since it was started first.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Log { get; } = new();

    public string PeerUrl => $"http://127.0.0.1:{_peerPort}";

    public string ApiUrl => $"http://127.0.0.1:{_apiPort}";

    public string DataDirectory => Path.Combine(_folder, "data");

    public Wire.NodeService.NodeServiceClient Api { get; private set; } = null!;

    public ProgramProcess Process => _process!;

    /// <param name="more">Options beside the usual ones.</param>
    public static Task<NodeProcess> StartAsync(TestChain chain, params string[] more) =>
        StartAsync(chain, new Dictionary<string, string>(), more);

    public static async Task<NodeProcess> StartAsync(
        TestChain chain, IReadOnlyDictionary<string, string> environment, params string[] more)
    {
        NodeProcess node = new(chain, more);
        foreach ((string name, string value) in environment) node.Environment[name] = value;
        using (PrivateKey key = KeyFile.Create(node.KeyFilePath)) await chain.FundAsync(key.Address);
        await node.StartAsync();
        return node;
    }

    private string KeyFilePath => Path.Combine(_folder, "key");

    public async Task StartAsync()
    {
        _process = ProgramProcess.Start(
            KillAt,
            [
                "run", "--data-dir", DataDirectory, "--key-file", KeyFilePath,
                "--rpc-url", _chain.RpcUrl, "--contract", _chain.Contract.ToString(),
                "--api-listen", $"127.0.0.1:{_apiPort}", "--peer-listen", $"127.0.0.1:{_peerPort}",
                "--access-token-required=false", "--dispute-window", "600", "--dispute-window-min", "10", "--replace-after", "1", "--poll-ms", "100",
                .. _more,
            ],
            Environment);
        await _process.WhenReadyAsync();
        _channel = GrpcChannel.ForAddress(ApiUrl);
        Api = new Wire.NodeService.NodeServiceClient(_channel);
    }

    /// <summary>
    /// SIGKILL the moment that the node logs a line with all of these words; the task ends when it is dead. To be started
    /// again after that.
    /// </summary>
    public Task WhenKilledAt(params string[] words)
    {
        _killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _killAt = words;
        return DieAsync();

        async Task DieAsync()
        {
            await _killed.Task.WaitAsync(TestChain.Limit);
            await KillAsync();
        }
    }

    /// <summary>The newest lines of its log, for a test that fails.</summary>
    public string LogTail => string.Join('\n', Log.TakeLast(60));

    private void KillAt(Process process, string line)
    {
        Log.Enqueue(line);
        if (_killAt is not { } words || !words.All(line.Contains)) return;
        _killAt = null;
        process.Kill();
        _killed.TrySetResult();
    }

    /// <summary>SIGKILL: nothing is flushed, closed or said.</summary>
    public async Task KillAsync()
    {
        await _process!.KillAsync();
        _process = null;
        _channel?.Dispose();
    }

    /// <summary>Sends SIGTERM; ends with the exit code, when the process has ended. To be started again after that.</summary>
    public Task<int> TerminateAsync()
    {
        _process!.Terminate();
        return WhenEndedAsync();
    }

    /// <summary>SIGTERM, and no more.</summary>
    public void Terminate() => _process!.Terminate();

    public async Task<int> WhenEndedAsync()
    {
        int code = await _process!.WhenEndedAsync();
        _process = null;
        _channel?.Dispose();
        return code;
    }

    public async Task<string> OpenAsync(NodeProcess peer, string amount)
    {
        string id = await OpenAsync(peer.PeerUrl, amount, oneWay: false);
        await peer.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        return id;
    }

    public async Task<string> OpenAsync(string peerUrl, string amount, bool oneWay)
    {
        using var call = Api.OpenChannel(new Wire.OpenChannelRequest { PeerUrl = peerUrl, Amount = amount, OneWay = oneWay });
        string id = string.Empty;
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) id = call.ResponseStream.Current.Progress.ChannelId;
        return id;
    }

    public async Task<Wire.Channel> UntilAsync(string id, Func<Wire.Channel, bool> reached)
    {
        Wire.Channel channel = new();
        for (int look = 0; look < 1_200; look++)
        {
            channel = (await Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = id })).Channel;
            if (reached(channel)) return channel;
            await Task.Delay(25);
        }

        Assert.Fail($"never reached; the channel is {channel}");
        return channel;
    }

    /// <summary>Ends with the node's death, or with an answer that came a moment before.</summary>
    public static async Task UntilItEndsAsync(Task call)
    {
        try
        {
            await call;
        }
        catch (RpcException)
        {
            // Killed.
        }
    }

    public static Task UntilItEndsAsync<T>(AsyncServerStreamingCall<T> call) =>
        UntilItEndsAsync(call.ResponseStream.ReadAllAsync(TestChain.Limit).ToListAsync().AsTask());

    /// <summary>Once nothing is under way any more: what the account has sent in its life, all of it done.</summary>
    public async Task AssertSentAsync(AnvilFixture anvil, ulong count)
    {
        Wire.GetInfoResponse info = await Api.GetInfoAsync(new Wire.GetInfoRequest());
        for (int look = 0; look < 1_200; look++)
        {
            if ((await Api.ListJobsAsync(new Wire.ListJobsRequest())).Jobs.Count == 0) break;
            await Task.Delay(50);
        }

        Wire.ListJobsResponse jobs = await Api.ListJobsAsync(new Wire.ListJobsRequest { All = true });
        Assert.All(jobs.Jobs, job => Assert.Equal(Wire.JobStatus.Done, job.Status));
        string nonce = await anvil.RpcAsync<string>("eth_getTransactionCount", info.Signer, "pending");
        Assert.Equal(count, Quantity.ToUInt64(nonce, "nonce"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
