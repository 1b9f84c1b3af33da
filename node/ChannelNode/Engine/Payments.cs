using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// One payment that this node has signed for. <paramref name="Total"/> is the channel's lifetime total with it, and
/// so its place in the channel: it is acknowledged when the channel's acknowledged total has reached it.
/// </summary>
internal sealed record OutgoingPayment(
    ChannelId Channel, UInt128 Total, UInt128 Amount, ReadOnlyMemory<byte> ItemId, string IdempotencyKey);

/// <summary>One payment as it comes in within an update.</summary>
internal readonly record struct IncomingPayment(UInt128 Amount, ReadOnlyMemory<byte> ItemId);

/// <summary>
/// One payment received and stored. Cursors start at 1 and rise by one with every payment of the node.
/// </summary>
internal sealed record ReceivedPayment(
    ulong Cursor, ChannelId Channel, UInt128 Amount, ReadOnlyMemory<byte> ItemId, UInt128 Total, long AcceptedAtMs);
