using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What two nodes say to each other once they know who they are; the wire's own form stays in Grpc.</summary>
internal abstract record PeerMessage
{
    private PeerMessage() { }

    public sealed record Reestablish(ChannelId Channel, UInt128 Sent, UInt128 Received) : PeerMessage;

    /// <summary><paramref name="Payments"/> is a <see cref="PaymentList"/>, of a peer not checked yet.</summary>
    public sealed record Update(
        BalanceUpdate Balance, Signature Signature, ReadOnlyMemory<byte> Payments) : PeerMessage;

    public sealed record Acknowledgement(ChannelId Channel, UInt128 Received) : PeerMessage;

    public sealed record UpdateRefusal(ChannelId Channel, UInt128 Sent, Refusal Reason) : PeerMessage;

    public sealed record Proposal(ChannelTerms Terms) : PeerMessage;

    /// <summary>With consent: the answerer's signature under the channel's update of nothing sent and nothing received.</summary>
    public sealed record ProposalReply(ChannelId Channel, Signature Consent, Refusal Refusal) : PeerMessage;

    public sealed record CloseProposal(CooperativeClose Close) : PeerMessage;

    public sealed record CloseReply(
        ChannelId Channel, ulong DeadlineSeconds, Signature Signature, Refusal Refusal) : PeerMessage;
}
