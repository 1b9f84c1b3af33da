using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Storage;

public sealed class RetentionTests : IDisposable
{
    private const long HourMs = 3_600_000;
    private const ulong NoLimit = ulong.MaxValue;

    private static readonly TimeSpan EightHours = TimeSpan.FromHours(8);
    private static readonly TimeSpan OneHour = TimeSpan.FromHours(1);

    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Runs of three payments, one an hour, the journal trimmed after each.</summary>
    private static ulong Receive(RocksChannelStore store, int fromHour, int toHour)
    {
        ulong cursor = store.ReadReceivedCursor();
        for (int hour = fromHour; hour < toHour; hour++, cursor += 3)
        {
            store.Write(batch => batch.PutReceived(Received(cursor + 1, 3)));
            store.TrimReceived(EightHours, NoLimit, hour * HourMs);
        }

        return cursor;
    }

    private static void AssertEveryKeptCursorResumes(RocksChannelStore store)
    {
        ulong last = store.ReadReceivedCursor();
        for (ulong after = store.ReadDroppedCursor(); after <= last; after++)
        {
            List<ulong> seen = [];
            for (ulong at = after; ;)
            {
                IReadOnlyList<JournalledRun> runs = store.ReadReceived(at, 2);
                if (runs.Count == 0) break;
                foreach (JournalledRun run in runs)
                {
                    for (ulong cursor = Math.Max(at + 1, run.Run.FirstCursor); cursor <= run.Run.LastCursor; cursor++)
                        seen.Add(cursor);
                    at = run.Run.LastCursor;
                }
            }

            Assert.Equal(Enumerable.Range((int)after + 1, (int)(last - after)).Select(cursor => (ulong)cursor), seen);
        }
    }

    [Fact]
    public void Received_IsKeptForItsTime_AndEveryKeptCursorResumes()
    {
        using RocksChannelStore store = _folder.Open();

        ulong last = Receive(store, 1, 8);
        Assert.Equal(0ul, store.ReadDroppedCursor());

        last = Receive(store, 8, 40);
        // Eight hours are kept for certain, and a part more.
        Assert.InRange(last - store.ReadDroppedCursor(), 8ul * 3, 10ul * 3);
        AssertEveryKeptCursorResumes(store);
    }

    [Fact]
    public void Received_IsTheSameAfterReopening()
    {
        ulong dropped, last;
        using (RocksChannelStore store = _folder.Open())
        {
            last = Receive(store, 1, 30);
            dropped = store.ReadDroppedCursor();
        }

        using RocksChannelStore reopened = _folder.Open();
        Assert.Equal((dropped, last), (reopened.ReadDroppedCursor(), reopened.ReadReceivedCursor()));
        AssertEveryKeptCursorResumes(reopened);
    }

    [Fact]
    public void ReceivedOfLongAgo_LeavesTheNewest_SoThatNoCursorIsUsedTwice()
    {
        using (RocksChannelStore store = _folder.Open())
        {
            Receive(store, 1, 3);
            for (int look = 0; look < 5; look++) store.TrimReceived(EightHours, NoLimit, (1_000 + look * 100) * HourMs);
        }

        using RocksChannelStore reopened = _folder.Open();
        Assert.Equal(6ul, reopened.ReadReceivedCursor());
        AssertEveryKeptCursorResumes(reopened);
    }

    [Fact]
    public void Received_StaysWithinItsBytes()
    {
        const ulong bytesMax = 16 << 20;
        byte[] payments = new byte[1 << 20];
        new Random(1).NextBytes(payments);
        using RocksChannelStore store = _folder.Open();
        for (ulong cursor = 1; cursor <= 100; cursor++)
        {
            store.Write(batch => batch.PutReceived(Received(cursor), payments), durable: false);
            store.TrimReceived(EightHours, bytesMax, (long)cursor);
        }

        ulong kept = 100 - store.ReadDroppedCursor();
        Assert.InRange(kept, 10ul, 18ul);
        long bytes = Directory.GetFiles(_folder.Database, "*.sst").Sum(file => new FileInfo(file).Length);
        Assert.InRange(bytes, 0, (long)bytesMax + (4 << 20));
        AssertEveryKeptCursorResumes(store);
    }

    [Fact]
    public void ReaderOfAPartThatIsDropped_SeesTheGapAndNoMore()
    {
        using RocksChannelStore store = _folder.Open();
        Receive(store, 1, 4);
        ulong at = store.ReadReceived(0, 1)[^1].Run.LastCursor;
        Receive(store, 4, 40);

        Assert.True(store.ReadReceived(at, 1)[0].Run.FirstCursor > at + 1);
    }

    private static void Send(RocksChannelStore store, int total, string key) =>
        store.Write(batch => batch.PutOutgoing(Outgoing(1, (UInt128)total, key)));

    private static void LetGo(RocksChannelStore store, long nowMs)
    {
        while (store.TrimSent(OneHour, nowMs)) store.DropOldestSent();
    }

    [Fact]
    public void SentPaymentAndItsKey_AreKeptForTheirTime_AndThenGo()
    {
        using RocksChannelStore store = _folder.Open();
        LetGo(store, 10 * HourMs);
        Send(store, 1, "key");
        for (long at = 10 * HourMs; at < 11 * HourMs; at += HourMs / 4) LetGo(store, at);
        Send(store, 2, "later");
        LetGo(store, 12 * HourMs - 1);
        Assert.Equal((UInt128)1, store.FindOutgoing("key")!.Total);
        Assert.Equal([1, 2], store.ReadOutgoing(IdOf(1), 0).Select(payment => (int)payment.Total));

        LetGo(store, 13 * HourMs);

        Assert.Null(store.FindOutgoing("key"));
        Send(store, 3, "key");
        Assert.Equal((UInt128)3, store.FindOutgoing("key")!.Total);
    }

    [Fact]
    public void WhatIsCarriedOver_OutlivesItsPart_InOrderAndOnce()
    {
        using RocksChannelStore store = _folder.Open();
        for (int total = 1; total <= 700; total++) Send(store, total, $"key {total}");
        Assert.False(store.TrimSent(OneHour, 10 * HourMs));
        for (int total = 701; total <= 710; total++) Send(store, total, $"key {total}");
        Assert.True(store.TrimSent(OneHour, 11 * HourMs));

        store.Write(batch => store.CarryOverSent(batch, IdOf(1), 100));
        Assert.Equal(Enumerable.Range(1, 710), store.ReadOutgoing(IdOf(1), 0).Select(payment => (int)payment.Total));
        store.DropOldestSent();

        Assert.Equal(Enumerable.Range(101, 610), store.ReadOutgoing(IdOf(1), 0).Select(payment => (int)payment.Total));
        Assert.Null(store.FindOutgoing("key 100"));
        Assert.Equal((UInt128)101, store.FindOutgoing("key 101")!.Total);
    }

    /// <summary>Whoever was answered from a part a moment ago is not answered from it when it is gone; from what was carried over, he is.</summary>
    [Fact]
    public void KeysOfARunThatWasJustRead_GoWithTheirPart_OrAreFoundWhereTheyWereCarriedOver()
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch => batch.PutSent([.. Enumerable.Range(1, 100).Select(place => Outgoing(1, (UInt128)(7 * place), $"a {place}"))]));
        store.Write(batch => batch.PutSent([.. Enumerable.Range(1, 100).Select(place => Outgoing(2, (UInt128)(7 * place), $"b {place}"))]));
        Assert.False(store.TrimSent(OneHour, 10 * HourMs));
        Assert.True(store.TrimSent(OneHour, 11 * HourMs));
        AssertFound("a", 1, 50);
        AssertFound("b", 1, 50);

        store.Write(batch => store.CarryOverSent(batch, IdOf(2), 280));
        AssertFound("b", 1, 50);
        store.DropOldestSent();

        foreach (int place in (int[])[1, 50, 51, 100]) Assert.Null(store.FindOutgoing($"a {place}"));
        AssertFound("b", 1, 100);
        store.Write(batch => batch.PutSent(Outgoing(1, 1_000, "a 51")));
        Assert.Equal((UInt128)1_000, store.FindOutgoing("a 51")!.Total);

        void AssertFound(string name, int from, int to)
        {
            for (int place = from; place <= to; place++) Assert.Equal((UInt128)(7 * place), store.FindOutgoing($"{name} {place}")!.Total);
        }
    }
}
