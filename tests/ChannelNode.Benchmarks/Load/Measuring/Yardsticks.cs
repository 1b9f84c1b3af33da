using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ChannelNode.Benchmarks.Load.Measuring;

/// <summary>What this machine can do, measured by the run that is measured by it.</summary>
/// <param name="VerifiesPerSecond">V: libsecp256k1 verifications a second in a loop on one core, by the clock on the wall.</param>
/// <param name="VerifyCpuUs">CPU of one of them, microseconds of its thread.</param>
/// <param name="VerifiesPerSecondAllCores">The same loop on all cores at once: cores of one machine slow each other down.</param>
/// <param name="SyncMs">F: median of a RocksDB write of 256 bytes with its log synced, milliseconds.</param>
/// <param name="SyncP99Ms">99 of 100 of them took at most this.</param>
/// <param name="FileSyncMs">Median of writing 256 bytes to a file and fdatasync, for comparison.</param>
internal sealed partial record Yardsticks(
    double VerifiesPerSecond, double VerifyCpuUs, double VerifiesPerSecondAllCores, double SyncMs, double SyncP99Ms, double FileSyncMs)
{
    private const int WriteBytes = 256;

    /// <summary>Some at a time, as the node has them, after as many as it takes until their tables are in the core's caches again.</summary>
    private const int VerificationsBeside = 32, ToWarmUp = 16;

    private static readonly TimeSpan BetweenVerifications = TimeSpan.FromMilliseconds(50);

    /// <summary><paramref name="folder"/>: on the file system that the node's database will be on.</summary>
    public static Yardsticks Measure(string folder, bool quick)
    {
        TimeSpan slice = TimeSpan.FromMilliseconds(quick ? 150 : 500);
        VerifyLoop loop = new();
        loop.Run(slice); // Warm-up: code and clock.
        (double rate, double cpuUs)[] slices = [.. Enumerable.Range(0, 5).Select(_ => loop.Run(slice))];
        double all = VerifiesPerSecondOnAllCores(2 * slice);
        Latencies syncs = SyncRocks(Path.Combine(folder, "yardstick"), quick ? 400 : 2_000);
        return new Yardsticks(
            Median(slices.Select(it => it.rate)), Median(slices.Select(it => it.cpuUs)), all,
            syncs.PercentileMs(0.5), syncs.PercentileMs(0.99),
            SyncFile(Path.Combine(folder, "yardstick.file"), quick ? 200 : 1_000));
    }

    /// <summary>
    /// The CPU of one verification, microseconds, while <paramref name="load"/> runs: a few of them twenty times a second, on a thread beside
    /// it. What a core does in a microsecond changes within seconds where it is shared with other machines, and with what else it is at.
    /// </summary>
    public static async Task<double> VerifyBesideAsync(Func<Task> load)
    {
        using ManualResetEventSlim over = new();
        Task<double> beside = Task.Factory.StartNew(
            () =>
            {
                VerifyLoop loop = new();
                long count = 0;
                double used = 0;
                do
                {
                    loop.Count(ToWarmUp);
                    (long verified, double seconds) = loop.Count(VerificationsBeside);
                    count += verified;
                    used += seconds;
                }
                while (!over.Wait(BetweenVerifications));

                return used / count * 1e6;
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await load();
        }
        finally
        {
            over.Set();
            await beside;
        }

        return await beside;
    }

    private static double VerifiesPerSecondOnAllCores(TimeSpan time)
    {
        double[] cores = new double[Environment.ProcessorCount];
        Parallel.For(0, cores.Length, core => cores[core] = new VerifyLoop().Run(time).Rate);
        return cores.Sum();
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    /// <summary>
    /// A RocksDB write of 256 bytes with its log synced, again and again; after <paramref name="pauseMs"/> each, disk and
    /// cores have gone idle in between.
    /// </summary>
    public static Latencies SyncRocks(string folder, int writes, int pauseMs = 0, bool overZeros = false)
    {
        Latencies times = new();
        using (SyncedWrites synced = new(folder, overZeros))
        {
            for (int write = -20; write < writes; write++)
            {
                if (pauseMs > 0) Thread.Sleep(pauseMs);
                long start = Stopwatch.GetTimestamp();
                synced.Write();
                if (write >= 0) times.Add((uint)Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            }
        }

        Directory.Delete(folder, recursive: true);
        return times;
    }

    private static double SyncFile(string path, int writes)
    {
        Latencies times = new();
        using (SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.Write))
        {
            byte[] value = new byte[WriteBytes];
            for (int write = 0; write < writes; write++)
            {
                long start = Stopwatch.GetTimestamp();
                RandomAccess.Write(file, value, write * WriteBytes);
                if (Fdatasync(file) != 0) throw new IOException("fdatasync failed");
                times.Add((uint)Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            }
        }

        File.Delete(path);
        return times.PercentileMs(0.5);
    }

    [LibraryImport("libc", EntryPoint = "fdatasync")]
    private static partial int Fdatasync(SafeFileHandle file);
}
