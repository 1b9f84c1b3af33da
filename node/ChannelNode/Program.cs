using System.Runtime.InteropServices;
using ChannelNode.Backups;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Storage;
using Microsoft.Extensions.Logging.Console;

namespace ChannelNode;

/// <summary>What the program does for each command; hosts wire the parts.</summary>
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
