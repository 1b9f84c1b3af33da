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
        await _link.WaitToTakeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(TryTake(out OutgoingFrame frame));
        return frame;
    }

    /// <summary>By the writer's thread, and by the session's own.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AcknowledgedBeforeDurable_NeverHappens(bool isAlone)
    {
        await WriterRestsAsync();
        int caller = Environment.CurrentManagedThreadId, committer = 0;
        bool? durable = null;
        bool saidBefore = false, seenBefore = false;
        _store.Committing = isDurable =>
        {
            durable = isDurable;
            committer = Environment.CurrentManagedThreadId;
            saidBefore = TryTake(out _);
            seenBefore = _slot.State.TheirSent != 0 || _ledger.ReceivedCursor != 0;
        };

        Task hearing = _session.HearAsync(isAlone, Frames.Of(Frames.Update(Side.B, 30, 0)));

        Assert.Equal(isAlone, committer == caller);
        await hearing;
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
    public async Task FailedDiskUnderAnUpdateThatCameAlone_SaysNothingAndStopsTheLedger()
    {
        await WriterRestsAsync();
        _store.Committing = _ => throw new StoreException("the disk is gone");

        await _session.HearAsync(isAlone: true, Frames.Of(Frames.Update(Side.B, 30, 0)));

        await Assert.ThrowsAsync<StoreException>(() => _ledger.Completion.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.False(TryTake(out _));
        Assert.False(_ledger.TryTurn(new OfferAgain(_slot), _link));
        await Assert.ThrowsAsync<RefusalException>(
            async () => await _ledger.EnqueueAsync(new OfferAgain(_slot), CancellationToken.None));
    }

    [Fact]
    public async Task UpdateWhileTheWriterWorks_WaitsForIt()
    {
        await WriterRestsAsync();
        using ManualResetEventSlim committing = new(), goOn = new();
        _store.Committing = _ =>
        {
            committing.Set();
            goOn.Wait(TimeSpan.FromSeconds(10)); // A turn beside it would wait here for ever.
        };
        await _ledger.EnqueueAsync(new AwaitedPayment(_slot, 20, default, "key", false, CancellationToken.None), CancellationToken.None);
        committing.Wait();

        Assert.False(_ledger.TryTurn(new OfferAgain(_slot), _link));
        await _session.HearAsync(isAlone: true, Frames.Of(Frames.Update(Side.B, 30, 0)));
        Assert.False(TryTake(out _));

        goOn.Set();
        await _ledger.RunAsync(turn => true, CancellationToken.None);
        Assert.True(TryTake(out OutgoingFrame frame));
        Assert.Equal((UInt128)30, frame.Acknowledgements[0].Received);
        Assert.Equal((UInt128)20, frame.Updates[0].Balance.Sent);
    }

    private async Task WriterRestsAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(10));
        while (!_ledger.IsIdle) await Task.Delay(1, limit.Token);
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
}
