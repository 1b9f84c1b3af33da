using System.Net;
using System.Net.Sockets;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>Where a door is: host:port, or unix:/path for a socket that only this user can open.</summary>
internal sealed record DoorAddress(string Text, EndPoint EndPoint)
{
    public const string UnixPrefix = "unix:";

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

    /// <summary>Refuses an API, or metrics, that strangers could reach in the clear, and says what to do about it.</summary>
    public static void RequireSafe(NodeOptions options)
    {
        RequireSafe("--api-listen", options.ApiListen, options.ApiTls);
        if (options.Applications.JsonListen.Length > 0) RequireSafe("--json-listen", options.Applications.JsonListen, options.ApiTls);
        if (options.MetricsListen.Length > 0) RequireSafe("--metrics-listen", options.MetricsListen, options.ApiTls);
    }

    /// <summary>A watchtower has no access tokens, so nobody beyond this machine is told what it counts.</summary>
    public static void RequireSafe(WatchtowerOptions options)
    {
        string listen = options.Node.MetricsListen;
        if (listen.Length == 0 || Parse(listen).IsLocal) return;
        throw new RefusalException(
            Refusal.InvalidArgument,
            $"--metrics-listen {listen} is reached from other machines, and a watchtower has no access tokens to ask for: listen on "
            + "127.0.0.1, and let a proxy that asks who comes stand before it")
        {
            Field = "--metrics-listen",
        };
    }

    private static void RequireSafe(string flag, string listen, bool isEncrypted)
    {
        if (isEncrypted || Parse(listen).IsLocal) return;
        throw new RefusalException(
            Refusal.InvalidArgument,
            $"{flag} {listen} is reached from other machines, and without TLS whoever is on the way reads the "
            + "tokens that spend this node's money: add --api-tls (a certificate is made where none is given by --tls-cert and "
            + "--tls-key), or listen on 127.0.0.1 or unix:/path")
        {
            Field = flag,
        };
    }

    public string? SocketPath => EndPoint is UnixDomainSocketEndPoint ? Text[UnixPrefix.Length..] : null;

    /// <summary>Whether only this machine reaches it.</summary>
    public bool IsLocal => EndPoint is UnixDomainSocketEndPoint || IPAddress.IsLoopback(((IPEndPoint)EndPoint).Address);

    /// <summary>
    /// A socket that a dead process left is taken away; one that answers, and a file that is none, are refused by name.
    /// </summary>
    public void TakeStaleSocketAway(string flag)
    {
        if (SocketPath is not { } path || !Path.Exists(path)) return;
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(EndPoint);
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionRefused && IsSocket(path))
        {
            File.Delete(path);
            return;
        }
        catch (SocketException)
        {
            throw Taken(flag, "is a file, and no socket that a node could have left");
        }

        throw Taken(flag, "is in use: another process answers there");
    }

    /// <summary>Bound so that nobody else ever could open it: its mode is set before it has a name.</summary>
    public static Socket Bind(EndPoint endPoint)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (!OperatingSystem.IsWindows())
            {
                using Microsoft.Win32.SafeHandles.SafeFileHandle file = new(socket.Handle, ownsHandle: false);
                File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            socket.Bind(endPoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A socket is what cannot be opened as a file; of what can, nothing may ever be deleted.</summary>
    private static bool IsSocket(string path)
    {
        const int noSuchDeviceOrAddress = 6;
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return false;
        }
        catch (IOException error)
        {
            return error.HResult == noSuchDeviceOrAddress;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }

    private RefusalException Taken(string flag, string why) =>
        new(Refusal.InvalidArgument, $"{flag} {Text} {why}") { Field = flag };
}
