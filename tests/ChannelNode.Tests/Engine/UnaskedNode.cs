using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelNode.Tests.Engine;

/// <summary>A whole node over a real store whose ledger runs. Its chain has nothing to tell, and its time passes when it is told to.</summary>
internal sealed class UnaskedNode : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly RocksChannelStore _store;

    public UnaskedNode()
    {
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        _store = RocksChannelStore.Open(
            Path.Combine(_folder, "data"), new StoreIdentity(1, Address.Zero, Sample.PartyA.Signer));
        SimulatedMachine unasked = new(
            null!, Sample.PartyA.Owner, new RpcWeather(), new Random(1), Time, options.ReorgDepthMax, options.Contract, _ => { });
        Store = new WatchedStore(_store);
        Node = new Node(
            options, Sample.PartyA, Store, unasked, new TestScheme(Sample.PartyA.Signer),
            (_, _, _) => throw new InvalidOperationException("nobody is dialled here"),
            (_, _) => throw new InvalidOperationException("there is no watchtower here"), Time, NullLoggerFactory.Instance);
        Node.Ledger.Start();
    }

    public SimulatedTime Time { get; } = new();

    public WatchedStore Store { get; }

    public Node Node { get; }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
