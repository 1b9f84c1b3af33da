using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Storage;

public sealed class RocksChannelStoreTests : IDisposable
{
    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EmptyDatabase_AnswersWithNothing()
    {
        using RocksChannelStore store = _folder.Open();

        Assert.Empty(store.ReadChannels());
        Assert.Empty(store.ReadBlocks());
        Assert.Empty(store.ReadPeerUrls());
        Assert.Equal(0ul, store.ReadReceivedCursor());
        Assert.Null(store.FindOutgoing("key"));
        Assert.Empty(store.ReadOutgoing(IdOf(1), 0));
        Assert.Empty(store.ReadReceived(0, 10));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Everything_IsThereAfterReopening(bool durable)
    {
        var state = new ChannelState { OnChain = new Pots(9, 1, 2, 3, 4), Sent = Amounts.Max, EverFunded = true };
        using (RocksChannelStore store = _folder.Open())
        {
            store.Write(
                batch =>
                {
                    batch.PutChannel(ChannelOf(1, Side.B));
                    batch.PutState(IdOf(1), state);
                    batch.PutOutgoing(Outgoing(1, 7, "key"));
                    batch.PutReceived(Received(1));
                    batch.PutBlock(new ChainBlock(5, Bytes32Of(6), Bytes32Of(7), 8));
                    batch.PutPeerUrl(AddressOf(7), "https://péer:1");
                },
                durable);
        }

        using RocksChannelStore reopened = _folder.Open();
        Assert.Equal([new StoredChannel(ChannelOf(1, Side.B), state)], reopened.ReadChannels());
        Assert.Equal([new ChainBlock(5, Bytes32Of(6), Bytes32Of(7), 8)], reopened.ReadBlocks());
        Assert.Equal("https://péer:1", reopened.ReadPeerUrls()[AddressOf(7)]);
        Assert.Equal(1ul, reopened.ReadReceivedCursor());
        Assert.Equal(7, (int)reopened.FindOutgoing("key")!.Total);
        Assert.Equal(Outgoing(1, 7).ItemId.ToArray(), Assert.Single(reopened.ReadOutgoing(IdOf(1), 0)).ItemId.ToArray());
        JournalledRun run = Assert.Single(reopened.ReadReceived(0, 10));
        Assert.Equal(Received(1), run.Run);
        Assert.Equal(Payments(), run.Payments.ToArray());
    }

    [Fact]
    public void LaterState_ReplacesTheEarlier()
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            batch.PutChannel(ChannelOf(1));
            batch.PutState(IdOf(1), new ChannelState { Sent = 1 });
        });
        store.Write(batch => batch.PutState(IdOf(1), new ChannelState { Sent = 2 }));

        Assert.Equal(2, (int)Assert.Single(store.ReadChannels()).State.Sent);
    }

    [Fact]
    public void UncommittedBatch_LeavesNothing()
    {
        using RocksChannelStore store = _folder.Open();
        using (IStoreBatch batch = store.NewBatch())
        {
            Assert.True(batch.IsEmpty);
            batch.PutReceived(Received(1));
            Assert.False(batch.IsEmpty);
        }

        Assert.Equal(0ul, store.ReadReceivedCursor());
    }

    [Fact]
    public void Channel_IsFoundByItsIdOnly()
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            batch.PutChannel(ChannelOf(1));
            batch.PutState(IdOf(1), new ChannelState { Sent = 3 });
        });

        Assert.Equal(new StoredChannel(ChannelOf(1), new ChannelState { Sent = 3 }), store.FindChannel(IdOf(1)));
        Assert.Null(store.FindChannel(IdOf(2)));
    }

    [Fact]
    public void Pages_OfChannels_MissAndRepeatNone()
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            for (int i = 0; i < 256; i++)
            {
                batch.PutChannel(ChannelOf((byte)i));
                batch.PutState(IdOf((byte)i), new ChannelState { Sent = (UInt128)i });
            }
        });

        List<int> seen = [];
        IReadOnlyList<StoredChannel> page = store.ReadChannels(null, 100);
        for (; page.Count > 0; page = store.ReadChannels(page[^1].Channel.Id, 100))
            seen.AddRange(page.Select(channel => (int)channel.State.Sent));

        Assert.Equal(Enumerable.Range(0, 256), seen);
        Assert.Equal(IdOf(4), Assert.Single(store.ReadChannels(IdOf(3), 1)).Channel.Id);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ChannelCount_IsExactAfterReopening(bool durable)
    {
        for (int life = 1; life <= 3; life++)
        {
            using RocksChannelStore store = _folder.Open();
            Assert.Equal((ulong)(life - 1) * 2, store.ChannelCount);
            store.Write(
                batch =>
                {
                    batch.PutChannel(ChannelOf((byte)(2 * life)));
                    batch.PutChannel(ChannelOf((byte)(2 * life + 1)));
                    batch.PutState(IdOf((byte)(2 * life)), default);
                    batch.PutState(IdOf((byte)(2 * life + 1)), default);
                },
                durable);
            Assert.Equal((ulong)life * 2, store.ChannelCount);
        }
    }

    [Fact]
    public void Pending_IsReplacedAndTakenOff()
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            batch.PutPending(IdOf(1), Pending.Deposit);
            batch.PutPending(IdOf(2), Pending.Close | Pending.Acknowledgement);
            batch.PutPending(IdOf(3), Pending.Close);
        });
        store.Write(batch =>
        {
            batch.PutPending(IdOf(1), Pending.Acknowledgement);
            batch.PutPending(IdOf(3), Pending.None);
        });

        Assert.Equal(
            new Dictionary<ChannelId, Pending>
            {
                [IdOf(1)] = Pending.Acknowledgement,
                [IdOf(2)] = Pending.Close | Pending.Acknowledgement,
            },
            store.ReadPending());
    }

    [Fact]
    public void TermsWithoutState_AreRefusedAsCorrupt()
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch => batch.PutChannel(ChannelOf(1)));

        Assert.Throws<StoreException>(() => store.ReadChannels());
        Assert.Throws<StoreException>(() => store.FindChannel(IdOf(1)));
    }

    [Fact]
    public void StateWithoutTerms_IsRefusedAsCorrupt()
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            batch.PutChannel(ChannelOf(2));
            batch.PutState(IdOf(1), default);
            batch.PutState(IdOf(2), default);
        });

        Assert.Throws<StoreException>(() => store.ReadChannels());
    }

    [Fact]
    public void Channels_ComeInOrderOfTheirIds()
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            foreach (byte fill in new byte[] { 200, 3, 127, 128, 0 })
            {
                batch.PutChannel(ChannelOf(fill));
                batch.PutState(IdOf(fill), new ChannelState { Sent = fill });
            }
        });

        Assert.Equal([0, 3, 127, 128, 200], store.ReadChannels().Select(channel => (int)channel.State.Sent));
    }

    [Fact]
    public void Received_ComesInOrderOfCursorsOverByteBoundaries()
    {
        ulong[] cursors = [1, 2, 255, 256, 257, 65_535, 65_536, uint.MaxValue, (ulong)uint.MaxValue + 1, ulong.MaxValue];
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            foreach (ulong cursor in cursors.Reverse()) batch.PutReceived(Received(cursor));
        });

        Assert.Equal(ulong.MaxValue, store.ReadReceivedCursor());
        Assert.Equal(cursors, store.ReadReceived(0, 100).Select(run => run.Run.FirstCursor));
        Assert.Equal([256ul, 257ul, 65_535ul], store.ReadReceived(255, 3).Select(run => run.Run.FirstCursor));
        Assert.Empty(store.ReadReceived(ulong.MaxValue, 3));
        Assert.Empty(store.ReadReceived(0, 0));
    }

    [Theory]
    [InlineData(0, 4, new ulong[] { 1 })]
    [InlineData(0, 5, new ulong[] { 1, 5 })]
    [InlineData(3, 1, new ulong[] { 1 })]
    [InlineData(3, 2, new ulong[] { 1, 5 })]
    [InlineData(4, 1, new ulong[] { 5 })]
    [InlineData(7, 100, new ulong[] { 8 })]
    [InlineData(8, 100, new ulong[] { 8 })]
    [InlineData(9, 100, new ulong[0])]
    public void ReadReceived_GivesRunsWhole_FromTheOneThatHoldsTheNextCursor(ulong after, int countMax, ulong[] firsts)
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            batch.PutReceived(Received(1, 4));
            batch.PutReceived(Received(5, 3));
            batch.PutReceived(Received(8, 2));
        });

        IReadOnlyList<JournalledRun> runs = store.ReadReceived(after, countMax);

        Assert.Equal(9ul, store.ReadReceivedCursor());
        Assert.Equal(firsts, runs.Select(run => run.Run.FirstCursor));
        Assert.All(runs, run => Assert.Equal(Payments(run.Run.Count), run.Payments.ToArray()));
    }

    [Fact]
    public void EnumerationGivenUpHalfway_HoldsNothing()
    {
        RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            for (int i = 1; i <= 1_000; i++) batch.PutOutgoing(Outgoing(1, (UInt128)i));
        });
        IEnumerator<OutgoingPayment> abandoned = store.ReadOutgoing(IdOf(1), 0).GetEnumerator();
        Assert.True(abandoned.MoveNext());

        store.Dispose(); // Would never return, or take the process down, with a native iterator still open.

        using RocksChannelStore reopened = _folder.Open();
        Assert.Equal(1, (int)abandoned.Current.Total);
        Assert.Throws<ObjectDisposedException>(() =>
        {
            while (abandoned.MoveNext()) { }
        });
    }

    [Fact]
    public async Task ReadsDuringWrites_SeeWholeBatches()
    {
        using RocksChannelStore store = _folder.Open();
        using var done = new CancellationTokenSource();
        Task[] readers = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() => ReadUntil(store, done.Token)))];
        for (int i = 1; i <= 500; i++)
        {
            int number = i;
            store.Write(
                batch =>
                {
                    batch.PutChannel(ChannelOf((byte)number));
                    batch.PutOutgoing(Outgoing(1, (UInt128)number, $"key {number}"));
                    batch.PutReceived(Received((ulong)number));
                    batch.PutState(IdOf((byte)number), new ChannelState { Sent = (UInt128)number });
                },
                durable: number % 50 == 0);
        }
        await done.CancelAsync();
        await Task.WhenAll(readers);
    }

    private static void ReadUntil(RocksChannelStore store, CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            ulong cursor = store.ReadReceivedCursor();
            if (cursor == 0) continue;
            Assert.Equal(cursor, (ulong)store.FindOutgoing($"key {cursor}")!.Total);
            Assert.True(store.ReadReceived(0, int.MaxValue).Count >= (int)cursor);
            Assert.True(store.ReadOutgoing(IdOf(1), 0).Count() >= (int)cursor);
            Assert.NotEmpty(store.ReadChannels());
        }
    }

    [Fact]
    public void AnyCallAfterDispose_ThrowsInsteadOfCrashing()
    {
        RocksChannelStore store = _folder.Open();
        IStoreBatch batch = store.NewBatch();
        batch.PutReceived(Received(1));
        store.Dispose();
        store.Dispose();

        Assert.Throws<ObjectDisposedException>(() => store.ReadReceivedCursor());
        Assert.Throws<ObjectDisposedException>(() => store.FindOutgoing("key"));
        Assert.Throws<ObjectDisposedException>(() => store.Commit(batch, durable: true));
    }
}
