using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Storage;

/// <summary>What operators are told, on disk: in order, kept by age and number, and no cursor ever twice.</summary>
public sealed class EventJournalTests : IDisposable
{
    private const long HourMs = 3_600_000;

    private readonly StoreFolder _folder = new();
    private readonly RocksChannelStore _store;

    public EventJournalTests() => _store = _folder.Open();

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    private void Tell(ulong first, ulong count, long timeMs = 0) => _store.Write(batch =>
    {
        for (ulong cursor = first; cursor < first + count; cursor++)
        {
            batch.PutEvent(new OperatorEvent(EventKind.ChannelOpened, EventSeverity.Info, $"number {cursor}")
            {
                Cursor = cursor,
                TimeMs = timeMs,
                Channels = [IdOf(1)],
            });
        }
    });

    private ulong[] Kept(ulong after, int countMax = int.MaxValue) =>
        [.. _store.ReadEvents(after, countMax).Select(what => what.Cursor)];

    private void Trim(ulong countMax, long nowMs) => _store.TrimEvents(TimeSpan.FromHours(8), countMax, nowMs);

    [Fact]
    public void Event_LiesAsDocumented()
    {
        OperatorEvent what = new(EventKind.TransactionStuck, EventSeverity.Warning, "é")
        {
            Cursor = 9,
            TimeMs = 1,
            Channels = [IdOf(0xEE)],
            Block = 2,
            Depth = 3,
            ClosesAtSeconds = 4,
            SecondsLeft = 5,
            Amount = 0x0600,
            Job = 7,
            JobKind = JobKind.Claim,
            Transaction = Bytes32Of(0xAA),
            Nonce = 8,
            MaxFee = 0x0a,
            Refusal = Refusal.WindowClosed,
        };
        string hex = "01" + "0e" + "02" + "01" + "0000000000000001" + "0000000000000002" + "0000000000000003" + "0000000000000004"
            + "0000000000000005" + "020600" + "0000000000000007" + "06" + string.Concat(Enumerable.Repeat("aa", 32)) + "0000000000000008" + "010a" + "24"
            + "00000001" + string.Concat(Enumerable.Repeat("ee", 32)) + "c3a9";
        var row = new RowWriter(new byte[EventRow.SizeMax(what)]);
        EventRow.Write(ref row, what);
        Assert.Equal(hex, Convert.ToHexStringLower(row.Row));

        byte[] key = Convert.FromHexString("0000000000000009");
        OperatorEvent read = EventRow.Read(key, Convert.FromHexString(hex));
        Assert.Equal(what with { Channels = read.Channels }, read);
        Assert.Equal(what.Channels, read.Channels);
        Assert.Throws<StoreException>(() => EventRow.Read(key, Convert.FromHexString("01" + "63" + hex[4..])));
        Assert.Throws<StoreException>(() => EventRow.Read(key, Convert.FromHexString("01" + "0e" + "02" + "02" + hex[8..])));
    }

    [Fact]
    public void Events_AreReadInOrderFromAnyCursorOn()
    {
        Assert.Equal((0UL, 0UL), (_store.ReadEventCursor(), _store.ReadDroppedEventCursor()));
        Tell(1, 300);

        Assert.Equal(Enumerable.Range(1, 300).Select(cursor => (ulong)cursor), Kept(0));
        Assert.Equal([255, 256, 257], Kept(254, 3));
        Assert.Empty(Kept(300));
        Assert.Empty(Kept(ulong.MaxValue));
        Assert.Equal("number 255", _store.ReadEvents(254, 1)[0].Sentence);
        Assert.Equal((300UL, 0UL), (_store.ReadEventCursor(), _store.ReadDroppedEventCursor()));
    }

    [Fact]
    public void TooMany_TheOldestGoAndItIsKnownWhichDid()
    {
        Tell(1, 112);
        Trim(100, 0);
        Assert.Equal(112, Kept(0).Length);

        Tell(113, 1);
        Trim(100, 0);

        Assert.Equal(13UL, _store.ReadDroppedEventCursor());
        Assert.Equal((100, 14UL), (Kept(0).Length, Kept(0)[0]));
    }

    [Fact]
    public void TooOld_GoAndYoungerOnesStay()
    {
        Tell(1, 10, timeMs: 0);
        Tell(11, 10, timeMs: 5 * HourMs);
        Trim(1_000, 9 * HourMs);
        Assert.Equal(20, Kept(0).Length);

        Trim(1_000, 9 * HourMs + 1);

        Assert.Equal((10UL, 11UL), (_store.ReadDroppedEventCursor(), Kept(0)[0]));
    }

    [Fact]
    public void TheNewest_StaysHoweverOld_SoThatNoCursorIsUsedTwice()
    {
        Tell(1, 10);
        Trim(1_000, 1_000 * HourMs);

        Assert.Equal([10UL], Kept(0));
        Assert.Equal((10UL, 9UL), (_store.ReadEventCursor(), _store.ReadDroppedEventCursor()));
    }
}
