using System.Net;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Grpc.Webhooks;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Storage;
using Grpc.AspNetCore.Server.Model;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging.Console;

namespace ChannelNode;

/// <summary>Wires the parts; the only file that knows every one of them.</summary>
internal static class Program
{
    private const ulong RescanDepth = 128;

    public static Task<int> Main(string[] args) =>
        CommandLine.RunAsync(args, new CliActions(RunAsync, RunAsync, CreateKey, DeployAsync, VerifyAsync, RescanAsync), CancellationToken.None);

    private static Address CreateKey(string path)
    {
        using PrivateKey key = KeyFile.Create(path);
        return key.Address;
    }

    private static async Task<(Address Contract, Bytes32 TransactionHash, ulong GasUsed)> DeployAsync(
        string rpcUrl, string keyFile, CancellationToken cancel)
    {
        using PrivateKey key = KeyFile.Read(keyFile);
        using ILoggerFactory logs = LoggerFactory.Create(Configure);
        Deployment deployed = await Deployer.DeployPaymentChannelsAsync(
            rpcUrl, key.Address, key.Sign, TimeProvider.System, logs.CreateLogger(nameof(Deployer)), null, cancel);
        return (deployed.Contract, deployed.Receipt.Hash, deployed.Receipt.GasUsed);
    }

    private static Task<ChainAuditReport> VerifyAsync(
        string dataDirectory, string rpcUrl, ulong fromBlock, CancellationToken cancel) =>
        AuditAsync(dataDirectory, rpcUrl, fromBlock, (audit, _) => audit.VerifyAsync(cancel), cancel);

    /// <summary>Up to where nothing can be undone any more; the node follows on from there.</summary>
    private static Task<ChainAuditReport> RescanAsync(
        string dataDirectory, string rpcUrl, ulong fromBlock, CancellationToken cancel) =>
        AuditAsync(
            dataDirectory, rpcUrl, fromBlock,
            async (audit, chain) =>
            {
                ulong head = await chain.HeadAsync(cancel);
                return await audit.RescanAsync(head - Math.Min(head, RescanDepth), cancel);
            },
            cancel);

    private static async Task<ChainAuditReport> AuditAsync(
        string dataDirectory, string rpcUrl, ulong fromBlock, Func<ChainAudit, EthereumChain, Task<ChainAuditReport>> run,
        CancellationToken cancel)
    {
        using ILoggerFactory logs = LoggerFactory.Create(Configure);
        StoreIdentity identity = RocksChannelStore.ReadIdentity(dataDirectory);
        NodeOptions options = new()
        {
            DataDirectory = dataDirectory,
            KeyFile = string.Empty,
            RpcUrl = rpcUrl,
            Contract = identity.Contract,
            ChainId = identity.ChainId,
            FromBlock = fromBlock,
        };
        await using EthereumChain chain = await EthereumChain.ConnectAsync(
            options, identity.Signer, (in Bytes32 _) => throw new InvalidOperationException("an audit signs nothing"), TimeProvider.System,
            logs.CreateLogger<EthereumChain>(), cancel);
        using RocksChannelStore store = RocksChannelStore.Open(dataDirectory, identity);
        return await run(new ChainAudit(store, chain.ReadAsync, options.ReorgDepthMax), chain);
    }

    private static async Task<int> RunAsync(NodeOptions options, CancellationToken stopping)
    {
        using ILoggerFactory logs = LoggerFactory.Create(Configure);
        await using NodeHost host = await NodeHost.StartAsync(options, logs, stopping);
        Console.WriteLine($"channelnode {host.Node.Us.Signer} ready: api {host.ApiUrl} peers {host.PeerUrl}"
            + (host.JsonUrl.Length > 0 ? $" json {host.JsonUrl}" : string.Empty));
        return await UntilStoppedAsync(host.Node.Completion, logs, stopping);
    }

    private static async Task<int> RunAsync(WatchtowerOptions options, CancellationToken stopping)
    {
        using ILoggerFactory logs = LoggerFactory.Create(Configure);
        await using WatchtowerHost host = await WatchtowerHost.StartAsync(options, logs, stopping);
        Console.WriteLine($"channelnode watchtower {host.Signer} ready: {host.Url}");
        return await UntilStoppedAsync(host.Tower.Completion, logs, stopping);
    }

    private static async Task<int> UntilStoppedAsync(Task completion, ILoggerFactory logs, CancellationToken stopping)
    {
        try
        {
            await completion.WaitAsync(stopping);
            return ExitCode.Failed;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return 0;
        }
        catch (Exception error)
        {
            logs.CreateLogger("ChannelNode").NodeFailed(error);
            return ExitCode.Failed;
        }
    }

    private static void Configure(ILoggingBuilder logging) => logging
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        })
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
        .AddFilter("Microsoft", LogLevel.Warning)
        .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None) // Its failures are thrown, and told once.
        .AddFilter("Grpc", LogLevel.Warning);
}

/// <summary>A running program: its parts, in the order in which they are begun, and its doors.</summary>
internal abstract class Host : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _parts = [];

    protected static async Task<T> StartAsync<T>(T host, Func<T, Task> start)
        where T : Host
    {
        try
        {
            await start(host);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>The chain, checked to be the right one, and what signs on it.</summary>
    protected async Task<(PrivateKey Key, EthereumChain Chain, SignatureScheme Scheme)> ConnectAsync(
        NodeOptions options, ILoggerFactory logs, CancellationToken cancel)
    {
        PrivateKey key = Own(KeyFile.Read(options.KeyFile));
        EthereumChain chain = Own(await EthereumChain.ConnectAsync(
            options, key.Address, key.Sign, TimeProvider.System, logs.CreateLogger<EthereumChain>(), cancel));
        SignatureScheme scheme = new(key, chain.ChainId, options.Contract);
        await RequireOurContractAsync(chain, scheme, options.Contract, cancel);
        return (key, chain, scheme);
    }

    /// <summary>Some terms hash to the same id there as here: it is this contract, under this address, on this chain.</summary>
    private static async Task RequireOurContractAsync(
        EthereumChain chain, SignatureScheme scheme, Address contract, CancellationToken cancel)
    {
        Party one = new(new Address(0, 0, 1), new Address(0, 0, 2)), other = new(new Address(0, 0, 3), new Address(0, 0, 4));
        ChannelTerms terms = new(one, other, Address.Zero, ChannelTerms.DisputeWindowSecondsMin, OneWay: false, default);
        if (await chain.ChannelIdAsync(terms, cancel) == scheme.IdOf(terms)) return;
        throw new RefusalException(
            Refusal.WrongContract, $"--contract {contract} is not a PaymentChannels contract of this version");
    }

    protected async Task<string> ServeAsync(
        string flag, string listen, NodeOptions options, ChainView view, ILoggerFactory logs, Action<IServiceCollection> add,
        Action<WebApplication> map, Func<IPEndPoint, WebApplicationBuilder>? newBuilder = null)
    {
        WebApplicationBuilder builder = (newBuilder ?? Door.NewBuilder)(IPEndPoint.Parse(listen));
        builder.Services.AddSingleton(logs);
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = options.MessageBytesMax;
            grpc.MaxSendMessageSize = options.MessageBytesMax;
            grpc.Interceptors.Add<RefusalInterceptor>();
        });
        MalformedMessages.RefuseByName(builder.Services);
        builder.Services.AddGrpcReflection();
        builder.Services.AddGrpcHealthChecks().AddCheck("chain", () => view.IsCurrent
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy("the chain was not seen for too long: nothing is paid or accepted"));
        add(builder.Services);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));

        WebApplication app = builder.Build();
        map(app);
        app.MapGrpcHealthChecksService();
        _parts.Add(app);
        try
        {
            await app.StartAsync();
        }
        catch (IOException inUse)
        {
            throw new RefusalException(
                Refusal.InvalidArgument, $"{flag} {listen} cannot be listened on: {inUse.Message}", inUse)
            {
                Field = flag,
            };
        }

        return app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
    }

    protected T Own<T>(T part)
        where T : notnull
    {
        _parts.Add(part as IAsyncDisposable ?? new Owned((IDisposable)part));
        return part;
    }

    /// <summary>Doors first, then the engine, then what it stands on.</summary>
    public async ValueTask DisposeAsync()
    {
        for (int index = _parts.Count - 1; index >= 0; index--) await _parts[index].DisposeAsync();
        _parts.Clear();
    }

    private sealed class Owned(IDisposable part) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            part.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

/// <summary>A running node: the engine and its two doors, one for peers and one for applications and operators.</summary>
internal sealed class NodeHost : Host
{
    private NodeHost() { }

    public Node Node { get; private set; } = null!;

    public string ApiUrl { get; private set; } = string.Empty;

    public string PeerUrl { get; private set; } = string.Empty;

    /// <summary>Empty where JSON is not served.</summary>
    public string JsonUrl { get; private set; } = string.Empty;

    public static Task<NodeHost> StartAsync(NodeOptions options, ILoggerFactory logs, CancellationToken cancel) =>
        StartAsync(new NodeHost(), host => host.StartPartsAsync(options, logs, cancel));

    private async Task StartPartsAsync(NodeOptions options, ILoggerFactory logs, CancellationToken cancel)
    {
        (PrivateKey key, EthereumChain chain, SignatureScheme scheme) = await ConnectAsync(options, logs, cancel);
        Party us = new(options.Owner.IsZero ? key.Address : options.Owner, key.Address);
        RocksChannelStore store = Own(RocksChannelStore.Open(
            options.DataDirectory, new StoreIdentity(chain.ChainId, options.Contract, key.Address)));
        NodeIdentity identity = new(chain.ChainId, options.Contract, us, scheme.SignHello, scheme.VerifyHello);
        PeerDialling dialling = new(identity);
        WatchtowerDialling watchtowers = new(identity, options.MessageBytesMax);

        Node = Own(new Node(
            options, us, store, chain, scheme, dialling.DialAsync, watchtowers.RunAsync, TimeProvider.System, logs));
        dialling.Node = Node;
        Own(dialling);

        Webhooks webhooks = Own(new Webhooks(
            Node, new WebhookCursors(store.ReadWebhookCursor, store.PutWebhookCursor), TimeProvider.System, logs));

        await Node.CatchUpAsync(cancel);
        WarnOf(options.ApiListen, logs);
        PeerUrl = await ServeAsync(
            "--peer-listen", options.PeerListen, options, Node.View, logs, AddParts, app => app.MapGrpcService<PeerGrpcService>());
        ApiUrl = await ServeAsync("--api-listen", options.ApiListen, options, Node.View, logs, AddParts, app =>
        {
            app.MapGrpcService<NodeGrpcService>();
            app.MapGrpcReflectionService();
        });
        if (options.Applications.JsonListen.Length > 0) JsonUrl = await ServeJsonAsync(options, logs, AddParts);
        Node.PeerListen = PeerUrl;
        Node.Start();
        webhooks.Start();

        void AddParts(IServiceCollection services) => services
            .AddSingleton(Node)
            .AddSingleton(identity)
            .AddSingleton<IServiceMethodProvider<PeerGrpcService>, PeerMethods>();
    }

    private Task<string> ServeJsonAsync(NodeOptions options, ILoggerFactory logs, Action<IServiceCollection> addParts)
    {
        WarnOf(options.Applications.JsonListen, logs);
        return ServeAsync(
            "--json-listen", options.Applications.JsonListen, options, Node.View, logs,
            services =>
            {
                addParts(services);
                JsonDoor.Add(services, options.Applications);
            },
            app => JsonDoor.Map(app, options),
            listen => JsonDoor.NewBuilder(listen, options));
    }

    private static void WarnOf(string apiListen, ILoggerFactory logs)
    {
        if (!IPAddress.IsLoopback(IPEndPoint.Parse(apiListen).Address))
            logs.CreateLogger("ChannelNode").ApiIsOpen(apiListen);
    }
}

/// <summary>A running watchtower and its one door.</summary>
internal sealed class WatchtowerHost : Host
{
    private WatchtowerHost() { }

    public Watchtower Tower { get; private set; } = null!;

    public string Url { get; private set; } = string.Empty;

    public Address Signer { get; private set; }

    public static Task<WatchtowerHost> StartAsync(WatchtowerOptions options, ILoggerFactory logs, CancellationToken cancel) =>
        StartAsync(new WatchtowerHost(), host => host.StartPartsAsync(options, logs, cancel));

    private async Task StartPartsAsync(WatchtowerOptions options, ILoggerFactory logs, CancellationToken cancel)
    {
        NodeOptions node = options.Node;
        (PrivateKey key, EthereumChain chain, SignatureScheme scheme) = await ConnectAsync(node, logs, cancel);
        Signer = key.Address;
        RocksChannelStore store = Own(RocksChannelStore.Open(
            node.DataDirectory, new StoreIdentity(chain.ChainId, node.Contract, Signer, GuardsOthers: true)));
        NodeIdentity identity = new(
            chain.ChainId, node.Contract, new Party(Signer, Signer), scheme.SignHello, scheme.VerifyHello);
        Tower = Own(new Watchtower(options, Signer, store, chain, scheme, TimeProvider.System, logs));

        await Tower.CatchUpAsync(cancel);
        Url = await ServeAsync(
            "--listen", options.Listen, node, Tower.View, logs,
            services => services.AddSingleton(Tower).AddSingleton(identity),
            app => app.MapGrpcService<WatchtowerGrpcService>());
    }
}

internal static partial class ProgramLog
{
    [LoggerMessage(100, LogLevel.Critical, "The node stops: it can no longer do its work safely")]
    public static partial void NodeFailed(this ILogger log, Exception error);

    [LoggerMessage(101, LogLevel.Warning,
        "The API listens on {Listen}, not only on this machine: it asks nobody who they are, and whoever reaches it spends "
        + "this node's money")]
    public static partial void ApiIsOpen(this ILogger log, string listen);
}
