using System.Runtime.InteropServices;

namespace ChannelNode.Signing;

/// <summary>A process that holds a key must not leave it behind when it dies.</summary>
internal static partial class CoreDumps
{
    private const int SetDumpable = 4;
    private const int ResourceCore = 4;

    [StructLayout(LayoutKind.Sequential)]
    private struct Limit
    {
        public ulong Current;
        public ulong Max;
    }

    /// <summary>
    /// No core file from now on. With <paramref name="hide"/> nothing at all reads this process' memory, be it a handler of
    /// dumps or a debugger of the same user; it also hides most of /proc/PID from him. For keys that lie encrypted on disk.
    /// </summary>
    public static void Forbid(bool hide)
    {
        if (!OperatingSystem.IsLinux()) return;
        Limit none = default;
        _ = SetLimit(ResourceCore, none);
        if (hide) _ = Control(SetDumpable, 0, 0, 0, 0);
    }

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static partial int SetLimit(int resource, in Limit limit);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Control(int option, nuint a, nuint b, nuint c, nuint d);
}
