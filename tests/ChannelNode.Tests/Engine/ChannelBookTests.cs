using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Engine;

public sealed class ChannelBookTests : IDisposable
{
    private const int KeptMax = 8;

    private static readonly ChannelState Funded = new() { OnChain = new Pots(100, 0, 100, 0, 0), EverFunded = true };

    private readonly StoreFolder _folder = new();
    private readonly RocksChannelStore _store;
    private readonly PeerLinks _links = new();

    public ChannelBookTests() => _store = _folder.Open();

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    private void Put(int number, ChannelState state) => _store.Write(batch =>
    {
        batch.PutChannel(ChannelOf((byte)number));
        batch.PutState(IdOf((byte)number), state);
        if (PendingOf.State(state) is not Pending.None and Pending pending) batch.PutPending(IdOf((byte)number), pending);
    });

    private ChannelBook Open() => new(_store, _links, KeptMax);

    private void Turn(ChannelBook book, Action<IStoreBatch> decide)
    {
        IStoreBatch batch = _store.NewBatch();
        decide(batch);
        book.Sweep(batch);
        _store.Commit(batch, durable: false);
    }

    private void Save(ChannelBook book, ChannelSlot slot, ChannelState state) => Turn(book, batch =>
    {
        slot.Working = state;
        book.Keep(slot);
        book.Write(slot, batch);
        slot.Publish();
    });

    /// <summary>Looks for channels 100 to 163 often enough to push out every channel that can go.</summary>
    private void UseOthers(ChannelBook book)
    {
        for (int number = 100; number < 164; number++)
        {
            if (_store.FindChannel(IdOf((byte)number)) is null) Put(number, Funded);
            book.Keep(book.Find(IdOf((byte)number))!);
            Turn(book, _ => { });
            Turn(book, _ => { });
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Fact]
    public void Start_LoadsOnlyWhatSomethingIsPendingIn()
    {
        Put(1, Funded);
        Put(2, Funded with { OnChain = new Pots(1, 0, 1, 0, 99) });
        Put(3, default);
        Put(4, Funded with { Sent = 5, Acknowledged = 3 });

        ChannelBook book = Open();

        Assert.Null(book.Peek(IdOf(1)));
        Assert.Equal(IdOf(2), Assert.Single(book.Watched).Channel.Id);
        Assert.Equal((1, 1), (book.Unfunded.Count, book.Unfunded.CountOf(ChannelOf(3).Theirs.Signer)));
        Assert.Equal(IdOf(4), Assert.Single(book.UnacknowledgedBy(ChannelOf(4).Theirs.Signer)).Channel.Id);
        Assert.Equal(4ul, book.Count);
        Assert.Equal(Funded, book.Find(IdOf(1))!.State);
        Assert.Null(book.Find(IdOf(9)));
    }

    [Fact]
    public void IndexThatSaysTooMuch_IsPutRightAtStart()
    {
        Put(1, Funded);
        Put(2, Funded);
        _store.Write(batch =>
        {
            batch.PutPending(IdOf(1), Pending.Acknowledgement);
            batch.PutPending(IdOf(2), Pending.All);
        });

        Open();

        Assert.Empty(_store.ReadPending());
    }

    [Fact]
    public void ChannelThatSomebodyHolds_IsNeverLoadedASecondTime()
    {
        Put(1, Funded);
        ChannelBook book = Open();
        ChannelSlot held = book.Find(IdOf(1))!;

        UseOthers(book);

        Assert.False(held.IsKept);
        Assert.Same(held, book.Find(IdOf(1)));
    }

    [Fact]
    public void IdleChannel_IsLetGo_AndIsTheSameWhenLoadedAgain()
    {
        Put(1, Funded);
        ChannelBook book = Open();
        WeakReference first = Touch(book);

        UseOthers(book);

        Assert.False(first.IsAlive);
        Assert.Null(book.Peek(IdOf(1)));
        Assert.Equal((UInt128)7, book.Find(IdOf(1))!.State.TheirSent);
    }

    /// <summary>In a frame of its own, or the test itself would hold the slot.</summary>
    private WeakReference Touch(ChannelBook book)
    {
        ChannelSlot slot = book.Find(IdOf(1))!;
        Save(book, slot, Funded with { TheirSent = 7 });
        return new WeakReference(slot);
    }

    public static TheoryData<string> Business => new(Busy.Keys);

    private static readonly Dictionary<string, Action<ChannelSlot>> Busy = new()
    {
        ["unsaved"] = slot => slot.Touched = true,
        ["acknowledgement due"] = slot => slot.AcknowledgementDue = true,
        ["unacknowledged"] = slot => slot.Working = slot.Working with { Sent = 9 },
        ["in flight"] = slot => slot.InFlight.Add(9, null),
        ["waiting"] = slot => slot.Waiting.Add(new WhenEstablished(slot)),
        ["to be told"] = slot => slot.New.Add(9, 9, default, ""),
        ["to be offered again"] = slot => slot.ReofferAbove = 1,
        ["offered again later"] = slot => slot.OfferAgainScheduled = true,
        ["refused by the peer"] = slot => slot.PeerRefusal = Refusal.StaleSent,
        ["a close being agreed"] = slot => slot.CloseProposed = true,
        ["state lost"] = slot => slot.ClaimedByPeer = 9,
        ["closing"] = slot => slot.Pending = Pending.Close,
    };

    [Theory]
    [MemberData(nameof(Business))]
    public void ChannelWithBusiness_IsNotLetGo(string business)
    {
        Put(1, Funded);
        ChannelBook book = Open();
        ChannelSlot slot = book.Find(IdOf(1))!;
        Assert.True(slot.IsIdle);
        Busy[business](slot);

        UseOthers(book);

        Assert.True(slot.IsKept);
    }

    [Fact]
    public void Index_IsNotWrittenWithEveryPayment_AndLeftWhenTheChannelIsLetGo()
    {
        Put(1, Funded);
        ChannelBook book = Open();
        ChannelSlot slot = book.Find(IdOf(1))!;

        Save(book, slot, Funded with { Sent = 5 });
        Assert.Equal(Pending.Acknowledgement, Assert.Single(_store.ReadPending()).Value);
        Save(book, slot, Funded with { Sent = 5, Acknowledged = 5 });
        Assert.Equal(Pending.Acknowledgement, Assert.Single(_store.ReadPending()).Value);
        Assert.Empty(book.UnacknowledgedBy(slot.Channel.Theirs.Signer));

        UseOthers(book);
        Assert.False(slot.IsKept);
        Assert.Empty(_store.ReadPending());

        Save(book, slot, Funded with { Sent = 6, Acknowledged = 5 });
        Assert.Equal(Pending.Acknowledgement, Assert.Single(_store.ReadPending()).Value);
        Assert.Same(slot, Assert.Single(book.UnacknowledgedBy(slot.Channel.Theirs.Signer)));
    }

    [Fact]
    public async Task ThreadsThatLookForTheSameChannels_FindTheSameSlots()
    {
        for (int number = 0; number < 64; number++) Put(number, Funded);
        ChannelBook book = Open();
        int[] writes = new int[64];

        // One writer changes what the others look for; a stale slot would show a total that fell.
        using CancellationTokenSource done = new(TimeSpan.FromSeconds(1));
        Task[] readers = [.. Enumerable.Range(0, 3).Select(seed => Task.Run(() => Look(book, seed, done.Token)))];
        Random random = new(7);
        while (!done.IsCancellationRequested)
        {
            int number = random.Next(64);
            ChannelSlot slot = book.Find(IdOf((byte)number))!;
            Assert.Equal(writes[number], (int)slot.Working.TheirSent);
            Save(book, slot, Funded with { TheirSent = (UInt128)(++writes[number]) });
        }

        await Task.WhenAll(readers);
    }

    private static void Look(ChannelBook book, int seed, CancellationToken done)
    {
        Random random = new(seed);
        UInt128[] seen = new UInt128[64];
        while (!done.IsCancellationRequested)
        {
            int number = random.Next(64);
            UInt128 now = book.Find(IdOf((byte)number))!.State.TheirSent;
            Assert.True(now >= seen[number]);
            seen[number] = now;
            if (random.Next(1_000) == 0) GC.Collect(0);
        }
    }
}
