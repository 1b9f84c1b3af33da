using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// One SubscribeEvents call. Everything told is read back from disk in the order of its cursor, a little at a time, so a
/// subscriber sees the same whether it was there or came later, and one that reads slowly only lags.
/// </summary>
internal sealed class EventSubscription(
    Node node, CallerChannels seen, ChannelId? only, IEnumerable<Wire.EventKind> kinds,
    IServerStreamWriter<Wire.SubscribeEventsResponse> responses)
{
    private const int EventsPerRead = 128;

    private readonly HashSet<EventKind> _kinds = [.. kinds.Select(Read)];

    /// <summary>Null for one that needs no sign of life.</summary>
    public Pulse? Pulse { get; init; }

    public async Task RunAsync(ulong afterCursor, bool keptOnly, CancellationToken cancel)
    {
        ulong newest = node.Ledger.EventCursor;
        CursorGap[] gaps = [.. node.Store.Restorations.Select(restored => restored.Events)];
        RestoredCursors.Check(gaps, afterCursor);
        if (afterCursor > newest)
        {
            throw new RefusalException(
                Refusal.CursorUnknown, $"after_cursor is {afterCursor}, expected at most {newest}, the newest event's")
            { Field = "after_cursor" };
        }

        while (!keptOnly || afterCursor < newest)
        {
            cancel.ThrowIfCancellationRequested();
            if (only is { } named) seen.Require(named); // Its token may have been changed.
            IReadOnlyList<OperatorEvent> events = node.Store.ReadEvents(afterCursor, EventsPerRead);
            Wire.SubscribeEventsResponse response = new();
            foreach (OperatorEvent what in events)
            {
                if (what.Cursor > afterCursor + 1 && !RestoredCursors.Bridge(gaps, afterCursor, what.Cursor))
                    throw Expired(afterCursor, what.Cursor);
                if (keptOnly && what.Cursor > newest) break;
                if (IsWanted(what)) response.Events.Add(EventWire.Write(what));
                afterCursor = what.Cursor;
            }

            if (response.Events.Count > 0)
            {
                response.Cursor = afterCursor;
                await responses.WriteAsync(response, cancel);
                Pulse?.Told();
            }

            if (events.Count == 0 && keptOnly) return;
            if (Pulse is not null) await Pulse.SpeakAsync(afterCursor);
            if (events.Count > 0) continue;
            if (Pulse is null) await node.Ledger.WhenHappenedAsync(afterCursor, cancel);
            else await Pulse.WaitAsync(until => node.Ledger.WhenHappenedAsync(afterCursor, until), cancel);
        }
    }

    private bool IsWanted(OperatorEvent what) =>
        seen.ContainsAll(what.Channels) && (_kinds.Count == 0 || _kinds.Contains(what.Kind)) && (only is not { } channel || what.Channels.Contains(channel));

    /// <summary>What was let go of must not be passed over in silence.</summary>
    private static RefusalException Expired(ulong afterCursor, ulong oldestCursor) => new(
        Refusal.CursorExpired,
        $"after_cursor is {afterCursor}, expected at least {oldestCursor - 1}: {oldestCursor} is the oldest event kept")
    {
        Field = "after_cursor",
    };

    private static EventKind Read(Wire.EventKind kind) => (int)kind is > 0 and <= byte.MaxValue && Enum.IsDefined((EventKind)kind)
        ? (EventKind)kind
        : throw Fields.Invalid("kinds", kind.ToString(), "kinds of events that this node knows");
}
