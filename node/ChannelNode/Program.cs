using System.Runtime.InteropServices;
using ChannelNode.Backups;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Grpc.Webhooks;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Storage;
using ChannelNode.Telemetry;
using Grpc.AspNetCore.Server;
using Grpc.AspNetCore.Server.Model;
using Microsoft.Extensions.Logging.Console;

namespace ChannelNode;

/// <summary>Wires the parts; the only file that knows every one of them.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) =>
        CommandLine.RunAsync(
            args,
            new CliActions(RunAsync, RunAsync, Keys, DeployAsync, VerifyAsync, RescanAsync)
            {
                Backups = new BackupActions(
                    path => AgeIdentity.CreateFile(path, TimeProvider.System.GetUtcNow()).Text, VerifyBackupAsync,
                    (file, identityFile, folder, keepsTokens, tell, cancel) =>
                        Restorer(tell).RestoreAsync(file, identityFile, folder, keepsTokens, cancel)),
                NodeFiles = Preflight.Of,
                WatchtowerFiles = Preflight.Of,
            },
            CancellationToken.None);

    private static readonly KeyActions Keys =
        new(KeyDesk.Create, KeyDesk.Import, KeyDesk.AddressOf, KeyDesk.ChangePassword);

    private static async Task<(Address Contract, Bytes32 TransactionHash, ulong GasUsed)> DeployAsync(
        string rpcUrl, KeySource source, CancellationToken cancel)
    {
        using ILoggerFactory logs = LoggerFactory.Create(Configure);
        using ISigner key = await KeyDesk.OpenAsync(source, TimeProvider.System, logs.CreateLogger("ChannelNode.Signing"), cancel);
        Deployment deployed = await Deployer.DeployPaymentChannelsAsync(
            rpcUrl, key.Address, key.SignAsync, TimeProvider.System, logs.CreateLogger(nameof(Deployer)), null, cancel);
        return (deployed.Contract, deployed.Receipt.Hash, deployed.Receipt.GasUsed);
    }

    private static Task<ChainAuditReport> VerifyAsync(
        string dataDirectory, string rpcUrl, ulong fromBlock, Action<string> tell, CancellationToken cancel) =>
        AuditAsync(dataDirectory, rpcUrl, fromBlock, (audit, _) => audit.VerifyAsync(cancel), tell, cancel);

    /// <summary>Up to where nothing can be undone any more; the node follows on from there.</summary>
    private static Task<ChainAuditReport> RescanAsync(
        string dataDirectory, string rpcUrl, ulong fromBlock, uint depth, Action<string> tell, CancellationToken cancel) =>
        AuditAsync(
            dataDirectory, rpcUrl, fromBlock,
            async (audit, chain) =>
            {
                ulong head = await chain.HeadAsync(cancel);
                return await audit.RescanAsync(head - Math.Min(head, depth), cancel);
            },
            tell, cancel);

    private static async Task<ChainAuditReport> AuditAsync(
        string dataDirectory, string rpcUrl, ulong fromBlock, Func<ChainAudit, EthereumChain, Task<ChainAuditReport>> run,
        Action<string> tell, CancellationToken cancel)
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
            options, identity.Signer, (_, _) => throw new InvalidOperationException("an audit signs nothing"), TimeProvider.System,
            logs.CreateLogger<EthereumChain>(), cancel);
        using RocksChannelStore store = RocksChannelStore.Open(dataDirectory, identity);
        return await run(new ChainAudit(store, ReadingProgress.Of(chain.ReadAsync, tell), options.ReorgDepthMax), chain);
    }

    private static BackupRestore Restorer(Action<string> tell) =>
        new(StoreInspection.Read, RocksChannelStore.MarkRestored, TimeProvider.System) { Tell = tell };

    private static async Task<(BackupFound Found, ChainAuditReport? Chain)> VerifyBackupAsync(
        string file, string identityFile, string? rpcUrl, ulong fromBlock, Action<string> tell, CancellationToken cancel)
    {
        ChainAuditReport? chain = null;
        BackupFound found = await Restorer(tell).VerifyAsync(
            file, identityFile,
            rpcUrl is null ? null : async folder => chain = await VerifyAsync(folder, rpcUrl, fromBlock, tell, cancel), cancel);
        return (found, chain);
    }

    private static async Task<int> RunAsync(NodeOptions options, CancellationToken stopping)
    {
        using ILoggerFactory logs = LoggerFactory.Create(logging => Configure(logging, options));
        if (options.IsTrial)
        {
            DoorPlaces.RequireFree(options);
            await Trial.PrepareAsync(options, logs, stopping);
        }

        await using NodeHost host = await NodeHost.StartAsync(options, logs, stopping);
        string tls = host.TlsFingerprint is { } fingerprint ? $" tls-fingerprint {fingerprint}" : "";
        string json = host.JsonUrl.Length > 0 ? $" json {host.JsonUrl}" : "";
        string doors = $"api {host.ApiUrl} peers {host.PeerUrl}{json}{tls}";
        await using ServiceManager manager = ServiceManager.FromEnvironment(TimeProvider.System);
        manager.Ready(doors, host.Node.IsAliveAsync);
        Console.WriteLine($"channelnode {host.Node.Us.Signer} ready: {doors}");
        int exitCode = await UntilStoppedAsync(host.Node.Completion, logs, stopping);
        manager.Stopping();
        if (exitCode == ExitCode.Done) await DrainAsync(host.Node);
        return exitCode;
    }

    /// <summary>From here on a signal hurries the node: the first has been taken.</summary>
    private static async Task DrainAsync(Node node)
    {
        using CancellationTokenSource hurry = new();
        Action<PosixSignalContext> hurried = signal =>
        {
            signal.Cancel = true;
            hurry.Cancel();
        };
        using (PosixSignalRegistration.Create(PosixSignal.SIGTERM, hurried))
        using (PosixSignalRegistration.Create(PosixSignal.SIGINT, hurried))
            await node.DrainAsync(hurry.Token);
    }

    private static async Task<int> RunAsync(WatchtowerOptions options, CancellationToken stopping)
    {
        using ILoggerFactory logs = LoggerFactory.Create(logging => Configure(logging, options.Node));
        await using WatchtowerHost host = await WatchtowerHost.StartAsync(options, logs, stopping);
        await using ServiceManager manager = ServiceManager.FromEnvironment(TimeProvider.System);
        manager.Ready(host.Url, _ => Task.FromResult(!host.Tower.Completion.IsCompleted));
        Console.WriteLine($"channelnode watchtower {host.Signer} ready: {host.Url}");
        int exitCode = await UntilStoppedAsync(host.Tower.Completion, logs, stopping);
        manager.Stopping();
        return exitCode;
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

    private const string LogTime = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    private static void Configure(ILoggingBuilder logging, NodeOptions options)
    {
        Configure(logging);
        LogLevel least = options.LogLevel;
        logging.SetMinimumLevel(least);
        foreach (string library in (string[])["Microsoft", "Grpc"])
            if (least > LogLevel.Warning) logging.AddFilter(library, least);
        if (options.LogFormat != LogFormat.Json) return;
        logging.AddJsonConsole(console =>
        {
            console.UseUtcTimestamp = true;
            console.TimestampFormat = LogTime;
        });
    }

    private static void Configure(ILoggingBuilder logging) => logging
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = LogTime + " ";
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
    protected async Task<(ISigner Key, EthereumChain Chain, SignatureScheme Scheme)> ConnectAsync(
        NodeOptions options, ILoggerFactory logs, CancellationToken cancel)
    {
        ISigner key = Own(await KeyDesk.OpenAsync(
            options.Key, TimeProvider.System, logs.CreateLogger("ChannelNode.Signing"), cancel));
        EthereumChain chain = Own(await EthereumChain.ConnectAsync(
            options, key.Address, key.SignAsync, TimeProvider.System, logs.CreateLogger<EthereumChain>(), cancel));
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

    public Exports Exports { get; private set; } = null!;

    /// <summary>SHA-256 of the key of its certificate; null where nothing is encrypted.</summary>
    public string? TlsFingerprint { get; private set; }

    /// <summary>Empty where JSON is not served.</summary>
    public string JsonUrl { get; private set; } = string.Empty;

    public static Task<NodeHost> StartAsync(NodeOptions options, ILoggerFactory logs, CancellationToken cancel) =>
        StartAsync(new NodeHost(), host => host.StartPartsAsync(options, logs, cancel));

    private async Task StartPartsAsync(NodeOptions options, ILoggerFactory logs, CancellationToken cancel)
    {
        SettingFaults.Refuse(SettingFaults.Of(options));
        DoorPlaces.RequireFree(options);
        (ISigner key, EthereumChain chain, SignatureScheme scheme) = await ConnectAsync(options, logs, cancel);
        Party us = new(options.Owner.IsZero ? key.Address : options.Owner, key.Address);
        RocksChannelStore store = Own(RocksChannelStore.Open(
            options.DataDirectory, new StoreIdentity(chain.ChainId, options.Contract, key.Address)));
        if (StoreOpening.IsOpenToOthers(options.DataDirectory)) logs.CreateLogger("ChannelNode").FolderOpenToOthers(options.DataDirectory);
        NodeIdentity identity = new(chain.ChainId, options.Contract, us, scheme.SignHelloAsync, scheme.VerifyHello);
        PeerDialling dialling = new(identity);
        WatchtowerDialling watchtowers = new(identity, options.MessageBytesMax);

        Node = Own(new Node(
            options, us, store, chain, scheme, dialling.DialAsync, watchtowers.RunAsync, TimeProvider.System, logs));
        dialling.Node = Node;
        Node.Overview.Signer = key.Health;
        Node.Backups = new BackupDesk(
            new NodeBackup(options.DataDirectory, store.Checkpoint, StoreInspection.Read, TimeProvider.System).WriteAsync);
        foreach (string recipient in options.BackupRecipients) AgeRecipient.Parse(recipient); // Refused now, not at night.
        if (store.MigratedFrom > 0) logs.CreateLogger("ChannelNode").SchemaMigrated(options.DataDirectory, store.MigratedFrom);
        AccessTokenBook tokens = Own(new AccessTokenBook(store, Node.Ledger, Node.Clock, logs.CreateLogger<AccessTokenBook>()));
        TlsCertificate? tls = options.ApiTls || options.PeerTls
            ? TlsCertificate.Open(options, DoorAddress.OfNode(options), TimeProvider.System, logs.CreateLogger<TlsCertificate>())
            : null;
        TlsFingerprint = tls?.Fingerprint;
        MetricsDoor metrics = new(options, tls, tokens, Node.Overview.Doors, logs);
        Exports = Own(await Exports.StartAsync(Node, logs, metrics.Configure, metrics.Guard));
        Own(dialling);

        Webhooks webhooks = Own(new Webhooks(
            Node, new WebhookCursors(store.ReadWebhookCursor, store.PutWebhookCursor, store.ReadWebhookUrls, store.MoveWebhook),
            TimeProvider.System, logs));
        Node.Webhooks = webhooks.Health;

        await CatchingUp.WatchAsync(
            Node.CatchUpAsync(cancel), Node.View, TimeProvider.System, logs.CreateLogger("ChannelNode"), ServiceManager.Status);
        await OpenDoorsAsync(options, tls, tokens, identity, logs, cancel);
        Node.PeerListen = PeerUrl;
        Node.Start();
        webhooks.Start();
    }

    private async Task OpenDoorsAsync(
        NodeOptions options, TlsCertificate? tls, AccessTokenBook tokens, NodeIdentity identity, ILoggerFactory logs,
        CancellationToken cancel)
    {
        DoorAddress api = DoorAddress.Parse(options.ApiListen), peers = DoorAddress.Parse(options.PeerListen);
        DoorAddress? json = options.Applications.JsonListen.Length > 0 ? DoorAddress.Parse(options.Applications.JsonListen) : null;
        bool tokensRequired = DoorAddress.AsksForTokens(options);
        bool metricsAsk = options.MetricsListen.Length > 0 && !DoorAddress.Parse(options.MetricsListen).IsLocal;
        if (tokensRequired || metricsAsk) await AdminToken.WriteAsync(tokens, options.DataDirectory, logs.CreateLogger<AccessTokenBook>(), cancel);
        if (!tokensRequired && !options.IsTrial && (json is not null || api.SocketPath is null)) logs.CreateLogger("ChannelNode").ApiOpenToThisMachine();
        ApiAccess access = new(tokens, options, TimeProvider.System, tokensRequired);
        DoorServer peerDoor = Own(await DoorServer.OpenAsync(
            Plan("peers", new DoorPlan("--peer-listen", peers, options.PeerTls ? tls : null, options.PeerConnectionsMax)
            {
                StreamsPerConnectionMax = DoorPlan.StreamsOfPeersMax,
                UnreadBytesMax = DoorPlan.UnreadBytesOfPeersMax,
                Room = Node.Peers.Messages,
            }),
            options, Node.View, Node.Drain, logs, access: null, AddParts, app => app.MapGrpcService<PeerGrpcService>()));
        DoorServer apiDoor = await OpenApiAsync("api", "--api-listen", api, options.ApiTls ? tls : null, access);
        (PeerUrl, ApiUrl) = (peerDoor.Url, apiDoor.Url);
        DoorAddress? folder = DoorAddress.InFolder(options.DataDirectory);
        if (folder is null) logs.CreateLogger("ChannelNode").NoSocketInFolder(options.DataDirectory, DoorAddress.SocketFile);
        else if (folder.SocketPath != api.SocketPath)
            await OpenApiAsync("operator", "--data-dir", folder, null, new ApiAccess(tokens, options, TimeProvider.System, tokensRequired: false));
        if (json is null) return;
        DoorServer jsonDoor = Own(await DoorServer.OpenAsync(
            Plan("json", JsonDoor.Plan(json, options.ApiTls ? tls : null, NewRoom(), options)), options, Node.View, Node.Drain, logs, access,
            services =>
            {
                AddApi(services);
                JsonDoor.Add(services, options.Applications);
            },
            app => JsonDoor.Map(app, options, access)));
        JsonUrl = jsonDoor.Url;

        async Task<DoorServer> OpenApiAsync(string door, string flag, DoorAddress address, TlsCertificate? certificate, ApiAccess asks) =>
            Own(await DoorServer.OpenAsync(
                Plan(door, new DoorPlan(flag, address, certificate, options.ApiConnectionsMax) { Room = NewRoom() }),
                options, Node.View, Node.Drain, logs, asks, AddApi, app =>
                {
                    app.MapGrpcService<NodeGrpcService>();
                    app.MapGrpcReflectionService();
                }));

        MessageRoom NewRoom() => new(options.MessageRoomBytes, funded: null);

        DoorPlan Plan(string door, DoorPlan plan) => plan with
        {
            ConnectionsPerAddressMax = options.ConnectionsPerAddressMax,
            Counts = Node.Overview.Doors.Add(door),
        };

        void AddApi(IServiceCollection services)
        {
            AddParts(services);
            services.AddSingleton(Node.Drain).Configure<GrpcServiceOptions>(grpc => grpc.Interceptors.Add<DrainInterceptor>());
        }

        void AddParts(IServiceCollection services) => services
            .AddSingleton(Node)
            .AddSingleton(identity)
            .AddSingleton(tokens)
            .AddSingleton(PeerAdmission.ToNode(options, Node.Book.Funded, TimeProvider.System))
            .AddSingleton<IServiceMethodProvider<PeerGrpcService>, PeerMethods>();
    }
}
