using System.Diagnostics;
using System.Runtime.InteropServices;
using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Benchmarks.Load.Measuring;

/// <summary>
/// Distinct signatures of one key, checked in turn, as libsecp256k1 takes them: parsed, then verified. Each thread has its own loop; the
/// signatures are the process's, for to make them takes as long as some hundred checks.
/// </summary>
internal sealed unsafe partial class VerifyLoop
{
    private const int Signatures = 256;

    private static readonly byte[] Digests = new byte[Signatures * 32];
    private static readonly byte[] Compact = new byte[Signatures * 64];
    private static readonly LoadKey Key = new();
    private long _next;

    static VerifyLoop()
    {
        for (int index = 0; index < Signatures; index++)
        {
            Bytes32 digest = Keccak.Hash(BitConverter.GetBytes(index));
            Signature signature = Key.Key.Sign(digest);
            digest.Write(Digests.AsSpan(index * 32));
            signature.R.Write(Compact.AsSpan(index * 64));
            signature.S.Write(Compact.AsSpan((index * 64) + 32));
        }
    }

    public (double Rate, double CpuUs) Run(TimeSpan time)
    {
        long start = Stopwatch.GetTimestamp();
        (long count, double used) = Count(() => Stopwatch.GetElapsedTime(start) < time);
        return (count / Stopwatch.GetElapsedTime(start).TotalSeconds, used / count * 1e6);
    }

    /// <summary>So many of them, and the seconds of CPU that they took.</summary>
    public (long Count, double CpuSeconds) Count(int verifications) => Count(() => verifications-- > 0);

    private (long Count, double CpuSeconds) Count(Func<bool> goesOn)
    {
        byte* parsed = stackalloc byte[64];
        long count = 0;
        double cpu = ThreadCpuSeconds();
        fixed (byte* digests = Digests, compact = Compact, key = Key.RawPublicKey)
        {
            for (; goesOn(); count++)
            {
                long index = _next++ % Signatures;
                int right = RawSecp256k1.ParseCompact(RawSecp256k1.Context, parsed, compact + (index * 64))
                    & RawSecp256k1.Verify(RawSecp256k1.Context, parsed, digests + (index * 32), key);
                if (right != 1) throw new InvalidOperationException("libsecp256k1 finds a right signature wrong");
            }
        }

        return (count, ThreadCpuSeconds() - cpu);
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, long* secondsAndNanoseconds);

    /// <summary>CPU time of the calling thread, seconds.</summary>
    private static double ThreadCpuSeconds()
    {
        const int threadCpuTime = 3;
        long* time = stackalloc long[2];
        if (ClockGetTime(threadCpuTime, time) != 0) throw new InvalidOperationException("clock_gettime failed");
        return time[0] + (time[1] / 1e9);
    }
}
