using System.Net;
using System.Net.Sockets;

namespace ChannelNode.Tests;

/// <summary>
/// Ports for what is told where to listen before it does, or must come back under the same address. None of those that Linux
/// hands out by itself (32768 and above): between here and its use nobody else is given one.
/// </summary>
internal static class Ports
{
    private const int First = 15_000;
    private const int Count = 17_000;

    /// <summary>Tests that run beside these, in another process, begin elsewhere.</summary>
    private static int _handedOut = Environment.ProcessId * 1_009;

    /// <summary>One that is free, each once.</summary>
    public static int Free()
    {
        while (true)
        {
            int port = First + (int)((uint)Interlocked.Increment(ref _handedOut) % Count);
            if (IsFree(port)) return port;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using TcpListener probe = new(IPAddress.Loopback, port);
            probe.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
