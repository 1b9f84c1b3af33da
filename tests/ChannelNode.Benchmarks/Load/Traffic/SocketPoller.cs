using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>What the poller tells of one connection; never both at once.</summary>
internal interface IPolled
{
    void Readable();

    void Writable();
}

/// <summary>
/// One thread that reads all of the generator's connections, by epoll. An answer's time is taken on the thread that the
/// kernel woke for it: handing it to another one first would count the generator's own work as the node's, and takes
/// from the node the cores that it shares with the generator.
/// </summary>
internal sealed partial class SocketPoller
{
    private const int EventsMax = 64;
    private const uint In = 1, Out = 4;

    /// <summary>The kernel's struct epoll_event, which is packed on x64 only.</summary>
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    private readonly ConcurrentDictionary<int, IPolled> _polled = new();
    private readonly int _epoll = Check(Create(0));

    private SocketPoller() => new Thread(Run) { IsBackground = true, Name = "poller" }.Start();

    public static SocketPoller Shared { get; } = new();

    public void Add(Socket socket, IPolled polled)
    {
        int handle = (int)socket.Handle;
        _polled[handle] = polled;
        const int add = 1;
        Control(add, handle, In);
    }

    /// <summary>With <paramref name="writable"/> also tells when the kernel has room again.</summary>
    public void Watch(Socket socket, bool writable)
    {
        const int modify = 3;
        Control(modify, (int)socket.Handle, writable ? In | Out : In);
    }

    /// <summary>Before the socket is closed.</summary>
    public void Remove(Socket socket)
    {
        const int delete = 2;
        int handle = (int)socket.Handle;
        if (_polled.TryRemove(handle, out _)) Control(delete, handle, 0);
    }

    private void Control(int operation, int handle, uint events)
    {
        Span<byte> wanted = stackalloc byte[DataOffset + sizeof(ulong)];
        wanted.Clear();
        BitConverter.TryWriteBytes(wanted, events);
        BitConverter.TryWriteBytes(wanted[DataOffset..], (ulong)handle);
        Check(Control(_epoll, operation, handle, ref MemoryMarshal.GetReference(wanted)));
    }

    private void Run()
    {
        int size = DataOffset + sizeof(ulong);
        byte[] events = new byte[EventsMax * size];
        while (true)
        {
            int count = Wait(_epoll, ref events[0], EventsMax, -1);
            for (int index = 0; index < count; index++)
            {
                ReadOnlySpan<byte> said = events.AsSpan(index * size, size);
                if (!_polled.TryGetValue(BinaryPrimitives.ReadInt32LittleEndian(said[DataOffset..]), out IPolled? polled)) continue;
                uint what = BinaryPrimitives.ReadUInt32LittleEndian(said);
                if ((what & Out) != 0) polled.Writable();
                if ((what & ~Out) != 0) polled.Readable();
            }
        }
    }

    private static int Check(int result) => result >= 0 ? result : throw new Win32Exception(Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int Create(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int Control(int epoll, int operation, int handle, ref byte wanted);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int Wait(int epoll, ref byte events, int eventsMax, int timeoutMs);
}
