using System.Net;
using System.Net.Sockets;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>Unix sockets that a door is bound to.</summary>
internal static class DoorSocket
{
    /// <summary>
    /// A socket that a dead process left is taken away; one that answers, and a file that is none, are refused by name.
    /// </summary>
    public static void TakeStaleAway(DoorAddress address, string flag)
    {
        if (address.SocketPath is not { } path || !Path.Exists(path)) return;
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(address.EndPoint);
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionRefused && IsSocket(path))
        {
            File.Delete(path);
            return;
        }
        catch (SocketException)
        {
            throw Taken(address, flag, "is a file, and no socket that a node could have left");
        }

        throw Taken(address, flag, "is in use: another process answers there");
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

    private static RefusalException Taken(DoorAddress address, string flag, string why) =>
        new(Refusal.InvalidArgument, $"{flag} {address.Text} {why}") { Field = flag };
}
