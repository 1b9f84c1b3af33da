using System.Globalization;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>CPU seconds of all cores since the start of the machine: /proc/stat.</summary>
internal readonly record struct MachineReadings(double BusySeconds, double StolenSeconds)
{
    private const double TicksPerSecond = 100; // USER_HZ, fixed in Linux's ABI.

    public static MachineReadings Now()
    {
        // cpu user nice system idle iowait irq softirq steal ...
        long[] ticks =
        [
            .. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
                .Select(field => long.Parse(field, CultureInfo.InvariantCulture)),
        ];
        long busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6];
        return new MachineReadings(busy / TicksPerSecond, ticks[7] / TicksPerSecond);
    }
}
