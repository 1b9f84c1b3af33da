using System.Net.Sockets;
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

namespace ChannelNode;

/// <summary>A running node: the engine and its doors: for peers, for applications, and one for the operator.</summary>
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
        await OpenDoorsAsync(options, tls, new DoorParts(tokens, identity, logs), cancel);
        Node.PeerListen = PeerUrl;
        Node.Start();
        webhooks.Start();
    }

    private async Task OpenDoorsAsync(NodeOptions options, TlsCertificate? tls, DoorParts parts, CancellationToken cancel)
    {
        DoorAddress api = DoorAddress.Parse(options.ApiListen), peers = DoorAddress.Parse(options.PeerListen);
        DoorAddress? json = options.Applications.JsonListen.Length > 0 ? DoorAddress.Parse(options.Applications.JsonListen) : null;
        bool tokensRequired = DoorAddress.AsksForTokens(options);
        bool metricsAsk = options.MetricsListen.Length > 0 && !DoorAddress.Parse(options.MetricsListen).IsLocal;
        if (tokensRequired || metricsAsk)
            await AdminToken.WriteAsync(parts.Tokens, options.DataDirectory, parts.Logs.CreateLogger<AccessTokenBook>(), cancel);
        if (!tokensRequired && !options.IsTrial && (json is not null || api.SocketPath is null))
            parts.Logs.CreateLogger("ChannelNode").ApiOpenToThisMachine();
        TlsCertificate? apiTls = options.ApiTls ? tls : null;
        ApiAccess access = new(parts.Tokens, options, TimeProvider.System, tokensRequired); // One: a token's calls count together, wherever it calls.
        DoorServer peerDoor = Own(await DoorServer.OpenAsync(
            Plan("peers", options, new DoorPlan("--peer-listen", peers, options.PeerTls ? tls : null, options.PeerConnectionsMax)
            {
                StreamsPerConnectionMax = DoorPlan.StreamsOfPeersMax,
                UnreadBytesMax = DoorPlan.UnreadBytesOfPeersMax,
                Room = Node.Peers.Messages,
            }),
            options, Node.View, Node.Drain, parts.Logs, access: null,
            services => AddParts(services, options, parts), app => app.MapGrpcService<PeerGrpcService>()));
        DoorServer apiDoor = await OpenApiAsync("api", "--api-listen", api, apiTls, options, parts, access);
        (PeerUrl, ApiUrl) = (peerDoor.Url, apiDoor.Url);
        await OpenOperatorsDoorAsync(options, [api, json], parts);
        if (json is not null) JsonUrl = await OpenJsonAsync(json, apiTls, options, parts, access);
    }

    private async Task<string> OpenJsonAsync(
        DoorAddress address, TlsCertificate? tls, NodeOptions options, DoorParts parts, ApiAccess access) =>
        Own(await DoorServer.OpenAsync(
            Plan("json", options, JsonDoor.Plan(address, tls, NewRoom(options), options)), options, Node.View, Node.Drain, parts.Logs, access,
            services =>
            {
                AddApi(services, options, parts);
                JsonDoor.Add(services, options.Applications);
            },
            app => JsonDoor.Map(app, options, access))).Url;

    /// <summary>The socket in the data folder. Not every file system can hold one: no reason for a node to stay away.</summary>
    /// <param name="others">Who has the API itself there has that for it.</param>
    private async Task OpenOperatorsDoorAsync(NodeOptions options, IEnumerable<DoorAddress?> others, DoorParts parts)
    {
        DoorAddress? folder = DoorAddress.InFolder(options.DataDirectory);
        if (folder is not null && others.Any(door => door?.SocketPath is { } path && Path.GetFullPath(path) == folder.SocketPath)) return;
        try
        {
            if (folder is null) throw new RefusalException(Refusal.InvalidArgument, "the folder's name is too long for the system");
            ApiAccess access = new(parts.Tokens, options, TimeProvider.System, tokensRequired: false);
            await OpenApiAsync("operator", "--data-dir", folder, null, options, parts, access);
        }
        catch (Exception error) when (error is RefusalException or IOException or SocketException or UnauthorizedAccessException)
        {
            parts.Logs.CreateLogger("ChannelNode").NoSocketInFolder(options.DataDirectory, error.Message);
        }
    }

    private async Task<DoorServer> OpenApiAsync(
        string door, string flag, DoorAddress address, TlsCertificate? tls, NodeOptions options, DoorParts parts, ApiAccess access) =>
        Own(await DoorServer.OpenAsync(
            Plan(door, options, new DoorPlan(flag, address, tls, options.ApiConnectionsMax) { Room = NewRoom(options) }),
            options, Node.View, Node.Drain, parts.Logs, access, services => AddApi(services, options, parts), app =>
            {
                app.MapGrpcService<NodeGrpcService>();
                app.MapGrpcReflectionService();
            }));

    private static MessageRoom NewRoom(NodeOptions options) => new(options.MessageRoomBytes, funded: null);

    private DoorPlan Plan(string door, NodeOptions options, DoorPlan plan) => plan with
    {
        ConnectionsPerAddressMax = options.ConnectionsPerAddressMax,
        Counts = Node.Overview.Doors.Add(door),
    };

    private void AddApi(IServiceCollection services, NodeOptions options, DoorParts parts)
    {
        AddParts(services, options, parts);
        services.AddSingleton(Node.Drain).Configure<GrpcServiceOptions>(grpc => grpc.Interceptors.Add<DrainInterceptor>());
    }

    private void AddParts(IServiceCollection services, NodeOptions options, DoorParts parts) => services
        .AddSingleton(Node)
        .AddSingleton(parts.Identity)
        .AddSingleton(parts.Tokens)
        .AddSingleton(PeerAdmission.ToNode(options, Node.Book.Funded, TimeProvider.System))
        .AddSingleton<IServiceMethodProvider<PeerGrpcService>, PeerMethods>();

    /// <summary>What every door of the node stands on.</summary>
    private sealed record DoorParts(AccessTokenBook Tokens, NodeIdentity Identity, ILoggerFactory Logs);
}
