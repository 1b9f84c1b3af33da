using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// One payment that this node has signed for. <paramref name="Total"/> is the channel's lifetime total with it, and
/// so its place in the channel: it is acknowledged when the channel's acknowledged total has reached it.
/// </summary>
internal sealed record OutgoingPayment(
    ChannelId Channel, UInt128 Total, UInt128 Amount, ReadOnlyMemory<byte> ItemId, string IdempotencyKey);

/// <summary>One payment within an update.</summary>
internal readonly record struct IncomingPayment(UInt128 Amount, ReadOnlyMemory<byte> ItemId);

/// <summary>
/// Payments of one channel that were accepted together. They have the cursors from <paramref name="FirstCursor"/> on;
/// cursors start at 1 and rise by one with every payment of the node.
/// </summary>
internal readonly record struct ReceivedRun(
    ulong FirstCursor, int Count, ChannelId Channel, UInt128 TotalBefore, long AcceptedAtMs)
{
    public ulong LastCursor => FirstCursor + (ulong)Count - 1;
}

/// <summary>A run as the journal holds it; <paramref name="Payments"/> is a <see cref="PaymentList"/>.</summary>
internal sealed record JournalledRun(ReceivedRun Run, ReadOnlyMemory<byte> Payments);

/// <summary>The peer's own update: signed by it, so whoever holds it can prove what the peer has accepted.</summary>
internal sealed record SignedReceipt(UInt128 Sent, UInt128 Received, Signature Signature);
