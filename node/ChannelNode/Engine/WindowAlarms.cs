using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Tells operators of windows that end before what protects this node's money is mined. Each once, unless the node is
/// started again meanwhile: then it is news again.
/// </summary>
internal sealed class WindowAlarms(Ledger ledger, NodeClock clock)
{
    private readonly ConcurrentDictionary<(EventKind, ChannelId), ulong> _told = new();

    /// <summary>To be called with every look at a closing channel.</summary>
    public void Look(ChannelSlot slot, ChannelDuty duty)
    {
        if (duty is not (ChannelDuty.Dispute or ChannelDuty.Claim)) return;
        if (ChannelEvents.Ending(slot.Channel, slot.State, clock.ChainSeconds) is { } ending) TellOnce(slot, ending);
    }

    public void DisputeLost(ChannelSlot slot) => TellOnce(slot, ChannelEvents.DisputeLost(slot.Channel, slot.State));

    private void TellOnce(ChannelSlot slot, OperatorEvent alarm)
    {
        (EventKind, ChannelId) key = (alarm.Kind, slot.Channel.Id);
        while (true)
        {
            if (_told.TryGetValue(key, out ulong window))
            {
                if (window == alarm.ClosesAtSeconds) return;
                if (_told.TryUpdate(key, alarm.ClosesAtSeconds, window)) break;
            }
            else if (_told.TryAdd(key, alarm.ClosesAtSeconds))
            {
                break;
            }
        }

        _ = TellAsync(alarm);
    }

    private async Task TellAsync(OperatorEvent alarm)
    {
        try
        {
            await ledger.TellAsync(alarm, CancellationToken.None);
        }
        catch (RefusalException)
        {
            // The node is stopping; it is told after the next start.
        }
    }
}
