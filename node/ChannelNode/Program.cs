using System.Net;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
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
    public static Task<int> Main(string[] args) =>
        CommandLine.RunAsync(args, new CliActions(RunAsync, CreateKey, DeployAsync), CancellationToken.None);

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

    private static async Task<int> RunAsync(NodeOptions options, CancellationToken stopping)
    {
        using ILoggerFactory logs = LoggerFactory.Create(Configure);
        await using NodeHost host = await NodeHost.StartAsync(options, logs, stopping);
        Console.WriteLine($"channelnode {host.Node.Us.Signer} ready: api {host.ApiUrl} peers {host.PeerUrl}");
        try
        {
            await host.Node.Completion.WaitAsync(stopping);
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

/// <summary>A running node: the engine and its two doors, one for peers and one for applications and operators.</summary>
internal sealed class NodeHost : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _parts = [];

    private NodeHost() { }

    public Node Node { get; private set; } = null!;

    public string ApiUrl { get; private set; } = string.Empty;

    public string PeerUrl { get; private set; } = string.Empty;

    public static async Task<NodeHost> StartAsync(NodeOptions options, ILoggerFactory logs, CancellationToken cancel)
    {
        NodeHost host = new();
        try
        {
            await host.StartPartsAsync(options, logs, cancel);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    private async Task StartPartsAsync(NodeOptions options, ILoggerFactory logs, CancellationToken cancel)
    {
        PrivateKey key = Own(KeyFile.Read(options.KeyFile));
        EthereumChain chain = Own(await EthereumChain.ConnectAsync(
            options, key.Address, key.Sign, TimeProvider.System, logs.CreateLogger<EthereumChain>(), cancel));
        Party us = new(options.Owner.IsZero ? key.Address : options.Owner, key.Address);
        SignatureScheme scheme = new(key, chain.ChainId, options.Contract);
        await RequireOurContractAsync(chain, scheme, options.Contract, cancel);
        RocksChannelStore store = Own(RocksChannelStore.Open(
            options.DataDirectory, new StoreIdentity(chain.ChainId, options.Contract, key.Address)));
        NodeIdentity identity = new(chain.ChainId, options.Contract, us, scheme.SignHello, scheme.VerifyHello);
        PeerDialling dialling = new(identity);

        Node = new Node(options, us, store, chain, scheme, dialling.DialAsync, TimeProvider.System, logs);
        _parts.Add(Node);
        dialling.Node = Node;
        _parts.Add(dialling);

        await Node.CatchUpAsync(cancel);
        WarnOf(options.ApiListen, logs);
        PeerUrl = await ServeAsync("--peer-listen", options.PeerListen, options, identity, logs, app => app.MapGrpcService<PeerGrpcService>());
        ApiUrl = await ServeAsync("--api-listen", options.ApiListen, options, identity, logs, app =>
        {
            app.MapGrpcService<NodeGrpcService>();
            app.MapGrpcReflectionService();
        });
        Node.PeerListen = PeerUrl;
        Node.Start();
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

    private static void WarnOf(string apiListen, ILoggerFactory logs)
    {
        if (!IPAddress.IsLoopback(IPEndPoint.Parse(apiListen).Address))
            logs.CreateLogger("ChannelNode").ApiIsOpen(apiListen);
    }

    private async Task<string> ServeAsync(
        string flag, string listen, NodeOptions options, NodeIdentity identity, ILoggerFactory logs, Action<WebApplication> map)
    {
        WebApplicationBuilder builder = Door.NewBuilder(IPEndPoint.Parse(listen));
        builder.Services.AddSingleton(logs);
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = options.MessageBytesMax;
            grpc.MaxSendMessageSize = options.MessageBytesMax;
            grpc.Interceptors.Add<RefusalInterceptor>();
        });
        builder.Services.AddSingleton<IServiceMethodProvider<PeerGrpcService>, PeerMethods>();
        builder.Services.AddGrpcReflection();
        builder.Services.AddGrpcHealthChecks().AddCheck("chain", () => Node.View.IsCurrent
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy("the chain was not seen for too long: nothing is paid or accepted"));
        builder.Services.AddSingleton(Node);
        builder.Services.AddSingleton(identity);
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

    private T Own<T>(T part)
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

internal static partial class ProgramLog
{
    [LoggerMessage(100, LogLevel.Critical, "The node stops: it can no longer do its work safely")]
    public static partial void NodeFailed(this ILogger log, Exception error);

    [LoggerMessage(101, LogLevel.Warning,
        "The API listens on {Listen}, not only on this machine: it asks nobody who they are, and whoever reaches it spends "
        + "this node's money")]
    public static partial void ApiIsOpen(this ILogger log, string listen);
}
