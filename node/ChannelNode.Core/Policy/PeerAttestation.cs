namespace ChannelNode.Core;

/// <summary>
/// What an attestor signs of a peer: EIP-712 PeerAttestation(address peer,string tier,uint64 validUntil,uint64 issuedAt,
/// address node) under the contract's domain. So it holds for one node, one contract and one chain.
/// </summary>
/// <param name="Peer">The peer's signer.</param>
/// <param name="Tier">The tier's name, 1 to 32 bytes.</param>
/// <param name="ValidUntilSeconds">Unix time from which on it does not hold.</param>
/// <param name="IssuedAtSeconds">Unix time; one issued before the peer's tier was last changed changes nothing.</param>
/// <param name="Node">The signer of the node that it is meant for.</param>
public sealed record PeerAttestation(
    Address Peer, string Tier, ulong ValidUntilSeconds, ulong IssuedAtSeconds, Address Node);
