using System.Net;
using System.Net.Sockets;

namespace ChannelNode.Tests.EndToEnd;

internal static class Ports
{
    /// <summary>A port that was free a moment ago; for nodes that must come back under the same address.</summary>
    public static int Free()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
