using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChannelNode.Engine;

/// <summary>Where a door is: host:port, or unix:/path for a socket that only this user can open.</summary>
internal sealed record DoorAddress(string Text, EndPoint EndPoint)
{
    public const string UnixPrefix = "unix:";
    public const string SocketFile = "api.sock";

    /// <summary>Linux's own limit.</summary>
    private const int SocketPathBytesMax = 107;

    /// <summary>Text that the command line has checked.</summary>
    public static DoorAddress Parse(string text)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
            return new DoorAddress(text, new UnixDomainSocketEndPoint(text[UnixPrefix.Length..]));
        const string Localhost = "localhost:";
        string numbers = text.StartsWith(Localhost, StringComparison.Ordinal) ? "127.0.0.1:" + text[Localhost.Length..] : text;
        return new DoorAddress(text, IPEndPoint.Parse(numbers));
    }

    /// <summary>Where a node is called, all of it.</summary>
    public static IEnumerable<DoorAddress> OfNode(NodeOptions options) =>
        ((string[])[options.ApiListen, options.PeerListen, options.Applications.JsonListen, options.MetricsListen])
            .Where(listen => listen.Length > 0).Select(Parse);

    /// <summary>
    /// The socket in a node's data folder, for its operator: who can open it can read the first token beside it, so it asks for none. Null where
    /// the folder's name is too long for the system to make a socket there.
    /// </summary>
    public static DoorAddress? InFolder(string dataDirectory)
    {
        string path = Path.GetFullPath(Path.Combine(dataDirectory, SocketFile));
        return Encoding.UTF8.GetByteCount(path) <= SocketPathBytesMax ? Parse(UnixPrefix + path) : null;
    }

    /// <summary>Whether nobody calls the API of such a node without a token.</summary>
    public static bool AsksForTokens(NodeOptions options)
    {
        DoorAddress api = Parse(options.ApiListen);
        bool hasJson = options.Applications.JsonListen.Length > 0;
        return options.AccessTokenRequired == true || !api.IsLocal || (hasJson && !Parse(options.Applications.JsonListen).IsLocal)
            || (options.AccessTokenRequired is null && (hasJson || api.SocketPath is null));
    }

    public string? SocketPath => EndPoint is UnixDomainSocketEndPoint ? Text[UnixPrefix.Length..] : null;

    /// <summary>Whether only this machine reaches it.</summary>
    public bool IsLocal => EndPoint is UnixDomainSocketEndPoint || IPAddress.IsLoopback(((IPEndPoint)EndPoint).Address);
}
