using System.Globalization;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>What the kernel has counted for a process so far.</summary>
internal readonly record struct ProcessReadings(double CpuSeconds, long WrittenBytes, long ResidentBytes)
{
    private const double TicksPerSecond = 100; // USER_HZ, fixed in Linux's ABI.

    public static ProcessReadings Of(int processId)
    {
        string stat = File.ReadAllText($"/proc/{processId}/stat");
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        double ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        return new ProcessReadings(
            ticks / TicksPerSecond,
            Field($"/proc/{processId}/io", "write_bytes:"),
            Field($"/proc/{processId}/status", "VmRSS:") * 1024);
    }

    /// <summary>The most that it ever had.</summary>
    public static long PeakResidentBytesOf(int processId) => Field($"/proc/{processId}/status", "VmHWM:") * 1024;

    private static long Field(string file, string name)
    {
        foreach (string line in File.ReadLines(file))
        {
            if (!line.StartsWith(name, StringComparison.Ordinal)) continue;
            return long.Parse(line[name.Length..].Replace("kB", "").Trim(), CultureInfo.InvariantCulture);
        }

        throw new InvalidDataException($"{file} has no {name}");
    }
}

/// <summary>The lengths of all files in a folder.</summary>
internal static class Folders
{
    public static long BytesOf(string folder)
    {
        long bytes = 0;
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            try
            {
                bytes += new FileInfo(file).Length;
            }
            catch (FileNotFoundException)
            {
                // RocksDB removed it meanwhile.
            }
        }

        return bytes;
    }
}
