using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A peer that is away is dialled often at first and rarely later, and the log is not filled with that.</summary>
public sealed class RediallingTests
{
    /// <summary>All tries while it is away for so long: when each was made, and whether it was told.</summary>
    private static List<(double AtSeconds, bool Told)> TriesWithin(TimeSpan away, double expectedSeconds, double jitter)
    {
        Redialling redialling = new(below => (int)(jitter * (below - 1)));
        List<(double, bool)> tries = [];
        TimeSpan now = TimeSpan.Zero;
        while (true)
        {
            now += redialling.NextWait(now, now.TotalSeconds < expectedSeconds);
            if (now > away) return tries;
            tries.Add((now.TotalSeconds, redialling.Failed(now)));
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(60, 0)]
    [InlineData(60, 1)]
    public void PeerThatIsBackWithinSeconds_IsFoundWithinAsMany(double expected, double jitter)
    {
        List<(double AtSeconds, bool)> tries = TriesWithin(TimeSpan.FromMinutes(5), expected, jitter);

        foreach (double back in (double[])[0.5, 1, 2, 3, 5])
            Assert.InRange(tries.First(it => it.AtSeconds >= back).AtSeconds - back, 0, expected > 0 ? Math.Max(0.8, back / 2) : 2 * back);
    }

    [Fact]
    public void PeerThatSaidThatItComesBack_IsDialledMoreRarelyToo()
    {
        List<(double AtSeconds, bool Told)> tries = TriesWithin(TimeSpan.FromSeconds(60), 60, 0.5);

        Assert.InRange(tries.Count, 15, 35); // One every 0.6 s would be 100.
        Assert.Equal(1, tries.Count(it => it.Told));
    }

    [Fact]
    public void PeerThatStaysAway_IsDialledAndToldMoreAndMoreRarely_ButNeverGivenUp()
    {
        List<(double AtSeconds, bool Told)> tries = TriesWithin(TimeSpan.FromDays(1), 0, 0.5);

        List<double> waits = [.. tries.Zip(tries.Skip(1), (one, next) => next.AtSeconds - one.AtSeconds)];
        Assert.InRange(waits.Max(), 40, 60);
        Assert.InRange(waits[^1], 40, 60);
        Assert.True(tries[0].Told);
        Assert.InRange(tries.Count(it => it.Told), 20, 32);
    }
}
