using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Storage;

/// <summary>What is remembered of rows that keys led to: how much, and of which parts.</summary>
public sealed class SentRunReadsTests
{
    private static readonly Segment Part = new("sent@1", 1, null!), Later = new("sent@2", 2, null!);

    private readonly SentRunReads _reads = new();

    /// <summary>Payments of 7 each.</summary>
    private static SentRun Run(byte channel, int count, int keyBytes = 8)
    {
        NewPayments payments = new();
        for (int place = 1; place <= count; place++) payments.Add((UInt128)(7 * place), 7, default, Key(place, keyBytes));
        return payments.Run(IdOf(channel));
    }

    private static string Key(int place, int bytes = 8) => place.ToString().PadLeft(bytes, '0');

    private OutgoingPayment? Find(Segment part, byte channel, int place, int keyBytes = 8) =>
        _reads.Find(part, IdOf(channel), (UInt128)(7 * place), Key(place, keyBytes));

    [Fact]
    public void RunThatIsKept_AnswersForEachOfItsPayments_InAnyOrder_AndForNoOther()
    {
        Assert.Equal((UInt128)(7 * 30), _reads.Keep(Part, Run(1, 100), 7 * 30, Key(30))?.Total);
        Assert.Null(_reads.Keep(Part, Run(3, 100), 7 * 30, Key(31)));
        Assert.Null(_reads.Keep(Part, Run(3, 100), 7 * 101, Key(101)));

        int[] places = [.. Enumerable.Range(1, 100)];
        foreach (int place in (int[])[.. places, .. places.Reverse(), 50, 50, 1, 100])
            Assert.Equal((UInt128)(7 * place), Find(Part, 1, place)?.Total);
        Assert.Null(Find(Part, 1, 101));
        Assert.Null(Find(Part, 1, 0));
        Assert.Null(Find(Part, 2, 50));
        Assert.Null(Find(Later, 1, 50)); // The same row may be gone from there, or not be there yet.
        Assert.Null(_reads.Find(Part, IdOf(1), 7 * 50, Key(51)));
        Assert.Null(_reads.Find(Part, IdOf(1), 7 * 50 + 1, Key(50)));

        _reads.Clear();
        Assert.Null(Find(Part, 1, 50));
    }

    /// <summary>Nine runs; and five of some 1.2 MB each.</summary>
    [Theory]
    [InlineData(9, 10, 8, 8)]
    [InlineData(5, 16_384, 64, 3)]
    public void RunsThatWereAskedLast_AreKept_UpToANumberAndSize(int runs, int count, int keyBytes, int kept)
    {
        for (byte channel = 1; channel <= runs; channel++)
        {
            Assert.NotNull(_reads.Keep(Part, Run(channel, count, keyBytes), 7, Key(1, keyBytes)));
            Assert.NotNull(Find(Part, 1, 1, keyBytes)); // The first is asked each time, and so stays.
        }

        Assert.Equal(kept, Enumerable.Range(1, runs).Count(channel => Find(Part, (byte)channel, 1, keyBytes) is not null));
        Assert.NotNull(Find(Part, (byte)runs, count, keyBytes));
    }
}
