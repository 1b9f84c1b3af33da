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
        if (WhyTaken(address) is { } why)
            throw new RefusalException(Refusal.InvalidArgument, $"{flag} {address.Text} {why}") { Field = flag };
        if (address.SocketPath is { } path) File.Delete(path);
    }

    /// <summary>
    /// Why no socket can be made there, whoever runs; null where one can, or where the address is none of a socket. Stands behind the address.
    /// </summary>
    public static string? WhyUnusable(DoorAddress address)
    {
        if (address.SocketPath is not { } path) return null;
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        if (!Directory.Exists(folder)) return $"cannot be made: there is no folder {folder}";
        if (Directory.Exists(path)) return "is a folder, expected a place for a socket";
        if (Path.Exists(path) && !IsSocket(path)) return "is a file, and no socket that a node could have left";
        return FileTrouble.WhyUnusable(folder) is { } why ? $"cannot be made: {folder} {why}" : null;
    }

    /// <summary>Null where there is nothing, or only what a dead process left; stands behind the address.</summary>
    public static string? WhyTaken(DoorAddress address)
    {
        if (address.SocketPath is not { } path || !Path.Exists(path)) return null;
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(address.EndPoint);
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionRefused && IsSocket(path))
        {
            return null;
        }
        catch (SocketException)
        {
            return "is a file, and no socket that a node could have left";
        }

        return "is in use: another process answers there";
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
}
