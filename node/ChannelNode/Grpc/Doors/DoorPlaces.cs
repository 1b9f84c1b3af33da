using System.Net;
using System.Net.Sockets;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>Whether doors could be opened where they are to be, found before anything is made, of all doors at once.</summary>
internal static class DoorPlaces
{
    /// <summary>Between the ports of nodes beside each other, as documents show them.</summary>
    private const int Step = 10;

    private const int StepsMax = 20;

    private const string Taken = "is taken by another program";

    public static void RequireFree(NodeOptions options) => RequireFree(
        ("--api-listen", options.ApiListen), ("--peer-listen", options.PeerListen), ("--json-listen", options.Applications.JsonListen),
        ("--metrics-listen", options.MetricsListen));

    /// <summary>Throws <see cref="RefusalException"/> that names all that are taken, and what could be given instead.</summary>
    public static void RequireFree(params IReadOnlyList<(string Flag, string Listen)> doors)
    {
        List<string> taken = [], instead = [];
        string? field = null;
        foreach ((string flag, string listen) in doors)
        {
            if (listen.Length == 0) continue;
            DoorAddress address = DoorAddress.Parse(listen);
            if (WhyTaken(address) is not { } why) continue;
            field ??= flag;
            taken.Add($"{flag}: {listen} {why}");
            if (why == Taken) instead.Add($"{flag} {Beside((IPEndPoint)address.EndPoint)}");
        }

        if (field is null) return;
        string hint = instead.Count == 0 ? "" : $"; free are {string.Join(" ", instead)}";
        throw new RefusalException(Refusal.InvalidArgument, string.Join("; ", taken) + hint) { Field = field };
    }

    private static string? WhyTaken(DoorAddress address)
    {
        return address.SocketPath is null
            ? WhyTaken((IPEndPoint)address.EndPoint)
            : DoorSocket.WhyUnusable(address) ?? DoorSocket.WhyTaken(address);
    }

    /// <summary>By taking it for a moment, as a door would.</summary>
    private static string? WhyTaken(IPEndPoint place)
    {
        using Socket socket = new(place.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (place.Address.Equals(IPAddress.IPv6Any)) socket.DualMode = true;
            socket.Bind(place);
            return null;
        }
        catch (SocketException error)
        {
            return error.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => Taken,
                SocketError.AddressNotAvailable => "is no address of this machine",
                SocketError.AccessDenied => $"may not be taken by {Environment.UserName}, as whom this runs: ports below 1024 are the system's",
                _ => $"cannot be listened on: {error.Message}",
            };
        }
    }

    /// <summary>A port near by that is free at this moment; 0, which takes any, where none is.</summary>
    private static IPEndPoint Beside(IPEndPoint place)
    {
        for (int step = 1; step <= StepsMax && place.Port + step * Step <= IPEndPoint.MaxPort; step++)
        {
            IPEndPoint other = new(place.Address, place.Port + step * Step);
            if (WhyTaken(other) is null) return other;
        }

        return new IPEndPoint(place.Address, 0);
    }
}
