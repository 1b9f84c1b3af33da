using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What a restored node's lost self has paid after the backup, and nobody here can tell for what.</summary>
internal static class LostPayments
{
    /// <summary>An operator has looked: the channel is paid in again.</summary>
    /// <returns>How much of what was sent stays without payments in the books.</returns>
    public static Task<UInt128> ResumeAsync(Ledger ledger, ChannelSlot slot, string by, CancellationToken cancel) => ledger.RunAsync(
        turn =>
        {
            UInt128 unrecorded = slot.Working.SentUnrecorded;
            if (unrecorded == UInt128.Zero) return unrecorded;
            slot.Working = slot.Working with { SentUnrecorded = UInt128.Zero };
            turn.Tell(ChannelEvents.Resumed(slot.Channel, unrecorded, by));
            turn.Touch(slot, durable: true);
            return unrecorded;
        },
        cancel);
}
