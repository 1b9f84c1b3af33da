using System.Diagnostics.Metrics;
using ChannelNode.Engine;

namespace ChannelNode.Telemetry;

/// <summary>Who comes in, and who is sent away.</summary>
internal static class DoorInstruments
{
    public static void Add(Meter meter, Overview overview)
    {
        DoorList doors = overview.Doors;
        meter.CreateObservableGauge(
            "channelnode.connections", () => doors.All.Select(door => new Measurement<long>(door.Open(), Labels.Of("door", door.Door))),
            "{connection}", "Connections to each door");
        meter.CreateObservableCounter(
            "channelnode.connections.closed", () => doors.All.SelectMany(Closed), "{connection}",
            "Connections closed for want of a place: of their address, of all, or because they used theirs for nothing");
        meter.CreateObservableGauge(
            "channelnode.messages.held", () => doors.All.Select(door => new Measurement<long>(door.Room?.Held ?? 0, Labels.Of("door", door.Door))),
            "By", "Of messages of each door's callers that are not whole, or not done with");
        meter.CreateObservableCounter(
            "channelnode.calls.ended", () => doors.All.Select(door => new Measurement<long>(door.Room?.Ended ?? 0, Labels.Of("door", door.Door))),
            "{call}", "Calls ended because they held most of more than --message-memory-max");
    }

    private static IEnumerable<Measurement<long>> Closed(DoorCounts door)
    {
        KeyValuePair<string, object?> name = Labels.Of("door", door.Door);
        yield return new(door.RefusedOfAddress, name, Labels.Of("reason", "address"));
        yield return new(door.RefusedOfAll, name, Labels.Of("reason", "all"));
        yield return new(door.UnusedEnded, name, Labels.Of("reason", "unused"));
    }
}
