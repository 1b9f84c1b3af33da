using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What two nodes say to each other, once they know who they are, beside what travels in frames; the wire's own form stays
/// in Grpc.
/// </summary>
internal abstract record PeerMessage
{
    private PeerMessage() { }

    public sealed record Reestablish(ChannelId Channel, UInt128 Sent, UInt128 Received) : PeerMessage
    {
        /// <summary>The newest update of the other side that this one holds; null where it holds none.</summary>
        public HeldUpdate? Held { get; init; }
    }

    public sealed record HeldUpdate(UInt128 Sent, UInt128 Received, Signature Signature);

    /// <summary>The node stops, and expects to be back within so many seconds; 0 when it is not coming back.</summary>
    public sealed record GoingAway(uint BackWithinSeconds) : PeerMessage;

    public sealed record Proposal(ChannelTerms Terms) : PeerMessage;

    /// <summary>With consent: the answerer's signature under the channel's update of nothing sent and nothing received.</summary>
    public sealed record ProposalReply(ChannelId Channel, Signature Consent, Refusal Refusal) : PeerMessage;

    /// <summary>Asks the peer to relay a deposit into the sender's side of the channel.</summary>
    public sealed record DepositAuthorization(
        ChannelId Channel, UInt128 Amount, Engine.DepositAuthorization Authorization) : PeerMessage;

    /// <summary>Without a refusal: the deposit is sent to the chain.</summary>
    public sealed record DepositAuthorizationReply(
        ChannelId Channel, ulong ValidBeforeSeconds, Refusal Refusal) : PeerMessage;

    public sealed record CloseProposal(CooperativeClose Close) : PeerMessage;

    public sealed record CloseReply(
        ChannelId Channel, ulong DeadlineSeconds, Signature Signature, Refusal Refusal) : PeerMessage;

    public sealed record Limits(PeerTold Told) : PeerMessage;
}
