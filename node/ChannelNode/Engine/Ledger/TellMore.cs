namespace ChannelNode.Engine;

/// <summary>
/// A peer has taken what it was to be told: what was held back until then goes on at the end of this turn, as far as there is room.
/// </summary>
internal sealed class TellMore(PeerLink link) : LedgerCommand
{
    internal override void Apply(LedgerTurn turn)
    {
        if (!link.IsCurrent) return;
        foreach (ChannelSlot slot in link.OffersHeld) turn.TouchToSpeak(slot);
        link.OffersHeld.Clear();

        // Those of which the peer has least to take go first: no busy channel keeps the others waiting.
        foreach (ChannelSlot slot in link.Held.OrderBy(slot => slot.UnderWay.Count(slot.Working.Acknowledged))) turn.TouchToSpeak(slot);
    }

    internal override void Abandon(Exception error) { }
}
