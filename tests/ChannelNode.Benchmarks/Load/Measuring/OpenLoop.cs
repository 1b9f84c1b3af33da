using System.Diagnostics;
using System.Runtime.InteropServices;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Measuring;

/// <summary>
/// Sends by a schedule that does not care how the node is doing: update i is due at i / rate, and its time counts from
/// then, however late it was sent. So a node that stalls is not spared the updates that would have come meanwhile.
/// </summary>
internal static partial class OpenLoop
{
    private const int FrameMax = 256;

    /// <summary>How often the schedule is looked at; lateness up to this is the node's, too.</summary>
    private static readonly TimeSpec Tick = new(0, 200_000);

    /// <summary>All of the lanes' tapes at <paramref name="perSecond"/> together; ends when all is acknowledged.</summary>
    public static async Task RunAsync(IReadOnlyList<IPaced> lanes, double perSecond)
    {
        await Task.Factory.StartNew(
            () => Send(lanes, perSecond), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        foreach (IPaced lane in lanes) await lane.WhenDoneAsync();
    }

    private static void Send(IReadOnlyList<IPaced> lanes, double perSecond)
    {
        Schedule[] schedules = [.. lanes.Select((lane, index) => new Schedule(lane, index, lanes.Count, perSecond))];
        while (schedules.Any(schedule => !schedule.IsOver))
        {
            foreach (Schedule schedule in schedules) schedule.SendDue();
            NanoSleep(Tick, 0);
        }
    }

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int NanoSleep(in TimeSpec wanted, nint remaining);

    private readonly record struct TimeSpec(long Seconds, long Nanoseconds);

    /// <summary>One lane's part: the lanes take turns, so that the whole comes evenly.</summary>
    private sealed class Schedule(IPaced lane, int index, int lanes, double perSecond)
    {
        private readonly double _interval = Stopwatch.Frequency / perSecond * lanes;
        private readonly double _start = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / perSecond * index);
        private readonly long[] _due = new long[FrameMax];
        private Task _sending = Task.CompletedTask;

        public bool IsOver => lane.Sent == lane.Count && _sending.IsCompleted;

        /// <summary>While the node takes nothing, what is due waits here, and its time runs.</summary>
        public void SendDue()
        {
            if (!_sending.IsCompleted) return;
            _sending.GetAwaiter().GetResult();
            long now = Stopwatch.GetTimestamp(), left = lane.Count - lane.Sent;
            int count = 0;
            for (; count < Math.Min(FrameMax, left); count++)
            {
                _due[count] = (long)(_start + ((lane.Sent + count) * _interval));
                if (_due[count] > now) break;
            }

            if (count > 0) _sending = lane.SendDueAsync(_due.AsSpan(0, count));
        }
    }
}
