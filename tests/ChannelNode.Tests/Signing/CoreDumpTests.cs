using System.Runtime.InteropServices;
using ChannelNode.Signing;
using Xunit;

namespace ChannelNode.Tests.Signing;

public sealed partial class CoreDumpTests
{
    private const int GetDumpable = 3;

    [Fact]
    public void ProcessWithAKey_LeavesNoCore()
    {
        CoreDumps.Forbid(hide: true);

        string limit = File.ReadLines("/proc/self/limits")
            .Single(line => line.StartsWith("Max core file size", StringComparison.Ordinal));
        Assert.Equal(["0", "0"], limit.Split(' ', StringSplitOptions.RemoveEmptyEntries)[4..6]);
        Assert.Equal(0, Control(GetDumpable, 0, 0, 0, 0));
    }

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Control(int option, nuint a, nuint b, nuint c, nuint d);
}
