using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// All that anyone needs to act for a side that is away: the other side's update, its signature, and the consent of the
/// side that the update pays. Whoever has it can only serve that side with it.
/// </summary>
internal sealed record GuardedUpdate(BalanceUpdate Update, Signature Signature, Signature Consent);

/// <summary>A side's signer asks a watchtower to keep this. With the terms as long as it may not know the channel.</summary>
internal sealed record GuardRequest(GuardedUpdate Guarded, ChannelTerms? Terms);

/// <summary>The newest that a watchtower has on disk for a side of a channel.</summary>
internal readonly record struct GuardedTotals(ChannelId Channel, UInt128 Sent, UInt128 Received)
{
    /// <summary>Whether whoever has these has no less than an update says.</summary>
    public bool Covers(UInt128 sent, UInt128 received) => Sent >= sent && Received >= received;
}

/// <summary>Nothing of a request was stored, and why; the field, what it was, and what would do.</summary>
internal sealed record GuardRefusal(ChannelId Channel, UInt128 Sent, Refusal Reason, string Field, string Value, string Limit);

/// <summary>What became of a frame of requests; all that it says is on disk.</summary>
internal sealed record GuardAnswer(IReadOnlyList<GuardedTotals> Stored, IReadOnlyList<GuardRefusal> Refusals);
