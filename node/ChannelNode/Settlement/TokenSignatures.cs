using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// The EIP-712 messages under which a token's owner signs away an amount, for a token that takes signatures.
/// <c>domain</c> is the hash of the token's own domain, as its DOMAIN_SEPARATOR tells it.
/// </summary>
internal static class TokenSignatures
{
    private static readonly Bytes32 PermitType = Keccak.Hash(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"u8);

    private static readonly Bytes32 ReceiveType = Keccak.Hash(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"u8);

    /// <summary>EIP-2612: lets the spender take the value.</summary>
    public static byte[] Permit(
        Bytes32 domain, Address owner, Address spender, UInt128 value, Bytes32 nonce, ulong deadlineSeconds) =>
        Message(
            domain,
            new AbiWriter(6)
                .Bytes32(PermitType)
                .Account(owner)
                .Account(spender)
                .Number(value)
                .Bytes32(nonce)
                .Number(deadlineSeconds));

    /// <summary>EIP-3009: pays the value to the receiver, who must be the caller.</summary>
    public static byte[] ReceiveWithAuthorization(
        Bytes32 domain, Address from, Address to, UInt128 value, ulong validAfterSeconds, ulong validBeforeSeconds,
        Bytes32 nonce) =>
        Message(
            domain,
            new AbiWriter(7)
                .Bytes32(ReceiveType)
                .Account(from)
                .Account(to)
                .Number(value)
                .Number(validAfterSeconds)
                .Number(validBeforeSeconds)
                .Bytes32(nonce));

    /// <summary>What is hashed and signed.</summary>
    private static byte[] Message(Bytes32 domain, AbiWriter message) =>
        new AbiWriter(2)
            .Bytes32(domain)
            .Bytes32(Keccak.Hash(message.ToArray([])))
            .ToArray([0x19, 0x01]);
}
