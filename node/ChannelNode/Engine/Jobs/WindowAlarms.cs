using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Tells operators of windows that end before what protects its side's money is mined. Each once, unless the node is
/// started again meanwhile: then it is news again.
/// </summary>
/// <param name="guardsOthers">A watchtower's: the value is not its own.</param>
internal sealed class WindowAlarms(Ledger ledger, NodeClock clock, bool guardsOthers = false)
{
    private readonly ConcurrentDictionary<(EventKind, ChannelId), ulong> _told = new();

    /// <summary>To be called with every look at a closing channel.</summary>
    public void Look(StoredChannel closing, ChannelDuty duty)
    {
        if (duty is not (ChannelDuty.Dispute or ChannelDuty.Claim)) return;
        if (ChannelEvents.Ending(closing.Channel, closing.State, clock.ChainSeconds, !guardsOthers) is { } ending) TellOnce(closing, ending);
    }

    public void DisputeLost(StoredChannel closing) => TellOnce(closing, ChannelEvents.DisputeLost(closing.Channel, closing.State, !guardsOthers));

    private void TellOnce(StoredChannel closing, OperatorEvent alarm)
    {
        (EventKind, ChannelId) key = (alarm.Kind, closing.Channel.Id);
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
