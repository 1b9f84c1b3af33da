using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// The code that PaymentChannels has at an address of a chain: the compiled one, with the immutables that its
/// constructor (OpenZeppelin's EIP712) computes from that chain and address filled in.
/// </summary>
internal static class ContractCode
{
    private const string Name = "ChannelNode";
    private const string Version = "1";

    private static readonly Bytes32 DomainType = Keccak.Hash(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"u8);

    public static Bytes32 Hash(ulong chainId, Address contract)
    {
        ContractArtifact artifact = ContractArtifact.PaymentChannels;
        byte[] code = artifact.DeployedBytecode.ToArray();
        foreach ((string name, IReadOnlyList<int> offsets) in artifact.Immutables)
        {
            byte[] value = ValueOf(name, chainId, contract);
            foreach (int offset in offsets) value.CopyTo(code, offset);
        }

        return Keccak.Hash(code);
    }

    private static byte[] ValueOf(string immutable, ulong chainId, Address contract) => immutable switch
    {
        "_cachedDomainSeparator" => Domain(chainId, contract).ToArray(),
        "_cachedChainId" => new AbiWriter(1).Number(chainId).ToArray([]),
        "_cachedThis" => new AbiWriter(1).Account(contract).ToArray([]),
        "_hashedName" => HashOf(Name).ToArray(),
        "_hashedVersion" => HashOf(Version).ToArray(),
        "_name" => ShortString(Name),
        "_version" => ShortString(Version),
        _ => throw new InvalidOperationException($"the artifact has an immutable that this program does not know: {immutable}"),
    };

    private static Bytes32 Domain(ulong chainId, Address contract) => Keccak.Hash(new AbiWriter(5)
        .Bytes32(DomainType)
        .Bytes32(HashOf(Name))
        .Bytes32(HashOf(Version))
        .Number(chainId)
        .Account(contract)
        .ToArray([]));

    private static Bytes32 HashOf(string text) => Keccak.Hash(Encoding.UTF8.GetBytes(text));

    /// <summary>OpenZeppelin's ShortString: the text from the left, its length in the last byte.</summary>
    private static byte[] ShortString(string text)
    {
        var word = new byte[AbiWriter.Word];
        word[^1] = (byte)Encoding.UTF8.GetBytes(text, word);
        return word;
    }
}
