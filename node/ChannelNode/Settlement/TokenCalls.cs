using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>Calldata for an ERC-20 token.</summary>
internal static class TokenCalls
{
    private static readonly byte[] BalanceOfSelector = Selector("balanceOf(address)"u8);
    private static readonly byte[] AllowanceSelector = Selector("allowance(address,address)"u8);
    private static readonly byte[] ApproveSelector = Selector("approve(address,uint256)"u8);

    private static readonly byte[] NoncesSelector = Selector("nonces(address)"u8);
    private static readonly byte[] AuthorizationStateSelector = Selector("authorizationState(address,bytes32)"u8);

    /// <summary>The hash of the token's own EIP-712 domain.</summary>
    public static byte[] DomainSeparator { get; } = Selector("DOMAIN_SEPARATOR()"u8);

    public static byte[] Symbol { get; } = Selector("symbol()"u8);

    public static byte[] Decimals { get; } = Selector("decimals()"u8);

    /// <summary>
    /// A string, or, of old tokens, 32 bytes filled up with zeros; null where it is neither. No more is read than a name needs.
    /// </summary>
    public static string? ReadSymbol(ReadOnlySpan<byte> result)
    {
        const int headBytes = 2 * AbiWriter.Word, namesBytesMax = 64;
        if (result.Length == AbiWriter.Word) return Encoding.UTF8.GetString(result.TrimEnd((byte)0));
        if (result.Length < headBytes || ReadAmount(result[..AbiWriter.Word]) != AbiWriter.Word) return null;
        UInt128 length = ReadAmount(result[AbiWriter.Word..headBytes]);
        return length <= namesBytesMax && length <= (UInt128)(result.Length - headBytes)
            ? Encoding.UTF8.GetString(result.Slice(headBytes, (int)length))
            : null;
    }

    /// <summary>How many permits of the owner were used (EIP-2612).</summary>
    public static byte[] Nonces(Address owner) => new AbiWriter(1).Account(owner).ToArray(NoncesSelector);

    /// <summary>Whether an authorization was used or taken back (EIP-3009).</summary>
    public static byte[] AuthorizationState(Address owner, Bytes32 nonce) =>
        new AbiWriter(2).Account(owner).Bytes32(nonce).ToArray(AuthorizationStateSelector);

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
