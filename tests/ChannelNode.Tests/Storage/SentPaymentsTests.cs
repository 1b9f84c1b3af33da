using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Storage;

/// <summary>Payments made and their keys, as a real database gives them back.</summary>
public sealed class SentPaymentsTests : IDisposable
{
    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Outgoing_ComesInOrderOfTotalsOverByteBoundaries()
    {
        UInt128[] totals =
        [
            1, 255, 256, 65_535, 65_536, (UInt128)1 << 32, ulong.MaxValue, (UInt128)ulong.MaxValue + 1, Amounts.Max - 1,
            Amounts.Max, UInt128.MaxValue,
        ];
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            foreach (UInt128 total in totals.Reverse()) batch.PutOutgoing(Outgoing(5, total));
            batch.PutOutgoing(Outgoing(4, UInt128.MaxValue));
            batch.PutOutgoing(Outgoing(6, 0));
        });

        Assert.Equal(totals, store.ReadOutgoing(IdOf(5), 0).Select(payment => payment.Total));
        for (int i = 0; i < totals.Length; i++)
            Assert.Equal(totals[(i + 1)..], store.ReadOutgoing(IdOf(5), totals[i]).Select(payment => payment.Total));
    }

    [Theory]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(1_000)]
    public void Outgoing_OfAnyLength_IsReadWhole(int count)
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch =>
        {
            for (int i = 1; i <= count; i++) batch.PutOutgoing(Outgoing(1, (UInt128)i));
        });

        Assert.Equal(
            Enumerable.Range(1, count), store.ReadOutgoing(IdOf(1), 0).Select(payment => (int)payment.Total));
    }

    /// <summary>As where a claim on chain shows, between two payments of one turn, what a database that was lost had signed.</summary>
    [Fact]
    public void PaymentsThatDoNotFollowOneAnother_AreStoredWithWhatLiesBetween()
    {
        using RocksChannelStore store = _folder.Open();
        NewPayments payments = new();
        payments.Add(55, 5, "one"u8, "");
        payments.Add(64, 4, "two"u8, "key");
        payments.Add(66, 2, "three"u8, "");
        store.Write(batch => batch.PutSent(payments.Run(IdOf(1))));

        Assert.Equal(
            [(55, 5, "one", ""), (60, 5, "", ""), (64, 4, "two", "key"), (66, 2, "three", "")],
            store.ReadOutgoing(IdOf(1), 0).Select(it =>
                ((int)it.Total, (int)it.Amount, System.Text.Encoding.UTF8.GetString(it.ItemId.Span), it.IdempotencyKey)));
        Assert.Equal((UInt128)64, store.FindOutgoing("key")!.Total);
    }

    [Fact]
    public void IdempotencyKey_FindsItsPaymentOnly()
    {
        using RocksChannelStore store = _folder.Open();
        string longest = new('k', 64);
        store.Write(batch =>
        {
            batch.PutOutgoing(Outgoing(1, 10, longest));
            batch.PutOutgoing(Outgoing(1, 20, "ключ"));
            batch.PutOutgoing(Outgoing(2, 20));
        });

        Assert.Equal(10, (int)store.FindOutgoing(longest)!.Total);
        OutgoingPayment found = store.FindOutgoing("ключ")!;
        Assert.Equal((IdOf(1), 20, "ключ"), (found.Channel, (int)found.Total, found.IdempotencyKey));
        Assert.Null(store.FindOutgoing(longest[1..]));
        Assert.Null(store.FindOutgoing(""));
        Assert.Null(store.FindOutgoing(new string('k', 5_000)));
    }

    [Fact]
    public void PaymentsOfOneRun_AreFoundByKeyAndByTotal_WhereverTheyLieInIt()
    {
        using RocksChannelStore store = _folder.Open();
        store.Write(batch => batch.PutSent(Outgoing(1, 7, "first"), Outgoing(1, 14), Outgoing(1, 21, "third")));
        store.Write(batch => batch.PutSent(Outgoing(1, 28), Outgoing(1, 35, "last")));

        Assert.Equal([7, 14, 21, 28, 35], store.ReadOutgoing(IdOf(1), 0).Select(payment => (int)payment.Total));
        Assert.Equal(["third", "", "last"], store.ReadOutgoing(IdOf(1), 14).Select(payment => payment.IdempotencyKey));
        Assert.Equal([28, 35], store.ReadOutgoing(IdOf(1), 21).Select(payment => (int)payment.Total));
        Assert.Empty(store.ReadOutgoing(IdOf(1), 35));
        foreach ((string key, int total) in (IEnumerable<(string, int)>)[("first", 7), ("third", 21), ("last", 35)])
            Assert.Equal(Outgoing(1, (UInt128)total, key).ToString(), store.FindOutgoing(key)!.ToString());
    }

    /// <summary>In the order of the payments, against it, every seventh, and of many runs in turn: more than are remembered.</summary>
    [Fact]
    public void KeysOfLongRuns_FindTheirPayments_InWhateverOrderTheyAreAskedFor()
    {
        const int channels = 12, runs = 3, ofARun = 500;
        using RocksChannelStore store = _folder.Open();
        for (int run = 0; run < runs; run++)
        {
            store.Write(batch =>
            {
                for (byte channel = 1; channel <= channels; channel++)
                    batch.PutSent([.. Enumerable.Range(run * ofARun + 1, ofARun).Select(place => Sent(channel, place))]);
            });
        }

        int[] places = [.. Enumerable.Range(1, runs * ofARun)];
        foreach (int place in places) Check(1, place);
        foreach (int place in places.Reverse()) Check(2, place);
        foreach (int place in places.Select(place => place * 7 % (runs * ofARun) + 1)) Check(3, place);
        foreach (int place in places.Where(place => place % 50 == 0))
            for (byte channel = 1; channel <= channels; channel++) Check(channel, place);
        Assert.Null(store.FindOutgoing("key 1 0"));

        void Check(byte channel, int place) =>
            Assert.Equal(Sent(channel, place).ToString(), store.FindOutgoing($"key {channel} {place}")?.ToString());

        static OutgoingPayment Sent(byte channel, int place) => Outgoing(channel, (UInt128)(7 * place), $"key {channel} {place}");
    }

    [Fact]
    public void ItemIdAndKeyTooLongToStore_ThrowBeforeAnythingIsWritten()
    {
        using RocksChannelStore store = _folder.Open();
        using IStoreBatch batch = store.NewBatch();

        Assert.Throws<OverflowException>(() => batch.PutOutgoing(Outgoing(1, 1) with { ItemId = new byte[256] }));
        Assert.Throws<ArgumentException>(() => batch.PutOutgoing(Outgoing(1, 1, new string('k', 256))));
        Assert.True(batch.IsEmpty);
    }
}
