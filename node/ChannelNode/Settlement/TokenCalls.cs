using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>Calldata for an ERC-20 token.</summary>
internal static class TokenCalls
{
    private static readonly byte[] BalanceOfSelector = Selector("balanceOf(address)"u8);
    private static readonly byte[] AllowanceSelector = Selector("allowance(address,address)"u8);
    private static readonly byte[] ApproveSelector = Selector("approve(address,uint256)"u8);

    public static byte[] BalanceOf(Address owner) => new AbiWriter(1).Account(owner).ToArray(BalanceOfSelector);

    public static byte[] Allowance(Address owner, Address spender) =>
        new AbiWriter(2).Account(owner).Account(spender).ToArray(AllowanceSelector);

    public static byte[] Approve(Address spender, UInt128 amount) =>
        new AbiWriter(2).Account(spender).Number(amount).ToArray(ApproveSelector);

    /// <summary>A uint256; what is above 128 bits is as good as the largest 128-bit number here.</summary>
    public static UInt128 ReadAmount(ReadOnlySpan<byte> result) =>
        result.Length == AbiWriter.Word && result[..16].ContainsAnyExcept((byte)0)
            ? UInt128.MaxValue
            : new AbiReader(result).Number();

    private static byte[] Selector(ReadOnlySpan<byte> signature) => Keccak.Hash(signature).ToArray()[..4];
}
