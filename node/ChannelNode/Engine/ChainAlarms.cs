using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// What an operator must hear of the chain. Logged now; a stream of events for operators begins here too.
/// </summary>
internal sealed class ChainAlarms(ILogger log, bool guardsOthers = false)
{
    /// <summary>Blocks after <paramref name="back"/> are no longer part of the chain.</summary>
    public void Reorganized(ChainBlock was, ChainBlock back, int channels) =>
        log.Reorganized(was.Number - back.Number, was.Number, was.Hash, back.Number, channels);

    /// <param name="before">The channel without the event.</param>
    public void Seen(Channel channel, in ChannelState before, ChainEvent what, ulong nowSeconds)
    {
        log.ChainEventSeen(channel.Id, what.ToString());
        if (what is ChainEvent.CloseStarted { After: var pots })
            log.Closing(channel.Id, pots.ClosesAtSeconds, (long)pots.ClosesAtSeconds - (long)nowSeconds);
        if (!guardsOthers && Lifecycle.ChainKnowsMore(channel, before, what)) log.ChainKnowsMore(channel.Id, what.ToString(), before.Sent, before.TheirSent);
    }

    /// <summary>What the peer paid was covered by a deposit that is gone: it is worth something again when that comes back.</summary>
    public void IfUncovered(Channel channel, in ChannelState before, in ChannelState after)
    {
        bool was = before.Covers(channel.TheirSide, before.TheirSent, before.TheirReceived);
        if (was && !after.Covers(channel.TheirSide, after.TheirSent, after.TheirReceived))
            log.CreditLost(channel.Id, after.TheirSent, after.OnChain.PotOf(channel.TheirSide));
    }
}
