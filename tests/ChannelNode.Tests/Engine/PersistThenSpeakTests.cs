using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// The one ordering rule that protects money, seen from between: while a commit is under way nothing of it has been
/// said yet, and what is said afterwards was synced. A killed process cannot show this, for its system still writes.
/// </summary>
public sealed class PersistThenSpeakTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly WatchedStore _store;
    private readonly Ledger _ledger;
    private readonly PeerLink _link = new(Sample.PartyB.Signer, Sample.PartyB.Owner, 16);
    private readonly NodeClock _clock = new(TimeProvider.System);
    private readonly ChannelSlot _slot;
    private readonly PeerSession _session;

    public PersistThenSpeakTests()
    {
        _store = new WatchedStore(RocksChannelStore.Open(
            Path.Combine(_folder, "data"), new StoreIdentity(1, Address.Zero, Sample.PartyA.Signer)));
        ChainView view = new(null, TimeProvider.System, TimeSpan.FromHours(1));
        view.Advance(new ChainBatch(ChainMove.Stay, null, [], IsCaughtUp: true));
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        PeerLinks links = new();
        links.Replace(_link);
        ChannelBook book = new(_store, links, 1_024);
        _slot = new ChannelSlot(Sample.Channel(), Sample.Funded(1_000, 1_000), links) { EstablishedOn = _link };
        _ledger = new Ledger(book, _store, view, _clock, options, NullLogger<Ledger>.Instance);
        book.Add(_slot);
        _ledger.Start();
        _session = new PeerSession(
            _link, book, _ledger, new TestScheme(Sample.PartyA.Signer), _clock, null!, options, NullLogger.Instance);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private bool TryTake(out OutgoingFrame frame)
    {
        frame = new OutgoingFrame();
        return _link.TryTake(ref frame);
    }

    private async Task<OutgoingFrame> HearAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(10));
        await _link.WaitToTakeAsync(limit.Token);
        Assert.True(TryTake(out OutgoingFrame frame));
        return frame;
    }

    [Fact]
    public async Task Acknowledgement_LeavesOnlyAfterTheUpdateIsSynced()
    {
        bool? durable = null;
        bool saidBefore = false, seenBefore = false;
        _store.Committing = isDurable =>
        {
            durable = isDurable;
            saidBefore = TryTake(out _);
            seenBefore = _slot.State.TheirSent != 0 || _ledger.ReceivedCursor != 0;
        };

        await _session.HearAsync(Frames.Of(Frames.Update(Side.B, 30, 0)));

        Assert.Equal((UInt128)30, (await HearAsync()).Acknowledgements[0].Received);
        Assert.Equal((true, false, false), (durable, saidBefore, seenBefore));
    }

    [Fact]
    public async Task Update_LeavesOnlyAfterItsTotalIsSynced()
    {
        bool? durable = null;
        bool saidBefore = false;
        AwaitedPayment payment = new(_slot, 20, default, "key", false, CancellationToken.None);
        _store.Committing = isDurable =>
        {
            durable = isDurable;
            saidBefore = TryTake(out _) || payment.Task.IsCompleted;
        };

        await _ledger.EnqueueAsync(payment, CancellationToken.None);

        Assert.Equal((UInt128)20, (await HearAsync()).Updates[0].Balance.Sent);
        Assert.Equal((true, false), (durable, saidBefore));
        Assert.Equal((UInt128)20, _store.FindOutgoing("key")!.Total);
        Assert.False(payment.Task.IsCompleted); // Paid only when the peer says so.
    }

    [Fact]
    public async Task FailedDisk_SaysNothingAndStopsTheLedger()
    {
        AwaitedPayment payment = new(_slot, 20, default, "key", false, CancellationToken.None);
        _store.Committing = _ => throw new StoreException("the disk is gone");

        await _ledger.EnqueueAsync(payment, CancellationToken.None);

        await Assert.ThrowsAsync<StoreException>(() => _ledger.Completion.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.False(TryTake(out _));
        Assert.False(payment.Task.IsCompleted); // It may be on disk: a refusal would promise that nothing was paid.
        await Assert.ThrowsAsync<RefusalException>(
            async () => await _ledger.EnqueueAsync(payment, CancellationToken.None));
    }

    /// <summary>The real store, telling when it is asked to commit.</summary>
    private sealed class WatchedStore(IChannelStore store) : IChannelStore
    {
        public Action<bool>? Committing { get; set; }

        public ulong ChannelCount => store.ChannelCount;

        public StoredChannel? FindChannel(ChannelId id) => store.FindChannel(id);

        public GuardedUpdate? FindGuarded(ChannelId id, Side side) => store.FindGuarded(id, side);

        public IReadOnlyList<StoredChannel> ReadChannels(ChannelId? after, int countMax) =>
            store.ReadChannels(after, countMax);

        public IReadOnlyDictionary<ChannelId, Pending> ReadPending() => store.ReadPending();

        public IReadOnlyList<ChainBlock> ReadBlocks() => store.ReadBlocks();

        public IReadOnlyList<(ChannelId Channel, ChannelState Before)> ReadUndo(ulong block) => store.ReadUndo(block);

        public IReadOnlyList<(ChannelId Channel, RecentDeposit Deposit)> ReadRecentDeposits() => store.ReadRecentDeposits();

        public IReadOnlyDictionary<Address, string> ReadPeerUrls() => store.ReadPeerUrls();

        public IReadOnlyList<Job> ReadJobs() => store.ReadJobs();

        public ulong ReadEventCursor() => store.ReadEventCursor();

        public ulong ReadDroppedEventCursor() => store.ReadDroppedEventCursor();

        public IReadOnlyList<OperatorEvent> ReadEvents(ulong afterCursor, int countMax) => store.ReadEvents(afterCursor, countMax);

        public void TrimEvents(TimeSpan keptFor, ulong countMax, long nowMs) => store.TrimEvents(keptFor, countMax, nowMs);

        public ulong ReadDroppedCursor() => store.ReadDroppedCursor();

        public void TrimReceived(TimeSpan keptFor, ulong bytesMax, long nowMs) =>
            store.TrimReceived(keptFor, bytesMax, nowMs);

        public bool TrimSent(TimeSpan keptFor, long nowMs) => store.TrimSent(keptFor, nowMs);

        public void CarryOverSent(IStoreBatch batch, ChannelId channel, UInt128 afterTotal) =>
            store.CarryOverSent(batch, channel, afterTotal);

        public void DropOldestSent() => store.DropOldestSent();

        public ulong ReadReceivedCursor() => store.ReadReceivedCursor();

        public OutgoingPayment? FindOutgoing(string idempotencyKey) => store.FindOutgoing(idempotencyKey);

        public IEnumerable<OutgoingPayment> ReadOutgoing(ChannelId channel, UInt128 afterTotal) =>
            store.ReadOutgoing(channel, afterTotal);

        public IReadOnlyList<JournalledRun> ReadReceived(ulong afterCursor, int countMax) =>
            store.ReadReceived(afterCursor, countMax);

        public IStoreBatch NewBatch() => store.NewBatch();

        public void Commit(IStoreBatch batch, bool durable)
        {
            Committing?.Invoke(durable);
            store.Commit(batch, durable);
        }

        public void Dispose() => store.Dispose();
    }
}
