using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Storage;
using ChannelNode.Telemetry;

namespace ChannelNode;

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
        SettingFaults.Refuse(SettingFaults.Of(options));
        NodeOptions node = options.Node;
        DoorPlaces.RequireFree(("--listen", options.Listen), ("--metrics-listen", node.MetricsListen));
        (ISigner key, EthereumChain chain, SignatureScheme scheme) = await ConnectAsync(node, logs, cancel);
        Signer = key.Address;
        RocksChannelStore store = Own(RocksChannelStore.Open(
            node.DataDirectory, new StoreIdentity(chain.ChainId, node.Contract, Signer, GuardsOthers: true)));
        NodeIdentity identity = new(
            chain.ChainId, node.Contract, new Party(Signer, Signer), scheme.SignHelloAsync, scheme.VerifyHello);
        Tower = Own(new Watchtower(options, Signer, store, chain, scheme, TimeProvider.System, logs));
        Tower.Overview.Signer = key.Health;
        MetricsDoor metrics = new(node, null, null, Tower.Overview.Doors, logs);
        Own(await Exports.StartAsync(Tower, Signer, logs, metrics.Configure, metrics.Guard));

        await CatchingUp.WatchAsync(
            Tower.CatchUpAsync(cancel), Tower.View, TimeProvider.System, logs.CreateLogger("ChannelNode"), ServiceManager.Status);
        DoorAddress door = DoorAddress.Parse(options.Listen);
        TlsCertificate? tls = options.Tls
            ? TlsCertificate.Open(node, [door], TimeProvider.System, logs.CreateLogger<TlsCertificate>())
            : null;
        DoorServer server = Own(await DoorServer.OpenAsync(
            new DoorPlan("--listen", door, tls, node.PeerConnectionsMax)
            {
                ConnectionsPerAddressMax = node.ConnectionsPerAddressMax,
                StreamsPerConnectionMax = DoorPlan.StreamsOfPeersMax,
                UnreadBytesMax = DoorPlan.UnreadBytesOfPeersMax,
                Room = new MessageRoom(node.MessageRoomBytes, funded: null),
                Counts = Tower.Overview.Doors.Add("nodes"),
            }, node, Tower.View, new Drain(), logs, access: null,
            services => services.AddSingleton(Tower).AddSingleton(identity)
                .AddSingleton(PeerAdmission.ToWatchtower(options, TimeProvider.System)),
            app => app.MapGrpcService<WatchtowerGrpcService>()));
        Url = server.Url;
    }
}
