using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What a restored node's lost self has paid after the backup, and nobody here can tell for what.</summary>
internal static class LostPayments
{
    /// <summary>
    /// An operator has looked: the channel is paid in again, and so much of what was sent stays without payments in the books. InvalidArgument
    /// where it is another amount now: more was shown since.
    /// </summary>
    public static Task ResumeAsync(Ledger ledger, ChannelSlot slot, UInt128 unrecorded, string by, CancellationToken cancel) => ledger.RunAsync(
        turn =>
        {
            if (slot.Working.SentUnrecorded != unrecorded)
            {
                throw new RefusalException(
                    Refusal.InvalidArgument,
                    $"sent_unrecorded is {unrecorded}, expected {slot.Working.SentUnrecorded}, which is what is not in the books now")
                {
                    Field = "sent_unrecorded",
                    Value = $"{unrecorded}",
                    Limit = $"{slot.Working.SentUnrecorded}",
                };
            }

            if (unrecorded == UInt128.Zero) return true;
            slot.Working = slot.Working with { SentUnrecorded = UInt128.Zero };
            turn.Tell(ChannelEvents.Resumed(slot.Channel, unrecorded, by));
            turn.Touch(slot, durable: true);
            return true;
        },
        cancel);
}
