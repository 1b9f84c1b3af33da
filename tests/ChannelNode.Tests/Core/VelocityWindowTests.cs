using ChannelNode.Core;
using CsCheck;
using Xunit;

namespace ChannelNode.Tests.Core;

/// <summary>Sums of the newest minute or day, never cut short and at most a slot too long.</summary>
public sealed class VelocityWindowTests
{
    private const long SpanMs = 60_000;
    private const long SlotMs = 10_000;

    private static readonly Gen<(long LaterMs, ulong Sum)[]> Steps =
        Gen.Select(Gen.Long[0, 40_000], Gen.ULong[1, 1_000]).Array[1, 60];

    [Fact]
    public void Window_HoldsWhatIsYoungerThanItsSpan_AndNothingOlderByASlot()
    {
        Steps.Sample(steps =>
        {
            VelocityWindow window = new(SpanMs, SlotMs);
            List<(long AtMs, ulong Sum)> all = [];
            long nowMs = 1_700_000_000_000;
            foreach ((long laterMs, ulong sum) in steps)
            {
                nowMs += laterMs;
                window.Add(nowMs, sum, 1);
                all.Add((nowMs, sum));
                ulong least = Sum(all, nowMs - SpanMs), most = Sum(all, nowMs - SpanMs - SlotMs);
                Assert.InRange(window.Sum, least, most);
                Assert.InRange(window.Count, (ulong)all.Count(it => it.AtMs > nowMs - SpanMs), (ulong)all.Count);
            }
        });

        static ulong Sum(List<(long AtMs, ulong Sum)> all, long sinceMs) =>
            all.Where(it => it.AtMs > sinceMs).Aggregate(0ul, (total, it) => total + it.Sum);
    }

    [Fact]
    public void ClockThatStepsBack_ForgetsNothing()
    {
        VelocityWindow window = new(SpanMs, SlotMs);
        window.Add(1_000_000, 5, 1);

        window.Add(1_000, 7, 1);
        window.Advance(1_030_000);

        Assert.Equal((UInt128)12, window.Sum);
    }

    /// <summary>Slots are written one by one and come back in any order.</summary>
    [Fact]
    public void RestoredSlots_GiveTheSameWindow()
    {
        Gen.Select(Steps, Gen.Int[0, 1_000]).Sample((steps, seed) =>
        {
            VelocityWindow window = new(SpanMs, SlotMs), restored = new(SpanMs, SlotMs);
            Dictionary<long, (UInt128 Sum, ulong Count)> written = [];
            long nowMs = 1_700_000_000_000;
            foreach ((long laterMs, ulong sum) in steps)
            {
                nowMs += laterMs;
                window.Add(nowMs, sum, 1);
                written[window.Newest] = (window.NewestSum, window.NewestCount);
            }

            var order = written.ToArray();
            new Random(seed).Shuffle(order);
            foreach ((long slot, (UInt128 sum, ulong count)) in order) restored.Restore(slot, sum, count);
            restored.Advance(nowMs);

            Assert.Equal((window.Sum, window.Count), (restored.Sum, restored.Count));
        });
    }
}
