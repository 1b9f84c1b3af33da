using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;
using RocksDbSharp;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>What a watchtower has on disk when it answers.</summary>
public sealed class GuardBookTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly DbOptions _disk = StoreSchema.DatabaseOptions().EnableStatistics();
    private RocksChannelStore _store = null!;
    private Ledger _ledger = null!;
    private GuardBook _guards = null!;

    public Task InitializeAsync()
    {
        WatchtowerOptions options = new()
        {
            Node = new NodeOptions { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = new Address(0, 0, 9) },
        };
        _store = RocksChannelStore.Open(
            Path.Combine(_folder, "data"), new StoreIdentity(1, Address.Zero, new Address(0, 0, 8), GuardsOthers: true), _disk);
        NodeClock clock = new(TimeProvider.System);
        ChannelBook book = new(_store, new PeerLinks(), 1_024);
        _ledger = new Ledger(
            book, _store, new ChainView(null, TimeProvider.System, TimeSpan.FromHours(1)), clock, options.Node, NullLogger<Ledger>.Instance);
        GuardCheck check = new(new TestScheme(new Address(0, 0, 8)), options.Node.Contract, new Address(0, 0, 8), 10);
        _guards = new GuardBook(book, _ledger, _store, check, clock, options, NullLogger<GuardBook>.Instance);
        _ledger.Start();
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task FrameOfUpdates_IsSyncedOnceBeforeItIsAnswered()
    {
        GuardClient client = _guards.Join(Sample.PartyA.Signer);
        long before = Syncs();

        GuardAnswer answer = await _guards.TakeAsync(client, [Request(1, 10), Request(2, 10)], CancellationToken.None);
        Assert.Equal((2, before + 1), (answer.Stored.Count, Syncs()));
        await _guards.TakeAsync(client, [Request(1, 20), Request(2, 9)], CancellationToken.None);
        Assert.Equal(before + 2, Syncs());
        await _guards.TakeAsync(client, [Request(1, 20), Request(2, 9)], CancellationToken.None); // Nothing in it is new.
        Assert.Equal(before + 2, Syncs());
        Assert.Equal([10, 20], _guards.Holdings(client).Select(totals => (int)totals.Sent).Order());
    }

    [Fact]
    public async Task SignerThatLeavesNothing_IsForgotten_AndOneThatLeavesSomethingIsNot()
    {
        GuardClient nothing = _guards.Join(Sample.PartyB.Signer), something = _guards.Join(Sample.PartyA.Signer);
        await _guards.TakeAsync(something, [Request(1, 10)], CancellationToken.None);
        _guards.Leave(nothing);
        _guards.Leave(something);

        Assert.NotSame(nothing, _guards.Join(Sample.PartyB.Signer));
        Assert.Same(something, _guards.Join(Sample.PartyA.Signer));
    }

    private long Syncs()
    {
        string line = _disk.GetStatisticsString().Split('\n').Single(line => line.StartsWith("rocksdb.wal.synced "));
        return long.Parse(line[(line.IndexOf(':') + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static GuardRequest Request(byte channel, UInt128 sent)
    {
        ChannelTerms terms = new(
            Sample.PartyA, Sample.PartyB, Address.Zero, 600, OneWay: false, new Bytes32(0, 0, 0, channel));
        BalanceUpdate update = new(new ChannelId(terms.Salt), sent, 0);
        return new GuardRequest(
            new GuardedUpdate(
                update, new TestScheme(Sample.PartyB.Signer).Sign(update), new TestScheme(Sample.PartyA.Signer).SignConsent(update)),
            terms);
    }
}
